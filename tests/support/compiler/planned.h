// For tests that plan graphs without a model around them.
#pragma once

#include "passes/planner/steps.h"

namespace tarn::testing {

// The graph with what no plan has lowered, and nothing else that a plan is better for.
Graph lowered(const Graph& graph);

// The plan of a batched graph: the passes that only a plan needs go over it, then it is planned. A failed expectation
// where verify() finds fault with the plan.
KernelPlan planned(const Graph& graph, const Program& program, const PlanOptions& options, const PlanWatch& watch = {});

}  // namespace tarn::testing
