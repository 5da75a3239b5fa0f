// Operators in expressions: the operands are evaluated, as far as they are needed. See evaluator.h and operators.h.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/elaborator.h"

namespace tarn::elaboration {

namespace {

Op operation_of(ast::BinaryOperator op) {
  switch (op) {
    case ast::BinaryOperator::add:
      return Op::add;
    case ast::BinaryOperator::subtract:
      return Op::sub;
    case ast::BinaryOperator::multiply:
      return Op::mul;
    case ast::BinaryOperator::divide:
      return Op::div;
    case ast::BinaryOperator::floor_divide:
      return Op::floor_div;
    case ast::BinaryOperator::remainder:
      return Op::mod;
    case ast::BinaryOperator::power:
      return Op::pow;
    case ast::BinaryOperator::less:
    case ast::BinaryOperator::greater:
      return Op::less;
    case ast::BinaryOperator::less_equal:
    case ast::BinaryOperator::greater_equal:
      return Op::less_equal;
    case ast::BinaryOperator::logical_and:
      return Op::logical_and;
    case ast::BinaryOperator::logical_or:
      return Op::logical_or;
    case ast::BinaryOperator::equal:
      return Op::equal;
    case ast::BinaryOperator::not_equal:
      return Op::not_equal;
    case ast::BinaryOperator::product:
    case ast::BinaryOperator::in:
    case ast::BinaryOperator::range:
      break;
  }
  TARN_CHECK(false, "not an elementwise operator");
  return Op::add;
}

}  // namespace

Value Evaluator::unary(const ast::Unary& unary, Span span) {
  Value operand = evaluate(*unary.operand);
  const bool negates = unary.op == ast::UnaryOperator::negate;
  return e_.operators.elementwise(negates ? Op::neg : Op::logical_not, {std::move(operand)}, span,
                                  ast::spelling(unary.op));
}

Value Evaluator::binary(const ast::Binary& binary, Span span) {
  using enum ast::BinaryOperator;
  if (binary.op == range) return this->range(binary, span);
  Value left = evaluate(*binary.left);
  if (binary.op == logical_and || binary.op == logical_or) {
    // What decides alone is not followed by the rest, which may make no sense then.
    const bool* truth = left.get<bool>();
    if (truth != nullptr && *truth == (binary.op == logical_or)) return *truth;
  }
  Value right = evaluate(*binary.right);
  if (left.is_error() || right.is_error()) return ErrorValue{};
  switch (binary.op) {
    case product:
      return e_.operators.matrix_product(left, right, span);
    case equal:
      return e_.operators.equality(left, right, false, span);
    case not_equal:
      return e_.operators.equality(left, right, true, span);
    case in:
      return contains(right, left, binary.right->span, span);
    case greater:
    case greater_equal:
      return e_.operators.elementwise(operation_of(binary.op), {std::move(right), std::move(left)}, span,
                                      ast::spelling(binary.op));
    case add:
    case subtract:
    case multiply:
    case divide:
    case floor_divide:
    case remainder:
    case power:
    case less:
    case less_equal:
    case logical_and:
    case logical_or:
      return e_.operators.elementwise(operation_of(binary.op), {std::move(left), std::move(right)}, span,
                                      ast::spelling(binary.op));
    case range:
      break;
  }
  TARN_CHECK(false, "a range has no value of its own");
  return ErrorValue{};
}

Value Evaluator::contains(const Value& list, const Value& wanted, Span list_span, Span span) {
  const auto* elements = list.list();
  if (elements == nullptr)
    return e_.reports.fail(list_span, fmt::format("'in' looks into a list, not {}", kind_of(list)));
  for (const Value& element : *elements) {
    if (!e_.reports.spend(1, span)) return ErrorValue{};
    const Value same = e_.operators.equality(wanted, element, false, span);
    if (same.is_error()) return ErrorValue{};
    if (const bool* found = same.get<bool>(); found != nullptr && *found) return true;
  }
  return false;
}

Value Evaluator::range(const ast::Binary& binary, Span span) {
  const std::optional<std::int64_t> begin =
      e_.readings.to_integer(evaluate(*binary.left), binary.left->span, "the start of a range");
  const std::optional<std::int64_t> end =
      e_.readings.to_integer(evaluate(*binary.right), binary.right->span, "the end of a range");
  if (!begin || !end) return ErrorValue{};
  const std::int64_t length = std::max<std::int64_t>(*end - *begin, 0);
  if (length > static_cast<std::int64_t>(e_.reports.options.limits.list_length)) {
    return e_.reports.fail(span, fmt::format("a list has at most {} elements, and this range has {}",
                                             e_.reports.options.limits.list_length, length));
  }
  if (!e_.reports.spend(static_cast<std::uint64_t>(length), span)) return ErrorValue{};
  std::vector<Value> elements;
  elements.reserve(static_cast<std::size_t>(length));
  for (std::int64_t i = *begin; i < *end; ++i) elements.push_back(integer(i));
  return make_list(std::move(elements));
}

}  // namespace tarn::elaboration
