// See checkpoint.h.
#include "runtime/training/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "ir/class_weights.h"
#include "runtime/files/array_values.h"
#include "runtime/files/json.h"
#include "runtime/session/weights_parts.h"

namespace tarn {

namespace {

nlohmann::json json_of(const Watched& watched) {
  nlohmann::json json{{"wait", watched.wait}, {"cooldown", watched.cooldown}, {"ended", watched.ended}};
  if (watched.best) json["best"] = *watched.best;
  return json;
}

Watched watched_in(const nlohmann::json& json) {
  Watched watched;
  if (!json.is_object()) return watched;
  if (const auto best = json.find("best"); best != json.end() && best->is_number()) watched.best = best->get<double>();
  const auto count = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : std::int64_t{0};
  };
  watched.wait = count("wait");
  watched.cooldown = count("cooldown");
  watched.ended = json.value("ended", nlohmann::json(false)) == true;
  return watched;
}

nlohmann::json json_of(const EpochPosition& position) {
  const EpochPlan& plan = position.plan;
  return {{"epoch", plan.epoch},
          {"rows", plan.rows},
          {"batch", plan.batch},
          {"shuffled", plan.shuffled},
          {"batches", position.batches}};
}

// Nothing where a part is missing or wrong, and where the metrics are not those of the program.
std::optional<EpochPosition> position_in(const nlohmann::json& json, const std::vector<NamedArray>& metrics,
                                         const Program& program) {
  if (!json.is_object()) return std::nullopt;
  const auto count = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : std::uint64_t{0};
  };
  EpochPosition position{{static_cast<std::int64_t>(count("epoch")), count("rows"), count("batch"),
                          json.value("shuffled", nlohmann::json(false)) == true},
                         count("batches"),
                         Bytes(metric_bytes(program), std::byte{0})};
  if (position.plan.batch == 0 || position.batches > position.plan.batches()) return std::nullopt;
  std::size_t known = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind != TensorKind::metric) continue;
    const NamedArray* const found = find(metrics, tensor.name);
    if (found == nullptr || found->array.type != array_type_of(tensor.type.dtype) ||
        found->array.shape != tensor.type.shape)
      return std::nullopt;
    std::ranges::copy(found->array.data, position.accumulators.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
    ++known;
  }
  return known == metrics.size() ? std::optional(std::move(position)) : std::nullopt;
}

std::string json_text(const TrainingMemory& memory) {
  nlohmann::json json{{"early_stopping", json_of(memory.early_stopping)}, {"plateau", json_of(memory.plateau)}};
  json["checkpoints"] = nlohmann::json::array();
  for (const Watched& watched : memory.checkpoints) json["checkpoints"].push_back(json_of(watched));
  if (memory.position) json["position"] = json_of(*memory.position);
  return json.dump();
}

TrainingMemory memory_in(Checkpoint& checkpoint, const Program& program) {
  TrainingMemory memory;
  memory.best_weights = std::move(checkpoint.best_weights);
  const nlohmann::json json = parse_json(checkpoint.memory);
  if (json.is_object()) {
    memory.early_stopping = watched_in(json.value("early_stopping", nlohmann::json()));
    memory.plateau = watched_in(json.value("plateau", nlohmann::json()));
    for (const nlohmann::json& watched : json.value("checkpoints", nlohmann::json::array()))
      memory.checkpoints.push_back(watched_in(watched));
    memory.position = position_in(json.value("position", nlohmann::json()), checkpoint.metrics, program);
  }
  return memory;
}

std::string hexadecimal(std::uint64_t value) { return fmt::format("{:016x}", value); }

constexpr const char* kHyperParameters = "hyper_parameters";

std::map<std::string, double> hyper_parameters_of(const Program& program) {
  std::map<std::string, double> values;
  for (const TensorInfo& tensor : program.tensors) {
    // Which class a weight is of the data say, not the model file.
    if (tensor.kind == TensorKind::hyper && !tensor.name.starts_with(kClassWeightPrefix))
      values[tensor.name] = tensor.initial;
  }
  return values;
}

}  // namespace

Status write_checkpoint(const std::string& path, const Session& session, const TrainingMemory& memory) {
  std::map<std::string, std::string> metadata = metadata_of(session);
  metadata["seed"] = hexadecimal(session.seed());
  metadata["layout"] = hexadecimal(layout_hash(session.program()));
  metadata["training"] = json_text(memory);
  metadata[kHyperParameters] = nlohmann::json(hyper_parameters_of(session.program())).dump();
  std::vector<NamedView> tensors = tensors_of(session, true);
  for (NamedView& best : views_of(memory.best_weights)) {
    best.name.insert(0, kBestPrefix);
    tensors.push_back(std::move(best));
  }
  for (const TensorInfo& tensor : session.program().tensors) {
    if (memory.position && tensor.kind == TensorKind::metric)
      tensors.push_back(view_in(memory.position->accumulators, tensor, kMetricPrefix));
  }
  return write_safetensors(path, tensors, metadata);
}

Result<Checkpoint> read_checkpoint(const std::string& path) {
  TARN_TRY(Safetensors file, read_safetensors(path));
  const auto layout = file.metadata.find("layout");
  const auto seed = file.metadata.find("seed");
  if (layout == file.metadata.end() || seed == file.metadata.end())
    return error(fmt::format("'{}' is not a checkpoint", path));
  Checkpoint checkpoint;
  const char* end = seed->second.data() + seed->second.size();
  const auto [read_to, problem] = std::from_chars(seed->second.data(), end, checkpoint.seed, 16);
  if (problem != std::errc() || read_to != end) return error(fmt::format("'{}' is not a checkpoint", path));
  checkpoint.layout = layout->second;
  if (const auto memory = file.metadata.find("training"); memory != file.metadata.end())
    checkpoint.memory = memory->second;
  read_json(file.metadata, kHyperParameters, checkpoint.hyper_parameters);
  checkpoint.best_weights = taken_out(file.tensors, kBestPrefix);
  checkpoint.metrics = taken_out(file.tensors, kMetricPrefix);
  checkpoint.state = weights_in({std::move(file.tensors), std::move(file.metadata)}, path);
  return checkpoint;
}

Status resume_checkpoint(Session& session, Checkpoint checkpoint, TrainingMemory& memory) {
  const Program& program = session.program();
  TrainingMemory remembered = memory_in(checkpoint, program);
  std::vector<Note> notes = mismatches(program, checkpoint.state.tensors);
  for (Note& note : mismatches(program, remembered.best_weights)) {
    if (!remembered.best_weights.empty()) notes.push_back(std::move(note));
  }
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind == TensorKind::metric || is_weight(tensor)) continue;
    const NamedArray* found = find(checkpoint.state.tensors, tensor.name);
    if (found == nullptr || found->array.shape != tensor.type.shape) {
      notes.push_back({{}, fmt::format("'{}' {} is not in the file", tensor.name, to_string(tensor.type.shape))});
    }
  }
  const bool is_other_layout = checkpoint.layout != hexadecimal(layout_hash(program));
  for (const TensorInfo& tensor : program.tensors) {
    const NamedArray* found = is_other_layout && notes.empty() ? find(checkpoint.state.tensors, tensor.name) : nullptr;
    if (found == nullptr || found->array.type == array_type_of(tensor.type.dtype)) continue;
    notes.push_back({{},
                     fmt::format("'{}' and others are {} in the file and {} in the model", tensor.name,
                                 name_of(found->array.type), name_of(tensor.type.dtype))});
  }
  if (!notes.empty() || is_other_layout) {
    return error_at({},
                    fmt::format("'{}' is a checkpoint of another model or optimizer than '{}'", checkpoint.state.path,
                                program.name),
                    std::move(notes));
  }
  for (const std::vector<NamedArray>* tensors : {&checkpoint.state.tensors, &remembered.best_weights})
    TARN_RETURN_IF_ERROR(check_values(&program, *tensors, checkpoint.state.path));
  session.initialize(checkpoint.seed);
  for (const NamedArray& tensor : checkpoint.state.tensors) session.set_tensor(tensor.name, tensor.array);
  session.set_vocabularies(checkpoint.state.vocabularies);
  memory = std::move(remembered);
  return Done{};
}

Status resume_checkpoint(Session& session, const std::string& path, TrainingMemory& memory) {
  TARN_TRY(Checkpoint checkpoint, read_checkpoint(path));
  return resume_checkpoint(session, std::move(checkpoint), memory);
}

std::vector<ChangedHyperParameter> changed_hyper_parameters(const Program& program, const Checkpoint& checkpoint) {
  std::vector<ChangedHyperParameter> changed;
  for (const auto& [name, in_file] : hyper_parameters_of(program)) {
    const NamedArray* const found = find(checkpoint.state.tensors, name);
    if (found == nullptr) continue;
    const double value = found->array.at(0);
    // Callbacks may have changed the value since; older checkpoints do not say what the file had.
    const auto before = checkpoint.hyper_parameters.find(name);
    if ((before == checkpoint.hyper_parameters.end() ? value : before->second) != in_file)
      changed.push_back({name, value, in_file});
  }
  return changed;
}

}  // namespace tarn
