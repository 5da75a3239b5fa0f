// Units of work: for every materialized node what computes it, where it is stored, and what it reads.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ir/windows.h"
#include "passes/planner/planner.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

class UnitMaker {
 public:
  explicit UnitMaker(Planning& planning) : p_(planning), graph_(planning.graph) {}

  void make() {
    const std::vector<bool> reachable = graph_.reachable();
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (reachable[id] && p_.leaves.materialized[id]) add_units(id);
    }
    for (Unit& unit : p_.units) find_reads(unit);
    place_results();
    place_parts();
  }

 private:
  Unit& add(Unit unit) {
    p_.units.push_back(std::move(unit));
    return p_.units.back();
  }

  Destination target_of(PlaceId place) const {
    const Place& home = p_.places[place];
    return {home.buffer, home.strides, home.offset, place, kNone, false, false};
  }

  void add_units(NodeId id) {
    const Node& node = graph_[id];
    const PlaceId place = p_.place(id);
    if (info(node.op).op_class == OpClass::assembly) return assemble(id, place);
    Unit unit = p_.loop_over(id);
    unit.targets.push_back(target_of(place));
    if (p_.rows.contains(id) && add_by_rows(unit)) return;
    if (node.op == Op::contract) unit.kind = Unit::Kind::contraction;
    if (info(node.op).op_class == OpClass::reduction && !reduces_nothing(graph_, id)) {
      unit.kind = Unit::Kind::reduction;
      const Shape& shape = p_.shape(node.inputs[0]);
      const auto& axes = node.attributes.integers(Key::axes);
      unit.axes = axes_of(shape);
      unit.reduced.clear();
      for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 1) continue;
        unit.reduced.push_back(std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end());
      }
    }
    add(std::move(unit));
  }

  // The unit with rows for points, where all that it reads can be addressed so; else nothing is added.
  bool add_by_rows(Unit unit) {
    const bool reduces = info(graph_[unit.node].op).op_class == OpClass::reduction;
    const NodeId whole = reduces ? graph_[unit.node].inputs[0] : unit.node;
    unit.by_rows = true;
    unit.axes = axes_across(p_.shape(whole), p_.rows.along(unit.node));
    unit.reduced.assign(unit.axes.size(), false);
    const Expression expression = expression_of(unit);
    if (!expression.missing().empty() || expression.terms().size() > kCosts.most_terms) return false;
    add(std::move(unit));
    return true;
  }

  // What a loop unit computes.
  Expression expression_of(const Unit& unit) const {
    Expression expression(p_.leaves, p_.space(unit.axes));
    if (unit.by_rows) {
      expression.define_row(unit.node, p_.rows.along(unit.node));
    } else if (unit.defines) {
      expression.define(unit.node);
    }
    for (Coordinates& at : points_of(p_, unit)) expression.demand({unit.node, false, std::move(at)});
    expression.resolve();
    return expression;
  }

  // Stores of the operand into a part of the place.
  Unit& add_part(NodeId operand, PlaceId place, std::vector<std::int64_t> strides, std::int64_t offset) {
    Unit unit = p_.loop_over(operand);
    unit.defines = false;
    Destination target = target_of(place);
    target.strides = std::move(strides);
    target.offset = offset;
    unit.targets.push_back(std::move(target));
    return add(std::move(unit));
  }

  UnitId add_fill(NodeId id, PlaceId place, double value) {
    Unit unit = p_.loop_over(id);
    unit.fill = value;
    unit.targets.push_back(target_of(place));
    add(std::move(unit));
    return static_cast<UnitId>(p_.units.size() - 1);
  }

  // One function an operation that puts its result together from parts.
  void assemble(NodeId id, PlaceId place) {
    const Node& node = graph_[id];
    const std::vector<std::int64_t> strides = p_.places[place].strides;
#define ASSEMBLY(name, ...) \
  if (node.op == Op::name) return assemble_##name(node, id, place, strides);
#define FILLED_VIEW ASSEMBLY
#define OPERATION(...)
#include "ir/ops.def"
  }

  using Strides = std::vector<std::int64_t>;

  void assemble_concat(const Node& node, NodeId, PlaceId place, const Strides& strides) {
    const std::int64_t axis = node.attributes.integer(Key::axis);
    std::int64_t offset = 0;
    for (const NodeId input : node.inputs) {
      add_part(input, place, strides, offset);
      offset += strides[axis] * p_.shape(input)[axis];
    }
  }

  void assemble_interleave(const Node& node, NodeId, PlaceId place, const Strides& strides) {
    const auto &axes = node.attributes.integers(Key::axes), &sizes = node.attributes.integers(Key::sizes);
    Strides wide = strides;
    for (std::size_t i = 0; i < axes.size(); ++i) wide[axes[i]] *= sizes[i];
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const std::vector<std::int64_t> at = place_of_turn(sizes, k);
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < axes.size(); ++i) offset += at[i] * strides[axes[i]];
      add_part(node.inputs[k], place, wide, offset);
    }
  }

  void assemble_pad(const Node& node, NodeId id, PlaceId place, const Strides& strides) {
    const Strides &low = node.attributes.integers(Key::low), &high = node.attributes.integers(Key::high);
    const Shape& inside = p_.shape(node.inputs[0]);
    // Along each axis what goes before and what comes behind; of the axes outside of it what is inside.
    std::int64_t offset = 0;
    Shape border = p_.shape(id);
    for (std::size_t i = 0; i < strides.size(); ++i) {
      const std::int64_t extent = inside[i];
      for (const bool before : {true, false}) {
        border[i] = before ? low[i] : high[i];
        if (border[i] == 0) continue;
        const std::int64_t first = before ? 0 : low[i] + extent;
        add_border(id, place, node.attributes.number(Key::value), border, offset + strides[i] * first);
      }
      border[i] = extent;
      offset += strides[i] * low[i];
    }
    add_part(node.inputs[0], place, strides, offset);
  }
  void add_border(NodeId id, PlaceId place, double value, const Shape& shape, std::int64_t offset) {
    Unit& unit = p_.units[add_fill(id, place, value)];
    unit.filled = shape;
    unit.axes = axes_of(shape);
    unit.reduced.assign(unit.axes.size(), false);
    unit.targets[0].offset += offset;
  }

  void assemble_spread(const Node& node, NodeId id, PlaceId place, const Strides& strides) {
    Strides wide = strides;
    for (std::size_t i = 0; i < wide.size(); ++i) wide[i] *= node.attributes.integers(Key::strides)[i];
    const UnitId fill = add_fill(id, place, 0);
    add_part(node.inputs[0], place, std::move(wide), 0).after = fill;
  }

  void assemble_scatter_add(const Node& node, NodeId id, PlaceId place, const Strides& strides) {
    const auto axis = static_cast<std::size_t>(node.attributes.integer(Key::axis));
    Strides slice_strides(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(axis));
    slice_strides.resize(axis + p_.shape(node.inputs[1]).size(), 0);
    slice_strides.insert(slice_strides.end(), strides.begin() + static_cast<std::ptrdiff_t>(axis) + 1, strides.end());
    const UnitId fill = add_fill(id, place, 0);
    Unit& unit = add_part(node.inputs[0], place, std::move(slice_strides), 0);
    unit.after = fill;
    unit.row_node = node.inputs[1];
    unit.row_axis = axis;
    unit.row_stride = strides[axis];
    unit.row_limit = p_.shape(id)[axis];
  }

  void add_read(Unit& unit, const Read& read) {
    const auto same =
        std::find_if(unit.reads.begin(), unit.reads.end(), [&](const Read& r) { return r.place == read.place; });
    if (same == unit.reads.end()) {
      unit.reads.push_back(read);
    } else {
      same->own_point = same->own_point && read.own_point;
    }
  }

  void find_reads(Unit& unit) {
    if (unit.fill) return;
    if (unit.kind == Unit::Kind::contraction) {
      for (const NodeId input : graph_[unit.node].inputs) {
        const View view = view_of(input, p_.leaves, p_.max_batch);
        TARN_CHECK(view.is_view, "an operand of a contraction is no view");
        const PlaceId place = p_.place(view.leaf.node);
        if (view.leaf.flat) p_.places[place].read_flat = true;
        add_read(unit, {place, false});
      }
      return;
    }
    if (unit.by_rows) return find_reads(unit, expression_of(unit));
    Expression expression(p_.leaves, p_.space(unit.axes));
    const NodeId value = unit.kind == Unit::Kind::reduction ? graph_[unit.node].inputs[0] : unit.node;
    if (unit.kind == Unit::Kind::loop && unit.defines) expression.define(unit.node);
    const Coordinates at = own_point(p_.shape(value));
    expression.demand({value, false, at});
    if (unit.row_node != kNoNode) {
      const auto first = at.begin() + static_cast<std::ptrdiff_t>(unit.row_axis);
      const auto rank = static_cast<std::ptrdiff_t>(p_.shape(unit.row_node).size());
      expression.demand({unit.row_node, false, Coordinates(first, first + rank)});
    }
    expression.resolve();
    find_reads(unit, expression);
  }

  void find_reads(Unit& unit, const Expression& expression) {
    TARN_CHECK(expression.missing().empty(),
               fmt::format("'{}' reads '{}', which is not in memory", name_of_node(graph_, unit.node),
                           name_of_node(graph_, expression.missing().front())));
    unit.terms = expression.terms().size();
    for (const Term& term : expression.terms()) {
      unit.draws = unit.draws || term.value.kind == Value::Kind::draw;
      if (term.value.kind != Value::Kind::load) continue;
      const PlaceId place = p_.place(term.leaf.node);
      const Shape& shape = p_.shape(term.leaf.node);
      if (term.leaf.flat) p_.places[place].read_flat = true;
      const bool element = !term.leaf.flat && term.leaf.edges.empty() && term.value.access.row == kNoValue;
      const bool own = element && ((axes_of(shape).size() == unit.axes.size() && is_own_point(term.leaf.at, shape)) ||
                                   is_in_own_row(unit, term.leaf));
      add_read(unit, {place, own});
    }
    std::sort(unit.reads.begin(), unit.reads.end());
  }

  // An element of a row that is computed by rows, at the point of the unit that is this row.
  bool is_in_own_row(const Unit& unit, const Point& leaf) const {
    return p_.rows.contains(leaf.node) && info(graph_[leaf.node].op).op_class == OpClass::elementwise &&
           is_row_point(leaf.at, p_.shape(leaf.node), p_.rows.along(leaf.node), unit.axes.size());
  }

  // What nobody reads but a concat is stored into the whole at once. (With other readers, a kernel could come to write
  // one part while it reads another.)
  void place_parts() {
    std::vector<std::size_t> readers(p_.places.size(), 0);
    for (const Unit& unit : p_.units) {
      for (const Read& read : unit.reads) ++readers[read.place];
    }
    for (Unit& part : p_.units) {
      if (part.defines || part.after || part.row_node != kNoNode || !p_.options.fuse) continue;
      const UnitId maker = maker_[part.node];
      const Destination& whole = part.targets[0];
      if (maker == kNone || whole.place == kNone || is_result_[part.node]) continue;
      Place& home = p_.places[p_.place(part.node)];
      if (home.read_flat || readers[p_.place(part.node)] != 1) continue;
      home.buffer = whole.buffer;
      home.strides = whole.strides;
      home.offset = whole.offset;
      p_.units[maker].targets = {target_of(p_.place(part.node))};
      p_.units[maker].targets[0].whole = whole.place;
      p_.units[maker].targets[0].is_result = whole.is_result;
      maker_[part.node] = kNone;
      part.dropped = true;
    }
  }

  // Copies a node to where a result belongs.
  void add_copy(NodeId node, Destination target) {
    Unit unit = p_.loop_over(node);
    unit.defines = false;
    unit.targets.push_back(std::move(target));
    find_reads(unit);
    add(std::move(unit));
  }

  BufferId result_buffer(const GraphResult& result) {
    if (result.kind == ResultKind::store) return p_.tensor_buffer(result.name);
    const Type& type = graph_[result.node].type;
    Buffer buffer{result.name, Space::output, 0, 0, type.dtype, type.shape, row_major_strides(type.shape)};
    if (result.kind == ResultKind::value) {
      buffer.dtype = DType::f64;
      buffer.offset = value_bytes_;
      value_bytes_ += sizeof(double) * static_cast<std::uint64_t>(element_count(type.shape));
    } else {
      const auto& outputs = p_.program.outputs;
      const auto found =
          std::find_if(outputs.begin(), outputs.end(), [&](const OutputInfo& o) { return o.name == result.name; });
      TARN_CHECK(found != outputs.end(), "no output is called '" + result.name + "'");
      buffer.index = static_cast<std::uint32_t>(found - outputs.begin());
    }
    p_.plan.buffers.push_back(std::move(buffer));
    return static_cast<BufferId>(p_.plan.buffers.size() - 1);
  }

  // The place of a materialized node moves to the buffer, and with it the stores of the units that fill it.
  void move_place(NodeId node, BufferId buffer, bool in_state) {
    const PlaceId place = p_.place(node);
    p_.places[place].buffer = buffer;
    for (const UnitId filler : fillers_[place]) {
      for (Destination& target : p_.units[filler].targets) {
        if (target.place != place) continue;
        target.buffer = buffer;
        target.is_result = true;
        target.in_state = in_state;
      }
    }
    is_result_[node] = true;
  }

  void place_loss(const GraphResult& result) {
    if (!p_.leaves.materialized[result.node]) {
      const BufferId buffer = p_.add_arena_buffer(result.node, "loss");
      add_copy(result.node, {buffer, row_major_strides(p_.shape(result.node)), 0, kNone, kNone, true, false});
      p_.loss_buffer = buffer;
      return;
    }
    p_.loss_buffer = p_.places[p_.place(result.node)].buffer;
    p_.plan.buffers[p_.loss_buffer].name = "loss";
    move_place(result.node, p_.loss_buffer, false);
  }

  void place_result(const GraphResult& result) {
    const Node& node = graph_[result.node];
    const BufferId buffer = result_buffer(result);
    p_.plan.results.push_back({result.kind, result.name, buffer});
    const bool in_state = result.kind == ResultKind::store;
    const bool unchanged = in_state && node.op == Op::tensor && node.attributes.text(Key::name) == result.name;
    if (unchanged) return;
    const bool same_type = node.type.dtype == p_.plan.buffers[buffer].dtype;
    const bool free = p_.leaves.materialized[result.node] && !is_result_[result.node] && same_type;
    if (free && (maker_[result.node] != kNone || !in_state)) return move_place(result.node, buffer, in_state);
    Destination target{buffer, row_major_strides(node.type.shape), 0, kNone, kNone, true, in_state};
    // A contraction has one layout of stores; what else is to be stored is for its epilogue.
    const UnitId maker = maker_[result.node];
    if (maker == kNone || p_.units[maker].kind == Unit::Kind::contraction)
      return add_copy(result.node, std::move(target));
    p_.units[maker].targets.push_back(std::move(target));
  }

  void place_results() {
    maker_.assign(graph_.size(), kNone);
    is_result_.assign(graph_.size(), false);
    fillers_.assign(p_.places.size(), {});
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      const Unit& unit = p_.units[id];
      if (unit.defines && !unit.fill) maker_[unit.node] = id;
      for (const Destination& target : unit.targets) fillers_[target.place].push_back(id);
    }
    for (const GraphResult& result : graph_.results()) {
      if (result.kind == ResultKind::loss) place_loss(result);
    }
    for (const GraphResult& result : graph_.results()) {
      if (result.kind == ResultKind::loss) {
        p_.plan.results.push_back({result.kind, result.name, p_.loss_buffer});
      } else {
        place_result(result);
      }
    }
  }

  Planning& p_;
  const Graph& graph_;
  std::vector<UnitId> maker_;                 // by node: the unit that computes it; kNone for what is assembled
  std::vector<std::vector<UnitId>> fillers_;  // by place
  std::vector<bool> is_result_;
  std::uint64_t value_bytes_ = 0;
};

}  // namespace

std::vector<Extent> Unit::kept() const {
  std::vector<Extent> result;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!reduced[i]) result.push_back(axes[i]);
  }
  return result;
}

Planning::Planning(const Graph& graph, const Program& program, const PlanOptions& options)
    : graph(graph),
      program(program),
      options(options),
      max_batch(std::max<std::int64_t>(1, program.settings.batch)),
      leaves(choose_leaves(graph, options, max_batch)),
      rows(graph, options),
      place_of(graph.size(), kNone) {
  plan.max_batch = max_batch;
}

Unit Planning::loop_over(NodeId node) const {
  Unit unit;
  unit.node = node;
  unit.axes = axes_of(shape(node));
  unit.reduced.assign(unit.axes.size(), false);
  return unit;
}

void Planning::add_copy(PlaceId from, Destination to) {
  Unit unit = loop_over(places[from].node);
  unit.defines = false;
  unit.copy_of = from;
  unit.targets.push_back(std::move(to));
  unit.reads.push_back({from, true});
  unit.terms = 1;
  units.push_back(std::move(unit));
}

const Shape& shape_of(const Planning& planning, const Unit& unit) {
  return unit.filled.empty() ? planning.shape(unit.node) : unit.filled;
}

std::vector<Coordinates> points_of(const Planning& planning, const Unit& unit) {
  const Shape& shape = shape_of(planning, unit);
  const bool whole_row = unit.by_rows && info(planning.graph[unit.node].op).op_class == OpClass::elementwise;
  if (whole_row) return row_points(shape, planning.rows.along(unit.node));
  return {own_point(shape)};
}

void make_units(Planning& planning) { UnitMaker(planning).make(); }

}  // namespace tarn
