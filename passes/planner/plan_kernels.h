// The planner, from outside: an optimized graph goes in, its kernel plan comes out.
#pragma once

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

struct PlanOptions {
  Target target;
  bool fuse = true;  // off: one kernel an operation, for differential tests
  bool in_place = true;
};
// Fusion, scheduling and memory planning of one optimized graph.
Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options);

}  // namespace tarn
