// What the commands share. See command.h.
#include "tools/driver/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/session/object_cache.h"

namespace tarn {

using Json = nlohmann::ordered_json;

void add_model_options(Command& command, CommonOptions& options) {
  command.option("FILE", &options.file, "the model file").required();
  command
      .option("--set", &options.settings,
              "KEY=EXPRESSION: a const of the file or a key of its train block; may be repeated")
      .one_value_each();
  command.option("--seed", &options.seed, "seed of all random numbers, instead of the file's");
  command.option("--precision", &options.precision, "float type of the whole model").one_of({"f32", "f64"});
  command.option("--cpu", &options.cpu, "processor to make code for, as LLVM names it");
  command.flag("--fast-math", options.fast_math,
               "use rules that change rounding, as (a * b) * c = a * (b * c) for numbers b, c");
  command.flag("--no-cache", options.no_cache, "neither use nor keep native code on disk");
  command.flag("--quiet", options.quiet, "no progress and no remarks");
  command.flag("--json", options.json, "results as JSON, one object a line");
  command.flag("--no-color", options.no_color, "no colours on a terminal");
}

void add_data_options(Command& command, CommonOptions& options) {
  command
      .option("--data", &options.data, "PATH or NAME=PATH: a file instead of one that the model names; may be repeated")
      .one_value_each()
      .names_a_file();
  command.option("--weights", &options.weights, "safetensors or npz to start from or to use").names_a_file();
  add_threads_option(command, options);
}

void add_threads_option(Command& command, CommonOptions& options) {
  command
      .option("--threads", &options.threads,
              "threads of native code (0: as many as useful); results do not depend on it")
      .between(0, 1024);
}

Console::Console(const CommonOptions& options) : json_(options.json), quiet_(options.quiet) {
  interactive_ = isatty(STDERR_FILENO) != 0;
  color_ = interactive_ && !options.no_color && std::getenv("NO_COLOR") == nullptr;
}

int Console::report(const Diagnostics& diagnostics) {
  int status = kDone;
  for (const Diagnostic& diagnostic : diagnostics) {
    const bool is_error = diagnostic.severity == Severity::error;
    if (is_error) status = diagnostic.machine ? kMachineFault : std::max(status, static_cast<int>(kUserFault));
    if (is_error || !quiet_) std::fputs(format(diagnostic, sources, color_).c_str(), stderr);
    if (!json_) continue;
    Json object{{"event", "diagnostic"}, {"severity", name_of(diagnostic.severity)}};
    if (diagnostic.span) {
      object["file"] = sources.name(diagnostic.span.file);
      object["line"] = diagnostic.span.line;
      object["column"] = diagnostic.span.column;
    }
    object["message"] = diagnostic.message;
    object["notes"] = Json::array();
    for (const Note& note : diagnostic.notes) object["notes"].push_back(note.message);
    event(object);
  }
  return status;
}

void Console::note(const std::string& text) const {
  if (!quiet_) std::fprintf(stderr, "%s\n", text.c_str());
}

void Console::remark(const Diagnostics& remarks) {
  for (const Diagnostic& one : remarks) {
    if (one.severity == Severity::note) {
      note("note: " + one.message);
    } else {
      report({one});
    }
  }
}

void Console::event(const Json& object) const {
  // Names of files need not be UTF-8; JSON must be.
  const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

Result<ModelOptions> model_options(const CommonOptions& options) {
  ModelOptions model;
  model.float_type = options.precision == "f64" ? DType::f64 : DType::f32;
  model.seed = options.seed;
  model.passes.allow_reassociation = options.fast_math;
  model.codegen.cpu = options.cpu == "native" ? "" : options.cpu;
  if (!options.no_cache) model.codegen.store = open_object_cache(object_cache_folder());
  for (const std::string& setting : options.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      return error(fmt::format("--set {}: KEY=EXPRESSION is wanted", setting));
    model.overrides.push_back({setting.substr(0, equals), setting.substr(equals + 1)});
  }
  return model;
}

std::vector<GivenFile> given_files(const std::vector<std::string>& texts) {
  std::vector<GivenFile> files;
  files.reserve(texts.size());
  for (const std::string& text : texts) files.push_back(given_file(text));
  return files;
}

std::string default_weights(const std::string& file) {
  return std::filesystem::path(file).replace_extension(".safetensors").string();
}

Result<Prepared> prepare_for_use(const CommonOptions& options, const std::vector<std::string>& functions,
                                 Console& console) {
  TARN_TRY(ModelOptions model, model_options(options));
  std::string path = options.weights;
  if (path.empty() && std::filesystem::exists(default_weights(options.file))) path = default_weights(options.file);
  std::optional<WeightsFile> weights;
  if (!path.empty()) {
    TARN_TRY(weights, read_weights(path));
    set_constants(model, *weights);
  }
  Prepared prepared;
  TARN_TRY(prepared.model, Model::compile(options.file, model, functions, console.sources));
  console.report(prepared.model->warnings());
  const TrainSettings& settings = prepared.model->program().settings;
  prepared.session = std::make_unique<Session>(prepared.model, options.seed.value_or(settings.seed), options.threads);
  if (weights) {
    TARN_RETURN_IF_ERROR(apply_weights(*prepared.session, *weights));
  } else {
    TARN_RETURN_IF_ERROR(check_initial_values(*prepared.session));
    const std::vector<TensorInfo>& tensors = prepared.model->program().tensors;
    const auto is_learnt = [](const TensorInfo& tensor) { return tensor.kind == TensorKind::parameter; };
    if (std::any_of(tensors.begin(), tensors.end(), is_learnt)) {
      console.note(
          fmt::format("note: no weights given and no '{}': using the initial values", default_weights(options.file)));
    }
  }
  return prepared;
}

Result<Dataset> read_for_use(const CommonOptions& options, const Prepared& prepared, Purpose purpose,
                             Console& console) {
  const Program& program = prepared.model->program();
  const std::string& folder = prepared.model->folder();
  Vocabularies vocabularies = prepared.session->vocabularies();
  learn_labels(program, folder, vocabularies);
  TARN_TRY(Dataset data, read_dataset(program, folder, {purpose, given_files(options.data)}, vocabularies));
  console.remark(data.remarks);
  prepared.session->set_vocabularies(std::move(vocabularies));
  return data;
}

Json json_number(double value, bool single_precision) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The nearest double of the shortest text of a float prints as that text.
  return single_precision ? std::strtod(fmt::format("{}", static_cast<float>(value)).c_str(), nullptr) : value;
}

void add_metrics(Json& object, const Program& program, const MetricValues& values, std::string_view prefix) {
  for (std::size_t i = 1; i < program.metrics.size(); ++i) {
    const std::string name = std::string(prefix) + program.metrics[i].name;
    if (program.metrics[i].shape.empty()) {
      object[name] = json_number(values.values[i].front(), false);
      continue;
    }
    object[name] = Json::array();
    for (double value : values.values[i]) object[name].push_back(json_number(value, false));
  }
}

namespace {

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  return value != 0 && std::fabs(value) < 1e-3 ? fmt::format("{:.4e}", value) : fmt::format("{:.4f}", value);
}

// [[1.0000, 0.0000], [2.0000, 5.0000]], from the values on that `next` points to.
std::string list_text(const Shape& shape, std::size_t axis, const double*& next) {
  if (axis == shape.size()) return number_text(*next++);
  std::string text = "[";
  for (std::int64_t i = 0; i < shape[axis]; ++i) text += (i == 0 ? "" : ", ") + list_text(shape, axis + 1, next);
  return text + "]";
}

}  // namespace

std::string metric_text(const Program& program, const MetricValues& values, std::string_view prefix,
                        std::size_t most_values) {
  std::string text;
  for (std::size_t i = 0; i < program.metrics.size(); ++i) {
    const MetricInfo& metric = program.metrics[i];
    const double* next = values.values[i].data();
    const std::size_t count = values.values[i].size();
    text += fmt::format("{}{}{} {}", text.empty() ? "" : "  ", prefix, metric.name,
                        count > most_values ? fmt::format("({} values)", count) : list_text(metric.shape, 0, next));
  }
  return text;
}

}  // namespace tarn
