// Tails of reductions that have no vectors become kernels of their own.
//
// Where vectors run along a reduced axis, a tail meets one sum at a time. With few numbers to a sum, as many as a small
// batch has samples, it is the tail that takes the time: a square root and a division for every unit, say. Once the
// sums are in memory, the tails of several units fill a vector.
#include <fmt/format.h>

#include <algorithm>

#include "passes/plan/access.h"
#include "passes/planner/loop_axes.h"
#include "passes/planner/planner.h"
#include "passes/tactics/vector_axis.h"

namespace tarn {
namespace {

bool is_worth_splitting(const LoopKernel& kernel, const Target& target, std::int64_t max_batch) {
  if (kernel.reductions.empty() || !kernel.reduced[best_vector_axis(kernel, target, max_batch).axis]) return false;
  std::int64_t points = 1, tails = 1;
  for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
    if (!kernel.reduced[axis] && kernel.axes[axis].times_batch) return false;
    (kernel.reduced[axis] ? points : tails) *= largest(kernel.axes[axis], max_batch);
  }
  const auto operations = std::count_if(kernel.tail.values.begin(), kernel.tail.values.end(),
                                        [](const Value& value) { return value.kind == Value::Kind::operation; });
  return points <= kCosts.split_points && tails >= kCosts.split_tails && operations >= kCosts.split_operations;
}

// A buffer for each sum, and the kernel that makes them and the one that takes them up.
std::pair<Kernel, Kernel> split(KernelPlan& plan, const Kernel& whole, const LoopKernel& kernel) {
  LoopKernel sums = kernel, rest;
  Shape shape;
  for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
    if (kernel.reduced[axis]) continue;
    rest.axes.push_back(kernel.axes[axis]);
    shape.push_back(kernel.axes[axis].constant);
  }
  rest.reduced.assign(rest.axes.size(), false);
  rest.body = kernel.tail;
  for_each_linear(rest.body, [&](Linear& linear) {
    std::vector<std::int64_t> kept;
    for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
      if (!kernel.reduced[axis]) kept.push_back(linear.strides[axis]);
    }
    linear.strides = std::move(kept);
  });
  sums.tail = {};
  const std::vector<std::int64_t> strides = row_major_strides(shape);
  std::vector<std::int64_t> wide;
  for (std::size_t axis = 0, next = 0; axis < kernel.axes.size(); ++axis) {
    wide.push_back(kernel.reduced[axis] ? 0 : strides[next++]);
  }
  for (std::uint32_t i = 0; i < kernel.reductions.size(); ++i) {
    const auto buffer = static_cast<BufferId>(plan.buffers.size());
    const DType dtype = kernel.reductions[i].dtype;
    plan.buffers.push_back({fmt::format("sums {} of {}", i, whole.name), Space::arena, 0, 0, dtype, shape, strides});
    Value reduced;
    reduced.kind = Value::Kind::reduced;
    reduced.dtype = dtype;
    reduced.reduction = i;
    sums.tail.values.push_back(std::move(reduced));
    sums.tail.stores.push_back({i, {buffer, {wide, 0}}, false});
    for (Value& value : rest.body.values) {
      if (value.kind != Value::Kind::reduced || value.reduction != i) continue;
      value.kind = Value::Kind::load;
      value.reduction = 0;
      value.access = {buffer, {strides, 0}};
    }
  }
  merge_axes(rest);
  return {{"sums of " + whole.name, std::move(sums), whole.location}, {whole.name, std::move(rest), whole.location}};
}

}  // namespace

void split_tails(KernelPlan& plan, const Target& target) {
  replace_loops(plan.kernels, [&](const Kernel& kernel, const LoopKernel& loop) {
    std::vector<Kernel> parts;
    if (!is_worth_splitting(loop, target, plan.max_batch)) return parts;
    auto [sums, rest] = split(plan, kernel, loop);
    plan.remarks.push_back(
        fmt::format("'{}' is not fused with '{}': vectors there lie along the sums", rest.name, sums.name));
    parts.push_back(std::move(sums));
    parts.push_back(std::move(rest));
    return parts;
  });
}

}  // namespace tarn
