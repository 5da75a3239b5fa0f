// What nodes become where a point is asked for: sources, draws, gathers, and what is computed within a border.
#include "ir/views.h"
#include "passes/planner/expression.h"

namespace tarn {

// Behind those of the node that were made for what it is part of, so that it is computed before them.
ValueId Expression::add_term(NodeId node, Value value) {
  terms_.emplace_back().value = std::move(value);
  nodes_.push_back(node);
  return static_cast<ValueId>(terms_.size() - 1);
}

// Whether the indices are within all edges, 0 <= index < limit, of which what always holds is not asked. Like all terms
// of one node, users are made before what they use.
ValueId Expression::inside_of(NodeId node, const std::vector<Edge>& edges) {
  struct Test {
    Op op;
    Linear index;
    std::int64_t limit;
  };
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  std::vector<Test> tests;
  const std::vector<Linear> within = indices_within(edges, space_.axes.size());
  for (std::size_t i = 0; i < edges.size(); ++i) {
    Linear shifted = within[i];
    shifted.offset += kFar;
    if (!is_within(within[i], kFar, space_)) tests.push_back({Op::less_equal, within[i], 0});
    if (!is_within(shifted, edges[i].limit + kFar, space_)) tests.push_back({Op::less, within[i], edges[i].limit});
  }
  TARN_CHECK(!tests.empty(), "an edge that nothing crosses");
  const auto add = [&](Value::Kind kind, DType dtype, Op op = Op::add) {
    Value value;
    value.kind = kind;
    value.op = op;
    value.dtype = dtype;
    return add_term(node, std::move(value));
  };
  const auto make = [&](const Test& test) {
    const ValueId result = add(Value::Kind::operation, DType::boolean, test.op);
    const ValueId index = add(Value::Kind::index, DType::i32), limit = add(Value::Kind::constant, DType::i32);
    terms_[index].value.linear = test.index;
    terms_[limit].value.number = static_cast<double>(test.limit);
    terms_[result].value.operands = test.op == Op::less ? std::vector{index, limit} : std::vector{limit, index};
    return result;
  };
  ValueId whole = kNoValue, open = kNoValue;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const bool last = i + 1 == tests.size();
    const ValueId both = last ? kNoValue : add(Value::Kind::operation, DType::boolean, Op::logical_and);
    const ValueId test = make(tests[i]);
    if (!last) terms_[both].value.operands.push_back(test);
    if (open != kNoValue) terms_[open].value.operands.push_back(last ? test : both);
    if (whole == kNoValue) whole = last ? test : both;
    open = both;
  }
  return whole;
}

// Inside of the edges the operation, of what its operands are there; outside the number. What operands are outside does
// not matter: their loads touch no memory there.
void Expression::resolve_within(const Pending& pending, const Node& node) {
  const Point& point = pending.point;
  std::vector<ValueId> operands;
  for (const NodeId input : node.inputs)
    operands.push_back(term_at({input, false, point.at, point.edges, std::nullopt}));
  Value computed;
  computed.kind = Value::Kind::operation;
  computed.op = node.op;
  computed.dtype = node.type.dtype;
  computed.operands = std::move(operands);
  if (!point.fill) {
    terms_[pending.term].value = std::move(computed);
    return;
  }
  Value fill;
  fill.kind = Value::Kind::constant;
  fill.dtype = node.type.dtype;
  fill.number = *point.fill;
  const ValueId inner = add_term(point.node, std::move(computed)), outside = add_term(point.node, std::move(fill));
  const ValueId inside = inside_of(point.node, point.edges);
  Value& value = terms_[pending.term].value;
  value.kind = Value::Kind::operation;
  value.op = Op::where;
  value.operands = {inside, inner, outside};
}

void Expression::resolve_source(const Pending& pending, const Node& node) {
  Value& value = terms_[pending.term].value;
  if (node.op == Op::constant) {
    value.kind = Value::Kind::constant;
    value.number = node.attributes.number(Key::value);
  } else if (node.op == Op::batch_size) {
    value.kind = Value::Kind::batch_size;
  } else if (node.op == Op::iota) {
    value.kind = Value::Kind::index;
    const std::size_t axes = space_.axes.size();
    value.linear = over_axes(pending.point.at[node.attributes.integer(Key::axis)],
                             indices_within(pending.point.edges, axes), axes);
  } else {
    resolve_missing(pending);
  }
}

void Expression::resolve_draw(const Pending& pending, const Node& node) {
  Value& value = terms_[pending.term].value;
  const std::size_t axes = space_.axes.size();
  value.kind = Value::Kind::draw;
  value.distribution = *info(node.op).distribution;
  value.stream = static_cast<std::uint64_t>(node.attributes.integer(Key::stream));
  std::vector<std::int64_t> strides = row_major_strides(node.type.shape);
  value.sample = constant_linear(axes, 0);
  if (has_batch(node.type.shape)) {
    strides[0] = 0;
    value.sample = pending.point.at[0];
  }
  value.linear = dot(strides, pending.point.at, 0, axes);
}

void Expression::resolve_gather(const Pending& pending, const Node& node) {
  const std::size_t axes = space_.axes.size();
  const auto axis = static_cast<std::size_t>(node.attributes.integer(Key::axis));
  const Shape& table = leaves_.graph[node.inputs[0]].type.shape;
  const std::size_t index_rank = leaves_.graph[node.inputs[1]].type.shape.size();
  const Coordinates& at = pending.point.at;
  const Coordinates index_at(at.begin() + static_cast<std::ptrdiff_t>(axis),
                             at.begin() + static_cast<std::ptrdiff_t>(axis + index_rank));
  // Before anything else: what it needs is found out whether the table is in memory yet or not.
  const ValueId row = term_at({node.inputs[1], false, index_at});
  const View view = view_of(node.inputs[0], leaves_, space_.max_batch);
  // The rows of a table that has a border are put beside each other first.
  if (!view.is_view || view.has_border()) {
    missing_.push_back(view.has_border() ? node.inputs[0] : view.leaf.node);
    return resolve_load(pending);
  }
  // Coordinates in the table over the axes of the kernel and, behind them, the row.
  Coordinates in_table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i] == 1) continue;
    Linear coordinate = i == axis ? constant_linear(axes, 0) : at[i < axis ? i : i + index_rank - 1];
    coordinate.strides.push_back(i == axis ? 1 : 0);
    in_table.push_back(std::move(coordinate));
  }
  Term& term = terms_[pending.term];
  term.value.kind = Value::Kind::load;
  term.value.access.row = row;
  term.value.access.row_limit = table[axis];
  term.leaf = {view.leaf.node, view.leaf.flat, {}};
  for (const Linear& linear : view.leaf.at) {
    term.leaf.at.push_back(dot(linear.strides, in_table, linear.offset, axes + 1));
  }
}

}  // namespace tarn
