// See access.h.
#include "passes/plan/access.h"

#include <algorithm>

namespace tarn {

Linear constant_linear(std::size_t axes, std::int64_t value) { return {std::vector<std::int64_t>(axes, 0), value}; }

Linear axis_linear(std::size_t axes, std::size_t axis, std::int64_t stride) {
  Linear result = constant_linear(axes, 0);
  result.strides[axis] = stride;
  return result;
}

Linear sum(const Linear& a, const Linear& b) {
  Linear result = a;
  for (std::size_t i = 0; i < result.strides.size(); ++i) result.strides[i] += b.strides[i];
  result.offset += b.offset;
  result.repeat_strides.resize(std::max(a.repeat_strides.size(), b.repeat_strides.size()));
  for (std::size_t d = 0; d < b.repeat_strides.size(); ++d) result.repeat_strides[d] += b.repeat_strides[d];
  drop_trailing_zeros(result.repeat_strides);
  return result;
}

Linear scaled(const Linear& a, std::int64_t factor) {
  Linear result = a;
  for (std::int64_t& stride : result.strides) stride *= factor;
  for (std::int64_t& stride : result.repeat_strides) stride *= factor;
  drop_trailing_zeros(result.repeat_strides);
  result.offset *= factor;
  return result;
}

bool is_constant(const Linear& a) {
  for (const std::int64_t stride : a.strides) {
    if (stride != 0) return false;
  }
  return true;
}

void drop_trailing_zeros(std::vector<std::int64_t>& strides) {
  while (!strides.empty() && strides.back() == 0) strides.pop_back();
}

Linear dot(std::span<const std::int64_t> strides, const Coordinates& coordinates, std::int64_t offset,
           std::size_t axes) {
  Linear result = constant_linear(axes, offset);
  for (std::size_t i = 0; i < coordinates.size(); ++i) {
    for (std::size_t k = 0; k < axes; ++k) result.strides[k] += strides[i] * coordinates[i].strides[k];
    result.offset += strides[i] * coordinates[i].offset;
  }
  return result;
}

bool is_within(const Linear& a, std::int64_t limit, const IterationSpace& space) {
  std::int64_t least = a.offset, most = a.offset;
  for (std::size_t i = 0; i < a.strides.size(); ++i) {
    const std::int64_t reach = a.strides[i] * (space.largest(i) - 1);
    (reach < 0 ? least : most) += reach;
  }
  return least >= 0 && most < limit;
}

std::optional<Division> divide(const Linear& a, std::int64_t divisor, const IterationSpace& space) {
  Division result{constant_linear(a.strides.size(), 0), constant_linear(a.strides.size(), 0)};
  for (std::size_t i = 0; i < a.strides.size(); ++i) {
    if (a.strides[i] % divisor == 0) {
      result.quotient.strides[i] = a.strides[i] / divisor;
    } else {
      result.remainder.strides[i] = a.strides[i];
    }
  }
  const std::int64_t rest = ((a.offset % divisor) + divisor) % divisor;
  result.quotient.offset = (a.offset - rest) / divisor;
  result.remainder.offset = rest;
  // Only what stays within [0, divisor) everywhere is the remainder.
  if (!is_within(result.remainder, divisor, space)) return std::nullopt;
  return result;
}

std::optional<Coordinates> unflatten(const Linear& flat, const Shape& shape, const IterationSpace& space) {
  Coordinates result(shape.size(), constant_linear(flat.strides.size(), 0));
  Linear rest = flat;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (i == 0) {
      if (shape[0] != 1) result[0] = rest;
      break;
    }
    if (shape[i] == 1) continue;
    if (shape[i] == 0) return result;
    const auto division = divide(rest, shape[i], space);
    if (!division) return std::nullopt;
    result[i] = division->remainder;
    rest = division->quotient;
  }
  return result;
}

Extent extent_of(std::int64_t extent) { return extent == kBatch ? Extent{1, true} : Extent{extent, false}; }

bool is_empty(const std::vector<Extent>& axes) {
  return std::any_of(axes.begin(), axes.end(), [](const Extent& extent) { return extent.constant == 0; });
}

std::int64_t points_of(const std::vector<Extent>& axes, std::int64_t max_batch) {
  std::int64_t points = 1;
  for (const Extent& axis : axes) points *= largest(axis, max_batch);
  return points;
}

std::int64_t largest(const Extent& extent, std::int64_t max_batch) {
  return extent.constant * (extent.times_batch ? max_batch : 1);
}

std::vector<Extent> axes_of(const Shape& shape) {
  std::vector<Extent> axes;
  for (const std::int64_t extent : shape) {
    if (extent != 1) axes.push_back(extent_of(extent));
  }
  return axes;
}

Coordinates own_point(const Shape& shape) {
  const std::size_t axes = axes_of(shape).size();
  Coordinates result;
  std::size_t next = 0;
  for (const std::int64_t extent : shape) {
    result.push_back(extent == 1 ? constant_linear(axes, 0) : axis_linear(axes, next++));
  }
  return result;
}

bool is_own_point(const Coordinates& coordinates, const Shape& shape) { return coordinates == own_point(shape); }

}  // namespace tarn
