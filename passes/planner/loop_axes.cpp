// See loop_axes.h.
#include "passes/planner/loop_axes.h"

namespace tarn {
namespace {

bool can_merge(const LoopKernel& kernel, std::size_t outer) {
  const Extent& inner = kernel.axes[outer + 1];
  if (inner.times_batch || kernel.reduced[outer] != kernel.reduced[outer + 1]) return false;
  bool follows = true;
  const auto check = [&](const Linear& linear) {
    follows = follows && linear.strides[outer] == linear.strides[outer + 1] * inner.constant;
  };
  for_each_linear(kernel.body, check);
  for_each_linear(kernel.tail, check);
  return follows;
}

void merge_into_next(LoopKernel& kernel, std::size_t outer) {
  const auto at = static_cast<std::ptrdiff_t>(outer);
  kernel.axes[outer + 1].constant *= kernel.axes[outer].constant;
  kernel.axes[outer + 1].times_batch = kernel.axes[outer].times_batch;
  kernel.axes.erase(kernel.axes.begin() + at);
  kernel.reduced.erase(kernel.reduced.begin() + at);
  const auto drop = [&](Linear& linear) { linear.strides.erase(linear.strides.begin() + at); };
  for_each_linear(kernel.body, drop);
  for_each_linear(kernel.tail, drop);
}

}  // namespace

void merge_axes(LoopKernel& kernel) {
  for (std::size_t i = kernel.axes.size(); i-- > 1;) {
    if (can_merge(kernel, i - 1)) merge_into_next(kernel, i - 1);
  }
}

}  // namespace tarn
