// Loop kernels whose code would be a very long function become several.
//
// What LLVM does with a block of code takes longer than in proportion with its length: to schedule it, every store is
// held against every other one. A `stack` of 500 parts, or 150 places of a `time_distributed` layer, would be a few
// kernels of thousands of instructions. Each piece makes some of the stores, in their order, with all that these need;
// what an earlier piece has stored it reads. Every element is computed as it would be in the whole.
#pragma once

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Before buffers share memory (memory_plan). Says in a remark which kernels were cut.
void cut_kernels(KernelPlan& plan, const Target& target);

}  // namespace tarn
