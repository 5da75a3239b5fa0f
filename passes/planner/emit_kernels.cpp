// From groups of units to kernels: bodies with loads and stores, loops with as few axes as the accesses allow.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "passes/planner/loop_axes.h"
#include "passes/planner/planner.h"

namespace tarn {
namespace {

class Emitter {
 public:
  explicit Emitter(Planning& planning) : p_(planning) {}

  void emit() {
    find_readers();
    for (std::uint32_t group = 0; group < p_.groups.size(); ++group) {
      group_ = group;
      const Group& g = p_.groups[group];
      Kernel kernel;
      if (g.is_guard) {
        kernel = {"finite loss?", FiniteGuard{p_.loss_buffer}, 0};
      } else if (g.contraction) {
        kernel.body = contraction(g);
      } else {
        kernel.body = loop(g);
      }
      if (!g.is_guard) describe(g, kernel);
      p_.plan.kernels.push_back(std::move(kernel));
    }
    for (const Apart& pair : p_.apart) {
      p_.plan.remarks.push_back(fmt::format("'{}' is not fused with '{}': {}", p_.plan.kernels[pair.after].name,
                                            p_.plan.kernels[pair.before].name, pair.why));
    }
  }

 private:
  // Which kernels read a place.
  void find_readers() {
    readers_.assign(p_.places.size(), {});
    for (std::uint32_t group = 0; group < p_.groups.size(); ++group) {
      for (const UnitId id : p_.groups[group].units()) {
        for (const Read& read : p_.units[id].reads) readers_[read.place].insert(group);
      }
    }
  }
  bool is_read_elsewhere(PlaceId place) const {
    if (place == kNone) return false;
    const auto& readers = readers_[place];
    return readers.size() > 1 || (readers.size() == 1 && *readers.begin() != group_);
  }
  bool is_needed(const Destination& target) const {
    return target.is_result || target.in_state || is_read_elsewhere(target.place) || is_read_elsewhere(target.whole);
  }

  // What a body delivers, by demands on its expression.
  struct Delivery {
    UnitId unit;
    Coordinates at;
    std::size_t value;
    std::size_t row = SIZE_MAX;
  };
  using Deliveries = std::vector<Delivery>;

  void demand(Expression& expression, UnitId id, Deliveries& deliveries) const {
    for (const Coordinates& at : points_of(p_, p_.units[id])) {
      deliveries.push_back(demand(expression, id, at));
    }
  }

  Delivery demand(Expression& expression, UnitId id, const Coordinates& at) const {
    const Unit& unit = p_.units[id];
    Delivery delivery{id, at, 0};
    delivery.value = unit.fill ? expression.demand_constant(*unit.fill, p_.graph[unit.node].type.dtype)
                               : expression.demand({unit.node, false, at});
    if (unit.row_node != kNoNode) {
      const auto first = at.begin() + static_cast<std::ptrdiff_t>(unit.row_axis);
      const auto rank = static_cast<std::ptrdiff_t>(p_.shape(unit.row_node).size());
      delivery.row = expression.demand({unit.row_node, false, Coordinates(first, first + rank)});
    }
    return delivery;
  }

  void define(Expression& expression, const std::vector<UnitId>& units) const {
    for (const UnitId id : units) {
      const Unit& unit = p_.units[id];
      if (unit.by_rows) {
        expression.define_row(unit.node, p_.rows.along(unit.node));
      } else if (unit.defines && !unit.fill) {
        expression.define(unit.node);
      }
    }
  }

  Body body_of(const Expression& expression, const Deliveries& deliveries, std::size_t axes) {
    Body body;
    for (const Term& term : expression.terms()) {
      Value value = term.value;
      if (value.kind == Value::Kind::load)
        set_address(value.access, p_.places[p_.place(term.leaf.node)], term.leaf, axes);
      body.values.push_back(std::move(value));
    }
    for (const Delivery& delivery : deliveries) {
      const Unit& unit = p_.units[delivery.unit];
      for (const Destination& target : unit.targets) {
        if (!is_needed(target)) continue;
        Store store;
        store.value = as_stored(body, expression.term_of(delivery.value), p_.plan.buffers[target.buffer].dtype);
        store.access.buffer = target.buffer;
        store.access.at = dot(target.strides, delivery.at, target.offset, axes);
        if (delivery.row != SIZE_MAX) {
          store.access.row = expression.term_of(delivery.row);
          store.access.row_stride = unit.row_stride;
          store.access.row_limit = unit.row_limit;
          store.accumulate = true;
        }
        body.stores.push_back(std::move(store));
      }
    }
    return body;
  }

  static ValueId as_stored(Body& body, ValueId value, DType dtype) {
    if (body.values[value].dtype == dtype) return value;
    Value convert;
    convert.op = Op::convert;
    convert.dtype = dtype;
    convert.operands = {value};
    body.values.push_back(std::move(convert));
    return static_cast<ValueId>(body.values.size() - 1);
  }

  // A copy from a place that is not the one of its node stands alone.
  Body copy_body(const Unit& unit) const {
    const Coordinates at = own_point(p_.shape(unit.node));
    Body body;
    Value& value = body.values.emplace_back();
    value.kind = Value::Kind::load;
    value.dtype = p_.graph[unit.node].type.dtype;
    set_address(value.access, p_.places[unit.copy_of], {unit.node, false, at}, unit.axes.size());
    for (const Destination& target : unit.targets) {
      const ValueId stored = as_stored(body, 0, p_.plan.buffers[target.buffer].dtype);
      body.stores.push_back({stored, {target.buffer, dot(target.strides, at, target.offset, unit.axes.size())}, false});
    }
    return body;
  }

  LoopKernel loop(const Group& g) {
    LoopKernel kernel;
    kernel.axes = g.axes;
    kernel.reduced = g.reduced;
    if (g.main.size() == 1 && p_.units[g.main[0]].copy_of != kNone) {
      kernel.body = copy_body(p_.units[g.main[0]]);
      merge_axes(kernel);
      return kernel;
    }
    Expression main(p_.leaves, p_.space(g.axes));
    define(main, g.main);
    Deliveries deliveries;
    for (const UnitId id : g.main) demand(main, id, deliveries);
    const std::vector<std::size_t> summands = demand_summands(main, g);
    main.resolve();
    kernel.body = body_of(main, deliveries, g.axes.size());
    kernel.reductions = reductions_of(main, summands, g);
    for (Reduction& reduction : kernel.reductions) {
      reduction.multiply_add =
          reduction.op == Op::reduce_sum && is_product_of_floats(kernel.body.values[reduction.value]);
    }
    if (!g.reductions.empty()) kernel.tail = tail_of(g);
    merge_axes(kernel);
    return kernel;
  }

  std::vector<std::size_t> demand_summands(Expression& main, const Group& g) const {
    std::vector<std::size_t> summands;
    for (const UnitId id : g.reductions) {
      const NodeId operand = p_.graph[p_.units[id].node].inputs[0];
      summands.push_back(main.demand({operand, false, own_point(p_.shape(operand))}));
    }
    return summands;
  }

  std::vector<Reduction> reductions_of(const Expression& main, const std::vector<std::size_t>& summands,
                                       const Group& g) const {
    std::vector<Reduction> reductions;
    for (std::size_t i = 0; i < g.reductions.size(); ++i) {
      const Node& node = p_.graph[p_.units[g.reductions[i]].node];
      reductions.push_back({node.op, main.term_of(summands[i]), node.type.dtype});
    }
    return reductions;
  }

  Body tail_of(const Group& g) {
    std::vector<Extent> kept;
    std::vector<std::size_t> kept_axes;
    for (std::size_t i = 0; i < g.axes.size(); ++i) {
      if (g.reduced[i]) continue;
      kept.push_back(g.axes[i]);
      kept_axes.push_back(i);
    }
    Expression tail(p_.leaves, p_.space(kept));
    for (std::uint32_t i = 0; i < g.reductions.size(); ++i) {
      const Node& node = p_.graph[p_.units[g.reductions[i]].node];
      Value value;
      value.kind = Value::Kind::reduced;
      value.dtype = node.type.dtype;
      value.reduction = i;
      tail.give(p_.units[g.reductions[i]].node, std::move(value));
    }
    define(tail, g.tail);
    Deliveries deliveries;
    for (const UnitId id : g.reductions) {
      const auto& targets = p_.units[id].targets;
      if (std::any_of(targets.begin(), targets.end(), [&](const Destination& t) { return is_needed(t); })) {
        demand(tail, id, deliveries);
      }
    }
    for (const UnitId id : g.tail) demand(tail, id, deliveries);
    tail.resolve();
    Body body = body_of(tail, deliveries, kept.size());
    for_each_linear(body, [&](Linear& linear) {
      Linear wide = constant_linear(g.axes.size(), linear.offset);
      for (std::size_t i = 0; i < kept_axes.size(); ++i) wide.strides[kept_axes[i]] = linear.strides[i];
      linear = std::move(wide);
    });
    return body;
  }

  ContractionKernel contraction(const Group& g) {
    const Unit& unit = p_.units[*g.contraction];
    const ContractionLayout& layout = *unit.layout;
    const std::size_t batch_axes = layout.axes.size() - 2;
    ContractionKernel kernel;
    kernel.batch.assign(layout.extents.begin(), layout.extents.begin() + static_cast<std::ptrdiff_t>(batch_axes));
    kernel.rows = {layout.extents[batch_axes]};
    kernel.columns = {layout.extents[batch_axes + 1]};
    kernel.inner = layout.inner;
    kernel.dtype = p_.graph[unit.node].type.dtype;
    kernel.a = operand_of(layout.a_at, kernel.dtype);
    kernel.b = operand_of(layout.b_at, kernel.dtype);
    kernel.a.access().buffer = p_.places[layout.a].buffer;
    kernel.b.access().buffer = p_.places[layout.b].buffer;
    Expression epilogue(p_.leaves, p_.space(unit.axes));
    Value product;
    product.kind = Value::Kind::product;
    product.dtype = kernel.dtype;
    epilogue.give(unit.node, std::move(product));
    define(epilogue, g.main);
    Deliveries deliveries;
    const bool stored = std::any_of(unit.targets.begin(), unit.targets.end(),
                                    [&](const Destination& target) { return is_needed(target); });
    if (stored) demand(epilogue, *g.contraction, deliveries);
    for (const UnitId id : g.main) demand(epilogue, id, deliveries);
    const std::vector<std::size_t> summands = demand_summands(epilogue, g);
    epilogue.resolve();
    kernel.epilogue = body_of(epilogue, deliveries, unit.axes.size());
    kernel.sums = reductions_of(epilogue, summands, g);
    if (!kernel.sums.empty()) kernel.tail = tail_of(g);
    for (Body* const body : {&kernel.epilogue, &kernel.tail}) {
      for_each_linear(*body, [&](Linear& linear) {
        Linear merged = constant_linear(layout.axes.size(), linear.offset);
        for (std::size_t i = 0; i < layout.axes.size(); ++i) {
          if (!layout.axes[i].empty()) merged.strides[i] = linear.strides[layout.axes[i].back()];
        }
        linear = std::move(merged);
      });
    }
    return kernel;
  }

  // Names: after the tensor that is updated, the result that is made, or the first thing that is stored. What a product
  // does besides gives it no name.
  void describe(const Group& g, Kernel& kernel) const {
    std::vector<UnitId> units = g.units();
    if (g.contraction) units.resize(1 + g.main.size());
    std::string best;
    int rank = 4;
    for (const UnitId id : units) {
      for (const Destination& target : p_.units[id].targets) {
        if (!is_needed(target)) continue;
        const Buffer& buffer = p_.plan.buffers[target.buffer];
        const TensorInfo* tensor = target.in_state ? p_.tensors.at(buffer.name) : nullptr;
        const int own = tensor != nullptr && tensor->kind == TensorKind::parameter ? 0
                        : target.in_state                                          ? 1
                        : target.is_result                                         ? 2
                                                                                   : 3;
        if (own >= rank) continue;
        rank = own;
        best = own <= 1 ? buffer.name + " update" : buffer.name;
      }
    }
    kernel.name = best;
    kernel.location = p_.graph[p_.units[units.front()].node].location;
  }

  Planning& p_;
  std::vector<std::set<std::uint32_t>> readers_;  // by place: kernels
  std::uint32_t group_ = 0;
};

}  // namespace

std::vector<Linear> linears_of(Planning& planning, UnitId id) {
  const Unit& unit = planning.units[id];
  std::vector<Linear> result;
  const Coordinates at = own_point(shape_of(planning, unit));
  result.reserve(unit.targets.size());
  for (const Destination& target : unit.targets) {
    result.push_back(dot(target.strides, at, target.offset, unit.axes.size()));
  }
  if (unit.fill) return result;
  Expression expression(planning.leaves, planning.space(unit.axes));
  if (unit.defines) expression.define(unit.node);
  expression.demand({unit.node, false, at});
  expression.resolve();
  for (const Term& term : expression.terms()) {
    const Value& value = term.value;
    if (value.kind == Value::Kind::load) {
      Access access = value.access;
      set_address(access, planning.places[planning.place(term.leaf.node)], term.leaf, unit.axes.size());
      for (Bound& bound : access.bounds) result.push_back(std::move(bound.index));
      result.push_back(std::move(access.at));
    }
    if (value.kind == Value::Kind::index || value.kind == Value::Kind::draw) {
      result.push_back(value.linear);
    }
    if (!value.sample.strides.empty()) result.push_back(value.sample);
  }
  return result;
}

void emit_kernels(Planning& planning) { Emitter(planning).emit(); }

}  // namespace tarn
