// See possible_tactics.h.
#include "passes/plan/possible_tactics.h"

#include <algorithm>

namespace tarn {
namespace {

// Loads one element at each point, and stores it.
bool only_copies(const LoopKernel& kernel) {
  const Body& body = kernel.body;
  if (!kernel.reductions.empty() || body.values.size() != 1 || body.stores.size() != 1) return false;
  const Value& value = body.values.front();
  const Store& store = body.stores.front();
  const auto is_plain = [](const Access& access) {
    return access.row == kNoValue && access.at.repeat_strides.empty() && access.bounds.empty();
  };
  return value.kind == Value::Kind::load && is_plain(value.access) && is_plain(store.access) && !store.accumulate &&
         !store.guarded;
}

std::size_t reads_of_input(const KernelPlan& plan, std::uint32_t input) {
  std::size_t reads = 0;
  for (const Kernel& kernel : plan.kernels) {
    for_each_buffer(kernel.body, [&](const BufferId& id) {
      reads += plan.buffers[id].space == Space::input && plan.buffers[id].index == input ? 1U : 0U;
    });
  }
  return reads;
}

}  // namespace

bool keeps_order(const LoopKernel& kernel, std::size_t vector_axis) {
  const bool finds_index = std::any_of(kernel.reductions.begin(), kernel.reductions.end(),
                                       [](const Reduction& reduction) { return gives_index(reduction.op); });
  if (!finds_index || !kernel.reduced[vector_axis]) return true;
  const auto behind = kernel.reduced.begin() + static_cast<std::ptrdiff_t>(vector_axis) + 1;
  return std::find(behind, kernel.reduced.end(), true) == kernel.reduced.end();
}

bool may_copy_samples(const KernelPlan& plan, const LoopKernel& kernel) {
  if (!only_copies(kernel) || kernel.axes.size() != 2) return false;
  if (kernel.axes[0] != Extent{1, true} || kernel.axes[1].times_batch) return false;
  const Access& load = kernel.body.values.front().access;
  const Buffer& from = plan.buffers[load.buffer];
  return from.space == Space::input && load.at.offset == 0 && load.at.strides[0] == from.strides.front() &&
         reads_of_input(plan, from.index) == 1;
}

std::optional<CopyAxes> axes_of_transposing_copy(const KernelPlan& plan, const LoopKernel& kernel) {
  if (!only_copies(kernel) || kernel.body.values.front().dtype == DType::boolean) return std::nullopt;
  const Access &load = kernel.body.values.front().access, &store = kernel.body.stores.front().access;
  if (plan.buffers[store.buffer].space == Space::state) return std::nullopt;
  for (std::size_t i = 0; i < kernel.axes.size(); ++i) {
    for (std::size_t j = 0; j < kernel.axes.size(); ++j) {
      if (i == j || load.at.strides[i] != 1 || store.at.strides[j] != 1) continue;
      if (kernel.axes[i].constant >= kSquareOfCopy && kernel.axes[j].constant >= kSquareOfCopy) return CopyAxes{i, j};
    }
  }
  return std::nullopt;
}

ProductStrides strides_of(const ContractionKernel& kernel) {
  ProductStrides strides;
  if (kernel.a.is_load()) {
    const std::vector<std::int64_t>& of_a = kernel.a.access().at.strides;
    strides.a_rows = of_a[kernel.row_axis()];
    strides.a_inner = of_a[kernel.inner_axis_of_a()];
  }
  if (kernel.b.is_load()) {
    const std::vector<std::int64_t>& of_b = kernel.b.access().at.strides;
    strides.b_inner = of_b[kernel.inner_axis_of_b()];
    strides.b_columns = of_b[kernel.column_axis_of_b()];
  }
  return strides;
}

bool may_dot(const ContractionKernel& kernel) {
  const ProductStrides strides = strides_of(kernel);
  return kernel.inner.size() == 1 && kernel.sums.empty() && strides.a_inner == 1 && strides.b_inner == 1;
}

bool has_groups(const ContractionKernel& kernel) {
  if (kernel.batch.size() != 1 || !kernel.is_of_matrices()) return false;
  const Extent &columns = kernel.columns.front(), &inner = kernel.inner.front();
  const std::vector<std::int64_t>& strides = kernel.b.access().at.strides;
  return !columns.times_batch && !inner.times_batch && kernel.a.access().at.strides.front() == 0 && strides[2] == 1 &&
         strides[1] == columns.constant && strides[0] == inner.constant * columns.constant;
}

}  // namespace tarn
