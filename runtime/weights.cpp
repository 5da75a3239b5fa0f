// Weights and checkpoints on disk. See weights.h.
#include "runtime/weights.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ir/class_weights.h"
#include "runtime/array_values.h"
#include "runtime/file.h"
#include "runtime/gzip.h"
#include "runtime/npz.h"
#include "runtime/zip.h"

namespace tarn {

namespace {

bool is_weight(const TensorInfo& tensor) {
  return tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::state;
}

// Where the tensor lies in the block that has it: a state, or accumulators.
NamedView view_in(const Bytes& block, const TensorInfo& tensor, std::string_view prefix = "") {
  return {std::string(prefix) + tensor.name, array_type_of(tensor.type.dtype), tensor.type.shape,
          ByteView(block).subspan(tensor.offset, sample_bytes(tensor.type))};
}

std::vector<NamedView> tensors_of(const Session& session, bool everything) {
  std::vector<NamedView> tensors;
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::metric || !(everything || is_weight(tensor))) continue;
    tensors.push_back(view_in(session.state(), tensor));
  }
  return tensors;
}

constexpr const char *kClasses = "classes", *kClassNumbers = "class_numbers";

std::map<std::string, std::string> metadata_of(const Session& session) {
  std::map<std::string, std::string> metadata{{"format", "tarn"}, {"model", session.program().name}};
  if (!session.program().constants.empty()) metadata["constants"] = nlohmann::json(session.program().constants).dump();
  std::map<std::string, std::vector<std::string>> names;
  std::map<std::string, std::int64_t> numbers;
  for (const auto& [input, vocabulary] : session.vocabularies().all()) {
    if (vocabulary.names.empty()) {
      numbers[input] = vocabulary.numbers;
    } else {
      names[input] = vocabulary.names;
    }
  }
  if (!names.empty()) metadata[kClasses] = nlohmann::json(names).dump();
  if (!numbers.empty()) metadata[kClassNumbers] = nlohmann::json(numbers).dump();
  return metadata;
}

// Metadata written by others may hold anything under our names: what does not fit is left out.
template <class T>
void read_json(const std::map<std::string, std::string>& metadata, const char* key, T& value) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return;
  const nlohmann::json json = nlohmann::json::parse(found->second, nullptr, false);
  try {
    value = json.get<T>();
  } catch (const nlohmann::json::exception&) {
    value = T();
  }
}

Vocabularies vocabularies_in(const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::vector<std::string>> names;
  std::map<std::string, std::int64_t> numbers;
  read_json(metadata, kClasses, names);
  read_json(metadata, kClassNumbers, numbers);
  Vocabularies::Map known;
  for (const auto& [input, count] : numbers) {
    if (count > 0) known[input] = {{}, count};
  }
  for (auto& [input, list] : names) {
    if (!list.empty()) known[input] = {std::move(list), 0};
  }
  return Vocabularies::of_weights(std::move(known));
}

// The best weights in a checkpoint, and what metrics have gathered in an interrupted epoch; no tensor of a model has a
// slash in its name.
constexpr std::string_view kBestPrefix = "best/", kMetricPrefix = "metrics/";

// Takes the tensors with the prefix out of those of a file; their names are without it.
std::vector<NamedArray> taken_out(std::vector<NamedArray>& tensors, std::string_view prefix) {
  std::vector<NamedArray> taken;
  for (NamedArray& tensor : tensors) {
    if (tensor.name.starts_with(prefix)) taken.push_back({tensor.name.substr(prefix.size()), std::move(tensor.array)});
  }
  std::erase_if(tensors, [&](const NamedArray& tensor) { return tensor.name.starts_with(prefix); });
  return taken;
}

const NamedArray* find(const std::vector<NamedArray>& tensors, std::string_view name) {
  for (const NamedArray& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

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
  const nlohmann::json json = nlohmann::json::parse(checkpoint.memory, nullptr, false);
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

// Counters are kept as f64, which has all whole numbers up to 2^53.
bool is_count(double value) { return value >= 0 && value <= 9007199254740992.0; }

// What keeps `tensors` from being the weights of the program: one note a name.
std::vector<Note> mismatches(const Program& program, const std::vector<NamedArray>& tensors) {
  std::vector<Note> notes;
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_weight(tensor)) continue;
    const NamedArray* found = find(tensors, tensor.name);
    if (found == nullptr) {
      notes.push_back({{}, fmt::format("'{}' {} is not in the file", tensor.name, to_string(tensor.type.shape))});
    } else if (found->array.shape != tensor.type.shape) {
      notes.push_back({{},
                       fmt::format("'{}': expected {}, found {}", tensor.name, to_string(tensor.type.shape),
                                   format_shape(found->array.shape))});
    }
  }
  for (const NamedArray& tensor : tensors) {
    const TensorInfo* known = program.find_tensor(tensor.name);
    if (known == nullptr || known->kind == TensorKind::metric) {
      notes.push_back({{}, fmt::format("'{}' {} is not in the model", tensor.name, format_shape(tensor.array.shape))});
    } else if (!is_weight(*known) && tensor.array.shape != known->type.shape) {
      notes.push_back({{},
                       fmt::format("'{}': expected {}, found {}", tensor.name, to_string(known->type.shape),
                                   format_shape(tensor.array.shape))});
    } else if (known->kind == TensorKind::counter && !is_count(tensor.array.at(0))) {
      notes.push_back({{}, fmt::format("'{}' holds {}, which is no count", tensor.name, tensor.array.at(0))});
    }
  }
  return notes;
}

}  // namespace

Result<TensorFile> read_tensor_file(const std::string& path) {
  TARN_TRY(const Bytes bytes, read_file(path));
  TensorFile file;
  if (path.ends_with(".npz") || is_zip(bytes)) {
    TARN_TRY(Npz npz, parse_npz(bytes, path));
    file.tensors = std::move(npz.arrays);
    // A comment of others' is no JSON, or other JSON.
    read_json({{"", std::move(npz.comment)}}, "", file.metadata);
    if (file.tensors.empty() && file.metadata.empty()) return error_in_file(path, "holds no arrays");
    return file;
  }
  TARN_TRY(Safetensors parsed, parse_safetensors(bytes, path));
  return TensorFile{std::move(parsed.tensors), std::move(parsed.metadata)};
}

Status write_tensor_file(const std::string& path, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata) {
  if (!path.ends_with(".npz")) return write_safetensors(path, tensors, metadata);
  return write_npz(path, tensors, metadata.empty() ? "" : nlohmann::json(metadata).dump());
}

namespace {

WeightsFile weights_in(TensorFile file, const std::string& path) {
  WeightsFile weights;
  weights.path = path;
  const auto model = file.metadata.find("model");
  if (model != file.metadata.end()) weights.model = model->second;
  read_json(file.metadata, "constants", weights.constants);
  weights.vocabularies = vocabularies_in(file.metadata);
  weights.tensors = std::move(file.tensors);
  return weights;
}

// The error where the session's program has not the tensors of the file.
Status check_tensors(const Program& program, const WeightsFile& weights) {
  std::vector<Note> notes = mismatches(program, weights.tensors);
  if (notes.empty()) return Done{};
  std::string message = fmt::format("'{}' does not hold the weights of model '{}'", weights.path, program.name);
  if (!weights.model.empty() && weights.model != program.name)
    message += fmt::format("; they are of '{}'", weights.model);
  return error_at({}, std::move(message), std::move(notes));
}

}  // namespace

Result<WeightsFile> read_weights(const std::string& path) {
  TARN_TRY(TensorFile file, read_tensor_file(path));
  WeightsFile weights = weights_in(std::move(file), path);
  // A checkpoint's weights are those that it goes on from.
  for (const std::string_view prefix : {kBestPrefix, kMetricPrefix}) taken_out(weights.tensors, prefix);
  return weights;
}

Status write_weights(const std::string& path, const Session& session) {
  return write_tensor_file(path, tensors_of(session, false), metadata_of(session));
}

Status can_hold_weights(const std::string& path, const Session& session) {
  if (!path.ends_with(".npz")) return Done{};
  const std::size_t bytes = nlohmann::json(metadata_of(session)).dump().size();
  if (bytes <= kMostZipComment) return Done{};
  return error_in_file(path,
                       fmt::format("the names of so many classes do not fit a .npz file ({} bytes, of {} at most): "
                                   "write .safetensors",
                                   bytes, kMostZipComment));
}

Status apply_weights(Session& session, const WeightsFile& weights) {
  TARN_RETURN_IF_ERROR(check_tensors(session.program(), weights));
  for (const NamedArray& tensor : weights.tensors) session.set_tensor(tensor.name, tensor.array);
  session.set_vocabularies(weights.vocabularies);
  return Done{};
}

void set_class_names(std::map<std::string, std::string>& metadata, const std::string& input,
                     const std::vector<std::string>& names) {
  std::map<std::string, std::vector<std::string>> all;
  read_json(metadata, kClasses, all);
  all[input] = names;
  metadata[kClasses] = nlohmann::json(all).dump();
}

namespace {

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
  if (std::from_chars(seed->second.data(), end, checkpoint.seed, 16).ptr != end)
    return error(fmt::format("'{}' is not a checkpoint", path));
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
  if (!notes.empty() || checkpoint.layout != hexadecimal(layout_hash(program))) {
    return error_at({},
                    fmt::format("'{}' is a checkpoint of another model or optimizer than '{}'", checkpoint.state.path,
                                program.name),
                    std::move(notes));
  }
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
