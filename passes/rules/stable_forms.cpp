// Stable forms: logarithms of softmax and sigmoid, which overflow or lose their gradient as they are written.
//
// With these rules the gradient of a cross-entropy by the logits z is softmax(z) - t and sigmoid(z) - t, whatever guard
// stood in between. A probability below is a value of softmax, e / sum(e) with e = exp(…), or of sigmoid, moved or not:
// reshaped, sliced, ….
#include <algorithm>

#include "passes/graph_passes.h"
#include "passes/rebuild.h"
#include "passes/rules/pattern.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

// A guard keeps a probability from 0 and 1 by at most this.
constexpr double kLargestGuard = 1e-3;

NodeId operand(const Graph& graph, NodeId id, std::size_t i = 0) { return graph[id].inputs[i]; }

NodeId without_movements(const Graph& graph, NodeId id) {
  while (info(graph[id].op).op_class == OpClass::view) id = operand(graph, id);
  return id;
}

// The axes other than `axes` whose extent is not 1.
Integers wide_axes_but(const Shape& shape, const Integers& axes) {
  Integers result = other_axes(shape.size(), axes);
  std::erase_if(result, [&](std::int64_t axis) { return shape[axis] == 1; });
  return result;
}

struct RepeatedSum {
  NodeId of = kNoNode;
  Integers axes;
};

// v = the sum of `of` over `axes`, repeated along them: broadcast(sum), with extents of 1 in any form between.
std::optional<RepeatedSum> repeated_sum(const Graph& graph, NodeId v) {
  const Shape shape = graph[v].type.shape;
  // Where the axes of extent > 1 of the sum stand in v; all of them, unless a broadcast says otherwise.
  Integers placed = wide_axes_but(shape, {});
  if (graph[v].op == Op::broadcast) {
    placed.clear();
    const Integers& axes = graph[v].attributes.integers(Key::axes);
    v = operand(graph, v);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (graph[v].type.shape[i] != 1) placed.push_back(axes[i]);
    }
  }
  while (graph[v].op == Op::reshape) {
    if (without_units(graph[v].type.shape) != without_units(graph[operand(graph, v)].type.shape)) return std::nullopt;
    v = operand(graph, v);
  }
  if (graph[v].op != Op::reduce_sum) return std::nullopt;
  RepeatedSum sum{operand(graph, v), graph[v].attributes.integers(Key::axes)};
  if (graph[sum.of].type.shape != shape || wide_axes_but(shape, sum.axes) != placed) return std::nullopt;
  return sum;
}

// y = e / sum(e): the axes of the sum.
std::optional<Integers> normalised_axes(const Graph& graph, NodeId y) {
  if (graph[y].op != Op::div) return std::nullopt;
  const std::optional<RepeatedSum> sum = repeated_sum(graph, operand(graph, y, 1));
  if (!sum || sum->of != operand(graph, y, 0)) return std::nullopt;
  return sum->axes;
}

// Whether y sums to 1 over the axes, because it was normalised over just these, before it was reshaped or transposed.
bool is_normalised_over(const Graph& graph, NodeId y, Integers axes) {
  for (; graph[y].op == Op::reshape || graph[y].op == Op::transpose; y = operand(graph, y)) {
    const Shape& after = graph[y].type.shape;
    const Shape& before = graph[operand(graph, y)].type.shape;
    if (graph[y].op == Op::transpose) {
      for (std::int64_t& axis : axes) axis = graph[y].attributes.integers(Key::axes)[axis];
      std::sort(axes.begin(), axes.end());
      continue;
    }
    // A reshape that keeps the last axis keeps sums over it.
    const bool last_only = axes == Integers{static_cast<std::int64_t>(after.size()) - 1};
    if (!last_only || before.empty() || before.back() != after.back()) return false;
    axes = {static_cast<std::int64_t>(before.size()) - 1};
  }
  const std::optional<Integers> found = normalised_axes(graph, y);
  if (!found) return false;
  const Shape& shape = graph[y].type.shape;
  return wide_axes_but(shape, *found) == wide_axes_but(shape, axes);
}

bool is_probability(const Graph& graph, NodeId y) {
  y = without_movements(graph, y);
  if (graph[y].op == Op::sigmoid) return true;
  return normalised_axes(graph, y) && graph[operand(graph, y)].op == Op::exp;
}

bool is_low_guard(std::optional<double> value) { return value && *value > 0 && *value <= kLargestGuard; }
bool is_high_guard(std::optional<double> value) { return value && *value >= 1 - kLargestGuard && *value <= 1; }

// y, where v is clip(y, lo, hi) with guards near 0 and 1, one or both, in either order; v itself where it is none.
NodeId without_guards(const Graph& graph, NodeId v) {
  while (graph[v].op == Op::minimum || graph[v].op == Op::maximum) {
    const bool low = graph[v].op == Op::maximum;
    NodeId inner = kNoNode;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::optional<double> bound = uniform_value(graph, operand(graph, v, i));
      if (low ? is_low_guard(bound) : is_high_guard(bound)) inner = operand(graph, v, 1 - i);
    }
    if (inner == kNoNode) return v;
    v = inner;
  }
  return v;
}

// The movements of `from`, done to `core` instead.
NodeId move_likewise(Builder& b, NodeId from, NodeId core) {
  std::vector<NodeId> movements;
  for (; info(b.node(from).op).op_class == OpClass::view; from = operand(b.graph(), from)) movements.push_back(from);
  for (auto it = movements.rbegin(); it != movements.rend(); ++it) {
    const Node movement = b.node(*it);
    const Type requested{b.type(core).dtype, false, movement.type.shape};
    core = b.make(movement.op, {core}, movement.attributes, &requested);
  }
  return core;
}

NodeId one_minus(Builder& b, NodeId y) { return b.sub(b.constant_like(1, y), y); }

// y, where v is 1 - y; else kNoNode.
NodeId complement(const Graph& graph, NodeId v) {
  if (graph[v].op != Op::sub || uniform_value(graph, operand(graph, v)) != 1.0) return kNoNode;
  return operand(graph, v, 1);
}

// ---------------------------------------------------------------- functions of the rows below

NodeId normalised_twice(RewriteSite& site, NodeId id) {
  const Graph& graph = site.builder().graph();
  const NodeId y = operand(graph, id);
  const std::optional<RepeatedSum> sum = repeated_sum(graph, operand(graph, id, 1));
  return sum && sum->of == y && is_normalised_over(graph, y, sum->axes) ? y : kNoNode;
}

NodeId log_of_probability(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId argument = operand(b.graph(), id);
  const NodeId y = without_guards(b.graph(), argument);
  if (!is_probability(b.graph(), y)) return kNoNode;
  const NodeId core = without_movements(b.graph(), y);
  return core == argument ? kNoNode : move_likewise(b, y, b.unary(Op::log, core));
}

NodeId log_of_complement(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId argument = complement(b.graph(), operand(b.graph(), id));
  if (argument == kNoNode) return kNoNode;
  const NodeId y = without_guards(b.graph(), argument);
  const NodeId core = without_movements(b.graph(), y);
  if (b.node(core).op != Op::sigmoid || core == argument) return kNoNode;
  return move_likewise(b, y, b.unary(Op::log, one_minus(b, core)));
}

// One logarithm, and in the gradient one quotient, for each sum instead of one for each element that it is repeated to.
NodeId log_of_repeated(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId wide = operand(b.graph(), id);
  if (b.node(wide).op != Op::broadcast) return kNoNode;
  const Integers axes = b.node(wide).attributes.integers(Key::axes);
  return b.broadcast(b.unary(Op::log, operand(b.graph(), wide)), Shape(b.shape(id)), axes);
}

// ---------------------------------------------------------------- examples

NodeId softmax(Builder& b, NodeId z, const Integers& axes) {
  const auto repeat = [&](NodeId reduced) {
    return b.broadcast(reduced, Shape(b.shape(z)), other_axes(b.shape(z).size(), axes));
  };
  const NodeId shifted = b.sub(z, b.unary(Op::stop_gradient, repeat(b.reduce(Op::reduce_max, z, axes))));
  const NodeId e = b.unary(Op::exp, shifted);
  return b.div(e, repeat(b.sum(e, axes)));
}

NodeId example_probability(ExampleMaker& m) {
  Builder& b = m.builder();
  return m.below(2) == 0 ? softmax(b, m.variable({kBatch, 4}), {1}) : b.unary(Op::sigmoid, m.variable({kBatch, 4}));
}

NodeId guarded(ExampleMaker& m, NodeId y) {
  Builder& b = m.builder();
  const NodeId low = b.constant_like(1e-7, y), high = b.constant_like(1 - 1e-7, y);
  switch (m.below(3)) {
    case 0:
      return b.binary(Op::minimum, b.binary(Op::maximum, y, low), high);
    case 1:
      return b.binary(Op::maximum, low, b.binary(Op::minimum, high, y));
    default:
      return b.binary(Op::maximum, y, low);
  }
}

NodeId moved(ExampleMaker& m, NodeId y) {
  Builder& b = m.builder();
  return m.below(2) == 0 ? b.reshape(y, {kBatch, 2, 2}) : b.slice(y, {0, 1}, {kBatch, 3}, {1, 1});
}

NodeId example_normalised_twice(ExampleMaker& m) {
  Builder& b = m.builder();
  NodeId y = softmax(b, m.variable({kBatch, 4, 3}), {2});
  if (m.below(2) == 0) y = b.reshape(y, {kBatch, 2, 2, 3});
  const std::size_t rank = b.shape(y).size();
  const std::int64_t last = static_cast<std::int64_t>(rank) - 1;
  return b.div(y, b.broadcast(b.sum(y, {last}), Shape(b.shape(y)), other_axes(rank, {last})));
}

std::vector<Rule> structural_forms() {
  return {
      {"normalised_twice",
       "y / sum(y) = y, where y = e / sum(e) over the same axes",
       {Op::div},
       normalised_twice,
       example_normalised_twice},
      {"log_of_probability",
       "log(clip(move(p), lo, hi)) = move(log(p)), where p is a softmax or a sigmoid",
       {Op::log},
       log_of_probability,
       [](ExampleMaker& m) {
         const NodeId y = example_probability(m);
         return m.builder().unary(Op::log, m.below(2) == 0 ? guarded(m, y) : guarded(m, moved(m, y)));
       }},
      {"log_of_repeated",
       "log(broadcast(x)) = broadcast(log(x))",
       {Op::log},
       log_of_repeated,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         return b.unary(Op::log, b.broadcast(m.variable({kBatch}), {kBatch, 3}, {0}));
       }},
      {"log_of_complement",
       "log(1 - clip(move(p), lo, hi)) = move(log(1 - p)), where p is a sigmoid",
       {Op::log},
       log_of_complement,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId y = b.unary(Op::sigmoid, m.variable({kBatch, 4}));
         return b.unary(Op::log, one_minus(b, m.below(2) == 0 ? guarded(m, y) : moved(m, y)));
       }},
  };
}

std::vector<Rule> algebraic_forms() {
  using namespace algebra;
  return {
      equation("log_exp", log(exp(x)), x),
      equation("log_softmax", log(exp(x) / y), x - log(y)),
      equation("log_sigmoid", log(sigmoid(x)), -softplus(-x)),
      equation("log_one_minus_sigmoid", log(1 - sigmoid(x)), -softplus(x)),
      equation("log_one_plus_exp", log(1 + exp(x)), softplus(x)),
      equation("log1p_exp", log1p(exp(x)), softplus(x)),
      // softplus as it is written to be stable; so it has no kink at 0.
      equation("softplus", maximum(x, 0) + softplus(-abs(x)), softplus(x)),
      // cross-entropy on logits, max(x, 0) - x t + log(1 + exp(-|x|)): likewise.
      equation("softplus_minus", (maximum(x, 0) - y) + softplus(-abs(x)), softplus(x) - y),
  };
}

}  // namespace

std::span<const Rule> stable_form_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all = structural_forms();
    const std::vector<Rule> more = algebraic_forms();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return rules;
}

Result<Graph> use_stable_forms(const Graph& graph, PassContext& context) {
  return rewrite(graph, select_rules({stable_form_rules()}, false), context.rule_hits);
}

}  // namespace tarn
