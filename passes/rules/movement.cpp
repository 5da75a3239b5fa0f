// Rules of single movements and pairs of them: reshape, broadcast, transpose, slice, pad, spread, reverse, concat,
// convert. A movement that does nothing goes; two of a kind become one; a movement of what repeats becomes a broadcast,
// which repeats as late as it can.
#include <algorithm>
#include <iterator>

#include "ir/views.h"
#include "passes/rebuild.h"
#include "passes/rules/rules.h"
#include "passes/rules/structure.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

const Integers& integers(Builder& b, NodeId id, Key key) { return b.node(id).attributes.integers(key); }
bool is(Builder& b, NodeId id, Op op) { return b.node(id).op == op; }
// ---------------------------------------------------------------- nothing happens

NodeId drop_same_type(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  return b.type(operand(b, id)) == b.type(id) ? operand(b, id) : kNoNode;
}

NodeId drop_identity_view(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId x = operand(b, id);
  return is_identity(*view_map(b.node(id), b.shape(x)), b.shape(x)) ? x : kNoNode;
}

NodeId drop_single_concat(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  return b.node(id).inputs.size() == 1 ? operand(b, id) : kNoNode;
}

// ---------------------------------------------------------------- two of a kind

// Two views in a row are the product of their matrices: one view, where a row of the table can say it.
NodeId merge_views(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (info(b.node(inner).op).view_rule == nullptr) return kNoNode;
  const NodeId x = operand(b, inner);
  const std::optional<ViewMap> map =
      composed(*view_map(b.node(id), b.shape(inner)), *view_map(b.node(inner), b.shape(x)), b.shape(x));
  if (!map) return kNoNode;
  if (is_identity(*map, b.shape(x))) return x;
  std::optional<ViewOperation> named = view_operation(*map, b.shape(x));
  if (!named) return kNoNode;
  const Type type = b.type(id);
  return b.make(named->op, {x}, std::move(named->attributes), &type);
}

NodeId merge_concats(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const std::int64_t axis = b.node(id).attributes.integer(Key::axis);
  std::vector<NodeId> parts;
  for (const NodeId part : b.node(id).inputs) {
    const bool nested = is(b, part, Op::concat) && b.node(part).attributes.integer(Key::axis) == axis;
    if (nested) {
      parts.insert(parts.end(), b.node(part).inputs.begin(), b.node(part).inputs.end());
    } else {
      parts.push_back(part);
    }
  }
  return parts == b.node(id).inputs ? kNoNode : b.concat(parts, axis);
}

// ---------------------------------------------------------------- what is taken is in one place

// slice(concat(…)) that takes from one part only
NodeId slice_of_concat(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (!is(b, inner, Op::concat)) return kNoNode;
  const std::int64_t axis = b.node(inner).attributes.integer(Key::axis);
  Integers starts = integers(b, id, Key::starts), limits = integers(b, id, Key::limits);
  std::int64_t begin = 0;
  for (const NodeId part : std::vector<NodeId>(b.node(inner).inputs)) {
    const std::int64_t end = begin + b.shape(part)[axis];
    if (begin <= starts[axis] && limits[axis] <= end) {
      starts[axis] -= begin;
      limits[axis] -= begin;
      return b.slice(part, starts, limits, Integers(integers(b, id, Key::strides)));
    }
    begin = end;
  }
  return kNoNode;
}

// A slice without steps along the axes of a fold leaves out elements that then need not be added up.
NodeId slice_of_fold(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (!is(b, inner, Op::fold)) return kNoNode;
  const Integers axes = integers(b, inner, Key::axes);
  Integers extents = integers(b, inner, Key::extents), before = integers(b, inner, Key::before);
  const Shape shape = b.shape(id);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t start = integers(b, id, Key::starts)[i];
    const auto found = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i));
    if (found == axes.end() && shape[i] == b.shape(inner)[i]) continue;
    if (found == axes.end() || shape[i] == 0 || integers(b, id, Key::strides)[i] != 1) return kNoNode;
    extents[static_cast<std::size_t>(found - axes.begin())] = shape[i];
    before[static_cast<std::size_t>(found - axes.begin())] += start;
  }
  return b.fold(operand(b, inner), axes, extents, Integers(integers(b, inner, Key::steps)),
                Integers(integers(b, inner, Key::dilations)), before);
}

// ---------------------------------------------------------------- broadcasts

// A constant of many equal elements is a broadcast of one.
NodeId broadcast_of_constant(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  if (b.shape(id).empty() || !b.node(id).attributes.has(Key::value)) return kNoNode;
  return b.constant_like(b.node(id).attributes.number(Key::value), id);
}

// A scalar gets extents of 1 by a broadcast, as it gets all others, so that what is the same everywhere has one form.
NodeId scalar_reshape_to_broadcast(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId x = operand(b, id);
  return b.shape(x).empty() ? b.broadcast(x, Shape(b.shape(id)), {}) : kNoNode;
}

// A broadcast that only adds extents of 1 to anything but a scalar is a reshape.
NodeId broadcast_to_reshape(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId x = operand(b, id);
  if (b.shape(x).empty() || has_batch(b.shape(x)) != has_batch(b.shape(id))) return kNoNode;
  for (const std::int64_t axis : other_axes(b.shape(id).size(), integers(b, id, Key::axes))) {
    if (b.shape(id)[axis] != 1) return kNoNode;
  }
  return b.reshape(x, Shape(b.shape(id)));
}

// The operand of a broadcast needs no extents of 1.
NodeId broadcast_without_units(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId x = operand(b, id);
  const Shape from = b.shape(x);
  const Shape kept = without_units(from);
  if (kept.size() == from.size()) return kNoNode;
  Integers axes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1) axes.push_back(integers(b, id, Key::axes)[i]);
  }
  const Shape shape = b.shape(id);
  return b.broadcast(b.reshape(x, kept), shape, axes);
}

// A transpose that keeps the order of all axes but those of extent 1 is a reshape.
NodeId transpose_to_reshape(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  Integers moved;
  for (const std::int64_t axis : integers(b, id, Key::axes)) {
    if (b.shape(operand(b, id))[axis] != 1) moved.push_back(axis);
  }
  if (!std::is_sorted(moved.begin(), moved.end())) return kNoNode;
  return b.reshape(operand(b, id), Shape(b.shape(id)));
}

// ---------------------------------------------------------------- convert

// f32 -> f64 -> f32 gives the value back.
NodeId convert_there_and_back(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (!is(b, inner, Op::convert)) return kNoNode;
  const NodeId x = operand(b, inner);
  const bool lossless = b.type(inner).dtype == DType::f64 || b.type(x).dtype == DType::boolean;
  return lossless && b.type(x) == b.type(id) ? x : kNoNode;
}

// ---------------------------------------------------------------- examples

NodeId example_reshape(ExampleMaker& m, NodeId x) {
  // All axes of a sample in one, or a new axis of 1 at the end.
  Builder& b = m.builder();
  Shape shape = b.shape(x);
  if (m.below(2) == 0) {
    shape.push_back(1);
    return b.reshape(x, shape);
  }
  const Shape sample(shape.begin() + (has_batch(shape) ? 1 : 0), shape.end());
  Shape flat = has_batch(shape) ? Shape{kBatch} : Shape{};
  flat.push_back(element_count(sample));
  return b.reshape(x, flat);
}

// Made through make(): the builder's own short forms leave out what does nothing.
NodeId example_broadcast(ExampleMaker& m, NodeId x, std::int64_t most = 3) {
  Builder& b = m.builder();
  Shape shape = b.shape(x);
  Integers axes = all_axes(shape.size());
  const std::size_t at = static_cast<std::size_t>(m.below(static_cast<std::int64_t>(shape.size()) + 1));
  const std::size_t position = has_batch(shape) ? std::max<std::size_t>(at, 1) : at;
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(position), 1 + m.below(most));
  for (std::int64_t& axis : axes) axis += axis >= static_cast<std::int64_t>(position) ? 1 : 0;
  const Type type{b.type(x).dtype, false, shape};
  return b.make(Op::broadcast, {x}, {{Key::axes, axes}}, &type);
}

NodeId example_transpose(ExampleMaker& m, NodeId x) {
  const Integers axes = m.order(m.builder().shape(x));
  return m.builder().make(Op::transpose, {x}, {{Key::axes, axes}});
}

NodeId example_slice(ExampleMaker& m, NodeId x) {
  const Shape shape = m.builder().shape(x);
  Integers starts, limits, strides;
  for (const std::int64_t extent : shape) {
    starts.push_back(extent == kBatch ? 0 : m.below(extent));
    limits.push_back(extent == kBatch ? kBatch : starts.back() + 1 + m.below(extent - starts.back()));
    strides.push_back(extent == kBatch ? 1 : 1 + m.below(2));
  }
  return m.builder().slice(x, starts, limits, strides);
}

NodeId example_pad(ExampleMaker& m, NodeId x, double value) {
  Integers low, high;
  for (const std::int64_t extent : Shape(m.builder().shape(x))) {
    low.push_back(extent == kBatch ? 0 : m.below(3));
    high.push_back(extent == kBatch ? 0 : m.below(3));
  }
  return m.builder().pad(x, low, high, value);
}

NodeId example_reverse(ExampleMaker& m, NodeId x) {
  Integers axes = m.some_axes(m.builder().shape(x).size());
  if (has_batch(m.builder().shape(x)) && !axes.empty() && axes.front() == 0) axes.erase(axes.begin());
  return m.builder().reverse(x, axes);
}

NodeId example_concat(ExampleMaker& m, const Shape& shape, std::int64_t axis, int parts) {
  std::vector<NodeId> nodes;
  for (int i = 0; i < parts; ++i) {
    Shape part = shape;
    part[axis] = 1 + m.below(3);
    nodes.push_back(m.variable(part));
  }
  return m.builder().concat(nodes, axis);
}

// A shape whose last axis is not the batch.
Shape shape_with_free_axis(ExampleMaker& m) {
  Shape shape = m.shape(1);
  if (shape.back() == kBatch) shape.push_back(2);
  return shape;
}

NodeId example_slice_of_concat(ExampleMaker& m) {
  Builder& b = m.builder();
  const Shape shape = shape_with_free_axis(m);
  const std::int64_t axis = static_cast<std::int64_t>(shape.size()) - 1;
  const NodeId joined = example_concat(m, shape, axis, 3);
  const std::size_t chosen = static_cast<std::size_t>(m.below(3));
  Integers starts(shape.size(), 0), limits = b.shape(joined);
  for (std::size_t i = 0; i < chosen; ++i) starts[axis] += b.shape(b.node(joined).inputs[i])[axis];
  limits[axis] = starts[axis] + b.shape(b.node(joined).inputs[chosen])[axis];
  return b.slice(joined, starts, limits, Integers(shape.size(), 1));
}

NodeId example_slice_of_pad(ExampleMaker& m) {
  Builder& b = m.builder();
  const NodeId x = m.variable(m.shape(1));
  const NodeId padded = example_pad(m, x, 0);
  Integers starts = integers(b, padded, Key::low);
  Integers limits = b.shape(x);
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (limits[i] == kBatch) continue;
    limits[i] += starts[i];
    starts[i] += m.below(limits[i] - starts[i]);
  }
  return b.slice(padded, starts, limits, Integers(limits.size(), 1));
}

NodeId example_nowhere(ExampleMaker& m) {
  Builder& b = m.builder();
  const NodeId x = m.variable({1, 2 + m.below(3), 1});
  const Type type = b.type(x);
  const std::pair<Op, Attributes> examples[] = {
      {Op::reshape, {}},
      {Op::broadcast, {{Key::axes, Integers{0, 1, 2}}}},
      {Op::transpose, {{Key::axes, Integers{2, 1, 0}}}},
      {Op::slice, {{Key::starts, Integers{0, 0, 0}}, {Key::limits, type.shape}, {Key::strides, Integers{1, 1, 1}}}},
      {Op::reverse, {{Key::axes, Integers{0, 2}}}},
  };
  const auto& [op, attributes] = examples[static_cast<std::size_t>(m.below(std::size(examples)))];
  return b.make(op, {x}, attributes, &type);
}

NodeId example_view_of_uniform(ExampleMaker& m) {
  const NodeId uniform = m.builder().broadcast(m.variable({}), m.shape(1), {});
  const std::array examples = {example_reshape, example_transpose, example_slice, example_reverse};
  return examples[static_cast<std::size_t>(m.below(4))](m, uniform);
}

// Of a kind, or of two kinds that are one again.
NodeId example_two_views(ExampleMaker& m) {
  using Example = NodeId (*)(ExampleMaker&);
  static constexpr Example kExamples[] = {
      [](ExampleMaker& m) { return example_reshape(m, example_reshape(m, m.variable(m.shape(1)))); },
      [](ExampleMaker& m) { return example_broadcast(m, example_broadcast(m, m.variable(m.shape()))); },
      [](ExampleMaker& m) { return example_transpose(m, example_transpose(m, m.variable(m.shape()))); },
      [](ExampleMaker& m) { return example_slice(m, example_slice(m, m.variable(m.shape(1)))); },
      [](ExampleMaker& m) { return example_pad(m, example_pad(m, m.variable(m.shape()), 1.5), 1.5); },
      [](ExampleMaker& m) { return example_reverse(m, example_reverse(m, m.variable(m.shape()))); },
      // The padding is cut off, and at times more.
      example_slice_of_pad,
      // The axes of x keep their order.
      [](ExampleMaker& m) {
        return m.builder().transpose(m.builder().broadcast(m.variable({3, 2}), {3, 4, 2}, {0, 2}), {1, 0, 2});
      },
      // x is kept whole.
      [](ExampleMaker& m) {
        const NodeId rows = m.builder().broadcast(m.variable({3}), {4, 3}, {1});
        return m.builder().slice(rows, {m.below(3), 0}, {4, 3}, {1 + m.below(2), 1});
      },
      example_view_of_uniform,
  };
  return kExamples[static_cast<std::size_t>(m.below(std::size(kExamples)))](m);
}

// The operations that are views; with those that have a border.
std::vector<Op> views(bool with_filled) {
  std::vector<Op> result;
  for (const OpInfo& row : all_operations()) {
    if (row.view_rule != nullptr && (with_filled || row.op_class == OpClass::view)) result.push_back(row.op);
  }
  return result;
}

std::vector<Rule> nothing_happens() {
  const std::vector<Op> by_type = {Op::convert, Op::pad, Op::spread};
  return {
      {"movement_nowhere", "move(x) = x, where the type stays", by_type, drop_same_type,
       [](ExampleMaker& m) {
         const NodeId x = m.variable(m.shape(1));
         const Type type = m.builder().type(x);
         if (m.below(2) == 0) return m.builder().spread(x, Integers(type.shape.size(), 1));
         return m.builder().make(Op::convert, {x}, {}, &type);
       }},
      {"view_nowhere", "view(x) = x, where every element stays", views(false), drop_identity_view, example_nowhere},
      {"concat_of_one",
       "concat(x) = x",
       {Op::concat},
       drop_single_concat,
       [](ExampleMaker& m) { return m.builder().concat({m.variable({1 + m.below(3)})}, 0); }},
  };
}

std::vector<Rule> two_of_a_kind() {
  return {
      {"view_view", "view(view(x)) = view(x), where one view can say it", views(true), merge_views, example_two_views},
      {"concat_concat",
       "concat(concat(x, y), z) = concat(x, y, z)",
       {Op::concat},
       merge_concats,
       [](ExampleMaker& m) {
         const Shape shape = shape_with_free_axis(m);
         const std::int64_t axis = static_cast<std::int64_t>(shape.size()) - 1;
         return m.builder().concat({example_concat(m, shape, axis, 2), example_concat(m, shape, axis, 1)}, axis);
       }},
      {"slice_concat",
       "slice(concat(x, y, …)) = slice(y), where it takes from y only",
       {Op::slice},
       slice_of_concat,
       example_slice_of_concat},
      {"slice_fold",
       "slice(fold(x)) = fold(x) with fewer elements",
       {Op::slice},
       slice_of_fold,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId folded = b.fold(m.variable({kBatch, 3, 2, 2, 3}), {1, 2}, {5 + m.below(2), 4},
                                      {1 + m.below(2), 1}, {1, 1 + m.below(2)}, {m.below(2), 0});
         const Shape shape = b.shape(folded);
         const std::int64_t start = m.below(3);
         return b.slice(folded, {0, start, 0}, {kBatch, shape[1] - m.below(2), shape[2] - 1}, {1, 1, 1});
       }},
      {"convert_convert",
       "convert(convert(x)) = x, where nothing was lost",
       {Op::convert},
       convert_there_and_back,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId x = b.binary(Op::less, m.variable({3}), m.variable({3}));
         return b.convert(b.convert(x, DType::f64), DType::boolean);
       }},
  };
}

std::vector<Rule> broadcasts() {
  return {
      {"constant_broadcast",
       "constant of many equal elements = broadcast(constant of one)",
       {Op::constant},
       broadcast_of_constant,
       [](ExampleMaker& m) {
         return m.builder().source(Op::constant, {DType::f64, false, m.shape(1)}, {{Key::value, 2.5}});
       }},
      {"broadcast_reshape",
       "broadcast(x) = reshape(x), where it adds extents of 1 only",
       {Op::broadcast},
       broadcast_to_reshape,
       [](ExampleMaker& m) { return example_broadcast(m, m.variable(m.shape(1)), 1); }},
      {"reshape_scalar",
       "reshape(x) = broadcast(x) for a scalar x",
       {Op::reshape},
       scalar_reshape_to_broadcast,
       [](ExampleMaker& m) {
         return m.builder().reshape(m.variable({}), Shape(static_cast<std::size_t>(1 + m.below(3)), 1));
       }},
      {"broadcast_units",
       "broadcast(x) = broadcast(reshape(x)) without the extents of 1 of x",
       {Op::broadcast},
       broadcast_without_units,
       [](ExampleMaker& m) { return example_broadcast(m, m.variable({2, 1, 3})); }},
      {"transpose_units",
       "transpose(x) = reshape(x), where only extents of 1 move",
       {Op::transpose},
       transpose_to_reshape,
       [](ExampleMaker& m) { return m.builder().transpose(m.variable({3, 1, 2}), {1, 0, 2}); }},
  };
}

}  // namespace

std::span<const Rule> movement_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    for (std::vector<Rule>& group :
         std::vector<std::vector<Rule>>{nothing_happens(), two_of_a_kind(), broadcasts(), reduction_structure_rules(),
                                        elementwise_structure_rules(), contraction_structure_rules()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return rules;
}

}  // namespace tarn
