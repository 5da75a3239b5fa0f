// What becomes of a graph on its way to a finished plan, step by step, for tools that start and stop anywhere; and the
// check of what comes out.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "passes/planner/plan_kernels.h"

namespace tarn {

struct PlanStep {
  const char* name;
  const char* what;  // one line of documentation
  // Fusion itself, the first, makes the plan of a graph: it has nothing to run here.
  void (*run)(KernelPlan& plan, const PlanOptions& options);
};
// In the order in which they run.
std::span<const PlanStep> plan_steps();

// What fusion makes on its way, which is for reading only: its text does not read back.
struct FusionStep {
  const char* name;
  const char* what;
};
std::span<const FusionStep> fusion_steps();

// Who watches a graph being planned.
struct PlanWatch {
  // Gets the plan after each step; no more of them run where it says false.
  std::function<bool(std::string_view step, const KernelPlan& plan)> after_step;
  // Gets what each step of fusion has made, as text (steps_text.h).
  std::function<void(std::string_view step, const std::string& text)> in_fusion;
};
// plan_kernels() of plan_kernels.h, watched.
Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options,
                                const PlanWatch& watch);

// From here on the plans of every program are verified, as in Debug builds: for programs of tests.
void verify_every_plan();
bool verifies_every_plan();
// verify(), for a plan that the planner made: what is wrong with that is a bug.
Status check_made(const KernelPlan& plan);

}  // namespace tarn
