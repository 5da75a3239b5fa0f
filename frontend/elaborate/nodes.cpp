// See nodes.h.
#include "frontend/elaborate/nodes.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace tarn::elaboration {

namespace {

// "; with its arguments it is one: mse(y, t)" for a function that stands for what it gives.
std::string call_of(const Value& value) {
  const FunctionValue* function = value.function();
  if (function == nullptr || function->declaration == nullptr || function->declaration->parameter_lists.empty())
    return "";
  std::string arguments;
  for (const ast::Parameter& parameter : function->declaration->parameter_lists.back()) {
    if (parameter.default_value == nullptr) arguments += (arguments.empty() ? "" : ", ") + parameter.name.name;
  }
  return fmt::format("; its arguments make it one: {}({})", function->declaration->name.name, arguments);
}

}  // namespace

void Nodes::locate(Span span) { graphs_.builder().set_location(reports_.location_of(span)); }

std::optional<NodeId> Nodes::make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested,
                                  Span span, const std::string& what) {
  if (!reports_.spend(1, span)) return std::nullopt;
  locate(span);
  Result<NodeId> node = graphs_.builder().try_make(op, std::move(inputs), std::move(attributes), requested);
  if (node) return *node;
  reports_.fail(span, node.error().front().message, what.empty() ? std::string(name_of(op)) : what);
  return std::nullopt;
}

NodeId Nodes::convert(NodeId node, DType dtype) { return graphs_.builder().convert(node, dtype); }

std::optional<NodeId> Nodes::to_node(const Value& value, std::optional<DType> dtype, Span span) {
  if (value.is_error()) return std::nullopt;
  if (!reports_.spend(1, span)) return std::nullopt;
  locate(span);
  if (const auto* tensor = value.get<TensorValue>()) {
    if (!graphs_.owns(*tensor)) {
      reports_.fail(span, "a value of the model cannot be used here");
      return std::nullopt;
    }
    return dtype ? convert(tensor->node, *dtype) : tensor->node;
  }
  if (!is_numeric(value)) {
    const bool of_tensors = value.is<ListValue>() && !value.get<ListValue>()->several;
    reports_.fail(span,
                  fmt::format("a tensor is needed here, not {}{}{}", kind_of(value), names_.without_quotes(value),
                              call_of(value)),
                  "", of_tensors ? "stack(list) makes a tensor of a list of tensors" : "");
    return std::nullopt;
  }
  if (!readings_.check_total(value, span)) return std::nullopt;
  auto converted = to_array(value, reports_.options.limits.list_length);
  if (const auto* bad = std::get_if<NotAnArray>(&converted)) {
    reports_.fail(span, "the list is not an array: " + bad->reason);
    return std::nullopt;
  }
  ArrayLiteral array = std::move(std::get<ArrayLiteral>(converted));
  const DType type = dtype                                         ? *dtype
                     : array.truth_values && !array.values.empty() ? DType::boolean
                                                                   : graphs_.current().float_type;
  if (array.values.empty()) {
    reports_.fail(span, "an empty list is not an array");
    return std::nullopt;
  }
  for (double& v : array.values) {
    if (type == DType::boolean) v = v != 0 ? 1 : 0;
    if (type != DType::i32) continue;
    if (v != std::floor(v) || v < std::numeric_limits<std::int32_t>::min() ||
        v > std::numeric_limits<std::int32_t>::max()) {
      reports_.fail(span, fmt::format("{} is not an i32", to_text(v)));
      return std::nullopt;
    }
  }
  if (array.shape.empty()) return graphs_.builder().constant(array.values.front(), type);
  if (!reports_.spend(array.values.size(), span)) return std::nullopt;
  return graphs_.builder().source(Op::constant, Type{type, false, array.shape},
                                  {{Key::values, std::move(array.values)}});
}

std::optional<NodeId> Nodes::to_floating(const Value& value, Span span) {
  const std::optional<NodeId> node = to_node(value, std::nullopt, span);
  if (!node) return std::nullopt;
  const auto* tensor = value.get<TensorValue>();
  const DType dtype = graphs_.builder().type(*node).dtype;
  if (tensor != nullptr && tensor->weak) return convert(*node, graphs_.current().float_type);
  return is_floating(dtype) ? *node : convert(*node, graphs_.current().float_type);
}

std::optional<NodeId> Nodes::fit(const Value& value, const Type& type, const std::string& name, Span span,
                                 std::string_view how) {
  std::optional<NodeId> node = to_node(value, std::nullopt, span);
  if (!node) return std::nullopt;
  const Type& given = graphs_.builder().type(*node);
  if (given.per_sample) {
    reports_.fail(
        span,
        fmt::format("'{}' {} a value that depends on one sample: use batch_mean, batch_sum or batch_var", name, how));
    return std::nullopt;
  }
  const Result<Shape> common = Builder::broadcast_shapes(given.shape, type.shape);
  if (!common || *common != type.shape) {
    reports_.fail(span, fmt::format("'{}' has the shape {}, and {} a value of shape {}", name, to_string(type.shape),
                                    how, to_string(given.shape)));
    return std::nullopt;
  }
  locate(span);
  return graphs_.builder().broadcast_to(convert(*node, type.dtype), type.shape);
}

std::optional<NodeId> Nodes::broadcast_to(NodeId node, const Shape& shape, Span span) {
  const Result<Shape> common = Builder::broadcast_shapes(graphs_.builder().shape(node), shape);
  if (!common || *common != shape) {
    reports_.fail(span,
                  fmt::format("cannot broadcast {} to {}", to_string(graphs_.builder().shape(node)), to_string(shape)));
    return std::nullopt;
  }
  locate(span);
  return graphs_.builder().broadcast_to(node, shape);
}

NodeId Nodes::ones_in_batch(DType dtype) {
  return graphs_.builder().source(Op::batch_size, Type{dtype, false, {}}, {});
}

NodeId Nodes::batch_mean(NodeId node) {
  if (!graphs_.builder().type(node).per_sample) return node;
  const DType dtype = graphs_.builder().type(node).dtype;
  // One behind the other, so that compilers, which evaluate arguments in an order of their own, number nodes alike.
  const NodeId count = ones_in_batch(dtype);
  return graphs_.builder().div(graphs_.builder().make(Op::batch_sum, {node}), count);
}

NodeId Nodes::mean_of_all(NodeId node) {
  const Shape shape = graphs_.builder().shape(node);
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  const NodeId sum = graphs_.builder().sum(node, std::move(axes));
  const std::int64_t count = element_count(shape);
  return count == 1 ? sum
                    : graphs_.builder().div(sum, graphs_.builder().constant(static_cast<double>(count),
                                                                            graphs_.builder().type(node).dtype));
}

std::optional<Shape> Nodes::shape_of(const Value& value, Span span) {
  if (value.is_error()) return std::nullopt;
  if (const auto* tensor = value.get<TensorValue>()) {
    if (graphs_.owns(*tensor)) return graphs_.type_of(*tensor).shape;
    reports_.fail(span, "a value of the model cannot be used here");
    return std::nullopt;
  }
  if (is_numeric(value)) {
    if (!readings_.check_total(value, span)) return std::nullopt;
    auto converted = to_array(value, reports_.options.limits.list_length);
    if (const auto* array = std::get_if<ArrayLiteral>(&converted)) {
      if (!reports_.spend(array->values.size(), span)) return std::nullopt;
      return array->shape;
    }
    reports_.fail(span, "the list is not an array: " + std::get<NotAnArray>(converted).reason);
    return std::nullopt;
  }
  reports_.fail(span, fmt::format("{} has no shape", kind_of(value)));
  return std::nullopt;
}

}  // namespace tarn::elaboration
