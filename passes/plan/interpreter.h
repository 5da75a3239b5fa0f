// The reference interpreter of kernel plans: what a plan means, in double precision, as simply as it can be said. It is
// the oracle for generated code, and with ir/evaluator.h it tests the planner.
//
// Memory is modelled byte by byte: every element knows where it begins and how wide it is, so reading what was never
// written, what was overwritten in part, or what lies outside of its space is an error and not a number.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

struct InterpreterOptions {
  // Points of a kernel run from the last to the first. The values of a correct plan are the same up to the rounding of
  // sums; those of a plan in which a point reads what another point writes are not.
  bool reversed = false;
};

struct PlanOutcome {
  // In the order of plan.results; empty after a step that ended at its guard.
  std::vector<HostTensor> results;
  // Every tensor of the program as the plan leaves it, by name.
  std::map<std::string, HostTensor> tensors;
  // The step ended at its guard.
  bool stopped = false;
  // A guarded store kept what was there.
  bool kept_old = false;
};

// Runs the plan once on context.batch samples. Inputs and tensors are those of the context, with the offsets of the
// program (assign_offsets). Errors: an input or tensor that is missing or has the wrong number of elements, and every
// breach of the plan's invariants that running it shows.
Result<PlanOutcome> interpret(const KernelPlan& plan, const Program& program, const EvaluationContext& context,
                              InterpreterOptions options = {});

}  // namespace tarn
