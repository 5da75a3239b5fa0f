// `tarn check FILE`: everything wrong with a model file; with --gradients every derivative against differences.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "ir/counted.h"
#include "ir/random.h"
#include "passes/pipeline.h"
#include "runtime/training/gradient_check.h"
#include "tools/driver/command.h"

namespace tarn {

namespace {

// The bound that a derivative must keep: central differences in double precision are good to about 1e-9, so that 1e-6
// leaves room for curvature and none for a wrong formula.
constexpr double kGradientBound = 1e-6;
// Enough samples for batch statistics, few enough for the evaluator.
constexpr std::uint64_t kSamples = 8;

struct CheckOptions : CommonOptions {
  bool gradients = false;
};

// Numbers for the inputs: the first rows of the model's data, or draws from [0, 1) where there is none.
Result<EvaluationContext> point_of(const Program& program, const std::string& folder, std::uint64_t seed,
                                   const Sources& sources) {
  EvaluationContext context;
  context.seed = seed;
  context.batch = static_cast<std::int64_t>(kSamples);
  Dataset data;
  if (has_data(program, "")) {
    Vocabularies vocabularies;
    TARN_TRY(data, read_dataset(program, folder, {Purpose::train, {}}, vocabularies));
    context.batch = static_cast<std::int64_t>(std::min(kSamples, data.rows));
  }
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    const InputInfo& input = program.inputs[i];
    HostTensor& values = context.inputs[input.name];
    values.shape = input.type.shape;
    values.shape.insert(values.shape.begin(), context.batch);
    const auto count = static_cast<std::uint32_t>(element_count(values.shape));
    const std::byte* bytes = data.arrays.empty() ? nullptr : data.arrays[i].data();
    for (std::uint32_t at = 0; at < count; ++at) {
      double value = draw_uniform({seed, stream_of(input.name), 0, 0, at}, DType::f64);
      if (bytes == nullptr && !is_floating(input.type.dtype)) value = 0;
      if (bytes != nullptr) {
        switch (input.type.dtype) {
          case DType::f32:
            value = reinterpret_cast<const float*>(bytes)[at];
            break;
          case DType::f64:
            value = reinterpret_cast<const double*>(bytes)[at];
            break;
          case DType::i32:
            value = reinterpret_cast<const std::int32_t*>(bytes)[at];
            break;
          case DType::boolean:
            value = reinterpret_cast<const std::uint8_t*>(bytes)[at];
            break;
        }
      }
      values.data.push_back(value);
    }
  }
  TARN_TRY(context.tensors, initial_tensors(program, seed, sources));
  return context;
}

int compare_gradients(const CheckOptions& options, Console& console, const Program& program,
                      const std::string& folder) {
  Result<EvaluationContext> point =
      point_of(program, folder, options.seed.value_or(program.settings.seed), console.sources);
  if (!point) return console.report(point.error());
  Result<std::vector<GradientCheck>> checks = check_gradients(program, *point, console.sources);
  if (!checks) return console.report(checks.error());
  Diagnostics failures;
  for (const GradientCheck& check : *checks) {
    const bool good = check.largest_error <= kGradientBound;
    if (console.json()) {
      console.event({{"event", "gradient"},
                     {"tensor", check.tensor},
                     {"elements", check.elements},
                     {"error", json_number(check.largest_error, false)},
                     {"passed", good}});
    } else {
      print_out("{:<32} {:>6} {:<8}  largest relative error {:.1e}  {}\n", check.tensor, check.elements,
                agreeing(check.elements, "element", "elements"), check.largest_error, good ? "ok" : "WRONG");
    }
    if (good) continue;
    failures.push_back(error(fmt::format("the gradient by '{}' is wrong: element {} is {}, the difference {}",
                                         check.tensor, check.at, check.derivative, check.difference)));
  }
  return console.report(failures);
}

int check(const CheckOptions& options) {
  Console console(options);
  Result<ModelOptions> chosen = model_options(options);
  if (!chosen) return console.report(chosen.error());
  Diagnostics warnings;
  Result<Program> program = load_program(options.file, *chosen, console.sources, warnings);
  if (!program) return console.report(program.error());
  // The passes find what only derivatives show: operations without one, parameters that the loss does not depend on.
  PassContext passes;
  passes.sources = &console.sources;
  for (const auto& [name, graph] : program->graphs) {
    Result<Graph> optimized = optimize(graph, passes);
    if (!optimized) return console.report(optimized.error());
  }
  warnings.insert(warnings.end(), passes.warnings.begin(), passes.warnings.end());
  console.report(warnings);
  if (!options.gradients) return kDone;
  if (!program->trainable)
    return console.report({error("there is no `train` block, so there are no gradients to check")});
  const std::size_t slash = options.file.find_last_of('/');
  return compare_gradients(options, console, *program, slash == std::string::npos ? "" : options.file.substr(0, slash));
}

}  // namespace

void add_check(CommandLine& line) {
  auto options = std::make_shared<CheckOptions>();
  Command command = line.command("check", "parse, infer shapes, report everything wrong");
  add_model_options(command, *options);
  command.flag("--gradients", options->gradients, "compare every derivative with central differences");
  command.runs([options] { return check(*options); });
}

}  // namespace tarn
