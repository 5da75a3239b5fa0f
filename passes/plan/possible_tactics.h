// What a kernel allows: what must hold of it before a CPU may run it so. For those who choose tactics, for the
// verifier, and for code generation, which relies on it.
#pragma once

#include <cstddef>
#include <optional>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Whether each lane meets the points of an argmax in the order of their indices where vectors lie along the axis.
bool keeps_order(const LoopKernel& kernel, std::size_t vector_axis);

// Whether points side by side along the axis may be lanes of a vector: no two of them store to one element.
bool may_have_lanes(const LoopKernel& kernel, std::size_t vector_axis);
// Whether sums may have several accumulators: nothing is stored on the way, and no index is looked for.
bool may_have_accumulators(const LoopKernel& kernel);
// The axis of the innermost loop where reduced axes are loops inside of the others, the vector axis last; nothing where
// no axis is reduced.
std::optional<std::size_t> innermost_summed_axis(const LoopKernel& kernel, std::size_t vector_axis);

// Whether the kernel copies an input, whole samples of it, and is the only one in the plan to read it: then it may take
// the samples from anywhere.
bool may_copy_samples(const KernelPlan& plan, const LoopKernel& kernel);

// The axes of a copy that reads and writes contiguous rows along different axes, each of a whole square at least. What
// goes to the state is looked at, point by point, where stores are guarded.
struct CopyAxes {
  std::size_t along_load, along_store;
};
inline constexpr std::int64_t kSquareOfCopy = 8;
std::optional<CopyAxes> axes_of_transposing_copy(const KernelPlan& plan, const LoopKernel& kernel);

// Along the last axes of their roles, in elements, of what is an element in memory; 0 of what is computed.
struct ProductStrides {
  std::int64_t a_rows = 0, a_inner = 0, b_inner = 0, b_columns = 0;
};
ProductStrides strides_of(const ContractionKernel& kernel);

// Whether vectors may lie along the sum of a product: both operands are contiguous there.
bool may_dot(const ContractionKernel& kernel);

// Whether the left operand is a load within bounds, 0 outside, of which the same inner indices are inside for all rows
// of a tile, each bound being one of one inner axis: then tiles may pass over those outside.
bool may_skip_outside(const ContractionKernel& kernel);

// Whether tiles read a where it is; else it is computed for them.
bool a_in_memory(const ContractionKernel& kernel, const ContractionTiling& tiling);

// Whether the products of a block lie as everything that the epilogue reads and writes: row behind row. `tactics` have
// a tiling.
bool has_flat_epilogue(const ContractionKernel& kernel, const CpuTactics& tactics);

// Whether columns side by side (rows, of one column) may be lanes of the epilogue, and of what follows its sums.
bool may_have_epilogue_lanes(const ContractionKernel& kernel);

// Whether the loops around the tiles may go inside of that over the first inner axis: what they read is in memory, its
// bounds are not those of the axis, and the number of products is known.
bool may_share_inner(const ContractionKernel& kernel, const ContractionTiling& tiling);

// Whether b is in memory, and the same for all indices of the batch axes.
bool b_stays(const ContractionKernel& kernel);

// Whether panels of columns may be outside of the loops around the tiles: those do not move b, and add nothing up.
bool may_put_panels_outside(const ContractionKernel& kernel, const ContractionTiling& tiling);

// Whether two tiles of a panel have columns in common: the last one is moved back where it does not fit. A product that
// grows block by block would have these twice.
bool tiles_overlap(const ContractionKernel& kernel, const ContractionTiling& tiling);

// What of a tiling contradicts its kernel, the rest of the tactics or itself; nullptr: nothing.
const char* wrong_tiling(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch);

// Whether a product is one of groups of columns: the part of b for one index of its only batch axis is one stretch of
// memory, and all groups are multiplied with the same rows. So are those with packed weights.
bool has_groups(const ContractionKernel& kernel);

}  // namespace tarn
