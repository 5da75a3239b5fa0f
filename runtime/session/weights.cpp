// Weights on disk. See weights.h.
#include "runtime/session/weights.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "ir/counted.h"
#include "runtime/data/labels.h"
#include "runtime/files/array_values.h"
#include "runtime/files/file.h"
#include "runtime/files/gzip.h"
#include "runtime/files/npz.h"
#include "runtime/files/value_check.h"
#include "runtime/files/zip.h"
#include "runtime/session/weights_parts.h"

namespace tarn {

bool is_weight(const TensorInfo& tensor) {
  return tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::state;
}

// Where the tensor lies in the block that has it: a state, or accumulators.
NamedView view_in(const Bytes& block, const TensorInfo& tensor, std::string_view prefix) {
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

namespace {

constexpr const char *kClasses = "classes", *kClassNumbers = "class_numbers", *kColumns = "columns";

}  // namespace

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
  const Vocabularies::Columns& columns = session.vocabularies().all_columns();
  if (!columns.empty()) metadata[kColumns] = nlohmann::json(columns).dump();
  return metadata;
}

namespace {

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
  Vocabularies::Columns columns;
  read_json(metadata, kColumns, columns);
  return Vocabularies::of_weights(std::move(known), std::move(columns));
}

}  // namespace

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

namespace {

// More names than an input or target has places for are those of another one.
Status check_names(const Program& program, const WeightsFile& weights) {
  for (const auto& [name, vocabulary] : weights.vocabularies.all()) {
    const InputInfo* const input = program.find_input(name);
    if (input == nullptr) continue;
    const std::int64_t places = element_count(input->type.shape);
    const std::int64_t most = places > 1 ? places : input->values.counts() ? input->values.count : kMostClasses;
    if (std::cmp_less_equal(vocabulary.names.size(), most)) continue;
    return error_in_file(weights.path, fmt::format("names {} of '{}', which is {} and takes {}",
                                                   counted(vocabulary.names.size(), "class", "classes"), name,
                                                   to_string(input->type.shape), most));
  }
  return Done{};
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
  return error_in_file(
      path, fmt::format("the names of so many classes and columns do not fit a .npz file ({} bytes, of {} at most): "
                        "write .safetensors",
                        bytes, kMostZipComment));
}

namespace {

// One error for all of them, each with its first wrong element.
Status wrong_values(const std::string& where, std::vector<Note> wrong) {
  constexpr std::size_t kMostShown = 5;
  if (wrong.empty()) return Done{};
  Diagnostic failure = error_at(wrong.front().span, where + wrong.front().message);
  if (wrong.size() > kMostShown) {
    wrong.back() = {{}, fmt::format("{} with such values", counted(wrong.size() - kMostShown, "more tensor"))};
    wrong.erase(wrong.begin() + kMostShown, wrong.end() - 1);
  }
  failure.notes.assign(wrong.begin() + 1, wrong.end());
  return failure;
}

}  // namespace

Status check_values(const Program* program, const std::vector<NamedArray>& tensors, const std::string& path) {
  std::vector<Note> notes;
  for (const NamedArray& tensor : tensors) {
    if (tensor.name.starts_with(kMetricPrefix)) continue;  // what metrics gather may begin with an infinity
    const TensorInfo* const known = program == nullptr ? nullptr : program->find_tensor(tensor.name);
    const ArrayType type = known == nullptr ? tensor.array.type : array_type_of(known->type.dtype);
    if (const auto wrong = wrong_elements(tensor.array, type))
      notes.push_back({{}, wrong_elements_text(tensor.name, tensor.array, type, *wrong)});
  }
  return wrong_values(path + ": ", std::move(notes));
}

Status check_initial_values(const Session& session) {
  std::vector<Note> notes;
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::metric) continue;
    const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
    if (all_finite(tensor.type.dtype, session.state().data() + tensor.offset, count)) continue;
    const Array values = session.tensor(tensor.name);
    if (const auto wrong = wrong_elements(values, values.type))
      notes.push_back(
          {tensor.declared, "the initial value of " + wrong_elements_text(tensor.name, values, values.type, *wrong)});
  }
  return wrong_values("", std::move(notes));
}

void set_constants(ModelOptions& options, const WeightsFile& weights) {
  std::vector<Setting> noted;
  for (const auto& [name, value] : weights.constants) noted.push_back({name, value, weights.path});
  options.overrides.insert(options.overrides.begin(), noted.begin(), noted.end());
}

Status apply_weights(Session& session, const WeightsFile& weights) {
  TARN_RETURN_IF_ERROR(check_tensors(session.program(), weights));
  TARN_RETURN_IF_ERROR(check_values(&session.program(), weights.tensors, weights.path));
  TARN_RETURN_IF_ERROR(check_names(session.program(), weights));
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

}  // namespace tarn
