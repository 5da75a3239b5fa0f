// Arithmetic on Linear: coordinates as affine functions of the indices of a kernel's axes.
//
// Invariant: all Linears of one iteration space have one stride for each of its axes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Coordinates of an element of an array, one an axis of the array, as functions of the axes of a kernel.
using Coordinates = std::vector<Linear>;

// An iteration space, with the largest N, for questions of range.
struct IterationSpace {
  std::vector<Extent> axes;
  std::int64_t max_batch = 1;
  std::int64_t largest(std::size_t axis) const {
    return axes[axis].constant * (axes[axis].times_batch ? max_batch : 1);
  }
};

Linear constant_linear(std::size_t axes, std::int64_t value);
// stride * index of the axis.
Linear axis_linear(std::size_t axes, std::size_t axis, std::int64_t stride = 1);
Linear sum(const Linear& a, const Linear& b);
Linear scaled(const Linear& a, std::int64_t factor);
bool is_constant(const Linear& a);
// As they stand in Linear::repeat_strides.
void drop_trailing_zeros(std::vector<std::int64_t>& strides);

// sum of strides[i] * coordinates[i], + offset.
Linear dot(std::span<const std::int64_t> strides, const Coordinates& coordinates, std::int64_t offset,
           std::size_t axes);

// Whether it is within [0, limit) over the whole space.
bool is_within(const Linear& a, std::int64_t limit, const IterationSpace& space);

// quotient and remainder of a division by `divisor` > 0, where both are affine over the whole space.
struct Division {
  Linear quotient, remainder;
};
std::optional<Division> divide(const Linear& a, std::int64_t divisor, const IterationSpace& space);

// The coordinates, in an array of the shape, of the element whose row-major number is `flat`; kBatch may stand first.
std::optional<Coordinates> unflatten(const Linear& flat, const Shape& shape, const IterationSpace& space);

// The axes of a kernel over the elements of a shape: those whose extent is not 1, in order.
std::vector<Extent> axes_of(const Shape& shape);
// The coordinates of a kernel over axes_of(shape) at its own point: axes in order, 0 where the extent is 1.
Coordinates own_point(const Shape& shape);
bool is_own_point(const Coordinates& coordinates, const Shape& shape);

Extent extent_of(std::int64_t extent);
std::int64_t largest(const Extent& extent, std::int64_t max_batch);
// Whether there is no point, whatever the batch.
bool is_empty(const std::vector<Extent>& axes);
// Points of all of the axes at the largest batch.
std::int64_t points_of(const std::vector<Extent>& axes, std::int64_t max_batch);

}  // namespace tarn
