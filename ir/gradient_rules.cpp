// Gradient rules. In each, y is the node, g the gradient by it, and operand(b, y, i) its operands. Nodes made while a
// rule runs move the graph's storage, so operands and shapes are taken by value.
#include "ir/gradient_rules.h"

#include <algorithm>
#include <numeric>

#include "ir/type_rules.h"
#include "ir/windows.h"

namespace tarn::gradient_rules {

namespace {

using Nodes = std::vector<NodeId>;
using Integers = std::vector<std::int64_t>;

NodeId operand(Builder& b, NodeId y, std::size_t i) { return b.node(y).inputs[i]; }
NodeId scalar_like(Builder& b, double value, NodeId like) { return b.constant(value, b.type(like).dtype); }
NodeId zero_like(Builder& b, NodeId like) { return scalar_like(b, 0, like); }

// The value of a node that is a constant with one value, or a broadcast of one.
std::optional<double> constant_value(Builder& b, NodeId id) {
  if (b.node(id).op == Op::broadcast) id = b.node(id).inputs.front();
  const Node& node = b.node(id);
  if (node.op != Op::constant || !node.attributes.has(Key::value)) return std::nullopt;
  return node.attributes.number(Key::value);
}

// A constant of any kind, or a broadcast of one.
bool is_constant(Builder& b, NodeId id) {
  while (b.node(id).op == Op::broadcast) id = b.node(id).inputs.front();
  return b.node(id).op == Op::constant;
}

// The axes 0 … rank - 1 that are not among `axes`.
Integers other_axes(std::size_t rank, const Integers& axes) {
  Integers result;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(rank); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) result.push_back(i);
  }
  return result;
}

// `a`, reduced over the axes of the reduction y, brought back to the shape of y's operand.
NodeId expand(Builder& b, NodeId y, NodeId a) {
  const Shape shape = b.shape(operand(b, y, 0));
  return b.broadcast(a, shape, other_axes(shape.size(), b.node(y).attributes.integers(Key::axes)));
}

// The row-major number of each element of `like` among the axes.
NodeId numbers_along(Builder& b, NodeId like, const Integers& axes) {
  const Shape shape = b.shape(like);
  const auto counted = [&](std::int64_t extent) {
    return b.source(Op::iota, {DType::i32, false, {extent}}, {{Key::axis, std::int64_t{0}}});
  };
  Integers others;
  Shape along;
  std::int64_t count = 1;
  for (const std::int64_t axis : axes) {
    if (shape[axis] == kBatch) continue;
    others.push_back(axis);
    along.push_back(shape[axis]);
    count *= shape[axis];
  }
  const NodeId numbers = b.broadcast(b.reshape(counted(count), along), shape, others);
  if (others.size() == axes.size()) return numbers;
  const NodeId samples =
      b.broadcast(b.mul(counted(kBatch), b.constant(static_cast<double>(count), DType::i32)), shape, {0});
  return b.add(samples, numbers);
}

// Slices every axis to [starts, starts + extent), where `shape` gives the extents; the batch axis is kept whole.
NodeId slice_window(Builder& b, NodeId a, const Integers& starts, const Shape& shape) {
  Integers limits(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) limits[i] = shape[i] == kBatch ? kBatch : starts[i] + shape[i];
  return b.slice(a, starts, limits, Integers(shape.size(), 1));
}

}  // namespace

Nodes none(Builder& b, NodeId y, NodeId) { return Nodes(b.node(y).inputs.size(), kNoNode); }

Nodes no_gradient(Builder& b, NodeId y, NodeId) {
  TARN_CHECK(false, std::string(name_of(b.node(y).op)));
  return {};
}

Nodes convert(Builder& b, NodeId y, NodeId g) {
  const DType from = b.type(operand(b, y, 0)).dtype;
  if (!is_floating(from)) return {kNoNode};
  return {b.convert(g, from)};
}

// d a^p / da = p a^(p-1), 0 where p = 0;  d a^p / dp = a^p log a, 0 where a = 0
Nodes pow(Builder& b, NodeId y, NodeId g) {
  const NodeId a = operand(b, y, 0), p = operand(b, y, 1);
  if (const std::optional<double> value = constant_value(b, p)) {
    if (*value == 0) return {kNoNode, kNoNode};
    const NodeId power = b.binary(Op::pow, a, scalar_like(b, *value - 1, p));
    return {b.mul(g, b.mul(power, p)), kNoNode};
  }
  // The exponent and the base are replaced where the other branch is taken, so that no NaN comes up there, not even in
  // second derivatives.
  const NodeId one = scalar_like(b, 1, p);
  const NodeId flat = b.binary(Op::equal, p, b.constant_like(0, p));
  const NodeId lower = b.where(flat, one, b.sub(p, one));
  const NodeId by_base = b.where(flat, zero_like(b, a), b.mul(p, b.binary(Op::pow, a, lower)));
  if (is_constant(b, p)) return {b.mul(g, by_base), kNoNode};
  const NodeId at_zero = b.binary(Op::equal, a, b.constant_like(0, a));
  const NodeId logarithm = b.unary(Op::log, b.where(at_zero, one, a));
  return {b.mul(g, by_base), b.mul(g, b.where(at_zero, zero_like(b, a), b.mul(y, logarithm)))};
}

Nodes maximum(Builder& b, NodeId y, NodeId g) {
  const NodeId first = operand(b, y, 0);
  // x <= c where max(c, x) <= c: with the latter, as in relu, nobody needs x any more.
  const NodeId to_first = b.binary(Op::less_equal, is_constant(b, first) ? y : operand(b, y, 1), first);
  return {b.where(to_first, g, zero_like(b, g)), b.where(to_first, zero_like(b, g), g)};
}
Nodes reduce_sum(Builder& b, NodeId y, NodeId g) { return {expand(b, y, g)}; }

// The derivative by x_i is the product of the others: with 1 for every zero, (product / x_i) where no other element is
// zero, else 0.
Nodes reduce_prod(Builder& b, NodeId y, NodeId g) {
  const NodeId x = operand(b, y, 0);
  const Integers axes = b.node(y).attributes.integers(Key::axes);
  const NodeId one = scalar_like(b, 1, x), zero = zero_like(b, x);
  const NodeId is_zero = b.binary(Op::equal, x, zero);
  const NodeId zeros = b.convert(is_zero, b.type(x).dtype);
  const NodeId other_zeros = b.sub(expand(b, y, b.sum(zeros, axes)), zeros);
  const NodeId safe = b.where(is_zero, one, x);
  const NodeId others = b.div(expand(b, y, b.reduce(Op::reduce_prod, safe, axes)), safe);
  return {b.mul(expand(b, y, g), b.where(b.binary(Op::equal, other_zeros, zero), others, zero))};
}

// Elements equal to the extreme value share the gradient; or the first of them has all of it.
Nodes reduce_max(Builder& b, NodeId y, NodeId g) {
  const NodeId x = operand(b, y, 0);
  const Integers axes = b.node(y).attributes.integers(Key::axes);
  const Attributes& attributes = b.node(y).attributes;
  if (attributes.has(Key::first) && attributes.integer(Key::first) != 0) {
    const Op finds = b.node(y).op == Op::reduce_max ? Op::argmax : Op::argmin;
    const NodeId found = b.reduce(finds, x, axes);
    const NodeId is_first = b.binary(Op::equal, numbers_along(b, x, axes), expand(b, y, found));
    return {b.where(is_first, expand(b, y, g), zero_like(b, g))};
  }
  const NodeId chosen = b.binary(Op::equal, x, expand(b, y, y));
  const NodeId count = b.sum(b.convert(chosen, b.type(x).dtype), axes);
  return {b.where(chosen, expand(b, y, b.div(g, count)), zero_like(b, g))};
}
Nodes reduce_min(Builder& b, NodeId y, NodeId g) { return reduce_max(b, y, g); }

// The gradient by an operand is the contraction of g with the other operand. Letters that only the operand had were
// summed alone: there the gradient repeats.
Nodes contract(Builder& b, NodeId y, NodeId g) {
  const std::string text = b.node(y).attributes.text(Key::map);
  const ContractionMap map = parse_contraction_map(text).value();
  const auto by = [&](NodeId wanted, std::string_view own, NodeId other, std::string_view others) {
    std::string letters;
    Integers axes;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (others.find(own[i]) == std::string_view::npos && map.result.find(own[i]) == std::string_view::npos) continue;
      letters += own[i];
      axes.push_back(static_cast<std::int64_t>(i));
    }
    const Shape shape = b.shape(wanted);
    const std::string gradient_map = std::string(map.result) + "," + std::string(others) + "->" + letters;
    return b.broadcast(b.contract(g, other, gradient_map), shape, axes);
  };
  const NodeId a0 = operand(b, y, 0), a1 = operand(b, y, 1);
  return {by(a0, map.a, a1, map.b), by(a1, map.b, a0, map.a)};
}

Nodes reshape(Builder& b, NodeId y, NodeId g) { return {b.reshape(g, b.shape(operand(b, y, 0)))}; }

Nodes broadcast(Builder& b, NodeId y, NodeId g) {
  return {b.sum(g, other_axes(b.shape(y).size(), b.node(y).attributes.integers(Key::axes)))};
}

Nodes transpose(Builder& b, NodeId y, NodeId g) {
  const Integers axes = b.node(y).attributes.integers(Key::axes);
  Integers inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<std::int64_t>(i);
  return {b.transpose(g, inverse)};
}

// Elements go back to where they were taken from, among zeros.
Nodes slice(Builder& b, NodeId y, NodeId g) {
  const Integers starts = b.node(y).attributes.integers(Key::starts);
  const Integers strides = b.node(y).attributes.integers(Key::strides);
  const Shape whole = b.shape(operand(b, y, 0));
  const NodeId wide = b.spread(g, strides);
  Integers high(whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    high[i] = whole[i] == kBatch ? 0 : whole[i] - starts[i] - b.shape(wide)[i];
  return {b.pad(wide, starts, high, 0)};
}

Nodes pad(Builder& b, NodeId y, NodeId g) {
  const Integers low = b.node(y).attributes.integers(Key::low);
  return {slice_window(b, g, low, Shape(b.shape(operand(b, y, 0))))};
}

Nodes spread(Builder& b, NodeId y, NodeId g) {
  const Integers strides = b.node(y).attributes.integers(Key::strides);
  const Shape limits = b.shape(y);
  return {b.slice(g, Integers(limits.size(), 0), limits, strides)};
}

Nodes reverse(Builder& b, NodeId y, NodeId g) { return {b.reverse(g, b.node(y).attributes.integers(Key::axes))}; }

Nodes windows(Builder& b, NodeId y, NodeId g) {
  const Attributes& attributes = b.node(y).attributes;
  const Integers axes = attributes.integers(Key::axes), steps = attributes.integers(Key::steps),
                 dilations = attributes.integers(Key::dilations);
  Integers extents;
  for (const std::int64_t axis : axes) extents.push_back(b.shape(operand(b, y, 0))[axis]);
  return {b.fold(g, axes, extents, steps, dilations, Integers(axes.size(), 0))};
}

// The windows of g, of which the elements that were left out, and those that no element was added to, are zeros.
Nodes fold(Builder& b, NodeId y, NodeId g) {
  const Attributes attributes = b.node(y).attributes;
  const NodeId x = operand(b, y, 0);
  const FoldedAxes folded = folded_axes(attributes, b.shape(x)).value();
  const std::size_t count = folded.windows.size(), rank = b.shape(y).size();
  if (element_count(with_batch(b.shape(x), 1)) == 0) return {b.constant_like(0, x)};
  Integers low(rank, 0), high(rank, 0), sizes;
  Shape shape = b.shape(y);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = folded.first + i;
    const std::int64_t span = folded.windows[i].span(folded.places[i]);
    low[axis] = folded.before[i];
    high[axis] = std::max<std::int64_t>(span - folded.before[i] - shape[axis], 0);
    shape[axis] = span;
    sizes.push_back(folded.windows[i].size);
  }
  const NodeId whole = slice_window(b, b.pad(g, low, high, 0), Integers(rank, 0), shape);
  return {b.windows(whole, attributes.integers(Key::axes), sizes, attributes.integers(Key::steps),
                    attributes.integers(Key::dilations))};
}

Nodes interleave(Builder& b, NodeId y, NodeId g) {
  const Integers axes = b.node(y).attributes.integers(Key::axes), sizes = b.node(y).attributes.integers(Key::sizes);
  const Shape limits = b.shape(y);
  Integers strides(limits.size(), 1);
  for (std::size_t i = 0; i < axes.size(); ++i) strides[axes[i]] = sizes[i];
  Nodes gradients;
  const std::size_t turns = b.node(y).inputs.size();
  for (std::size_t k = 0; k < turns; ++k) {
    const Integers place = place_of_turn(sizes, k);
    Integers starts(limits.size(), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) starts[axes[i]] = std::min(place[i], limits[axes[i]]);
    gradients.push_back(b.slice(g, starts, limits, strides));
  }
  return gradients;
}

Nodes concat(Builder& b, NodeId y, NodeId g) {
  const std::int64_t axis = b.node(y).attributes.integer(Key::axis);
  const Nodes parts = b.node(y).inputs;
  Integers starts(b.shape(y).size(), 0);
  Nodes gradients;
  for (const NodeId part : parts) {
    const Shape shape = b.shape(part);
    gradients.push_back(slice_window(b, g, starts, shape));
    starts[axis] += shape[axis];
  }
  return gradients;
}

Nodes gather(Builder& b, NodeId y, NodeId g) {
  const std::int64_t axis = b.node(y).attributes.integer(Key::axis);
  const Type table = b.type(operand(b, y, 0));
  return {b.scatter_add(g, operand(b, y, 1), axis, table), kNoNode};
}

Nodes scatter_add(Builder& b, NodeId y, NodeId g) {
  const std::int64_t axis = b.node(y).attributes.integer(Key::axis);
  return {b.gather(g, operand(b, y, 1), axis), kNoNode};
}

}  // namespace tarn::gradient_rules
