// The planner, from outside: a graph that all passes have gone over goes in, its kernel plan comes out.
#pragma once

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

struct PlanOptions {
  Target target;
  bool fuse = true;  // off: one kernel an operation, for differential tests
  bool in_place = true;
  // What the pass `loop_products` has found where it went over the graph: all products are, or were before they became
  // loops, those of small layers (small_layers.h).
  bool has_small_layers = false;
};
// Fusion, scheduling and memory planning of one graph. Results are right without the passes that only a plan needs,
// too.
Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options);

}  // namespace tarn
