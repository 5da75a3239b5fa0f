// Builtins that work on each element by itself, and conversions.
#include <fmt/format.h>

#include <cmath>

#include "frontend/builtins/builtins.h"

namespace tarn::elaboration {

namespace {

template <Op op>
Value run_operation(BuiltinCall& call) {
  std::vector<Value> operands;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) operands.push_back(call.value(i));
  return call.elaborator.operators.elementwise(op, std::move(operands), call.span, call.builtin.name);
}

Value run_clip(BuiltinCall& call) {
  const Value above =
      call.elaborator.operators.elementwise(Op::maximum, {call.value(0), call.value(1)}, call.span, "clip");
  return call.elaborator.operators.elementwise(Op::minimum, {above, call.value(2)}, call.span, "clip");
}

// Numbers convert now; only truncation changes one. A float's type is that of what it meets later.
Value convert_number(const Value& value, DType dtype) {
  if (const auto* list = value.list()) {
    std::vector<Value> elements;
    for (const Value& element : *list) elements.push_back(convert_number(element, dtype));
    return make_list(std::move(elements));
  }
  const bool* truth = value.get<bool>();
  const double number = truth != nullptr ? (*truth ? 1 : 0) : value.get<NumberValue>()->value;
  if (dtype == DType::i32) return NumberValue{std::trunc(number), true};
  if (dtype == DType::boolean) return number != 0;
  return NumberValue{number, false};
}

template <DType dtype>
Value run_convert(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const Value& x = call.value(0);
  if (x.is_error()) return ErrorValue{};
  if (!x.is<TensorValue>() && is_numeric(x)) {
    if (!e.nodes.shape_of(x, call.span)) return ErrorValue{};
    return convert_number(x, dtype);
  }
  const std::optional<NodeId> node = e.nodes.to_node(x, std::nullopt, call.span);
  if (!node) return ErrorValue{};
  e.nodes.locate(call.span);
  return e.graphs.tensor(e.nodes.convert(*node, dtype));
}

// Every operation that its row says to be a function of the language, and what is made of operations.
std::vector<Builtin> make_table() {
  constexpr Builtin kOperations[] = {
#define SIGN(sign) ""
#define CALL(parameters) "(" parameters ")"
#define NO_NOTATION ""
#define ELEMENTWISE(name, arity, rule, gradient, cost, facts, notation, value, documentation) \
  {#name, #name notation, run_operation<Op::name>, documentation},
#define OPERATION(...)
#include "ir/ops.def"
  };
  std::vector<Builtin> table;
  for (const Builtin& builtin : kOperations) {
    if (builtin.signature != builtin.name) table.push_back(builtin);
  }
  constexpr Builtin kOthers[] = {
      {"clip", "clip(x, low, high)", run_clip, "x, but at least low and at most high"},
      {"f32", "f32(x)", run_convert<DType::f32>, "x as 32-bit floats"},
      {"f64", "f64(x)", run_convert<DType::f64>, "x as 64-bit floats"},
      {"i32", "i32(x)", run_convert<DType::i32>, "x as integers, towards 0"},
      {"bool", "bool(x)", run_convert<DType::boolean>, "x != 0"},
  };
  table.insert(table.end(), std::begin(kOthers), std::end(kOthers));
  return table;
}

}  // namespace

std::span<const Builtin> elementwise_builtins() {
  static const std::vector<Builtin> table = make_table();
  return table;
}

}  // namespace tarn::elaboration
