// Which nodes get memory: everything else is computed where it is used.
#pragma once

#include "passes/planner/expression.h"
#include "passes/planner/plan_kernels.h"

namespace tarn {

// Materialized are results; contractions, reductions and what is put together from parts; the operands of contractions
// and the tables of gathers; values that several kernels use and that are dearer to compute than to load; values that a
// broadcast would compute again and again; what a border is around; and what no affine access reaches through its
// reshapes.
// options.fuse off: every operation.
Leaves choose_leaves(const Graph& graph, const PlanOptions& options, std::int64_t max_batch);

}  // namespace tarn
