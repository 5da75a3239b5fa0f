// The axes of a finished loop kernel, merged where all accesses allow.
#pragma once

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Merges neighbouring axes.
void merge_axes(LoopKernel& kernel);

}  // namespace tarn
