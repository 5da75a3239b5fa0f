// How many lanes vectors have, once it is known along which axis they lie, and how many accumulators the sums of a
// loop. Both decide the order of sums where vectors lie along what is summed up; else no bit depends on them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// Lanes, at most `most`, of vectors for `count` elements side by side: as few as hold all; else half of them where that
// leaves fewer lanes idle and half a vector takes half the time.
unsigned fitting_lanes(std::int64_t count, unsigned most, const Target& target);

// Of a loop of the plan, whose vectors lie along tactics.vector_axis. 1: points go one by one.
unsigned lanes_of_loop(const KernelPlan& plan, const LoopKernel& kernel, const CpuTactics& tactics,
                       const Target& target, const CostModel& costs = kCosts);
// Of a loop with so many lanes.
unsigned accumulators_of_loop(const KernelPlan& plan, const LoopKernel& kernel, const CpuTactics& tactics,
                              unsigned lanes, const CostModel& costs = kCosts);

// Of an epilogue, by the rest of tactics.tiling; of an operand that is computed, whose vectors lie along the axis, over
// at most `most` elements.
unsigned lanes_of_epilogue(const ContractionKernel& kernel, const CpuTactics& tactics, const Target& target,
                           const CostModel& costs = kCosts);
unsigned lanes_of_operand(const Operand& operand, std::size_t axis, std::int64_t most, const Target& target);

}  // namespace tarn
