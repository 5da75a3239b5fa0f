// Nodes out of values: constants, conversions, broadcasting, the batch.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "frontend/elaborate/elaborator.h"

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

LocationId Elaborator::location_of(Span span) {
  Location location;
  location.span = span;
  if (!frames.empty()) {
    location.context = frames.back().context;
    location.caller = frames.back().location;
  }
  return locations->add(std::move(location));
}

void Elaborator::locate(Span span) { builder().set_location(location_of(span)); }

std::optional<NodeId> Elaborator::make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested,
                                       Span span, const std::string& what) {
  if (!spend(1, span)) return std::nullopt;
  locate(span);
  Result<NodeId> node = builder().try_make(op, std::move(inputs), std::move(attributes), requested);
  if (node) return *node;
  fail(span, node.error().front().message, what.empty() ? std::string(name_of(op)) : what);
  return std::nullopt;
}

NodeId Elaborator::convert(NodeId node, DType dtype) { return builder().convert(node, dtype); }

std::optional<NodeId> Elaborator::to_node(const Value& value, std::optional<DType> dtype, Span span) {
  if (value.is_error()) return std::nullopt;
  if (!spend(1, span)) return std::nullopt;
  locate(span);
  if (const auto* tensor = value.get<TensorValue>()) {
    if (tensor->graph != context_->number) {
      fail(span, "a value of the model cannot be used here");
      return std::nullopt;
    }
    return dtype ? convert(tensor->node, *dtype) : tensor->node;
  }
  if (!is_numeric(value)) {
    const bool of_tensors = value.is<ListValue>() && !value.get<ListValue>()->several;
    fail(span,
         fmt::format("a tensor is needed here, not {}{}{}", kind_of(value), without_quotes(value), call_of(value)), "",
         of_tensors ? "stack(list) makes a tensor of a list of tensors" : "");
    return std::nullopt;
  }
  if (!check_total(value, span)) return std::nullopt;
  auto converted = to_array(value, options.limits.list_length);
  if (const auto* bad = std::get_if<NotAnArray>(&converted)) {
    fail(span, "the list is not an array: " + bad->reason);
    return std::nullopt;
  }
  ArrayLiteral array = std::move(std::get<ArrayLiteral>(converted));
  const DType type = dtype                                         ? *dtype
                     : array.truth_values && !array.values.empty() ? DType::boolean
                                                                   : context_->float_type;
  if (array.values.empty()) {
    fail(span, "an empty list is not an array");
    return std::nullopt;
  }
  for (double& v : array.values) {
    if (type == DType::boolean) v = v != 0 ? 1 : 0;
    if (type != DType::i32) continue;
    if (v != std::floor(v) || v < std::numeric_limits<std::int32_t>::min() ||
        v > std::numeric_limits<std::int32_t>::max()) {
      fail(span, fmt::format("{} is not an i32", to_text(v)));
      return std::nullopt;
    }
  }
  if (array.shape.empty()) return builder().constant(array.values.front(), type);
  if (!spend(array.values.size(), span)) return std::nullopt;
  return builder().source(Op::constant, Type{type, false, array.shape}, {{Key::values, std::move(array.values)}});
}

std::optional<NodeId> Elaborator::to_floating(const Value& value, Span span) {
  const std::optional<NodeId> node = to_node(value, std::nullopt, span);
  if (!node) return std::nullopt;
  const auto* tensor = value.get<TensorValue>();
  const DType dtype = builder().type(*node).dtype;
  if (tensor != nullptr && tensor->weak) return convert(*node, context_->float_type);
  return is_floating(dtype) ? *node : convert(*node, context_->float_type);
}

bool Elaborator::check_total(const Value& value, Span span) {
  if (total_of(value) <= 2 * options.limits.list_length) return true;
  fail(span, fmt::format("a list of lists has at most {} numbers in all", options.limits.list_length));
  return false;
}

std::optional<NodeId> Elaborator::broadcast_to(NodeId node, const Shape& shape, Span span) {
  const Result<Shape> common = Builder::broadcast_shapes(builder().shape(node), shape);
  if (!common || *common != shape) {
    fail(span, fmt::format("cannot broadcast {} to {}", to_string(builder().shape(node)), to_string(shape)));
    return std::nullopt;
  }
  locate(span);
  return builder().broadcast_to(node, shape);
}

NodeId Elaborator::ones_in_batch(DType dtype) { return builder().source(Op::batch_size, Type{dtype, false, {}}, {}); }

NodeId Elaborator::batch_mean(NodeId node) {
  if (!builder().type(node).per_sample) return node;
  const DType dtype = builder().type(node).dtype;
  // One behind the other, so that compilers, which evaluate arguments in an order of their own, number nodes alike.
  const NodeId count = ones_in_batch(dtype);
  return builder().div(builder().make(Op::batch_sum, {node}), count);
}

NodeId Elaborator::mean_of_all(NodeId node) {
  const Shape shape = builder().shape(node);
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  const NodeId sum = builder().sum(node, std::move(axes));
  const std::int64_t count = element_count(shape);
  return count == 1 ? sum
                    : builder().div(sum, builder().constant(static_cast<double>(count), builder().type(node).dtype));
}

std::optional<Shape> Elaborator::shape_of(const Value& value, Span span) {
  if (value.is_error()) return std::nullopt;
  if (const auto* tensor = value.get<TensorValue>()) {
    if (tensor->graph == context_->number) return type_of(*tensor).shape;
    fail(span, "a value of the model cannot be used here");
    return std::nullopt;
  }
  if (is_numeric(value)) {
    if (!check_total(value, span)) return std::nullopt;
    auto converted = to_array(value, options.limits.list_length);
    if (const auto* array = std::get_if<ArrayLiteral>(&converted)) {
      if (!spend(array->values.size(), span)) return std::nullopt;
      return array->shape;
    }
    fail(span, "the list is not an array: " + std::get<NotAnArray>(converted).reason);
    return std::nullopt;
  }
  fail(span, fmt::format("{} has no shape", kind_of(value)));
  return std::nullopt;
}

}  // namespace tarn::elaboration
