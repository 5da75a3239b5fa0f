// Kernel plans without a model around them, for tarn-opt: programs made of what a plan says of one, and runs on drawn
// numbers.
#pragma once

#include <string>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Runs the plan by its definition on `batch` samples, with tensors and inputs drawn from `seed`: floats from -1 to 1,
// integers from 0 to 9. Says what became of its results.
Result<std::string> run_on_drawn_numbers(const KernelPlan& plan, std::int64_t batch, std::uint64_t seed);

}  // namespace tarn
