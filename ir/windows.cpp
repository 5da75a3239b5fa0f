// See windows.h.
#include "ir/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/shape_checks.h"
#include "ir/type_rules.h"

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

namespace type_rules {

namespace {

Status need_turns(const Integers& axes, const Integers& sizes, const Shape& first) {
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, first));
  if (sizes.size() != axes.size())
    return error(fmt::format("'sizes' needs one entry for each of {} axes", axes.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (first[axes[i]] == kBatch) return batch_axis_moved("interleaved");
    if (sizes[i] < 1) return error(fmt::format("{} operands cannot take turns", sizes[i]));
  }
  return Done{};
}

}  // namespace

// [a…, places…, elements…, c…] becomes [a…, extents…, c…].
Result<Type> fold(std::span<const Type> operands, const Attributes& attributes, const Type*) {
  const Type& x = operands.front();
  if (x.dtype == DType::boolean) return error("numbers are needed here, not bool");
  TARN_TRY(const FoldedAxes folded, folded_axes(attributes, x.shape));
  Shape shape = x.shape;
  const auto first = shape.begin() + static_cast<std::ptrdiff_t>(folded.first);
  const auto count = static_cast<std::ptrdiff_t>(folded.extents.size());
  std::copy(folded.extents.begin(), folded.extents.end(), first);
  shape.erase(first + count, first + 2 * count);
  TARN_RETURN_IF_ERROR(check_shape(shape));
  return Type{x.dtype, x.per_sample, std::move(shape)};
}

// Of `size` operands that take turns along an axis of extent e, operand k has (e - k) / size elements there, rounded
// up.
Result<Type> interleave(std::span<const Type> operands, const Attributes& attributes, const Type*) {
  const Shape& first = operands.front().shape;
  const Integers &axes = attributes.integers(Key::axes), &sizes = attributes.integers(Key::sizes);
  for (const Type& operand : operands) {
    if (operand.dtype != operands.front().dtype) return error("operands that take turns have one type");
  }
  TARN_RETURN_IF_ERROR(need_turns(axes, sizes, first));
  std::size_t turns = 1;
  for (const std::int64_t size : sizes) {
    turns = size > static_cast<std::int64_t>(operands.size()) ? 0 : turns * static_cast<std::size_t>(size);
  }
  if (turns != operands.size())
    return error(fmt::format("{} operands do not take turns {} times", operands.size(), to_string(sizes)));
  Type result{operands.front().dtype, false, first};
  for (const Type& operand : operands) result.per_sample = result.per_sample || operand.per_sample;
  // The last operand along an axis and all others alone: their extents add up.
  for (std::size_t i = 0, each = turns; i < axes.size(); ++i) {
    each /= static_cast<std::size_t>(sizes[i]);
    result.shape[axes[i]] = 0;
    for (std::int64_t k = 0; k < sizes[i]; ++k) {
      const Shape& part = operands[static_cast<std::size_t>(k) * each].shape;
      if (part.size() != first.size()) return error("operands that take turns have equally many axes");
      result.shape[axes[i]] += part[axes[i]];
    }
  }
  for (std::size_t operand = 0; operand < turns; ++operand) {
    const Shape expected = shape_of_turn(result.shape, axes, sizes, operand);
    if (operands[operand].shape != expected) {
      return error(fmt::format("operand {} of {} has shape {}, not {}", operand, to_string(result.shape),
                               to_string(operands[operand].shape), to_string(expected)));
    }
  }
  TARN_RETURN_IF_ERROR(check_shape(result.shape));
  return result;
}

}  // namespace type_rules

}  // namespace tarn
