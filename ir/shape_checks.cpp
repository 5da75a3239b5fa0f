// See shape_checks.h.
#include "ir/shape_checks.h"

#include <fmt/format.h>

namespace tarn {

using Integers = std::vector<std::int64_t>;

// Elements of one sample: the batch axis counts once.
std::int64_t count_of_sample(const Shape& shape) { return element_count(with_batch(shape, 1)); }

Diagnostic needs_type() { return error("the type of the result must be given"); }

Diagnostic batch_axis_moved(std::string_view what) { return error(fmt::format("the batch axis cannot be {}", what)); }

Status need_axis(std::int64_t axis, const Shape& shape) {
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size())) {
    return error(fmt::format("there is no axis {} in the shape {}", axis, to_string(shape)));
  }
  return Done{};
}

Status need_rising_axes(const Integers& axes, const Shape& shape) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    TARN_RETURN_IF_ERROR(need_axis(axes[i], shape));
    if (i > 0 && axes[i] <= axes[i - 1]) return error(fmt::format("axes must rise: {}", to_string(axes)));
  }
  return Done{};
}

Status need_one_for_each_axis(Key key, const Integers& list, const Shape& shape) {
  if (list.size() == shape.size()) return Done{};
  return error(
      fmt::format("'{}' needs one entry for each axis of {}, not {}", name_of(key), to_string(shape), list.size()));
}

}  // namespace tarn
