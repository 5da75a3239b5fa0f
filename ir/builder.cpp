// Making nodes. See builder.h.
#include "ir/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

Result<Type> type_of_new(const Graph& graph, Op op, const std::vector<NodeId>& inputs, const Attributes& attributes,
                         const Type* requested) {
  std::vector<Type> operands;
  operands.reserve(inputs.size());
  for (const NodeId input : inputs) {
    TARN_CHECK(input < graph.size(), std::string(name_of(op)));
    operands.push_back(graph[input].type);
  }
  return infer_type(op, operands, attributes, requested);
}

bool is_count_up(const Integers& axes) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

}  // namespace

Result<NodeId> Builder::try_make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested) {
  if (graph_.size() >= kMaxNodes) return error(fmt::format("the model is over the limit of {} operations", kMaxNodes));
  TARN_TRY(Type type, type_of_new(graph_, op, inputs, attributes, requested));
  return graph_.add({op, std::move(type), std::move(inputs), std::move(attributes), location_});
}

NodeId Builder::make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested) {
  Result<Type> type = type_of_new(graph_, op, inputs, attributes, requested);
  TARN_CHECK(type.has_value(), fmt::format("{}: {}", name_of(op), type.error().front().message));
  return graph_.add({op, std::move(type).value(), std::move(inputs), std::move(attributes), location_});
}

NodeId Builder::binary(Op op, NodeId a, NodeId b) {
  if (shape(a).empty()) {
    a = broadcast(a, shape(b), {});
  } else if (shape(b).empty()) {
    b = broadcast(b, shape(a), {});
  }
  return make(op, {a, b});
}

NodeId Builder::where(NodeId condition, NodeId a, NodeId b) {
  Shape common;
  for (const NodeId operand : {condition, a, b}) {
    if (common.empty()) common = shape(operand);
  }
  const auto widen = [&](NodeId operand) { return shape(operand).empty() ? broadcast(operand, common, {}) : operand; };
  const NodeId wide_condition = widen(condition);
  const NodeId wide_a = widen(a);
  return make(Op::where, {wide_condition, wide_a, widen(b)});
}

NodeId Builder::convert(NodeId a, DType dtype) {
  if (type(a).dtype == dtype) return a;
  Type requested = type(a);
  requested.dtype = dtype;
  return make(Op::convert, {a}, {}, &requested);
}

NodeId Builder::source(Op op, Type type, Attributes attributes) { return make(op, {}, std::move(attributes), &type); }

NodeId Builder::constant(double value, DType dtype) {
  return source(Op::constant, {dtype, false, {}}, {{Key::value, value}});
}

NodeId Builder::constant_like(double value, NodeId like) {
  const Type wanted = type(like);
  return broadcast(constant(value, wanted.dtype), wanted.shape, {});
}

NodeId Builder::reduce(Op op, NodeId a, Integers axes) {
  if (axes.empty()) return a;
  std::sort(axes.begin(), axes.end());
  return make(op, {a}, {{Key::axes, std::move(axes)}});
}

NodeId Builder::reshape(NodeId a, Shape shape) {
  if (this->shape(a) == shape) return a;
  const Type requested{type(a).dtype, type(a).per_sample, std::move(shape)};
  return make(Op::reshape, {a}, {}, &requested);
}

NodeId Builder::broadcast(NodeId a, Shape shape, Integers axes) {
  if (this->shape(a) == shape) return a;
  const Type requested{type(a).dtype, false, std::move(shape)};
  return make(Op::broadcast, {a}, {{Key::axes, std::move(axes)}}, &requested);
}

NodeId Builder::broadcast_to(NodeId a, Shape shape) {
  const Shape from = this->shape(a);
  if (from == shape) return a;
  TARN_CHECK(from.size() <= shape.size(), to_string(from) + " to " + to_string(shape));
  const std::size_t shift = shape.size() - from.size();
  // Extents of 1 that repeat go first; what is left is put to its axes.
  Shape kept;
  Integers axes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 1 && shape[shift + i] != 1) continue;
    kept.push_back(from[i]);
    axes.push_back(static_cast<std::int64_t>(shift + i));
  }
  return broadcast(reshape(a, std::move(kept)), std::move(shape), std::move(axes));
}

NodeId Builder::transpose(NodeId a, Integers axes) {
  if (axes.size() == shape(a).size() && is_count_up(axes)) return a;
  return make(Op::transpose, {a}, {{Key::axes, std::move(axes)}});
}

NodeId Builder::slice(NodeId a, Integers starts, Integers limits, Integers strides) {
  return make(Op::slice, {a},
              {{Key::starts, std::move(starts)}, {Key::limits, std::move(limits)}, {Key::strides, std::move(strides)}});
}

NodeId Builder::pad(NodeId a, Integers low, Integers high, double value) {
  return make(Op::pad, {a}, {{Key::low, std::move(low)}, {Key::high, std::move(high)}, {Key::value, value}});
}

NodeId Builder::spread(NodeId a, Integers strides) {
  return make(Op::spread, {a}, {{Key::strides, std::move(strides)}});
}

NodeId Builder::reverse(NodeId a, Integers axes) {
  std::sort(axes.begin(), axes.end());
  return make(Op::reverse, {a}, {{Key::axes, std::move(axes)}});
}

NodeId Builder::windows(NodeId a, Integers axes, Integers sizes, Integers steps, Integers dilations) {
  return make(Op::windows, {a},
              {{Key::axes, std::move(axes)},
               {Key::sizes, std::move(sizes)},
               {Key::steps, std::move(steps)},
               {Key::dilations, std::move(dilations)}});
}

NodeId Builder::fold(NodeId a, Integers axes, Integers extents, Integers steps, Integers dilations, Integers before) {
  return make(Op::fold, {a},
              {{Key::axes, std::move(axes)},
               {Key::steps, std::move(steps)},
               {Key::dilations, std::move(dilations)},
               {Key::extents, std::move(extents)},
               {Key::before, std::move(before)}});
}

NodeId Builder::interleave(std::vector<NodeId> parts, Integers axes, Integers sizes) {
  return make(Op::interleave, std::move(parts), {{Key::axes, std::move(axes)}, {Key::sizes, std::move(sizes)}});
}

NodeId Builder::concat(std::vector<NodeId> parts, std::int64_t axis) {
  return make(Op::concat, std::move(parts), {{Key::axis, axis}});
}

NodeId Builder::gather(NodeId table, NodeId indices, std::int64_t axis) {
  return make(Op::gather, {table, indices}, {{Key::axis, axis}});
}

NodeId Builder::scatter_add(NodeId a, NodeId indices, std::int64_t axis, const Type& table) {
  return make(Op::scatter_add, {a, indices}, {{Key::axis, axis}}, &table);
}

NodeId Builder::contract(NodeId a, NodeId b, std::string map) {
  return make(Op::contract, {a, b}, {{Key::map, std::move(map)}});
}

Result<Shape> Builder::broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  const std::size_t shift = longer.size() - shorter.size();
  Shape result = longer;
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const std::int64_t extent = shorter[i];
    if (extent == result[shift + i] || extent == 1) continue;
    if (result[shift + i] != 1) {
      return error(fmt::format("shapes do not agree: {} and {}", to_string(a), to_string(b)));
    }
    result[shift + i] = extent;
  }
  return result;
}

}  // namespace tarn
