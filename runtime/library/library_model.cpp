// Models of the C API: compiling, and the tables that describe them. See library.h.
#include <fmt/format.h>

#include "runtime/library/library.h"

namespace tarn {

namespace {

tarn_kind kind_of(InputRole role) {
  switch (role) {
    case InputRole::input:
      return TARN_INPUT;
    case InputRole::target:
      return TARN_TARGET;
    case InputRole::sample_weight:
      break;
  }
  return TARN_SAMPLE_WEIGHT;
}

tarn_kind kind_of(TensorKind kind) {
  constexpr std::array<tarn_kind, 6> kKinds = {TARN_PARAMETER, TARN_STATE,   TARN_SLOT,
                                               TARN_HYPER,     TARN_COUNTER, TARN_METRIC};
  return kKinds[static_cast<std::size_t>(kind)];
}

// The strings and shapes are the program's, which lives as long as the model.
void add_row(LibraryModel& model, tarn_kind kind, const std::string& name, const Shape& shape, DType dtype,
             bool trainable) {
  model.tables[static_cast<std::size_t>(kind)].push_back({name.c_str(), shape.data(), shape.size(),
                                                          static_cast<std::size_t>(element_count(shape)), kind,
                                                          dtype_of(dtype), trainable ? 1 : 0});
}

void fill_tables(LibraryModel& model) {
  const Program& program = model.program();
  for (const InputInfo& input : program.inputs)
    add_row(model, kind_of(input.role), input.name, input.type.shape, input.type.dtype, false);
  for (const OutputInfo& output : program.outputs)
    add_row(model, TARN_OUTPUT, output.name, output.type.shape, output.type.dtype, false);
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind == TensorKind::metric) continue;
    const bool trainable = tensor.kind == TensorKind::parameter && tensor.trainable;
    add_row(model, kind_of(tensor.kind), tensor.name, tensor.type.shape, tensor.type.dtype, trainable);
  }
  for (const MetricInfo& metric : program.metrics)
    add_row(model, TARN_METRIC, metric.name, metric.shape, DType::f64, false);
}

Answer read_model_options(const tarn_compile_options& given, ModelOptions& options) {
  if (given.setting_count > 0 && given.settings == nullptr) return invalid("the settings are null");
  for (std::size_t i = 0; i < given.setting_count; ++i) {
    const tarn_setting& setting = given.settings[i];
    if (setting.key == nullptr || setting.value == nullptr)
      return invalid(fmt::format("key or value of setting {} is null", i));
    options.overrides.push_back({setting.key, setting.value});
  }
  if (given.float_type != TARN_F32 && given.float_type != TARN_F64)
    return invalid("the float type must be TARN_F32 or TARN_F64");
  options.float_type = given.float_type == TARN_F64 ? DType::f64 : DType::f32;
  options.codegen.fast_math = given.fast_math != 0;
  if (given.cpu != nullptr) options.codegen.cpu = given.cpu;
  return {};
}

Answer read_constants(const char* path, ModelOptions& options) {
  const Result<WeightsFile> weights = read_weights(path);
  if (!weights) return failure(TARN_DATA, weights.error());
  set_constants(options, *weights);
  return {};
}

tarn_status compile(const std::string& name, std::optional<std::string> text, const tarn_compile_options* given,
                    tarn_model** handle) {
  tarn_compile_options options;
  ModelOptions chosen;
  auto model = std::make_shared<LibraryModel>();
  Answer answer = read_options(given, options);
  if (!answer.failed()) answer = read_model_options(options, chosen);
  for (const Setting& setting : chosen.overrides) model->settings.push_back(setting.key);
  if (!answer.failed() && options.weights != nullptr) answer = read_constants(options.weights, chosen);
  if (answer.failed()) return finish(answer, model->sources);
  model->log_function = options.log;
  model->log_context = options.log_context;
  const std::vector<std::string> at_once = {"init"};
  Result<std::shared_ptr<Model>> compiled =
      text ? Model::compile_text(name, std::move(*text), chosen, at_once, model->sources)
           : Model::compile(name, chosen, at_once, model->sources);
  if (!compiled) return finish(failure(TARN_COMPILE, std::move(compiled).error()), model->sources);
  model->model = std::move(*compiled);
  fill_tables(*model);
  for (const Diagnostic& warning : model->model->warnings()) model->log(TARN_WARNING, format(warning, model->sources));
  for (const std::string& note : notes_on_metrics(model->program())) model->log(TARN_NOTE, note);
  *handle = new tarn_model{std::move(model)};
  return TARN_OK;
}

}  // namespace

}  // namespace tarn

const char* tarn_version() { return TARN_VERSION; }

tarn_status tarn_compile_file(const char* path, const tarn_compile_options* options, tarn_model** model) {
  return tarn::guarded([&]() -> tarn_status {
    if (path == nullptr) return tarn::null_argument("the path");
    if (model == nullptr) return tarn::null_argument("the place for the model");
    return tarn::compile(path, std::nullopt, options, model);
  });
}

tarn_status tarn_compile_text(const char* name, const char* text, size_t length, const tarn_compile_options* options,
                              tarn_model** model) {
  return tarn::guarded([&]() -> tarn_status {
    if (name == nullptr) return tarn::null_argument("the name");
    if (text == nullptr) return tarn::null_argument("the text");
    if (model == nullptr) return tarn::null_argument("the place for the model");
    return tarn::compile(name, std::string(text, length), options, model);
  });
}

void tarn_model_free(tarn_model* model) { delete model; }

const char* tarn_model_name(const tarn_model* model) {
  return model == nullptr ? nullptr : model->shared->program().name.c_str();
}

size_t tarn_model_count(const tarn_model* model, tarn_kind kind) {
  const bool known = model != nullptr && kind >= 0 && kind <= TARN_METRIC;
  return known ? model->shared->tables[static_cast<std::size_t>(kind)].size() : 0;
}

tarn_status tarn_model_info(const tarn_model* model, tarn_kind kind, size_t index, tarn_info* info) {
  return tarn::guarded([&]() -> tarn_status {
    if (model == nullptr) return tarn::null_argument("the model");
    if (info == nullptr) return tarn::null_argument("the place for the information");
    if (index >= tarn_model_count(model, kind))
      return tarn::finish(tarn::invalid(fmt::format("there is no number {} of this kind", index)), {});
    *info = model->shared->tables[static_cast<std::size_t>(kind)][index];
    return TARN_OK;
  });
}

tarn_status tarn_model_settings(const tarn_model* model, tarn_settings* settings) {
  return tarn::guarded([&]() -> tarn_status {
    if (model == nullptr) return tarn::null_argument("the model");
    if (settings == nullptr) return tarn::null_argument("the place for the settings");
    const tarn::Program& program = model->shared->program();
    *settings = {program.settings.epochs, program.settings.batch, program.settings.validation_split,
                 model->shared->model->compile_milliseconds(), program.trainable ? 1 : 0};
    return TARN_OK;
  });
}
