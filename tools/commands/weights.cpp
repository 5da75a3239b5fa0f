// `tarn weights FILE`: names, shapes and statistics of a weights file; its values; changes to it.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/files/png.h"
#include "runtime/files/value_check.h"
#include "runtime/session/weights.h"
#include "tools/driver/command.h"
#include "tools/driver/command_files.h"
#include "tools/driver/weight_picture.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct WeightsOptions : CommonOptions {
  std::string print, npz, picture;
  std::vector<std::string> assign, classes;
};

Json nested(const Array& array, std::size_t axis, std::int64_t& at) {
  if (axis == array.shape.size()) return json_number(array.at(at++), array.type == ArrayType::f32);
  Json list = Json::array();
  for (std::int64_t i = 0; i < array.shape[axis]; ++i) list.push_back(nested(array, axis + 1, at));
  return list;
}

Json values_of(const Array& array) {
  std::int64_t at = 0;
  return nested(array, 0, at);
}

struct Statistics {
  double least = 0, largest = 0, mean = 0, deviation = 0;
};

Statistics statistics_of(const Array& array) {
  const std::vector<double> values = array.to_doubles();
  Statistics result;
  if (values.empty()) return result;
  result.least = *std::min_element(values.begin(), values.end());
  result.largest = *std::max_element(values.begin(), values.end());
  for (double value : values) result.mean += value / static_cast<double>(values.size());
  for (double value : values)
    result.deviation += (value - result.mean) * (value - result.mean) / static_cast<double>(values.size());
  result.deviation = std::sqrt(result.deviation);
  return result;
}

// Collects the numbers of nested JSON lists in row-major order, and the shape; false where lists are ragged or hold
// anything else.
bool collect(const Json& json, std::size_t axis, std::vector<std::int64_t>& shape, std::vector<double>& values) {
  if (json.is_number()) {
    values.push_back(json.get<double>());
    return axis == shape.size();
  }
  if (!json.is_array() || axis > kMaxRank) return false;
  const auto size = static_cast<std::int64_t>(json.size());
  if (values.empty() && axis == shape.size()) shape.push_back(size);
  if (axis >= shape.size() || shape[axis] != size) return false;
  for (const Json& element : json) {
    if (!collect(element, axis + 1, shape, values)) return false;
  }
  return true;
}

Status assign(std::vector<NamedArray>& tensors, const std::string& assignment, const std::string& path) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) return error(fmt::format("--assign {}: NAME=[…] is wanted", assignment));
  const std::string name = assignment.substr(0, equals);
  std::vector<std::string> names;
  for (NamedArray& tensor : tensors) {
    names.push_back(tensor.name);
    if (tensor.name != name) continue;
    std::vector<std::int64_t> shape;
    std::vector<double> values;
    const Json json = Json::parse(assignment.substr(equals + 1), nullptr, false);
    if (json.is_discarded() || !collect(json, 0, shape, values)) {
      return error(fmt::format("--assign {}: numbers in nested lists are wanted, as in [[1, 2], [3, 4]]", name));
    }
    if (shape != tensor.array.shape) {
      return error(fmt::format("--assign {}: expected {}, found {}", name, format_shape(tensor.array.shape),
                               format_shape(shape)));
    }
    // Half floats are only read.
    const bool is_half = tensor.array.type == ArrayType::f16 || tensor.array.type == ArrayType::bf16;
    const ArrayType type = is_half ? ArrayType::f32 : tensor.array.type;
    const Array given = Array::from_doubles(ArrayType::f64, shape, values);
    if (const std::optional<WrongElements> wrong = wrong_elements(given, type))
      return error("--assign: " + wrong_elements_text(name, given, type, *wrong));
    tensor.array = given.converted(type);
    return Done{};
  }
  const std::optional<std::string> near = nearest_name(name, names);
  return error(
      fmt::format("'{}' has no tensor '{}'{}", path, name, near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

// t=["cat", "dog"]: names for the classes of an input or target.
Status name_classes(std::map<std::string, std::string>& metadata, const std::string& text) {
  const std::size_t equals = text.find('=');
  const Json json = equals == std::string::npos ? Json() : Json::parse(text.substr(equals + 1), nullptr, false);
  std::vector<std::string> names;
  for (const Json& name : json.is_array() ? json : Json::array()) {
    if (!name.is_string()) return error(fmt::format("--classes {}: a name is a text in quotes", text));
    if (std::ranges::find(names, name.get<std::string>()) != names.end())
      return error(fmt::format("--classes {}: '{}' stands there twice", text, name.get<std::string>()));
    names.push_back(name.get<std::string>());
  }
  if (equals == 0 || names.empty())
    return error(fmt::format("--classes {}: a list of names is wanted, as in t=[\"cat\", \"dog\"]", text));
  set_class_names(metadata, text.substr(0, equals), names);
  return Done{};
}

Status draw(const Array& weights, const std::string& path) {
  TARN_TRY(const Array picture, picture_of(weights));
  return write_png(path, picture);
}

// Its values, or a picture of them where the name of one is given.
int print_one(Console& console, const std::vector<NamedArray>& tensors, const std::string& name,
              const std::string& path, const std::string& picture) {
  std::vector<std::string> names;
  for (const NamedArray& tensor : tensors) {
    names.push_back(tensor.name);
    if (tensor.name != name) continue;
    if (!picture.empty()) {
      const Status drawn = draw(tensor.array, picture);
      return drawn ? kDone : console.report(drawn.error());
    }
    if (console.json()) {
      console.event({{"name", name}, {"shape", tensor.array.shape}, {"values", values_of(tensor.array)}});
    } else {
      print_out("{}\n", values_of(tensor.array).dump());
    }
    return kDone;
  }
  const std::optional<std::string> near = nearest_name(name, names);
  return console.report({error(
      fmt::format("'{}' has no tensor '{}'{}", path, name, near ? fmt::format("; did you mean '{}'?", *near) : ""))});
}

void list(const Console& console, const std::vector<NamedArray>& tensors) {
  for (const NamedArray& tensor : tensors) {
    const Statistics s = statistics_of(tensor.array);
    if (console.json()) {
      console.event({{"name", tensor.name},
                     {"dtype", name_of(tensor.array.type)},
                     {"shape", tensor.array.shape},
                     {"min", json_number(s.least, false)},
                     {"max", json_number(s.largest, false)},
                     {"mean", json_number(s.mean, false)},
                     {"std", json_number(s.deviation, false)}});
      continue;
    }
    print_out("{:<32} {:<5} {:<14} min {:>10.4g}  max {:>10.4g}  mean {:>10.4g}  std {:>10.4g}\n", tensor.name,
              name_of(tensor.array.type), format_shape(tensor.array.shape), s.least, s.largest, s.mean, s.deviation);
  }
}

Status check_picture(const WeightsOptions& options) {
  if (options.picture.empty()) return Done{};
  if (options.print.empty()) return error("--picture is of the tensor that --print names");
  if (!options.picture.ends_with(".png"))
    return error(fmt::format("--picture {}: the name must end in .png", options.picture));
  if (is_same_file(options.picture, options.file))
    return error(fmt::format("--picture is the weights file: '{}'", options.picture));
  return Done{};
}

int weights(const WeightsOptions& options) {
  Console console(options);
  if (!options.npz.empty() && is_same_file(options.npz, options.file))
    return console.report({error(fmt::format("--npz is the weights file: '{}'", options.npz))});
  if (Status checked = check_picture(options); !checked) return console.report(checked.error());
  Result<TensorFile> file = read_tensor_file(options.file);
  if (!file) return console.report(file.error());
  for (const std::string& assignment : options.assign) {
    if (Status assigned = assign(file->tensors, assignment, options.file); !assigned)
      return console.report(assigned.error());
  }
  for (const std::string& classes : options.classes) {
    if (Status named = name_classes(file->metadata, classes); !named) return console.report(named.error());
  }
  const bool writes = !options.assign.empty() || !options.classes.empty() || !options.npz.empty();
  if (writes) {
    if (Status checked = check_values(nullptr, file->tensors, options.file); !checked)
      return console.report(checked.error());
  }
  const bool is_changed = !options.assign.empty() || !options.classes.empty();
  if (is_changed) {
    if (Status written = write_tensor_file(options.file, views_of(file->tensors), file->metadata); !written)
      return console.report(written.error());
  }
  if (!options.npz.empty()) {
    if (!options.npz.ends_with(".npz"))
      return console.report({error(fmt::format("--npz {}: the name must end in .npz", options.npz))});
    if (Status written = write_tensor_file(options.npz, views_of(file->tensors), file->metadata); !written)
      return console.report(written.error());
  }
  if (!options.print.empty()) return print_one(console, file->tensors, options.print, options.file, options.picture);
  if (!is_changed && options.npz.empty()) list(console, file->tensors);
  return kDone;
}

}  // namespace

void add_weights(CommandLine& line) {
  auto options = std::make_shared<WeightsOptions>();
  Command command = line.command("weights", "names, shapes and statistics of a weights file; print or change values");
  command.option("FILE", &options->file, "weights: safetensors or npz").required();
  command.option("--print", &options->print, "the values of the tensor with this name");
  command.option("--picture", &options->picture, "write the tensor of --print to this .png file instead: its filters")
      .names_a_file();
  command.option("--assign", &options->assign, "NAME=[…]: give a tensor new values, in nested lists; may be repeated")
      .one_value_each();
  command
      .option("--classes", &options->classes,
              "NAME=[…]: the names of the classes of an input or target, in the order of their numbers, for weights "
              "that come from elsewhere; may be repeated")
      .one_value_each();
  command.option("--npz", &options->npz, "write all tensors to this npz file").names_a_file();
  command.flag("--json", options->json, "results as JSON, one object a line");
  command.runs([options] { return weights(*options); });
}

}  // namespace tarn
