// See loop_axes.h.
#include "passes/planner/loop_axes.h"

#include <algorithm>
#include <cmath>

#include "passes/plan/access.h"

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

// Time of an access to `lanes` neighbours along an axis, in vector operations.
double access_cost(std::int64_t stride, bool by_row, double lanes) {
  if (by_row) return lanes;
  return stride == 1 ? 1 : stride == 0 ? 0.3 : 0.6 * lanes;
}

double body_cost(const Body& body, std::size_t axis, double lanes) {
  double cost = 0;
  for (const Value& value : body.values) {
    cost += value.kind == Value::Kind::load
                ? access_cost(value.access.at.strides[axis], value.access.row != kNoValue, lanes)
                : 0.5;
  }
  for (const Store& store : body.stores) {
    cost += access_cost(store.access.at.strides[axis], store.access.row != kNoValue, lanes);
  }
  return cost;
}

// Time of a kernel whose vectors run along the axis, up to a factor that is the same for all axes.
double cost_along(const LoopKernel& kernel, std::size_t axis, double lanes, std::int64_t max_batch) {
  const double extent = static_cast<double>(std::max<std::int64_t>(1, largest(kernel.axes[axis], max_batch)));
  const double vectors = std::ceil(extent / lanes) / extent;
  double reduced = 1;
  for (std::size_t i = 0; i < kernel.axes.size(); ++i) {
    if (kernel.reduced[i])
      reduced *= static_cast<double>(std::max<std::int64_t>(1, largest(kernel.axes[i], max_batch)));
  }
  const double sums = static_cast<double>(kernel.reductions.size());
  double cost = vectors * (body_cost(kernel.body, axis, lanes) + sums);
  if (!kernel.reduced[axis]) return cost + vectors * body_cost(kernel.tail, axis, lanes) / reduced;
  // The lanes are added up once a point, and the tail has no neighbours to share vectors with.
  return cost + (2 * std::log2(lanes) * sums + body_cost(kernel.tail, axis, 1)) / reduced;
}

DType widest(const LoopKernel& kernel) {
  for (const Body* body : {&kernel.body, &kernel.tail}) {
    for (const Value& value : body->values) {
      if (value.dtype == DType::f64 && value.kind == Value::Kind::operation) return DType::f64;
    }
  }
  return DType::f32;
}

}  // namespace

void finish_loop(LoopKernel& kernel, const Target& target, std::int64_t max_batch) {
  for (std::size_t i = kernel.axes.size(); i-- > 1;) {
    if (can_merge(kernel, i - 1)) merge_into_next(kernel, i - 1);
  }
  const double lanes = static_cast<double>(
      std::max<std::int64_t>(1, target.vector_bytes / static_cast<std::int64_t>(size_of(widest(kernel)))));
  kernel.vector_axis = 0;
  double best = 0;
  for (std::size_t axis = kernel.axes.size(); axis-- > 0;) {
    const double cost = cost_along(kernel, axis, lanes, max_batch);
    if (axis + 1 == kernel.axes.size() || cost < best) {
      best = cost;
      kernel.vector_axis = static_cast<std::uint32_t>(axis);
    }
  }
}

}  // namespace tarn
