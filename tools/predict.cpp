// `tarn predict FILE`: outputs for inputs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/array_values.h"
#include "runtime/csv.h"
#include "runtime/file.h"
#include "runtime/npy.h"
#include "runtime/number_text.h"
#include "runtime/output_classes.h"
#include "tools/command.h"
#include "tools/interrupt.h"

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
      return error(fmt::format("--input: '{}' is {}, {} numbers; here are {}", input->name,
                               to_string(input->type.shape), wanted, values.elements()));
    }
    TARN_TRY(data.arrays[static_cast<std::size_t>(input - program.inputs.data())],
             input_values(values, {0}, *input, 1, "--input"));
  }
  return data;
}

std::string number_text(double value, bool single_precision) {
  return single_precision ? fmt::format("{}", static_cast<float>(value)) : fmt::format("{}", value);
}

void add_names(std::vector<std::string>& names, const std::string& name, const Shape& shape, std::size_t axis) {
  if (axis == shape.size()) {
    names.push_back(name);
    return;
  }
  for (std::int64_t i = 0; i < shape[axis]; ++i) add_names(names, fmt::format("{}[{}]", name, i), shape, axis + 1);
}

std::string csv(const Program& program, const std::vector<Array>& outputs, std::uint64_t rows,
                const Vocabularies& vocabularies) {
  std::vector<std::string> names;
  std::vector<std::optional<OutputClasses>> classes;
  for (const OutputInfo& output : program.outputs) {
    add_names(names, output.name, output.type.shape, 0);
    classes.push_back(OutputClasses::of(program, output, vocabularies));
    if (classes.back()) names.push_back(output.name + ".class");
  }
  std::string text = fmt::format("{}\n", fmt::join(names, ","));
  for (std::uint64_t row = 0; row < rows; ++row) {
    const char* separator = "";
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

int write_results(const PredictOptions& options, Console& console, const Prepared& prepared,
                  const std::vector<Array>& outputs, std::uint64_t rows) {
  const Program& program = prepared.model->program();
  if (options.output.ends_with(".npy")) {
    if (outputs.size() != 1)
      return console.report({error("an .npy file holds one array, but the model has several outputs")});
    Status written = write_npy(options.output, outputs.front());
    return written ? kDone : console.report(written.error());
  }
  if (!options.output.empty()) {
    Status written = write_file(options.output, csv(program, outputs, rows, prepared.session->vocabularies()));
    return written ? kDone : console.report(written.error());
  }
  if (console.json()) {
    Json object{{"outputs", Json::object()}};
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      std::int64_t at = 0;
      object["outputs"][program.outputs[k].name] = nested(outputs[k], outputs[k].shape, 0, at);
      const auto classes = OutputClasses::of(program, program.outputs[k], prepared.session->vocabularies());
      if (!classes) continue;
      Json& names = object["classes"][program.outputs[k].name] = Json::array();
      for (std::uint64_t row = 0; row < rows; ++row) names.push_back(classes->name(outputs[k], row));
    }
    console.event(object);
    return kDone;
  }
  const std::string text = csv(program, outputs, rows, prepared.session->vocabularies());
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? kDone : kMachineFault;
}

int predict(const PredictOptions& options) {
  Console console(options);
  Result<Prepared> prepared = prepare_for_use(options, {"init", "predict"}, console);
  if (!prepared) return console.report(prepared.error());
  const Program& program = prepared->model->program();
  Result<Dataset> data =
      options.inputs.empty() ? read_for_use(options, *prepared, false) : sample_of(options.inputs, program);
  if (!data) return console.report(data.error());
  std::vector<Array> outputs;
  {
    InterruptGuard guard(*prepared->session);
    if (prepared->session->predict(data->view(), outputs) == Outcome::stopped) return kInterrupted;
  }
  return write_results(options, console, *prepared, outputs, data->rows);
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "outputs for inputs");
  add_model_options(*command, *options);
  add_data_options(*command, *options);
  command->add_option("-o,--output", options->output, "OUT.csv or OUT.npy; default: CSV on standard output");
  command->add_option("--input", options->inputs, "one sample: 0.3,0.1 or, with several inputs, x=0.3,0.1 for each")
      ->allow_extra_args(false);
  command->callback([&action, options] { action = [options] { return predict(*options); }; });
}

}  // namespace tarn
