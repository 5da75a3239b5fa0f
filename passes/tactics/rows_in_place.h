// Which inputs products read where the caller has them.
//
// With an order of rows, the inputs of a batch are gathered into the workspace before its kernels run: read once, and
// written and read again. Long rows are better read in place: a product takes the address of each sample from a table
// (one pointer a sample), and neither the time nor the cache goes to a copy.
#pragma once

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// Sets `rows_in_place` of products, by their other tactics, where all reads of an input can do so. Nothing else
// changes, no bit either.
void read_rows_in_place(KernelPlan& plan, const Target& target, const CostModel& costs = kCosts);

}  // namespace tarn
