// From a model file to native code. See model.h.
#include "runtime/session/model.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "frontend/frontend.h"

namespace tarn {

namespace {

Result<Program> load(const std::string& path, std::optional<std::string> text, const ModelOptions& options,
                     Sources& sources, Diagnostics& warnings) {
  FrontendOptions frontend;
  frontend.float_type = options.float_type;
  frontend.overrides = options.overrides;
  frontend.seed = options.seed;
  FrontendResult result =
      text ? compile_text(path, std::move(*text), frontend, sources) : compile_file(path, frontend, sources);
  if (!result.program || has_errors(result.diagnostics)) return std::move(result.diagnostics);
  warnings.insert(warnings.end(), result.diagnostics.begin(), result.diagnostics.end());
  assign_offsets(*result.program);
  return std::move(*result.program);
}

}  // namespace

Result<Program> load_program(const std::string& path, const ModelOptions& options, Sources& sources,
                             Diagnostics& warnings) {
  return load(path, std::nullopt, options, sources, warnings);
}

std::vector<std::string> notes_on_metrics(const Program& program) {
  std::vector<std::string> notes;
  for (const MetricInfo& metric : program.metrics) {
    if (metric.resolved != metric.name && !metric.resolved.empty())
      notes.push_back(fmt::format("metric '{}' is {}", metric.name, metric.resolved));
  }
  return notes;
}

Result<PlanOptions> plan_options(const ModelOptions& options) {
  PlanOptions planning;
  TARN_TRY(planning.target, target_of(options.codegen));
  planning.fuse = options.fuse;
  return planning;
}

Result<ProgramPlan> plan_program(const Program& program, const ModelOptions& options, Sources& sources,
                                 Diagnostics& warnings) {
  TARN_TRY(const PlanOptions planning, plan_options(options));
  PassContext context;
  context.options = options.passes;
  context.sources = &sources;
  TARN_TRY(ProgramPlan plan, plan_program(program, planning, context));
  warnings.insert(warnings.end(), context.warnings.begin(), context.warnings.end());
  return plan;
}

Result<std::shared_ptr<Model>> Model::compile(const std::string& path, const ModelOptions& options,
                                              const std::vector<std::string>& functions, Sources& sources) {
  return compile(path, std::nullopt, options, [&](const Program&) { return functions; }, sources);
}

Result<std::shared_ptr<Model>> Model::compile_some(const std::string& path, const ModelOptions& options,
                                                   const Functions& functions, Sources& sources) {
  return compile(path, std::nullopt, options, functions, sources);
}

Result<std::shared_ptr<Model>> Model::compile_text(const std::string& name, std::string text,
                                                   const ModelOptions& options,
                                                   const std::vector<std::string>& functions, Sources& sources) {
  return compile(name, std::move(text), options, [&](const Program&) { return functions; }, sources);
}

Result<std::shared_ptr<Model>> Model::compile(const std::string& path, std::optional<std::string> text,
                                              const ModelOptions& options, const Functions& functions,
                                              Sources& sources) {
  const auto start = std::chrono::steady_clock::now();
  std::shared_ptr<Model> model(new Model);
  model->folder_ = std::filesystem::path(path).parent_path().string();
  TARN_TRY(model->program_, load(path, std::move(text), options, sources, model->warnings_));

  TARN_TRY(model->plan_, plan_program(model->program_, options, sources, model->warnings_));
  TARN_TRY(model->native_, compile_native(model->program_, model->plan_, options.codegen, functions(model->program_)));
  model->compile_milliseconds_ =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace tarn
