// See frontend_test_support.h.
#include "tests/support/compiler/frontend_test_support.h"

#include <gtest/gtest.h>

#include "passes/pipeline.h"

namespace tarn::frontend_test {

namespace {

Values results_of(const Graph& graph, const EvaluationContext& context) {
  const auto results = evaluate(graph, context);
  Values values;
  if (!results) {
    ADD_FAILURE() << results.error().front().message;
    return values;
  }
  for (std::size_t i = 0; i < graph.results().size(); ++i) values[graph.results()[i].name] = (*results)[i];
  return values;
}

Values run_batched(const Graph& graph, const Values& inputs, const Values& tensors, std::int64_t batch) {
  PassContext passes;
  const Result<Graph> lowered = lower_meaning(graph, passes);
  if (!lowered) {
    ADD_FAILURE() << lowered.error().front().message;
    return {};
  }
  EvaluationContext context;
  context.inputs = inputs;
  context.tensors = tensors;
  context.batch = batch;
  return results_of(*lowered, context);
}

}  // namespace

Compiled compile(const std::string& text, const FrontendOptions& options) {
  Compiled compiled;
  compiled.result = compile_text("test.tarn", text, options, compiled.sources);
  return compiled;
}

Values initial_tensors(const Program& program, std::uint64_t seed) {
  EvaluationContext context;
  context.seed = seed;
  Values tensors = results_of(program.graphs.at("init"), context);
  for (const TensorInfo& t : program.tensors) {
    if (t.kind != TensorKind::metric) continue;
    tensors[t.name] = {t.type.shape,
                       std::vector<double>(static_cast<std::size_t>(element_count(t.type.shape)), t.initial)};
  }
  return tensors;
}

Values predict(const Program& program, const Values& inputs, const Values& tensors) {
  EvaluationContext context;
  context.inputs = inputs;
  context.tensors = tensors;
  return results_of(program.graphs.at("predict"), context);
}

Values train_step(const Program& program, const Values& inputs, const Values& tensors, std::int64_t batch) {
  return run_batched(program.graphs.at("train"), inputs, tensors, batch);
}

Values evaluate_batch(const Program& program, const Values& inputs, const Values& tensors, std::int64_t batch) {
  return run_batched(program.graphs.at("evaluate"), inputs, tensors, batch);
}

Values report(const Program& program, const Values& tensors) {
  EvaluationContext context;
  context.tensors = tensors;
  return results_of(program.graphs.at("report"), context);
}

HostTensor value_of(const std::string& expression, const std::string& declarations) {
  FrontendOptions options;
  options.float_type = DType::f64;
  const Compiled compiled =
      compile(declarations + "\nmodel m {\n  input x[3]\n  input m[2, 2]\n  value = " + expression +
                  "\n  output y = value + 0 * sum(x)\n}\n",
              options);
  if (!compiled.result.program) {
    ADD_FAILURE() << compiled.messages();
    return {};
  }
  const Values inputs = {{"x", {{3}, {1, 2, -3}}}, {"m", {{2, 2}, {1, 2, 3, 4}}}};
  return predict(compiled.program(), inputs, initial_tensors(compiled.program()))["y"];
}

}  // namespace tarn::frontend_test
