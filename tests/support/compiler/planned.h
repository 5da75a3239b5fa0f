// For tests that plan graphs without a model around them.
#pragma once

#include "passes/planner/steps.h"

namespace tarn::testing {

// The plan of a batched graph: the passes that only a plan needs go over it, then it is planned. A failed expectation
// where verify() finds fault with the plan.
KernelPlan planned(const Graph& graph, const Program& program, const PlanOptions& options, const PlanWatch& watch = {});

}  // namespace tarn::testing
