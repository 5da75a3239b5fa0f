// The rules of views, and what follows from maps alone. See views.h.
#include "ir/views.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/counted.h"
#include "ir/shape_checks.h"
#include "ir/type_rules.h"
#include "ir/windows.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;
using Coordinate = ViewMap::Coordinate;

// stride * index along one axis of the result, + offset.
Coordinate along(std::size_t rank, std::size_t axis, std::int64_t stride = 1, std::int64_t offset = 0) {
  Coordinate result{Integers(rank, 0), offset};
  result.strides[axis] = stride;
  return result;
}

// Steps along axes of extent 1 lead nowhere: where those are 0.
Coordinate in_range(Coordinate coordinate, const Shape& shape) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) coordinate.strides[i] = 0;
  }
  return coordinate;
}

// The first axis of the result with such a stride; kMaxRank where there is none.
std::size_t axis_with_stride(const Coordinate& coordinate, std::int64_t stride) {
  const auto found = std::find(coordinate.strides.begin(), coordinate.strides.end(), stride);
  return found == coordinate.strides.end() ? kMaxRank : static_cast<std::size_t>(found - coordinate.strides.begin());
}

bool is_constant(const Coordinate& coordinate) {
  return std::all_of(coordinate.strides.begin(), coordinate.strides.end(), [](std::int64_t s) { return s == 0; });
}

// Elements are only taken from within: the coordinate at the ends of the axes that it moves along.
bool stays_inside(const ViewMap& map, const Shape& operand) {
  for (std::size_t i = 0; i < operand.size(); ++i) {
    const Coordinate& coordinate = map.operand[i];
    std::int64_t least = coordinate.offset, most = coordinate.offset;
    for (std::size_t k = 0; k < map.shape.size(); ++k) {
      // The axis of the samples stays as it is.
      if (map.shape[k] == kBatch) continue;
      (coordinate.strides[k] < 0 ? least : most) += coordinate.strides[k] * (map.shape[k] - 1);
    }
    if (operand[i] != kBatch && (least < 0 || most >= operand[i])) return false;
  }
  return true;
}

}  // namespace

namespace view_rules {

Result<ViewMap> reshape(const Shape& operand, const Attributes&, const Shape* requested) {
  if (requested == nullptr) return needs_type();
  TARN_RETURN_IF_ERROR(check_shape(*requested));
  if (has_batch(operand) != has_batch(*requested)) return batch_axis_moved("reshaped");
  if (count_of_sample(operand) != count_of_sample(*requested)) {
    return error(fmt::format("cannot reshape {} into {}: {} {} not {}", to_string(operand), to_string(*requested),
                             counted(count_of_sample(operand), "element"),
                             agreeing(count_of_sample(operand), "is", "are"), count_of_sample(*requested)));
  }
  ViewMap map;
  map.shape = *requested;
  map.by_number = true;
  return map;
}

Result<ViewMap> broadcast(const Shape& operand, const Attributes& attributes, const Shape* requested) {
  if (requested == nullptr) return needs_type();
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::axes, axes, operand));
  TARN_RETURN_IF_ERROR(check_shape(*requested));
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, *requested));
  ViewMap map;
  map.shape = *requested;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (map.shape[axes[i]] != operand[i]) {
      return error(fmt::format("cannot broadcast {} to {}", to_string(operand), to_string(map.shape)));
    }
    map.operand.push_back(along(map.shape.size(), static_cast<std::size_t>(axes[i])));
  }
  return map;
}

Result<ViewMap> transpose(const Shape& operand, const Attributes& attributes, const Shape*) {
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::axes, axes, operand));
  ViewMap map;
  map.operand.resize(operand.size());
  std::vector<bool> seen(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    TARN_RETURN_IF_ERROR(need_axis(axes[i], operand));
    if (seen[axes[i]]) return error(fmt::format("axis {} stands twice in {}", axes[i], to_string(axes)));
    seen[axes[i]] = true;
    map.shape.push_back(operand[axes[i]]);
    map.operand[axes[i]] = along(axes.size(), i);
  }
  if (has_batch(operand) && axes.front() != 0) return batch_axis_moved("moved from the first place");
  return map;
}

Result<ViewMap> slice(const Shape& operand, const Attributes& attributes, const Shape*) {
  const Integers &starts = attributes.integers(Key::starts), &limits = attributes.integers(Key::limits),
                 &strides = attributes.integers(Key::strides);
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::starts, starts, operand));
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::limits, limits, operand));
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::strides, strides, operand));
  ViewMap map;
  for (std::size_t i = 0; i < operand.size(); ++i) {
    map.operand.push_back(along(operand.size(), i, strides[i], starts[i]));
    if (operand[i] == kBatch) {
      if (starts[i] != 0 || limits[i] != kBatch || strides[i] != 1) return batch_axis_moved("sliced");
      map.shape.push_back(kBatch);
      continue;
    }
    if (strides[i] < 1) return error(fmt::format("a slice cannot step by {}", strides[i]));
    if (starts[i] < 0 || starts[i] > limits[i] || limits[i] > operand[i]) {
      return error(fmt::format("{}:{} is outside of axis {} of {}", starts[i], limits[i], i, to_string(operand)));
    }
    const std::int64_t span = limits[i] - starts[i];
    map.shape.push_back(span == 0 ? 0 : (span - 1) / strides[i] + 1);
  }
  return map;
}

Result<ViewMap> reverse(const Shape& operand, const Attributes& attributes, const Shape*) {
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, operand));
  if (has_batch(operand) && !axes.empty() && axes.front() == 0) return batch_axis_moved("reversed");
  ViewMap map;
  map.shape = operand;
  for (std::size_t i = 0; i < operand.size(); ++i) map.operand.push_back(along(operand.size(), i));
  for (const std::int64_t axis : axes) {
    map.operand[axis] = along(operand.size(), static_cast<std::size_t>(axis), -1, operand[axis] - 1);
  }
  return map;
}

// [a…, x…, c…] with windows along x…: [a…, places…, elements…, c…].
Result<ViewMap> windows(const Shape& operand, const Attributes& attributes, const Shape*) {
  TARN_TRY(const std::vector<Window> windows, windows_of(attributes, operand));
  const std::size_t first = static_cast<std::size_t>(attributes.integers(Key::axes).front()), count = windows.size();
  const std::size_t rank = operand.size() + count;
  if (rank > kMaxRank)
    return error(fmt::format("windows of {} have {} axes, over the limit of {}", to_string(operand), rank, kMaxRank));
  ViewMap map;
  map.shape = operand;
  for (std::size_t i = 0; i < count; ++i) {
    map.shape[first + i] = windows[i].places(operand[first + i]);
    if (map.shape[first + i] == 0) {
      return error(fmt::format("a window of {} does not fit into axis {} of {}, which has {}",
                               counted(windows[i].reach(), "element"), first + i, to_string(operand),
                               operand[first + i]));
    }
    map.shape.insert(map.shape.begin() + static_cast<std::ptrdiff_t>(first + count + i), windows[i].size);
  }
  for (std::size_t i = 0; i < operand.size(); ++i) {
    if (i < first || i >= first + count) {
      map.operand.push_back(along(rank, i < first ? i : i + count));
      continue;
    }
    const Window& window = windows[i - first];
    map.operand.push_back(along(rank, i, window.step));
    map.operand.back().strides[i + count] = window.dilation;
  }
  return map;
}

Result<ViewMap> pad(const Shape& operand, const Attributes& attributes, const Shape*) {
  const Integers &low = attributes.integers(Key::low), &high = attributes.integers(Key::high);
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::low, low, operand));
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::high, high, operand));
  ViewMap map;
  map.shape = operand;
  map.fill = attributes.number(Key::value);
  for (std::size_t i = 0; i < operand.size(); ++i) {
    if (operand[i] == kBatch && (low[i] != 0 || high[i] != 0)) return batch_axis_moved("padded");
    if (low[i] < 0 || high[i] < 0) return error("padding cannot be negative");
    if (low[i] > kMaxElements || high[i] > kMaxElements) {
      return error(
          fmt::format("padding by {} is over the limit of {} elements", std::max(low[i], high[i]), kMaxElements));
    }
    if (operand[i] != kBatch) map.shape[i] += low[i] + high[i];
    map.operand.push_back(along(operand.size(), i, 1, -low[i]));
  }
  return map;
}

}  // namespace view_rules

namespace view_attributes {

Attributes reshape(const Shape&, const ViewMap&) { return {}; }

Attributes broadcast(const Shape&, const ViewMap& map) {
  Integers axes;
  for (const Coordinate& coordinate : map.operand) {
    axes.push_back(static_cast<std::int64_t>(axis_with_stride(coordinate, 1)));
  }
  return {{Key::axes, axes}};
}

Attributes transpose(const Shape& operand, const ViewMap& map) {
  Integers axes(operand.size(), 0);
  for (std::size_t i = 0; i < operand.size(); ++i) {
    const std::size_t axis = axis_with_stride(map.operand[i], 1);
    if (axis < axes.size()) axes[axis] = static_cast<std::int64_t>(i);
  }
  return {{Key::axes, axes}};
}

Attributes slice(const Shape& operand, const ViewMap& map) {
  Integers starts, limits, strides;
  for (std::size_t i = 0; i < operand.size() && i < map.shape.size(); ++i) {
    const Coordinate& coordinate = map.operand[i];
    const bool is_batch = map.shape[i] == kBatch;
    starts.push_back(coordinate.offset);
    strides.push_back(std::max<std::int64_t>(coordinate.strides[i], 1));
    limits.push_back(is_batch           ? kBatch
                     : map.shape[i] > 0 ? starts[i] + (map.shape[i] - 1) * strides[i] + 1
                                        : starts[i]);
  }
  return {{Key::starts, starts}, {Key::limits, limits}, {Key::strides, strides}};
}

Attributes reverse(const Shape& operand, const ViewMap& map) {
  Integers axes;
  for (std::size_t i = 0; i < operand.size() && i < map.shape.size(); ++i) {
    if (map.operand[i].strides[i] < 0) axes.push_back(static_cast<std::int64_t>(i));
  }
  return {{Key::axes, axes}};
}

// As many axes are added as windows lie along; those are the first that another place leads along than their own.
Attributes windows(const Shape& operand, const ViewMap& map) {
  const std::size_t rank = map.shape.size(), count = std::max(rank, operand.size()) - operand.size();
  std::size_t first = 0;
  while (first + count < operand.size() && map.operand[first].strides[first + count] == 0) ++first;
  Integers axes, sizes, steps, dilations;
  for (std::size_t i = first; i < first + count && i + count < rank; ++i) {
    const Integers& strides = map.operand[std::min(i, operand.size() - 1)].strides;
    axes.push_back(static_cast<std::int64_t>(i));
    sizes.push_back(map.shape[i + count]);
    steps.push_back(std::max<std::int64_t>(strides[i], 1));
    dilations.push_back(std::max<std::int64_t>(strides[i + count], 1));
  }
  return {{Key::axes, axes}, {Key::sizes, sizes}, {Key::steps, steps}, {Key::dilations, dilations}};
}

Attributes pad(const Shape& operand, const ViewMap& map) {
  Integers low, high;
  for (std::size_t i = 0; i < operand.size() && i < map.shape.size(); ++i) {
    low.push_back(-map.operand[i].offset);
    high.push_back(operand[i] == kBatch ? 0 : map.shape[i] - operand[i] - low[i]);
  }
  return {{Key::low, low}, {Key::high, high}, {Key::value, map.fill.value_or(0)}};
}

}  // namespace view_attributes

std::optional<ViewMap> view_map(const Node& node, const Shape& operand) {
  const ViewRule rule = info(node.op).view_rule;
  if (rule == nullptr) return std::nullopt;
  return rule(operand, node.attributes, &node.type.shape).value();
}

bool same_view(const ViewMap& a, const ViewMap& b) {
  if (a.shape != b.shape || a.by_number != b.by_number || a.fill != b.fill) return false;
  if (a.operand.size() != b.operand.size()) return false;
  for (std::size_t i = 0; i < a.operand.size(); ++i) {
    const Coordinate x = in_range(a.operand[i], a.shape), y = in_range(b.operand[i], b.shape);
    if (x.offset != y.offset || x.strides != y.strides) return false;
  }
  return true;
}

bool is_identity(const ViewMap& map, const Shape& operand) {
  if (map.shape != operand) return false;
  if (map.by_number) return true;
  for (std::size_t i = 0; i < operand.size(); ++i) {
    const Coordinate own = in_range(map.operand[i], map.shape), same = in_range(along(operand.size(), i), operand);
    if (own.offset != 0 || own.strides != same.strides) return false;
  }
  return true;
}

std::optional<ViewMap> composed(const ViewMap& outer, const ViewMap& inner, const Shape& operand) {
  ViewMap map;
  map.shape = outer.shape;
  // One element everywhere, whatever is shown of it.
  const bool is_uniform = !inner.by_number && !inner.fill && !outer.fill &&
                          std::all_of(inner.operand.begin(), inner.operand.end(), is_constant);
  if (is_uniform) {
    for (const Coordinate& coordinate : inner.operand) {
      map.operand.push_back({Integers(map.shape.size(), 0), coordinate.offset});
    }
    return map;
  }
  if (outer.by_number || inner.by_number) {
    if (!(outer.by_number && inner.by_number)) return std::nullopt;
    map.by_number = true;
    return map;
  }
  // What is outside of the inner view would be looked for in the operand, where it may be found; but where both have
  // borders of one number around the operand, they are one border.
  if (outer.fill) {
    const auto is_border = [&](std::size_t i) {
      return inner.operand[i].strides == along(operand.size(), i).strides && inner.operand[i].offset <= 0;
    };
    if (inner.fill != outer.fill || inner.shape.size() != operand.size()) return std::nullopt;
    for (std::size_t i = 0; i < operand.size(); ++i) {
      if (!is_border(i)) return std::nullopt;
    }
  }
  map.fill = inner.fill;
  for (const Coordinate& coordinate : inner.operand) {
    Coordinate& made = map.operand.emplace_back();
    made.offset = coordinate.offset;
    made.strides.assign(outer.shape.size(), 0);
    for (std::size_t i = 0; i < inner.shape.size(); ++i) {
      made.offset += coordinate.strides[i] * outer.operand[i].offset;
      for (std::size_t k = 0; k < outer.shape.size(); ++k) {
        made.strides[k] += coordinate.strides[i] * outer.operand[i].strides[k];
      }
    }
  }
  if (map.fill && stays_inside(map, operand)) map.fill.reset();
  return map;
}

std::optional<ViewOperation> view_operation(const ViewMap& map, const Shape& operand) {
  for (const OpInfo& row : all_operations()) {
    if (row.view_rule == nullptr) continue;
    ViewOperation named{row.op, row.view_attributes(operand, map)};
    const Result<ViewMap> made = row.view_rule(operand, named.attributes, &map.shape);
    if (made && same_view(*made, map)) return named;
  }
  return std::nullopt;
}

}  // namespace tarn
