// Builtins that sum up: over axes and over the samples.
#include <fmt/format.h>

#include <cmath>

#include "frontend/builtins/builtins.h"
#include "ir/program_functions.h"

namespace tarn::elaboration {

namespace {

constexpr std::size_t kAxis = 1, kKeepdims = 2, kTies = 3;

// What a reduction does, on tensors and on compile-time lists.
enum class Reduction { sum, mean, prod, max, min, any, all };

// All numbers of a compile-time value in order; false where there is something else or too much.
bool flatten(Elaborator& e, const Value& value, Span span, std::vector<Value>& out) {
  if (!e.reports.spend(1, span)) return false;
  if (const auto* list = value.list()) {
    for (const Value& element : *list) {
      if (!flatten(e, element, span, out)) return false;
    }
    return true;
  }
  out.push_back(value);
  return true;
}

Value fold_list(BuiltinCall& call, Reduction reduction) {
  Elaborator& e = call.elaborator;
  std::vector<Value> numbers;
  if (!flatten(e, call.value(0), call.span, numbers)) return ErrorValue{};
  const bool of_truths = reduction == Reduction::any || reduction == Reduction::all;
  if (numbers.empty()) {
    switch (reduction) {
      case Reduction::sum:
        return integer(0);
      case Reduction::prod:
        return integer(1);
      case Reduction::any:
        return false;
      case Reduction::all:
        return true;
      case Reduction::mean:
      case Reduction::max:
      case Reduction::min:
        return e.reports.fail(call.span, fmt::format("'{}' of an empty list", call.builtin.name));
    }
  }
  Op op = Op::add;
  if (reduction == Reduction::prod) op = Op::mul;
  if (reduction == Reduction::max) op = Op::maximum;
  if (reduction == Reduction::min) op = Op::minimum;
  if (reduction == Reduction::any) op = Op::logical_or;
  if (reduction == Reduction::all) op = Op::logical_and;
  Value total = of_truths ? Value(reduction == Reduction::all) : numbers.front();
  if (!of_truths && total.is<bool>()) total = integer(*total.get<bool>() ? 1 : 0);
  for (std::size_t i = of_truths ? 0 : 1; i < numbers.size(); ++i) {
    total = e.operators.elementwise(op, {total, numbers[i]}, call.span, call.builtin.name);
  }
  if (reduction != Reduction::mean || total.is_error()) return total;
  return e.operators.elementwise(Op::div, {total, integer(static_cast<std::int64_t>(numbers.size()))}, call.span,
                                 "mean");
}

Shape kept_shape(Shape shape, const std::vector<std::int64_t>& axes) {
  for (std::int64_t axis : axes) shape[static_cast<std::size_t>(axis)] = 1;
  return shape;
}

// The operand in a type that the reduction takes.
std::optional<NodeId> reduction_operand(BuiltinCall& call, Reduction reduction) {
  Elaborator& e = call.elaborator;
  if (reduction == Reduction::mean) return e.nodes.to_floating(call.value(0), call.span);
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node) return std::nullopt;
  const bool is_truth = e.graphs.builder().type(*node).dtype == DType::boolean;
  const bool of_truths = reduction == Reduction::any || reduction == Reduction::all;
  if (of_truths && !is_truth) {
    e.reports.fail(call.span_of(0),
                   fmt::format("'{}' needs truth values, as x > 0 gives them; these are numbers", call.builtin.name));
    return std::nullopt;
  }
  return of_truths || !is_truth ? *node : e.nodes.convert(*node, e.graphs.current().float_type);
}

// Whether the first of equal elements has the whole gradient of max or min; nothing where an error has been said.
std::optional<bool> first_has_gradient(BuiltinCall& call) {
  if (!call.has(kTies)) return false;
  Elaborator& e = call.elaborator;
  const Value& given = call.value(kTies);
  if (given.is_error()) return std::nullopt;
  const auto* ties = given.get<std::string>();
  if (ties != nullptr && (*ties == "first" || *ties == "shared")) return *ties == "first";
  e.reports.fail(call.span_of(kTies),
                 "ties are \"first\", whose gradient goes to the first of equal elements, or \"shared\"");
  return std::nullopt;
}

template <Reduction reduction>
Value run_reduction(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const Value& x = call.value(0);
  if (x.is_error()) return ErrorValue{};
  const bool by_axis = call.has(kAxis) || call.has(kKeepdims);
  if (!x.is<TensorValue>() && is_numeric(x) && !by_axis) return fold_list(call, reduction);
  const std::optional<NodeId> node = reduction_operand(call, reduction);
  if (!node) return ErrorValue{};
  const Shape shape = e.graphs.builder().shape(*node);
  const auto axes = axes_argument(call, kAxis, shape);
  const auto keepdims =
      call.has(kKeepdims) ? e.readings.to_truth(call.value(kKeepdims), call.span_of(kKeepdims), "keepdims") : false;
  const bool is_extremum = reduction == Reduction::max || reduction == Reduction::min;
  const auto first = is_extremum ? first_has_gradient(call) : false;
  if (!axes || !keepdims || !first || !e.reports.spend(1, call.span)) return ErrorValue{};
  constexpr Op kOps[] = {Op::reduce_sum, Op::reduce_sum, Op::reduce_prod, Op::reduce_max,
                         Op::reduce_min, Op::reduce_max, Op::reduce_min};
  e.nodes.locate(call.span);
  Builder& b = e.graphs.builder();
  const Op op = kOps[static_cast<int>(reduction)];
  NodeId result = *first && !axes->empty() ? b.make(op, {*node}, {{Key::axes, *axes}, {Key::first, std::int64_t{1}}})
                                           : b.reduce(op, *node, *axes);
  if (reduction == Reduction::mean) {
    double count = 1;
    for (std::int64_t axis : *axes) count *= static_cast<double>(shape[static_cast<std::size_t>(axis)]);
    if (count != 1) result = b.div(result, b.constant(count, b.type(result).dtype));
  }
  if (*keepdims) result = b.reshape(result, kept_shape(shape, *axes));
  return moved(call, result);
}

// max(x, axis = …) reduces; max(a, b, …) takes the larger of each pair of elements.
template <Reduction reduction, Op op>
Value run_extremum(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  if (call.rest.empty())
    return e.reports.fail(call.span, fmt::format("'{}' needs an argument", call.builtin.name), "call",
                          std::string(call.builtin.signature));
  if (call.rest.size() == 1) {
    BuiltinCall reduced{
        e, call.builtin, call.span, call.place, {call.rest[0], call.arguments[1], call.arguments[2], call.arguments[3]},
        {}};
    return run_reduction<reduction>(reduced);
  }
  if (call.has(kAxis) || call.has(kKeepdims) || call.has(kTies)) {
    return e.reports.fail(
        call.span,
        fmt::format("'axis', 'keepdims' and 'ties' go with {0}(x, …) of one tensor; {0}(a, b) is elementwise",
                    call.builtin.name));
  }
  Value result = call.rest[0].value;
  for (std::size_t i = 1; i < call.rest.size(); ++i) {
    result = e.operators.elementwise(op, {result, call.rest[i].value}, call.span, call.builtin.name);
  }
  return result;
}

template <Op op>
Value run_arg(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_floating(call.value(0), call.span);
  if (!node) return ErrorValue{};
  auto axes = axes_argument(call, kAxis, e.graphs.builder().shape(*node));
  if (!axes) return ErrorValue{};
  NodeId operand = *node;
  if (axes->empty()) {
    e.nodes.locate(call.span);
    operand = e.graphs.builder().reshape(operand, {1});
    axes = {0};
  }
  const auto result =
      e.nodes.make(op, {operand}, {{Key::axes, *axes}}, nullptr, call.span, std::string(call.builtin.name));
  return result ? e.graphs.tensor(*result) : Value(ErrorValue{});
}

bool allowed_across_samples(BuiltinCall& call) {
  if (call.elaborator.graphs.current().across_samples) return true;
  const bool predicts = call.elaborator.graphs.current().function.has(kPredicts);
  const std::string why = predicts ? "in a prediction every sample stands alone" : "there are no samples here";
  call.elaborator.reports.fail(call.span, fmt::format("'{}' looks at the whole batch: {}", call.builtin.name, why),
                               "call", predicts ? "what only training needs may stand in `if training { … }`" : "");
  return false;
}

std::optional<NodeId> batch_operand(BuiltinCall& call) {
  if (call.value(0).is_error() || !allowed_across_samples(call)) return std::nullopt;
  return call.elaborator.nodes.to_floating(call.value(0), call.span);
}

Value run_batch_sum(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = batch_operand(call);
  if (!node || !e.reports.spend(1, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  Builder& b = e.graphs.builder();
  if (b.type(*node).per_sample) return e.graphs.tensor(b.make(Op::batch_sum, {*node}));
  // The same for every sample: as often as there are samples.
  const NodeId count = e.nodes.ones_in_batch(b.type(*node).dtype);
  const auto* number = call.value(0).get<NumberValue>();
  return e.graphs.tensor(number != nullptr && number->value == 1 ? count : b.mul(*node, count));
}

Value run_batch_mean(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = batch_operand(call);
  if (!node || !e.reports.spend(1, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  return e.graphs.tensor(e.nodes.batch_mean(*node));
}

// mean((x - mean(x))^2) over the samples
Value run_batch_var(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = batch_operand(call);
  if (!node || !e.reports.spend(1, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  Builder& b = e.graphs.builder();
  const NodeId difference = b.sub(*node, e.nodes.batch_mean(*node));
  return e.graphs.tensor(e.nodes.batch_mean(b.mul(difference, difference)));
}

constexpr Builtin kReductionBuiltins[] = {
    {"sum", "sum(x, *, axis = none, keepdims = false)", run_reduction<Reduction::sum>, "sum over axes"},
    {"mean", "mean(x, *, axis = none, keepdims = false)", run_reduction<Reduction::mean>, "mean over axes"},
    {"prod", "prod(x, *, axis = none, keepdims = false)", run_reduction<Reduction::prod>, "product over axes"},
    {"max", "max(...x, axis = none, keepdims = false, ties = \"shared\")", run_extremum<Reduction::max, Op::maximum>,
     "largest over axes; of several arguments the largest of each element"},
    {"min", "min(...x, axis = none, keepdims = false, ties = \"shared\")", run_extremum<Reduction::min, Op::minimum>,
     "smallest over axes; of several arguments the smallest of each element"},
    {"any", "any(x, *, axis = none, keepdims = false)", run_reduction<Reduction::any>, "whether any is true"},
    {"all", "all(x, *, axis = none, keepdims = false)", run_reduction<Reduction::all>, "whether all are true"},
    {"argmax", "argmax(x, *, axis = none)", run_arg<Op::argmax>,
     "index of the first largest; without axis, of all elements in a row"},
    {"argmin", "argmin(x, *, axis = none)", run_arg<Op::argmin>,
     "index of the first smallest; without axis, of all elements in a row"},
    {"batch_sum", "batch_sum(x)", run_batch_sum, "sum over the samples; batch_sum(1) counts them"},
    {"batch_mean", "batch_mean(x)", run_batch_mean, "mean over the samples"},
    {"batch_var", "batch_var(x)", run_batch_var, "variance over the samples, divided by their number"},
};

}  // namespace

std::span<const Builtin> reduction_builtins() { return kReductionBuiltins; }

}  // namespace tarn::elaboration
