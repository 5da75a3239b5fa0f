// Rules around reductions, and elementwise operations on broadcasts: both do less work where values repeat.
#include <algorithm>

#include "passes/rebuild.h"
#include "passes/rules/structure.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

Integers axes_of(Builder& b, NodeId id) { return b.node(id).attributes.integers(Key::axes); }
bool contains(const Integers& list, std::int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

NodeId drop_empty_reduction(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  return axes_of(b, id).empty() ? operand(b, id) : kNoNode;
}

NodeId reduce_units(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId x = operand(b, id);
  for (const std::int64_t axis : axes_of(b, id)) {
    if (b.shape(x)[axis] != 1) return kNoNode;
  }
  return b.reshape(x, Shape(b.shape(id)));
}

NodeId merge_reductions(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (b.node(inner).op != b.node(id).op) return kNoNode;
  const NodeId x = operand(b, inner);
  Integers axes = axes_of(b, inner);
  const Integers kept = other_axes(b.shape(x).size(), axes);
  for (const std::int64_t axis : axes_of(b, id)) axes.push_back(kept[axis]);
  return b.reduce(b.node(id).op, x, axes);
}

// A sum over an axis along which values repeat is the value times the extent; the extreme of equal values is the value.
NodeId reduce_broadcast(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const Op op = b.node(id).op;
  const NodeId wide = operand(b, id);
  if (b.node(wide).op != Op::broadcast) return kNoNode;
  const NodeId x = operand(b, wide);
  const Shape shape = b.shape(wide), result = b.shape(id);
  const Integers reduced = axes_of(b, id), placed = axes_of(b, wide);
  const Integers kept = other_axes(shape.size(), reduced);
  Integers inner_axes, outer_axes;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (contains(reduced, placed[i])) {
      inner_axes.push_back(static_cast<std::int64_t>(i));
    } else {
      outer_axes.push_back(std::find(kept.begin(), kept.end(), placed[i]) - kept.begin());
    }
  }
  double repeats = 1;
  bool times_batch = false;
  bool any = false;
  for (const std::int64_t axis : reduced) {
    if (contains(placed, axis)) continue;
    any = true;
    if (shape[axis] == kBatch) {
      times_batch = true;
    } else {
      repeats *= static_cast<double>(shape[axis]);
    }
  }
  if (!any || repeats == 0) return kNoNode;
  NodeId value = b.reduce(op, x, inner_axes);
  const DType dtype = b.type(x).dtype;
  if (op == Op::reduce_sum && repeats != 1) value = b.mul(value, b.constant(repeats, dtype));
  if (op == Op::reduce_sum && times_batch) value = b.mul(value, b.source(Op::batch_size, {dtype, false, {}}, {}));
  return b.broadcast(value, result, outer_axes);
}

// sum(-x) = -sum(x), max(-x) = -min(x), min(-x) = -max(x)
NodeId reduce_neg(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (b.node(inner).op != Op::neg) return kNoNode;
  const Op op = b.node(id).op;
  const Op turned = op == Op::reduce_max ? Op::reduce_min : op == Op::reduce_min ? Op::reduce_max : op;
  return b.neg(b.reduce(turned, operand(b, inner), axes_of(b, id)));
}

NodeId reduce_transpose(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  if (b.node(inner).op != Op::transpose) return kNoNode;
  const NodeId x = operand(b, inner);
  const Integers order = axes_of(b, inner);
  Integers axes;
  for (const std::int64_t axis : axes_of(b, id)) axes.push_back(order[axis]);
  const Integers kept = other_axes(order.size(), axes);
  Integers rest;
  for (const std::int64_t axis : other_axes(order.size(), axes_of(b, id))) {
    rest.push_back(std::find(kept.begin(), kept.end(), order[axis]) - kept.begin());
  }
  return b.transpose(b.reduce(b.node(id).op, x, axes), rest);
}

// f(broadcast(x), broadcast(y)) = broadcast(f(x, y)), where x and y go to the same axes or are scalars
NodeId sink_broadcast(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const Shape outer = b.shape(id);
  if (outer.empty()) return kNoNode;
  Shape inner;
  Integers axes;
  for (const NodeId input : b.node(id).inputs) {
    if (b.node(input).op != Op::broadcast) return kNoNode;
    const Shape& shape = b.shape(operand(b, input));
    if (shape.empty()) continue;
    if (!inner.empty() && (inner != shape || axes != axes_of(b, input))) return kNoNode;
    inner = shape;
    axes = axes_of(b, input);
  }
  std::vector<NodeId> operands;
  for (const NodeId input : std::vector<NodeId>(b.node(id).inputs)) {
    const NodeId narrow = operand(b, input);
    operands.push_back(b.shape(narrow).empty() ? b.broadcast(narrow, inner, {}) : narrow);
  }
  const Type requested{b.type(id).dtype, false, inner};
  return b.broadcast(b.make(b.node(id).op, operands, Attributes(b.node(id).attributes), &requested), outer, axes);
}

// ---------------------------------------------------------------- examples

Op one_of(ExampleMaker& m, const std::vector<Op>& ops) {
  return ops[static_cast<std::size_t>(m.below(static_cast<std::int64_t>(ops.size())))];
}

NodeId make_reduction(ExampleMaker& m, Op op, NodeId x, const Integers& axes) {
  return m.builder().make(op, {x}, {{Key::axes, axes}});
}

NodeId example_reduce_broadcast(ExampleMaker& m) {
  Builder& b = m.builder();
  const Op op = one_of(m, {Op::reduce_sum, Op::reduce_max, Op::reduce_min});
  const bool batched = m.below(2) == 0;
  const NodeId wide = b.broadcast(m.variable({3, 2}), {batched ? kBatch : 4, 3, 2, 5}, {1, 2});
  static const std::vector<Integers> kAxes = {{0}, {3}, {0, 1}, {1, 3}, {0, 3}, {0, 1, 2, 3}};
  return make_reduction(m, op, wide, kAxes[static_cast<std::size_t>(m.below(6))]);
}

// Any elementwise operation on operands that go to the same axes, or on scalars.
NodeId example_sink_broadcast(ExampleMaker& m) {
  Builder& b = m.builder();
  static const std::vector<Op> kOps = {Op::exp, Op::tanh, Op::add, Op::mul, Op::maximum, Op::where, Op::less};
  const Op op = one_of(m, kOps);
  const Shape outer{kBatch, 3, 2};
  const auto wide = [&](DType dtype) {
    return m.below(2) == 0 ? b.broadcast(m.variable({kBatch, 2}, dtype), outer, {0, 2})
                           : b.broadcast(m.variable({}, dtype), outer, {});
  };
  std::vector<NodeId> operands;
  operands.reserve(3);
  for (int i = 0; i < info(op).arity; ++i)
    operands.push_back(wide(op == Op::where && i == 0 ? DType::boolean : DType::f64));
  return b.make(op, operands);
}

std::vector<Op> elementwise_operations() {
  std::vector<Op> ops;
  for (const OpInfo& row : all_operations()) {
    if (row.op_class == OpClass::elementwise) ops.push_back(row.op);
  }
  return ops;
}

}  // namespace

std::vector<Rule> reduction_structure_rules() {
  const std::vector<Op> same = {Op::reduce_sum, Op::reduce_prod, Op::reduce_max, Op::reduce_min};
  const std::vector<Op> signed_ones = {Op::reduce_sum, Op::reduce_max, Op::reduce_min};
  return {
      {"reduce_nothing", "reduce(x) over no axes = x", same, drop_empty_reduction,
       [same](ExampleMaker& m) { return make_reduction(m, one_of(m, same), m.variable(m.shape()), {}); }},
      {"reduce_units", "reduce(x) over axes of extent 1 = reshape(x)", same, reduce_units,
       [same](ExampleMaker& m) { return make_reduction(m, one_of(m, same), m.variable({2, 1, 3, 1}), {1, 3}); }},
      {"reduce_reduce", "reduce(reduce(x)) = reduce(x) over the axes of both", same, merge_reductions,
       [same](ExampleMaker& m) {
         const Op op = one_of(m, same);
         return make_reduction(m, op, make_reduction(m, op, m.variable({kBatch, 2, 3, 4}), {m.below(4)}),
                               m.below(2) == 0 ? Integers{0, 2} : Integers{1});
       }},
      {"reduce_broadcast", "sum(broadcast(x)) = n x along the n repeats; max and min = x", signed_ones,
       reduce_broadcast, example_reduce_broadcast},
      {"reduce_neg", "sum(-x) = -sum(x), max(-x) = -min(x), min(-x) = -max(x)", signed_ones, reduce_neg,
       [signed_ones](ExampleMaker& m) {
         const NodeId x = m.variable(m.shape(1));
         return make_reduction(m, one_of(m, signed_ones), m.builder().neg(x), {0});
       }},
      {"reduce_transpose", "reduce(transpose(x)) = transpose(reduce(x))", same, reduce_transpose,
       [same](ExampleMaker& m) {
         const NodeId x = m.variable({2, 3, 4});
         const Integers order = m.order(m.builder().shape(x));
         const NodeId turned = m.builder().make(Op::transpose, {x}, {{Key::axes, order}});
         return make_reduction(m, one_of(m, same), turned, {m.below(3)});
       }},
  };
}

std::vector<Rule> elementwise_structure_rules() {
  return {
      {"sink_broadcast",
       "f(broadcast(x), broadcast(y)) = broadcast(f(x, y)), where both go to the same axes or are scalars",
       elementwise_operations(), sink_broadcast, example_sink_broadcast},
  };
}

}  // namespace tarn
