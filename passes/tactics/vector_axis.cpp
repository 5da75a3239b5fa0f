// See vector_axis.h.
#include "passes/tactics/vector_axis.h"

#include <algorithm>
#include <cmath>

#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {
namespace {

DType widest(const LoopKernel& kernel) {
  for (const Body* body : {&kernel.body, &kernel.tail}) {
    for (const Value& value : body->values) {
      if (value.dtype == DType::f64 && value.kind == Value::Kind::operation) return DType::f64;
    }
  }
  return DType::f32;
}

class AxisCosts {
 public:
  AxisCosts(const LoopKernel& kernel, const Target& target, std::int64_t max_batch, const CostModel& costs)
      : kernel_(kernel), max_batch_(max_batch), costs_(costs) {
    const auto size = static_cast<std::int64_t>(size_of(widest(kernel)));
    lanes_ = static_cast<double>(std::max<std::int64_t>(1, target.vector_bytes / size));
  }

  // Time of a kernel whose vectors run along the axis.
  double along(std::size_t axis) const {
    const double points = points_of(axis);
    const double vectors = std::ceil(points / lanes_) / points;
    double reduced = 1;
    for (std::size_t i = 0; i < kernel_.axes.size(); ++i) {
      if (kernel_.reduced[i]) reduced *= points_of(i);
    }
    const auto sums = static_cast<double>(kernel_.reductions.size());
    const double cost = vectors * (body_cost(kernel_.body, axis, lanes_) + sums);
    if (!kernel_.reduced[axis]) return cost + vectors * body_cost(kernel_.tail, axis, lanes_) / reduced;
    // The lanes are added up once a point, and the tail has no neighbours to share vectors with.
    return cost + (costs_.summed_lane_step * std::log2(lanes_) * sums + body_cost(kernel_.tail, axis, 1)) / reduced;
  }

 private:
  double points_of(std::size_t axis) const {
    return static_cast<double>(std::max<std::int64_t>(1, largest(kernel_.axes[axis], max_batch_)));
  }

  // Of `lanes` neighbours along the axis.
  double access_cost(const Access& access, std::size_t axis, double lanes) const {
    if (access.row != kNoValue) return costs_.row_lane * lanes;
    const std::int64_t stride = access.at.strides[axis];
    return stride == 1   ? costs_.contiguous_access
           : stride == 0 ? costs_.repeated_access
                         : costs_.scattered_lane * lanes;
  }

  double body_cost(const Body& body, std::size_t axis, double lanes) const {
    double cost = 0;
    for (const Value& value : body.values) {
      cost += value.kind == Value::Kind::load ? access_cost(value.access, axis, lanes) : costs_.computed_value;
    }
    for (const Store& store : body.stores) cost += access_cost(store.access, axis, lanes);
    return cost;
  }

  const LoopKernel& kernel_;
  const std::int64_t max_batch_;
  const CostModel& costs_;
  double lanes_ = 1;
};

}  // namespace

VectorAxis best_vector_axis(const LoopKernel& kernel, const Target& target, std::int64_t max_batch,
                            const CostModel& costs) {
  VectorAxis best;
  best.costs.resize(kernel.axes.size());
  const AxisCosts times(kernel, target, max_batch, costs);
  // Of axes that cost the same, the innermost.
  for (std::size_t axis = kernel.axes.size(); axis-- > 0;) {
    best.costs[axis] = times.along(axis);
    if (axis + 1 == kernel.axes.size() || best.costs[axis] < best.costs[best.axis]) best.axis = axis;
  }
  if (kernel.axes.empty() || keeps_order(kernel, best.axis)) return best;
  best.is_ordered = true;
  best.axis = kernel.axes.size() - 1;
  while (!kernel.reduced[best.axis]) --best.axis;
  return best;
}

}  // namespace tarn
