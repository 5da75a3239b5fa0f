// See planned.h.
#include "tests/support/compiler/planned.h"

#include <gtest/gtest.h>

#include "passes/pipeline.h"

namespace tarn::testing {

namespace {

Graph prepared_for(const Graph& graph, PassContext& context, Pass::Kind last) {
  context.options.verify_each = true;
  Graph prepared = graph;
  for (const Pass& pass : graph_passes()) {
    if (pass.kind >= Pass::Kind::lowering && pass.kind <= last)
      prepared = run_pass(pass.name, prepared, context).value();
  }
  return prepared;
}

}  // namespace

Graph lowered(const Graph& graph) {
  PassContext context;
  return prepared_for(graph, context, Pass::Kind::lowering);
}

KernelPlan planned(const Graph& graph, const Program& program, const PlanOptions& options, const PlanWatch& watch) {
  PassContext context;
  context.planned_for = {options, program.settings.batch};
  const Graph prepared = prepared_for(graph, context, Pass::Kind::plan);
  KernelPlan plan = plan_kernels(prepared, program, context.planned_for->options, watch).value();
  const Status status = verify(plan);
  EXPECT_TRUE(status.has_value()) << status.error().front().message << "\n" << print(plan);
  return plan;
}

}  // namespace tarn::testing
