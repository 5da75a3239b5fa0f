// Which kernels of a plan are shared among threads, and along which axis.
#pragma once

#include <string>
#include <vector>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// Sets `split` of the kernels whose work pays for waking and awaiting other threads, by their other tactics. Depends on
// shapes and accesses only; a part computes the points that are its own exactly as the whole kernel would, so that no
// bit depends on it.
//
// Sets `b_for_writing` of shared products with a weight that the plan updates. The thread that reads a part of the
// weight is not the one that stores it. To write a line that another core has read takes 36 ns, one line after the
// other; to fetch one that another core alone has, 3 ns (measured on two cores of one socket).
//
// `reasons`: gets why, by kernel.
void split_among_threads(KernelPlan& plan, const Target& target, const CostModel& costs = kCosts,
                         std::vector<std::string>* reasons = nullptr);

}  // namespace tarn
