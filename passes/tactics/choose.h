// The tactics of all kernels of a plan: how a CPU is to run what the plan means.
//
// Needs a plan with its kernels; guarantees tactics that verify() accepts and code generation obeys. Made anew from the
// kernels each time: what stood there before makes no difference. The constants by which it chooses are those of the
// cost model, what it knows of the machine is Target, and nothing else decides.
#pragma once

#include <vector>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// `reasons`: gets those of each kernel.
void choose_cpu_tactics(KernelPlan& plan, const Target& target, const CostModel& costs = kCosts,
                        std::vector<TacticsReasons>* reasons = nullptr);

}  // namespace tarn
