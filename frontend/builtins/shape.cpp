// Builtins that ask for shapes and move elements.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "frontend/builtins/builtins.h"
#include "ir/counted.h"

namespace tarn::elaboration {

Value moved(BuiltinCall& call, std::optional<NodeId> node) {
  if (!node) return ErrorValue{};
  Elaborator& e = call.elaborator;
  const auto* tensor = call.value(0).get<TensorValue>();
  const bool weak =
      tensor != nullptr && tensor->weak && e.graphs.type_of(*tensor).dtype == e.graphs.builder().type(*node).dtype;
  return TensorValue{*node, e.graphs.current().number, weak, {}};
}

namespace {

Value result_of(Elaborator& e, std::optional<NodeId> node) {
  return node ? e.graphs.tensor(*node) : Value(ErrorValue{});
}

Value run_shape(BuiltinCall& call) {
  const auto shape = call.elaborator.nodes.shape_of(call.value(0), call.span);
  return shape ? make_list(*shape) : Value(ErrorValue{});
}

Value run_rank(BuiltinCall& call) {
  const auto shape = call.elaborator.nodes.shape_of(call.value(0), call.span);
  return shape ? integer(static_cast<std::int64_t>(shape->size())) : Value(ErrorValue{});
}

Value run_dim(BuiltinCall& call) {
  const auto shape = call.elaborator.nodes.shape_of(call.value(0), call.span);
  if (!shape) return ErrorValue{};
  const auto axis = axis_argument(call, 1, -1, shape->size());
  return axis ? integer((*shape)[static_cast<std::size_t>(*axis)]) : Value(ErrorValue{});
}

Value run_len(BuiltinCall& call) {
  const Value& x = call.value(0);
  if (x.is_error()) return ErrorValue{};
  if (const auto* list = x.list()) return integer(static_cast<std::int64_t>(list->size()));
  if (const auto* tensor = x.get<TensorValue>()) {
    const Shape& shape = call.elaborator.graphs.type_of(*tensor).shape;
    if (!shape.empty()) return integer(shape.front());
  }
  return call.elaborator.reports.fail(call.span_of(0), fmt::format("{} has no length", kind_of(x)));
}

Value run_dtype(BuiltinCall& call) {
  const Value& x = call.value(0);
  if (x.is_error()) return ErrorValue{};
  const auto* tensor = x.get<TensorValue>();
  if (tensor != nullptr && !tensor->weak) return std::string(name_of(call.elaborator.graphs.type_of(*tensor).dtype));
  if (tensor != nullptr || is_numeric(x)) return std::string("number");
  return call.elaborator.reports.fail(call.span_of(0), fmt::format("{} has no element type", kind_of(x)));
}

Value run_reshape(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  std::optional<Shape> shape = e.readings.to_shape(call.value(1), call.span_of(1), true);
  if (!node || !shape) return ErrorValue{};
  const Shape from = e.graphs.builder().shape(*node);
  const auto inferred = std::find(shape->begin(), shape->end(), -1);
  if (inferred != shape->end()) {
    if (std::count(shape->begin(), shape->end(), -1) > 1)
      return e.reports.fail(call.span_of(1), "only one extent may be -1");
    *inferred = 1;
    const std::int64_t rest = element_count(*shape);
    if (element_count(from) % rest != 0) {
      *inferred = -1;
      return e.reports.fail(call.span, fmt::format("cannot reshape {} to {}: {} {} not divide by {}", to_string(from),
                                                   to_text(make_list(*shape)), counted(element_count(from), "element"),
                                                   agreeing(element_count(from), "does", "do"), rest));
    }
    *inferred = element_count(from) / rest;
  }
  if (element_count(from) != element_count(*shape)) {
    return e.reports.fail(call.span, fmt::format("cannot reshape {} to {}: {} {} not {}", to_string(from),
                                                 to_string(*shape), counted(element_count(from), "element"),
                                                 agreeing(element_count(from), "is", "are"), element_count(*shape)));
  }
  e.nodes.locate(call.span);
  return moved(call, e.graphs.builder().reshape(*node, *shape));
}

Value run_transpose(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node) return ErrorValue{};
  const std::size_t rank = e.graphs.builder().shape(*node).size();
  std::vector<std::int64_t> axes(rank);
  if (!call.has(1)) {
    for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(rank - 1 - i);
  } else {
    const auto* list = call.value(1).list();
    if (list == nullptr || list->size() != rank) {
      return e.reports.fail(call.span_of(1),
                            fmt::format("the axes must be a list of all {}, as [1, 0] is for a matrix", rank));
    }
    for (std::size_t i = 0; i < rank; ++i) {
      const auto axis = e.readings.to_integer((*list)[i], call.span_of(1), "an axis");
      if (!axis) return ErrorValue{};
      axes[i] = *axis < 0 ? *axis + static_cast<std::int64_t>(rank) : *axis;
    }
  }
  std::vector<std::int64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < rank; ++i) {
    if (sorted[i] != static_cast<std::int64_t>(i))
      return e.reports.fail(call.span_of(1), fmt::format("the axes must name each of 0 to {} once", rank - 1));
  }
  e.nodes.locate(call.span);
  return moved(call, e.graphs.builder().transpose(*node, axes));
}

Value run_broadcast(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  const std::optional<Shape> shape = e.readings.to_shape(call.value(1), call.span_of(1));
  if (!node || !shape) return ErrorValue{};
  return moved(call, e.nodes.broadcast_to(*node, *shape, call.span));
}

// Whether truth values or whole numbers become real ones beside this one, as they do in arithmetic: beside scalars of
// the optimizer, and literals that the type does not have.
bool makes_real(Elaborator& e, const Value& part, DType type) {
  if (const auto* tensor = part.get<TensorValue>())
    return tensor->weak && e.graphs.type_of(*tensor).dtype != DType::boolean;
  if (const auto* list = part.list()) {
    return std::any_of(list->begin(), list->end(), [&](const Value& element) { return makes_real(e, element, type); });
  }
  const auto* number = part.get<NumberValue>();
  return number != nullptr && (type == DType::boolean || !number->is_integer);
}

// Values in one type, for operations that put them side by side; numbers alone become the default type.
std::optional<std::vector<NodeId>> same_type_nodes(BuiltinCall& call, const std::vector<Value>& parts) {
  Elaborator& e = call.elaborator;
  std::optional<DType> type;
  for (const Value& part : parts) {
    const auto* tensor = part.get<TensorValue>();
    if (tensor == nullptr) continue;
    const DType dtype = e.graphs.type_of(*tensor).dtype;
    if (tensor->weak && dtype != DType::boolean) continue;
    type = !type || *type == DType::boolean || (is_floating(dtype) && (!is_floating(*type) || dtype == DType::f64))
               ? dtype
               : *type;
  }
  const auto is_too_much = [&](const Value& part) { return makes_real(e, part, *type); };
  if (type && !is_floating(*type) && std::any_of(parts.begin(), parts.end(), is_too_much)) type.reset();
  const DType wanted = type ? *type : e.graphs.current().float_type;
  std::vector<NodeId> nodes;
  for (const Value& part : parts) {
    const std::optional<NodeId> node = e.nodes.to_node(part, wanted, call.span);
    if (!node) return std::nullopt;
    nodes.push_back(*node);
  }
  return nodes;
}

Value concat_lists(BuiltinCall& call, const std::vector<Value>& parts) {
  std::vector<Value> elements;
  for (const Value& part : parts) {
    const auto& list = *part.list();
    if (elements.size() + list.size() > call.elaborator.reports.options.limits.list_length) {
      return call.elaborator.reports.fail(
          call.span, fmt::format("a list has at most {} elements", call.elaborator.reports.options.limits.list_length));
    }
    if (!call.elaborator.reports.spend(list.size(), call.span)) return ErrorValue{};
    elements.insert(elements.end(), list.begin(), list.end());
  }
  return make_list(std::move(elements));
}

Value run_concat(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  std::vector<Value> parts;
  for (const Argument& argument : call.rest) parts.push_back(argument.value);
  const auto is_tensor = [](const Value& v) { return v.is<TensorValue>(); };
  if (parts.size() == 1 && parts[0].list() != nullptr &&
      std::any_of(parts[0].list()->begin(), parts[0].list()->end(), is_tensor)) {
    parts = std::vector<Value>(*parts[0].list());
  }
  if (parts.empty()) return e.reports.fail(call.span, "'concat' needs something to join");
  if (std::all_of(parts.begin(), parts.end(), [](const Value& v) { return v.is<ListValue>(); }))
    return concat_lists(call, parts);
  const auto nodes = same_type_nodes(call, parts);
  if (!nodes) return ErrorValue{};
  const Shape first = e.graphs.builder().shape(nodes->front());
  if (first.empty())
    return e.reports.fail(call.span, "scalars have no axis to be joined along; stack([a, b]) makes a vector of them");
  const auto axis = axis_argument(call, 1, 0, first.size());
  if (!axis) return ErrorValue{};
  if (nodes->size() == 1) return e.graphs.tensor(nodes->front());
  return result_of(e, e.nodes.make(Op::concat, *nodes, {{Key::axis, *axis}}, nullptr, call.span, "concat"));
}

Value run_stack(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const auto* list = call.value(0).list();
  if (call.value(0).is_error()) return ErrorValue{};
  if (list == nullptr || list->empty())
    return e.reports.fail(call.span_of(0), fmt::format("'stack' takes a list of tensors, not {}",
                                                       list ? "an empty list" : kind_of(call.value(0))));
  auto nodes = same_type_nodes(call, *list);
  if (!nodes) return ErrorValue{};
  Shape shape = e.graphs.builder().shape(nodes->front());
  const auto axis = axis_argument(call, 1, 0, shape.size() + 1);
  if (!axis) return ErrorValue{};
  for (const NodeId node : *nodes) {
    if (e.graphs.builder().shape(node) != shape) {
      return e.reports.fail(call.span, fmt::format("tensors of different shapes cannot be stacked: {} and {}",
                                                   to_string(shape), to_string(e.graphs.builder().shape(node))));
    }
  }
  shape.insert(shape.begin() + *axis, 1);
  if (!e.readings.check_shape(shape, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  for (NodeId& node : *nodes) node = e.graphs.builder().reshape(node, shape);
  if (nodes->size() == 1) return e.graphs.tensor(nodes->front());
  return result_of(e, e.nodes.make(Op::concat, *nodes, {{Key::axis, *axis}}, nullptr, call.span, "stack"));
}

Value run_split(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  const auto count = e.readings.to_integer(call.value(1), call.span_of(1), "the number of parts");
  if (!node || !count) return ErrorValue{};
  const Shape shape = e.graphs.builder().shape(*node);
  const auto axis = axis_argument(call, 2, 0, shape.size());
  if (!axis) return ErrorValue{};
  const auto at = static_cast<std::size_t>(*axis);
  if (*count < 1 || shape[at] % *count != 0) {
    return e.reports.fail(
        call.span, fmt::format("axis {} of {} does not split into {} equal parts", *axis, to_string(shape), *count));
  }
  const std::int64_t width = shape[at] / *count;
  std::vector<Value> parts;
  std::vector<std::int64_t> starts(shape.size(), 0), limits(shape.begin(), shape.end()), strides(shape.size(), 1);
  for (std::int64_t i = 0; i < *count; ++i) {
    starts[at] = i * width;
    limits[at] = (i + 1) * width;
    if (!e.reports.spend(1, call.span)) return ErrorValue{};
    e.nodes.locate(call.span);
    parts.push_back(moved(call, *count == 1 ? *node : e.graphs.builder().slice(*node, starts, limits, strides)));
  }
  return make_list(std::move(parts), true);
}

// before_after: a number for all sides, [before, after] of the only axis, or one such pair for each axis.
std::optional<std::vector<std::int64_t>> padding(BuiltinCall& call, std::size_t rank) {
  Elaborator& e = call.elaborator;
  const Value& given = call.value(1);
  std::vector<std::int64_t> sides;
  const auto add = [&](const Value& value) {
    const auto side = e.readings.to_integer(value, call.span_of(1), "a padding");
    if (side && *side < 0) e.reports.fail(call.span_of(1), "a padding cannot be negative; slices cut off");
    if (!side || *side < 0) return false;
    sides.push_back(*side);
    return true;
  };
  const auto* list = given.list();
  if (list == nullptr) {
    for (std::size_t i = 0; i < 2 * rank; ++i) {
      if (!add(given)) return std::nullopt;
    }
    return sides;
  }
  const bool is_pair = rank == 1 && list->size() == 2 && !(*list)[0].is<ListValue>();
  const std::vector<Value> pairs = is_pair ? std::vector<Value>{given} : *list;
  for (const Value& pair : pairs) {
    const auto* both = pair.list();
    if (pairs.size() != rank || both == nullptr || both->size() != 2) {
      e.reports.fail(call.span_of(1), fmt::format("the padding must be [before, after] for each of the {} axes", rank));
      return std::nullopt;
    }
    if (!add((*both)[0]) || !add((*both)[1])) return std::nullopt;
  }
  return sides;
}

Value run_pad(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node || call.value(1).is_error()) return ErrorValue{};
  const std::size_t rank = e.graphs.builder().shape(*node).size();
  const auto sides = padding(call, rank);
  const auto fill =
      call.has(2) ? e.readings.to_number(call.value(2), call.span_of(2), "the value of the padding") : 0.0;
  if (!sides || !fill) return ErrorValue{};
  std::vector<std::int64_t> low, high;
  for (std::size_t i = 0; i < rank; ++i) {
    low.push_back((*sides)[2 * i]);
    high.push_back((*sides)[2 * i + 1]);
  }
  return moved(call, e.nodes.make(Op::pad, {*node}, {{Key::low, low}, {Key::high, high}, {Key::value, *fill}}, nullptr,
                                  call.span, "pad"));
}

Value run_flip(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node) return ErrorValue{};
  const auto axes = axes_argument(call, 1, e.graphs.builder().shape(*node));
  if (!axes) return ErrorValue{};
  if (axes->empty()) return moved(call, *node);
  return moved(call, e.nodes.make(Op::reverse, {*node}, {{Key::axes, *axes}}, nullptr, call.span, "flip"));
}

constexpr Builtin kShapeBuiltins[] = {
    {"shape", "shape(x)", run_shape, "the extents of x, a list"},
    {"rank", "rank(x)", run_rank, "the number of axes of x"},
    {"dim", "dim(x, axis)", run_dim, "the extent of an axis"},
    {"len", "len(list)", run_len, "the number of elements of a list, or of the first axis"},
    {"dtype", "dtype(x)", run_dtype,
     "\"f32\", \"f64\", \"i32\" or \"bool\"; \"number\" for what takes the type of what it meets"},
    {"reshape", "reshape(x, shape)", run_reshape, "the same elements in another shape; one extent may be -1"},
    {"transpose", "transpose(x, axes = none)", run_transpose,
     "axis i of the result is axis axes[i] of x; without axes, reversed"},
    {"broadcast", "broadcast(x, shape)", run_broadcast, "x repeated to the shape, as NumPy does"},
    {"concat", "concat(...parts, axis = 0)", run_concat,
     "tensors behind each other along an axis; lists behind each other"},
    {"stack", "stack(list, axis = 0)", run_stack, "tensors of one shape along a new axis"},
    {"split", "split(x, n, axis = 0)", run_split, "n equal parts"},
    {"pad", "pad(x, before_after, value = 0)", run_pad,
     "value around x; before_after is a number or a pair for each axis"},
    {"windows", "windows(x, sizes, strides = 1, dilation = 1)", run_windows,
     "at each place along the leading axes the elements of its window, along new axes behind them"},
    {"fold", "fold(x, extents, strides = 1, dilation = 1)", run_fold,
     "adds every element of a window where it came from: windows backwards"},
    {"flip", "flip(x, *, axis = none)", run_flip, "back to front along axes"},
};

}  // namespace

std::span<const Builtin> shape_builtins() { return kShapeBuiltins; }

}  // namespace tarn::elaboration
