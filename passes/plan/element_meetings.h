// Whether points of an iteration space touch one element of an array: what decides that a kernel may run its points in
// any order, and that threads may share it.
//
// The answer is exact where few multiples of each stride come into question, as it is where strides are those of an
// array's axes; else it may be yes where it should be no.
#pragma once

#include <cstdint>
#include <span>

#include "passes/plan/kernel_plan.h"

namespace tarn {

// Extents of the axes; none is 0. The elements that the functions touch are within ±2^60.
using PointExtents = std::span<const std::int64_t>;

// Whether a(x) = b(y) for any two points.
bool may_meet(const Linear& a, const Linear& b, PointExtents extents);
// Whether a(x) = a(y) for two different points.
bool may_meet_itself(const Linear& a, PointExtents extents);
// Whether a(x) = b(y) for two points whose index of the axis differs.
bool may_meet_across(const Linear& a, const Linear& b, PointExtents extents, std::size_t axis);

}  // namespace tarn
