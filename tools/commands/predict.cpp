// `tarn predict FILE`: outputs for inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/data/output_classes.h"
#include "runtime/files/array_values.h"
#include "runtime/files/csv.h"
#include "runtime/files/file.h"
#include "runtime/files/npy.h"
#include "runtime/files/number_text.h"
#include "tools/driver/command.h"
#include "tools/driver/command_files.h"
#include "tools/driver/interrupt.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

struct PredictOptions : CommonOptions {
  std::string output;
  std::vector<std::string> inputs;  // 0.3,0.1 or x=0.3,0.1
};

Result<Array> parse_values(const std::string& text) {
  std::vector<double> values;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::optional<double> value = parse_number(std::string_view(text).substr(begin, end - begin));
    if (!value)
      return error(fmt::format("--input {}: '{}' is not a number", text, excerpt(text.substr(begin, end - begin))));
    values.push_back(*value);
    begin = end + 1;
  }
  return Array::from_doubles(ArrayType::f64, {static_cast<std::int64_t>(values.size())}, values);
}

// One sample from the command line.
Result<Dataset> sample_of(const std::vector<std::string>& texts, const Program& program) {
  std::map<std::string, std::string> by_name;
  std::vector<const InputInfo*> inputs;
  for (const InputInfo& input : program.inputs) {
    if (input.role == InputRole::input) inputs.push_back(&input);
  }
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos && inputs.size() != 1) {
      return error(fmt::format("--input {}: the model has several inputs; write {}=…", text, inputs.front()->name));
    }
    const std::string name = equals == std::string::npos ? inputs.front()->name : text.substr(0, equals);
    const InputInfo* input = program.find_input(name);
    if (input == nullptr || input->role != InputRole::input)
      return error(fmt::format("--input {}: the model has no input '{}'", text, name));
    if (by_name.contains(name)) return error(fmt::format("--input {}: '{}' is given twice", text, name));
    by_name[name] = equals == std::string::npos ? text : text.substr(equals + 1);
  }
  Dataset data;
  data.rows = 1;
  data.arrays.resize(program.inputs.size());
  for (const InputInfo* input : inputs) {
    if (!by_name.contains(input->name)) return error(fmt::format("--input {}=… is missing", input->name));
    TARN_TRY(const Array values, parse_values(by_name[input->name]));
    const std::int64_t wanted = element_count(input->type.shape);
    if (values.elements() != wanted) {
      return error(fmt::format("--input: '{}' is {}, {}; here {} {}", input->name, to_string(input->type.shape),
                               counted(wanted, "number"), agreeing(values.elements(), "is", "are"), values.elements()));
    }
    TARN_TRY(data.arrays[static_cast<std::size_t>(input - program.inputs.data())],
             input_values(values, {0}, *input, 1, {[](std::size_t, std::size_t) { return "--input"; }, nullptr}));
  }
  return data;
}

std::string number_text(double value, bool single_precision) {
  if (std::isnan(value)) return "nan";  // whatever its sign
  return single_precision ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
}

void add_names(std::vector<std::string>& names, const std::string& name, const Shape& shape, std::size_t axis) {
  if (axis == shape.size()) {
    names.push_back(name);
    return;
  }
  for (std::int64_t i = 0; i < shape[axis]; ++i) add_names(names, fmt::format("{}[{}]", name, i), shape, axis + 1);
}

// What is predicted for each row of the file, in its order; rows that were left out have no prediction.
struct Predictions {
  std::vector<Array> outputs;  // [rows, …], with no number or 0 in rows that were left out
  std::uint64_t rows = 0;
  std::vector<bool> left_out;  // empty: none
  // Of images: the file of each row, and what its column is called. Else empty.
  std::vector<std::string> files;
  std::string file_column;

  bool has(std::uint64_t row) const { return left_out.empty() || !left_out[row]; }
};

void fill_with_nan(Array& array) {
  if (array.type == ArrayType::f32) std::ranges::fill(array.values<float>(), std::nanf(""));
  if (array.type == ArrayType::f64) std::ranges::fill(array.values<double>(), std::nan(""));
}

Predictions in_places(std::vector<Array> outputs, const Dataset& data) {
  const std::string file_column = data.names.empty() ? "" : data.named_input + ".file";
  if (data.kept.empty()) return {std::move(outputs), data.rows, {}, data.names, file_column};
  Predictions predictions{{}, data.file_rows, std::vector<bool>(data.file_rows, true), data.names, file_column};
  for (const std::uint32_t row : data.kept) predictions.left_out[row] = false;
  for (const Array& output : outputs) {
    std::vector<std::int64_t> shape = output.shape;
    shape.front() = static_cast<std::int64_t>(data.file_rows);
    Array& placed = predictions.outputs.emplace_back(Array::zeros(output.type, std::move(shape)));
    fill_with_nan(placed);
    const std::size_t bytes = output.data.size() / data.rows;
    for (std::size_t i = 0; i < data.kept.size(); ++i) {
      std::copy_n(output.data.begin() + static_cast<std::ptrdiff_t>(i * bytes), bytes,
                  placed.data.begin() + static_cast<std::ptrdiff_t>(data.kept[i] * bytes));
    }
  }
  return predictions;
}

std::string csv(const Program& program, const Predictions& predictions, const Vocabularies& vocabularies) {
  const std::vector<Array>& outputs = predictions.outputs;
  std::vector<std::string> names;
  const bool has_files = !predictions.files.empty();
  if (has_files) names.push_back(predictions.file_column);
  std::vector<std::optional<OutputClasses>> classes;
  for (const OutputInfo& output : program.outputs) {
    add_names(names, output.name, output.type.shape, 0);
    classes.push_back(OutputClasses::of(program, output, vocabularies));
    if (classes.back()) names.push_back(output.name + ".class");
  }
  std::string text = joined(names, ",") + '\n';
  // Many readers pass over an empty line, which would shift the rows below it.
  const std::string without_prediction = names.size() > 1 ? std::string(names.size() - 1, ',') : "nan";
  for (std::uint64_t row = 0; row < predictions.rows; ++row) {
    if (has_files) text += csv_field(predictions.files[row]);
    if (!predictions.has(row)) {
      text += without_prediction + '\n';
      continue;
    }
    const char* separator = has_files ? "," : "";
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const auto width = static_cast<std::uint64_t>(element_count(program.outputs[k].type.shape));
      for (std::uint64_t j = 0; j < width; ++j) {
        const double value = outputs[k].at(static_cast<std::int64_t>(row * width + j));
        text += separator + number_text(value, outputs[k].type == ArrayType::f32);
        separator = ",";
      }
      if (classes[k]) text += "," + csv_field(classes[k]->name(outputs[k], row));
    }
    text += '\n';
  }
  return text;
}

Json nested(const Array& array, const Shape& shape, std::size_t axis, std::int64_t& at) {
  if (axis == shape.size()) return json_number(array.at(at++), array.type == ArrayType::f32);
  Json list = Json::array();
  for (std::int64_t i = 0; i < shape[axis]; ++i) list.push_back(nested(array, shape, axis + 1, at));
  return list;
}

// A list of samples, null where there is no prediction.
Json samples_of(const Predictions& predictions, std::size_t output) {
  const Array& array = predictions.outputs[output];
  Json list = Json::array();
  const std::int64_t width = array.elements() / std::max<std::int64_t>(array.shape.front(), 1);
  for (std::uint64_t row = 0; row < predictions.rows; ++row) {
    std::int64_t at = static_cast<std::int64_t>(row) * width;
    list.push_back(predictions.has(row) ? nested(array, array.shape, 1, at) : Json());
  }
  return list;
}

int write_results(const PredictOptions& options, Console& console, const Prepared& prepared,
                  const Predictions& predictions) {
  const Program& program = prepared.model->program();
  const std::vector<Array>& outputs = predictions.outputs;
  if (options.output.ends_with(".npy")) {
    if (outputs.size() != 1)
      return console.report({error("an .npy file holds one array, but the model has several outputs")});
    if (!predictions.left_out.empty() && !is_floating(program.outputs.front().type.dtype)) {
      return console.report(
          {error(fmt::format("rows without a prediction cannot stand in an .npy file of {}; write CSV",
                             name_of(program.outputs.front().type.dtype)))});
    }
    Status written = write_npy(options.output, outputs.front());
    return written ? kDone : console.report(written.error());
  }
  if (!options.output.empty()) {
    Status written = write_file(options.output, csv(program, predictions, prepared.session->vocabularies()));
    return written ? kDone : console.report(written.error());
  }
  if (console.json()) {
    Json object{{"outputs", Json::object()}};
    if (!predictions.files.empty()) object["files"] = predictions.files;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      object["outputs"][program.outputs[k].name] = samples_of(predictions, k);
      const auto classes = OutputClasses::of(program, program.outputs[k], prepared.session->vocabularies());
      if (!classes) continue;
      Json& names = object["classes"][program.outputs[k].name] = Json::array();
      for (std::uint64_t row = 0; row < predictions.rows; ++row)
        names.push_back(predictions.has(row) ? Json(classes->name(outputs[k], row)) : Json());
    }
    console.event(object);
    return kDone;
  }
  const std::string text = csv(program, predictions, prepared.session->vocabularies());
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? kDone : kMachineFault;
}

// The name says what is written; devices take CSV.
Status check_output(const std::string& path) {
  if (path.empty() || is_device(path) || path.ends_with(".csv") || path.ends_with(".npy")) return Done{};
  return error(fmt::format("-o {}: the name must end in .csv or .npy", path));
}

// What can be known before anything is read.
Status check_options(const PredictOptions& options, CommandFiles& files) {
  if (!options.inputs.empty() && !options.data.empty())
    return error("--input and --data exclude each other: predictions are for one of them");
  files.writes("-o", options.output);
  return files.check();
}

int predict(const PredictOptions& options) {
  Console console(options);
  CommandFiles files(options);
  if (Status checked = check_options(options, files); !checked) return console.report(checked.error());
  Result<Prepared> prepared = prepare_for_use(options, {"init", "predict"}, console);
  if (!prepared) return console.report(prepared.error());
  const Program& program = prepared->model->program();
  files.reads(program, prepared->model->folder(), console.sources);
  for (const Status& checked : {files.check(), check_output(options.output)}) {
    if (!checked) return console.report(checked.error());
  }
  Result<Dataset> data = options.inputs.empty() ? read_for_use(options, *prepared, Purpose::predict, console)
                                                : sample_of(options.inputs, program);
  if (!data) return console.report(data.error());
  std::vector<Array> outputs;
  {
    InterruptGuard guard(*prepared->session);
    if (prepared->session->predict(data->view(), outputs) == Outcome::stopped) return kInterrupted;
  }
  return write_results(options, console, *prepared, in_places(std::move(outputs), *data));
}

}  // namespace

void add_predict(CommandLine& line) {
  auto options = std::make_shared<PredictOptions>();
  Command command = line.command("predict", "outputs for inputs");
  add_model_options(command, *options);
  add_data_options(command, *options);

  command.option("-o,--output", &options->output, "OUT.csv or OUT.npy; default: CSV on standard output").names_a_file();
  command.option("--input", &options->inputs, "one sample: 0.3,0.1 or, with several inputs, x=0.3,0.1 for each")
      .one_value_each();
  command.runs([options] { return predict(*options); });
}

}  // namespace tarn
