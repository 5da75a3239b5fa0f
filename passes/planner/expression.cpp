// See expression.h.
#include "passes/planner/expression.h"

#include <algorithm>
#include <numeric>

#include "ir/views.h"
#include "passes/planner/short_rows.h"

namespace tarn {
namespace {

Coordinates with_reduced_axes(const Coordinates& at, const std::vector<std::int64_t>& axes, std::size_t rank,
                              std::size_t strides) {
  Coordinates result;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool gone = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    result.push_back(gone ? constant_linear(strides, 0) : at[next++]);
  }
  return result;
}

// The axes of a kernel and, behind them, the indices within the edges.
IterationSpace with_edges(const IterationSpace& space, const std::vector<Edge>& edges) {
  IterationSpace wide = space;
  for (const Edge& edge : edges) wide.axes.push_back({edge.limit, false});
  return wide;
}

void add_edge(Point& point, std::size_t axis, std::int64_t limit) {
  const std::size_t axes = point.at[axis].strides.size();
  point.edges.push_back({point.at[axis], limit});
  for (Linear& coordinate : point.at) coordinate.strides.push_back(0);
  point.at[axis] = axis_linear(axes + 1, axes);
}

// The point of a view's operand; nothing where it has a border that the way cannot lead across: of a second number, or
// around nothing.
std::optional<Point> step_through(const Point& point, const ViewMap& map, const Shape& operand, NodeId node,
                                  const IterationSpace& space) {
  const std::size_t axes = space.axes.size() + point.edges.size();
  Point next{node, map.by_number, {}, point.edges, point.fill};
  if (map.by_number) {
    next.at = {point.flat ? point.at[0] : dot(row_major_strides(map.shape), point.at, 0, axes)};
    return next;
  }
  if (point.flat) return std::nullopt;
  for (const auto& [strides, offset] : map.operand) next.at.push_back(dot(strides, point.at, offset, axes));
  if (!map.fill) return next;
  for (std::size_t i = 0; i < operand.size(); ++i) {
    if (operand[i] == kBatch || is_within(next.at[i], operand[i], with_edges(space, next.edges))) continue;
    if (operand[i] == 0 || (!point.edges.empty() && point.fill && point.fill != map.fill)) return std::nullopt;
    add_edge(next, i, operand[i]);
    next.fill = *map.fill;
  }
  return next;
}

// The point of the operand where the value of the node at a point is found; nothing for what is no movement of single
// elements.
std::optional<Point> step_through(const Point& point, const Graph& graph, const IterationSpace& space) {
  const Node& node = graph[point.node];
  if (node.inputs.empty()) return std::nullopt;
  const NodeId operand = node.inputs[0];
  const Shape& shape = graph[operand].type.shape;
  if (const std::optional<ViewMap> map = view_map(node, shape)) return step_through(point, *map, shape, operand, space);
  if (point.flat) return std::nullopt;
  Point next{operand, false, point.at, point.edges, point.fill};
  if (node.op == Op::stop_gradient) return next;
  const OpInfo& row = info(node.op);
  const bool reduces = row.reduction && !row.reduction->gives_index;
  if (!reduces || !reduces_nothing(graph, point.node)) return std::nullopt;
  next.at = with_reduced_axes(point.at, node.attributes.integers(Key::axes), shape.size(),
                              space.axes.size() + point.edges.size());
  return next;
}

}  // namespace

Linear over_axes(const Linear& linear, const std::vector<Linear>& within, std::size_t axes) {
  Linear result = linear;
  result.strides.resize(axes);
  for (std::size_t i = 0; axes + i < linear.strides.size(); ++i) {
    result = sum(result, scaled(within[i], linear.strides[axes + i]));
  }
  return result;
}

std::vector<Linear> indices_within(const std::vector<Edge>& edges, std::size_t axes) {
  std::vector<Linear> within;
  for (const Edge& edge : edges) within.push_back(over_axes(edge.index, within, axes));
  return within;
}

bool reduces_nothing(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const Shape& shape = graph[node.inputs[0]].type.shape;
  const auto& axes = node.attributes.integers(Key::axes);
  return std::all_of(axes.begin(), axes.end(), [&](std::int64_t axis) { return shape[axis] == 1; });
}

bool Leaves::is_source(NodeId id) const {
  const Node& node = graph[id];
  return node.op == Op::input || node.op == Op::tensor || (node.op == Op::constant && node.attributes.has(Key::values));
}

Point follow(Point point, const Leaves& leaves, const IterationSpace& space, bool defined) {
  while (true) {
    const Shape& shape = leaves.graph[point.node].type.shape;
    if (point.flat) {
      if (auto at = unflatten(point.at[0], shape, with_edges(space, point.edges))) {
        point.flat = false;
        point.at = std::move(*at);
      }
    }
    if (leaves.contains(point.node) && !defined) return point;
    defined = false;
    auto next = step_through(point, leaves.graph, space);
    if (!next) return point;
    point = std::move(*next);
  }
}

View view_of(NodeId node, const Leaves& leaves, std::int64_t max_batch) {
  const Shape& shape = leaves.graph[node].type.shape;
  const IterationSpace space{axes_of(shape), max_batch};
  View view{follow({node, false, own_point(shape)}, leaves, space), false};
  view.is_view = leaves.contains(view.leaf.node);
  return view;
}

bool Expression::is_defined_at(const Point& point) const {
  if (!point.edges.empty()) return false;
  const auto along = along_.find(point.node);
  const Shape& shape = leaves_.graph[point.node].type.shape;
  if (along != along_.end() && is_row_point(point.at, shape, along->second, space_.axes.size())) return !point.flat;
  return !point.flat && defined_.contains(point.node) && is_own_point(point.at, shape) &&
         axes_of(shape).size() == space_.axes.size();
}

std::uint32_t Expression::term_at(Point point) {
  // A defined node on the way is resolved where the way crosses it at its own point.
  point = follow(std::move(point), leaves_, space_);
  while (is_defined_at(point) && !defined_.at(point.node)) {
    Point next = follow(point, leaves_, space_, true);
    if (next == point) break;
    point = std::move(next);
  }
  std::vector<Pending>& same = pending_[point.node];
  for (const Pending& pending : same) {
    if (pending.point == point) return pending.term;
  }
  const auto term = static_cast<std::uint32_t>(terms_.size());
  terms_.emplace_back();
  nodes_.push_back(point.node);
  same.push_back({std::move(point), term});
  return term;
}

std::size_t Expression::demand(Point point) {
  demands_.push_back(term_at(std::move(point)));
  return demands_.size() - 1;
}

std::size_t Expression::demand_constant(double number, DType dtype) {
  demands_.push_back(static_cast<std::uint32_t>(terms_.size()));
  Term& term = terms_.emplace_back();
  nodes_.push_back(0);
  term.value.kind = Value::Kind::constant;
  term.value.number = number;
  term.value.dtype = dtype;
  return demands_.size() - 1;
}

void Expression::resolve() {
  while (!pending_.empty()) {
    // No point of this node is asked for later: operands have smaller ids.
    const std::vector<Pending> points = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    for (const Pending& pending : points) resolve(pending);
  }
  // Operands have smaller ids than their users, so the order of ids is an order of computation. Within a chain, terms
  // were made for the last element first.
  std::vector<std::uint32_t> order(terms_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return std::pair(nodes_[a], b) < std::pair(nodes_[b], a); });
  position_.resize(terms_.size());
  std::vector<Term> sorted;
  for (const std::uint32_t term : order) {
    position_[term] = static_cast<ValueId>(sorted.size());
    sorted.push_back(std::move(terms_[term]));
  }
  terms_ = std::move(sorted);
  for (Term& term : terms_) {
    for (ValueId& operand : term.value.operands) operand = position_[operand];
    if (term.value.access.row != kNoValue) term.value.access.row = position_[term.value.access.row];
  }
}

void Expression::resolve_load(const Pending& pending) {
  Term& term = terms_[pending.term];
  term.value.kind = Value::Kind::load;
  term.leaf = pending.point;
}

void Expression::resolve(const Pending& pending) {
  const Point& point = pending.point;
  const Node& node = leaves_.graph[point.node];
  terms_[pending.term].value.dtype = node.type.dtype;
  const bool defined = is_defined_at(point);
  if (defined && defined_.at(point.node)) {
    terms_[pending.term].value = *defined_.at(point.node);
    return;
  }
  if (leaves_.contains(point.node) && !defined) return resolve_load(pending);
  if (defined && along_.contains(point.node) && info(node.op).op_class == OpClass::reduction) {
    return resolve_chain(pending, node);
  }
  const OpClass op_class = info(node.op).op_class;
  const bool free_source = op_class == OpClass::source && node.op != Op::iota;
  if (point.flat && !free_source) return resolve_missing(pending);
  if (terms_.size() > limit_ && !free_source && !defined) return resolve_missing(pending);
  if (!point.edges.empty() && op_class != OpClass::source) {
    return op_class == OpClass::elementwise ? resolve_within(pending, node) : resolve_missing(pending);
  }
  switch (op_class) {
    case OpClass::elementwise:
      return resolve_operation(pending, node);
    case OpClass::draw:
      return resolve_draw(pending, node);
    case OpClass::indexed:
      return resolve_gather(pending, node);
    case OpClass::source:
      return resolve_source(pending, node);
    case OpClass::reduction:
      // Over an axis of extent 1 there is nothing to choose from: index 0.
      if (gives_index(node.op) && reduces_nothing(leaves_.graph, point.node)) {
        terms_[pending.term].value.kind = Value::Kind::constant;
        return;
      }
      break;
    case OpClass::contraction:
    case OpClass::view:
    case OpClass::assembly:
    case OpClass::control:
      break;
  }
  resolve_missing(pending);
}

void Expression::resolve_missing(const Pending& pending) {
  missing_.push_back(pending.point.node);
  resolve_load(pending);
}

void Expression::resolve_operation(const Pending& pending, const Node& node) {
  std::vector<ValueId> operands;
  operands.reserve(node.inputs.size());
  for (const NodeId input : node.inputs) operands.push_back(term_at({input, false, pending.point.at}));
  Value& value = terms_[pending.term].value;
  value.kind = Value::Kind::operation;
  value.op = node.op;
  value.operands = std::move(operands);
}

// ((x0 + x1) + x2) + …; for argmax, the index of the best so far goes along with it, from index 0 of nothing.
void Expression::resolve_chain(const Pending& pending, const Node& node) {
  const NodeId id = pending.point.node, input = node.inputs[0];
  const Shape& shape = leaves_.graph[input].type.shape;
  const auto& axes = node.attributes.integers(Key::axes);
  const std::size_t count = space_.axes.size();
  std::vector<bool> along(shape.size(), false);
  for (const std::int64_t axis : axes) along[static_cast<std::size_t>(axis)] = true;
  std::vector<ValueId> elements;
  for (Coordinates& at : row_points(shape, along)) {
    const Coordinates own = with_reduced_axes(pending.point.at, axes, shape.size(), count);
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = along[i] ? at[i] : own[i];
    elements.push_back(term_at({input, false, std::move(at)}));
  }
  const auto add = [&](Value::Kind kind, DType dtype) {
    const auto term = static_cast<std::uint32_t>(terms_.size());
    terms_.emplace_back().value.kind = kind;
    terms_.back().value.dtype = dtype;
    nodes_.push_back(id);
    return term;
  };
  const auto set = [&](std::uint32_t term, Op op, std::vector<ValueId> operands) {
    terms_[term].value.op = op;
    terms_[term].value.operands = std::move(operands);
  };
  const DType dtype = leaves_.graph[input].type.dtype;
  using Kind = Value::Kind;
  std::uint32_t result = pending.term;
  terms_[result].value.kind = Kind::operation;
  const ReductionInfo& reduction = *info(node.op).reduction;
  if (!reduction.gives_index) {
    for (std::size_t i = elements.size() - 1; i > 0; --i) {
      const std::uint32_t before = i == 1 ? elements[0] : add(Kind::operation, dtype);
      set(result, reduction.combine, {before, elements[i]});
      result = before;
    }
    return;
  }
  const bool largest = reduction.finds_largest();
  std::uint32_t best = kNoValue;
  for (std::size_t i = elements.size(); i-- > 0;) {
    const std::uint32_t better = add(Kind::operation, DType::boolean), number = add(Kind::constant, DType::i32);
    terms_[number].value.number = static_cast<double>(i);
    const bool first = i == 0;
    const std::uint32_t best_before = add(first ? Kind::constant : Kind::operation, dtype);
    const std::uint32_t index_before = add(first ? Kind::constant : Kind::operation, DType::i32);
    if (first) terms_[best_before].value.number = reduction.identity;
    set(better, Op::less, largest ? std::vector{best_before, elements[i]} : std::vector{elements[i], best_before});
    set(result, Op::where, {better, number, index_before});
    if (best != kNoValue) set(best, Op::where, {better, elements[i], best_before});
    best = best_before;
    result = index_before;
  }
}

}  // namespace tarn
