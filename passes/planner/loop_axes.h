// The axes of a finished loop kernel: merged where all accesses allow, and one of them chosen for vectors.
#pragma once

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Merges neighbouring axes and sets vector_axis. Depends on shapes, accesses and the vector length only.
void finish_loop(LoopKernel& kernel, const Target& target, std::int64_t max_batch);

}  // namespace tarn
