// See planned.h.
#include "tests/support/compiler/planned.h"

#include <gtest/gtest.h>

#include "passes/pipeline.h"

namespace tarn::testing {

KernelPlan planned(const Graph& graph, const Program& program, const PlanOptions& options, const PlanWatch& watch) {
  PassContext context;
  context.options.verify_each = true;
  context.planned_for = {options, program.settings.batch};
  Graph prepared = graph;
  for (const Pass& pass : graph_passes()) {
    if (pass.kind >= Pass::Kind::lowering) prepared = run_pass(pass.name, prepared, context).value();
  }
  KernelPlan plan = plan_kernels(prepared, program, context.planned_for->options, watch).value();
  const Status status = verify(plan);
  EXPECT_TRUE(status.has_value()) << status.error().front().message << "\n" << print(plan);
  return plan;
}

}  // namespace tarn::testing
