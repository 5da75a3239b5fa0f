// See windows.h.
#include "ir/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/shape_checks.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

Status need_one_for_each(Key key, const Integers& list, std::size_t axes) {
  if (list.size() == axes) return Done{};
  return error(fmt::format("'{}' needs one entry for each of {} axes, not {}", name_of(key), axes, list.size()));
}

// Numbers of elements: so small that their products do not overflow.
Status need_counts(std::string_view what, const Integers& list, std::int64_t least) {
  for (const std::int64_t count : list) {
    if (count < least || count > kMaxElements) {
      return error(fmt::format("{} {} cannot be: it must be from {} to {}", what, count, least, kMaxElements));
    }
  }
  return Done{};
}

Status need_adjacent_axes(const Integers& axes, const Shape& shape) {
  if (axes.empty()) return error("windows need an axis to lie along");
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, shape));
  if (axes.back() - axes.front() + 1 != static_cast<std::int64_t>(axes.size())) {
    return error(fmt::format("windows lie along adjacent axes, not {}", to_string(axes)));
  }
  if (shape[axes.front()] == kBatch) return error("windows cannot lie along the batch axis");
  return Done{};
}

}  // namespace

Result<std::vector<Window>> windows_of(const Attributes& attributes, const Shape& shape) {
  const Integers &axes = attributes.integers(Key::axes), &sizes = attributes.integers(Key::sizes),
                 &steps = attributes.integers(Key::steps), &dilations = attributes.integers(Key::dilations);
  TARN_RETURN_IF_ERROR(need_adjacent_axes(axes, shape));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::sizes, sizes, axes.size()));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::steps, steps, axes.size()));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::dilations, dilations, axes.size()));
  TARN_RETURN_IF_ERROR(need_counts("a window of", sizes, 1));
  TARN_RETURN_IF_ERROR(need_counts("a stride of", steps, 1));
  TARN_RETURN_IF_ERROR(need_counts("a dilation of", dilations, 1));
  std::vector<Window> windows;
  for (std::size_t i = 0; i < axes.size(); ++i) windows.push_back({sizes[i], steps[i], dilations[i]});
  return windows;
}

Result<FoldedAxes> folded_axes(const Attributes& attributes, const Shape& operand) {
  const Integers &axes = attributes.integers(Key::axes), &steps = attributes.integers(Key::steps),
                 &dilations = attributes.integers(Key::dilations);
  FoldedAxes folded{0, {}, {}, attributes.integers(Key::extents), attributes.integers(Key::before)};
  const std::size_t count = axes.size();
  TARN_RETURN_IF_ERROR(need_adjacent_axes(axes, operand));
  folded.first = static_cast<std::size_t>(axes.front());
  if (folded.first + 2 * count > operand.size()) {
    return error(fmt::format("{} has no {} axes of places and as many of windows from axis {} on", to_string(operand),
                             count, folded.first));
  }
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::steps, steps, count));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::dilations, dilations, count));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::extents, folded.extents, count));
  TARN_RETURN_IF_ERROR(need_one_for_each(Key::before, folded.before, count));
  TARN_RETURN_IF_ERROR(need_counts("a stride of", steps, 1));
  TARN_RETURN_IF_ERROR(need_counts("a dilation of", dilations, 1));
  TARN_RETURN_IF_ERROR(need_counts("an extent of", folded.extents, 1));
  TARN_RETURN_IF_ERROR(need_counts("leaving out", folded.before, 0));
  for (std::size_t i = 0; i < count; ++i) {
    folded.places.push_back(operand[folded.first + i]);
    folded.windows.push_back({operand[folded.first + count + i], steps[i], dilations[i]});
  }
  return folded;
}

std::vector<std::int64_t> place_of_turn(const Integers& sizes, std::size_t operand) {
  Integers place(sizes.size());
  auto left = static_cast<std::int64_t>(operand);
  for (std::size_t i = sizes.size(); i-- > 0;) {
    place[i] = left % sizes[i];
    left /= sizes[i];
  }
  return place;
}

Shape shape_of_turn(const Shape& whole, const Integers& axes, const Integers& sizes, std::size_t operand) {
  Shape shape = whole;
  const Integers place = place_of_turn(sizes, operand);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape[axes[i]] = (whole[axes[i]] - place[i] + sizes[i] - 1) / sizes[i];
  }
  return shape;
}

}  // namespace tarn
