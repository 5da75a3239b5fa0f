// What a kernel allows: what must hold of it before a CPU may run it so. For those who choose tactics, for the
// verifier, and for code generation, which relies on it.
#pragma once

#include <cstddef>
#include <optional>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Whether each lane meets the points of an argmax in the order of their indices where vectors lie along the axis.
bool keeps_order(const LoopKernel& kernel, std::size_t vector_axis);

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

// Whether a product is one of groups of columns: the part of b for one index of its only batch axis is one stretch of
// memory, and all groups are multiplied with the same rows. So are those with packed weights.
bool has_groups(const ContractionKernel& kernel);

}  // namespace tarn
