// How products are cut into tiles: the last of all choices, since it depends on the others. Decided from extents,
// strides and the target.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// By the rest of the product's tactics. `cycles_of_step`: gets those of one k in a tile, by the cost model; 0 of dot
// products.
ContractionTiling tiling_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                            const Target& target, const CostModel& costs = kCosts, double* cycles_of_step = nullptr);

// Of all kernels of a plan whose other tactics are chosen: tilings of products; lanes and accumulators of loops. To be
// chosen anew where those have changed, stores have become guarded ones, or the code is to be for another machine.
// `reasons`: of each kernel, where there are some for the others already.
void choose_tilings(KernelPlan& plan, const Target& target, const CostModel& costs = kCosts,
                    std::vector<TacticsReasons>* reasons = nullptr);

}  // namespace tarn
