// Builtins that work on each element by itself, and conversions.
#include <fmt/format.h>

#include <cmath>

#include "frontend/builtins.h"

namespace tarn::elaboration {

namespace {

template <Op op>
Value run_unary(BuiltinCall& call) {
  return call.elaborator.elementwise(op, {call.value(0)}, call.span, call.builtin.name);
}

Value run_where(BuiltinCall& call) {
  return call.elaborator.elementwise(Op::where, {call.value(0), call.value(1), call.value(2)}, call.span, "where");
}

Value run_clip(BuiltinCall& call) {
  const Value above = call.elaborator.elementwise(Op::maximum, {call.value(0), call.value(1)}, call.span, "clip");
  return call.elaborator.elementwise(Op::minimum, {above, call.value(2)}, call.span, "clip");
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
    if (!e.shape_of(x, call.span)) return ErrorValue{};
    return convert_number(x, dtype);
  }
  const std::optional<NodeId> node = e.to_node(x, std::nullopt, call.span);
  if (!node) return ErrorValue{};
  e.locate(call.span);
  return e.tensor(e.convert(*node, dtype));
}

constexpr Builtin kTable[] = {
    {"exp", "exp(x)", run_unary<Op::exp>, "e to the power of x"},
    {"expm1", "expm1(x)", run_unary<Op::expm1>, "exp(x) - 1, exact near 0"},
    {"log", "log(x)", run_unary<Op::log>, "natural logarithm"},
    {"log1p", "log1p(x)", run_unary<Op::log1p>, "log(1 + x), exact near 0"},
    {"sqrt", "sqrt(x)", run_unary<Op::sqrt>, "square root"},
    {"rsqrt", "rsqrt(x)", run_unary<Op::rsqrt>, "1 / sqrt(x)"},
    {"sin", "sin(x)", run_unary<Op::sin>, "sine of x in radians"},
    {"cos", "cos(x)", run_unary<Op::cos>, "cosine of x in radians"},
    {"tanh", "tanh(x)", run_unary<Op::tanh>, "hyperbolic tangent"},
    {"sigmoid", "sigmoid(x)", run_unary<Op::sigmoid>, "1 / (1 + exp(-x))"},
    {"erf", "erf(x)", run_unary<Op::erf>, "error function"},
    {"abs", "abs(x)", run_unary<Op::abs>, "absolute value; gradient 0 at 0"},
    {"sign", "sign(x)", run_unary<Op::sign>, "-1, 0 or 1"},
    {"floor", "floor(x)", run_unary<Op::floor>, "largest integer not above x"},
    {"ceil", "ceil(x)", run_unary<Op::ceil>, "smallest integer not below x"},
    {"round", "round(x)", run_unary<Op::round>, "nearest integer, half to even"},
    {"is_finite", "is_finite(x)", run_unary<Op::is_finite>, "neither infinite nor NaN"},
    {"stop_gradient", "stop_gradient(x)", run_unary<Op::stop_gradient>, "x, through which no gradient flows"},
    {"where", "where(c, a, b)", run_where, "a where c is true, else b"},
    {"clip", "clip(x, low, high)", run_clip, "x, but at least low and at most high"},
    {"f32", "f32(x)", run_convert<DType::f32>, "x as 32-bit floats"},
    {"f64", "f64(x)", run_convert<DType::f64>, "x as 64-bit floats"},
    {"i32", "i32(x)", run_convert<DType::i32>, "x as integers, towards 0"},
    {"bool", "bool(x)", run_convert<DType::boolean>, "x != 0"},
};

}  // namespace

std::span<const Builtin> elementwise_builtins() { return kTable; }

}  // namespace tarn::elaboration
