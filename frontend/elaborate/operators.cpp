// Operators: numbers and lists fold, tensors become nodes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "frontend/elaborate/elaborator.h"

namespace tarn::elaboration {

namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

double scalar(const Value& value) {
  if (const auto* number = value.get<NumberValue>()) return number->value;
  const bool* truth = value.get<bool>();
  return truth != nullptr && *truth ? 1 : 0;
}

DType promote(DType a, DType b) {
  const auto order = [](DType t) { return t == DType::f64 ? 3 : t == DType::f32 ? 2 : t == DType::i32 ? 1 : 0; };
  return order(a) >= order(b) ? a : b;
}

// Whether a literal (number, truth value, list of such) holds a number with a fraction, and whether it is truth values
// only.
void inspect_literal(const Value& value, bool& fraction, bool& truth_only) {
  if (const auto* list = value.list()) {
    for (const Value& element : *list) inspect_literal(element, fraction, truth_only);
  } else if (const auto* number = value.get<NumberValue>()) {
    fraction = fraction || !number->is_integer;
    truth_only = false;
  }
}

std::string operand_shapes(Elaborator& elaborator, const std::vector<NodeId>& nodes, std::string_view symbol) {
  const Graph& graph = elaborator.context()->graph;
  const bool is_operator = !symbol.empty() && !std::isalpha(static_cast<unsigned char>(symbol.front()));
  std::string out = is_operator ? "" : std::string(symbol) + "(";
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) out += is_operator ? fmt::format(" {} ", symbol) : ", ";
    out += to_string(graph[nodes[i]].type.shape);
  }
  return is_operator ? out : out + ")";
}

// "from the end, axis 1 has 4 on the left and 3 on the right"
std::string disagreement(const Shape& a, const Shape& b) {
  for (std::size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
    const std::int64_t left = a[a.size() - i], right = b[b.size() - i];
    if (left != right && left != 1 && right != 1) {
      return fmt::format("axes are matched from the last one back, and {} does not match {}", left, right);
    }
  }
  return {};
}

std::string_view operator_symbol(ast::BinaryOperator op) { return ast::spelling(op); }

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

Value Elaborator::unary(const ast::Unary& unary, Span span) {
  Value operand = evaluate(*unary.operand);
  const bool negates = unary.op == ast::UnaryOperator::negate;
  return elementwise(negates ? Op::neg : Op::logical_not, {std::move(operand)}, span, ast::spelling(unary.op));
}

Value Elaborator::binary(const ast::Binary& binary, Span span) {
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
      return matrix_product(left, right, span);
    case equal:
      return equality(left, right, false, span);
    case not_equal:
      return equality(left, right, true, span);
    case in: {
      const auto* list = right.list();
      if (list == nullptr)
        return fail(binary.right->span, fmt::format("'in' looks into a list, not {}", kind_of(right)));
      for (const Value& element : *list) {
        if (!spend(1, span)) return ErrorValue{};
        const Value same = equality(left, element, false, span);
        if (same.is_error()) return ErrorValue{};
        if (const bool* found = same.get<bool>(); found != nullptr && *found) return true;
      }
      return false;
    }
    case greater:
    case greater_equal:
      return elementwise(operation_of(binary.op), {std::move(right), std::move(left)}, span,
                         operator_symbol(binary.op));
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
      return elementwise(operation_of(binary.op), {std::move(left), std::move(right)}, span,
                         operator_symbol(binary.op));
    case range:
      break;
  }
  TARN_CHECK(false, "a range has no value of its own");
  return ErrorValue{};
}

Value Elaborator::range(const ast::Binary& binary, Span span) {
  const std::optional<std::int64_t> begin =
      to_integer(evaluate(*binary.left), binary.left->span, "the start of a range");
  const std::optional<std::int64_t> end = to_integer(evaluate(*binary.right), binary.right->span, "the end of a range");
  if (!begin || !end) return ErrorValue{};
  const std::int64_t length = std::max<std::int64_t>(*end - *begin, 0);
  if (length > static_cast<std::int64_t>(options.limits.list_length)) {
    return fail(
        span, fmt::format("a list has at most {} elements, and this range has {}", options.limits.list_length, length));
  }
  if (!spend(static_cast<std::uint64_t>(length), span)) return ErrorValue{};
  std::vector<Value> elements;
  elements.reserve(static_cast<std::size_t>(length));
  for (std::int64_t i = *begin; i < *end; ++i) elements.push_back(integer(i));
  return make_list(std::move(elements));
}

Value Elaborator::equality(const Value& left, const Value& right, bool negated, Span span) {
  const auto* a = left.list();
  const auto* b = right.list();
  if (a != nullptr && b != nullptr) {
    if (a->size() != b->size()) return negated;
    for (std::size_t i = 0; i < a->size(); ++i) {
      if (!spend(1, span)) return ErrorValue{};
      const Value same = equality((*a)[i], (*b)[i], false, span);
      if (same.is_error()) return ErrorValue{};
      const bool* truth = same.get<bool>();
      if (truth == nullptr) return fail(span, "lists of tensors cannot be compared");
      if (!*truth) return negated;
    }
    return !negated;
  }
  const auto is_array = [](const Value& v) {
    return v.is<NumberValue>() || v.is<bool>() || v.is<ListValue>() || v.is<TensorValue>();
  };
  if (is_array(left) && is_array(right)) {
    return elementwise(negated ? Op::not_equal : Op::equal, {left, right}, span, negated ? "!=" : "==");
  }
  bool same = false;
  if (left.is<NoneValue>() && right.is<NoneValue>()) {
    same = true;
  } else if (left.is<std::string>() && right.is<std::string>()) {
    same = *left.get<std::string>() == *right.get<std::string>();
  } else if (left.function() != nullptr && right.function() != nullptr) {
    const FunctionValue &f = *left.function(), &g = *right.function();
    same =
        &f == &g || (f.declaration != nullptr && f.declaration == g.declaration && f.bound.empty() && g.bound.empty());
  } else if (left.is<const Builtin*>() && right.is<const Builtin*>()) {
    same = *left.get<const Builtin*>() == *right.get<const Builtin*>();
  }
  return same != negated;
}

Value Elaborator::fold_numbers(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol) {
  const OpInfo& row = info(op);
  const Signature signature = row.signature;
  if (signature == Signature::logical || signature == Signature::select) {
    const std::size_t conditions = signature == Signature::select ? 1 : operands.size();
    for (std::size_t i = 0; i < conditions; ++i) {
      if (!operands[i].is<bool>())
        return fail(span, fmt::format("'{}' needs a truth value, not {}", symbol, kind_of(operands[i])));
    }
    if (signature == Signature::select) return *operands[0].get<bool>() ? operands[1] : operands[2];
  }
  if (signature == Signature::any) return operands[0];
  double v[3] = {};
  bool integers = true;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    v[i] = scalar(operands[i]);
    const auto* number = operands[i].get<NumberValue>();
    integers = integers && number != nullptr && number->is_integer;
  }
  if (row.has(kDivides) && v[1] == 0) return fail(span, "division by zero");
  const double result = row.scalar(v[0], v[1], v[2]);
  if (signature == Signature::compare || signature == Signature::logical || signature == Signature::test)
    return result != 0;
  bool is_integer = row.has(kRounds) || (integers && row.has(kIntegers));
  is_integer = is_integer && std::fabs(result) <= kExactIntegers && std::floor(result) == result;
  return NumberValue{result, is_integer};
}

// Lists fold element by element; a number stands beside every element, and so does a list of one.
Value Elaborator::fold(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol) {
  std::size_t length = 0;
  bool lists = false;
  for (const Value& operand : operands) {
    if (const auto* list = operand.list()) {
      lists = true;
      length = std::max(length, list->size());
    }
  }
  if (!lists) return fold_numbers(op, operands, span, symbol);
  for (const Value& operand : operands) {
    const auto* list = operand.list();
    if (list != nullptr && list->size() != length && list->size() != 1) {
      return fail(span, fmt::format("lists of different lengths: {} and {}", list->size(), length));
    }
  }
  std::vector<Value> elements;
  for (std::size_t i = 0; i < length; ++i) {
    if (!spend(1, span)) return ErrorValue{};
    std::vector<Value> parts;
    for (const Value& operand : operands) {
      const auto* list = operand.list();
      parts.push_back(list == nullptr ? operand : (*list)[list->size() == 1 ? 0 : i]);
    }
    elements.push_back(fold(op, parts, span, symbol));
    if (elements.back().is_error()) return ErrorValue{};
  }
  return make_list(std::move(elements));
}

// The type that the operands take (for `where` all but the condition), and whether the result is weak.
std::optional<DType> Elaborator::operand_type(Op op, const std::vector<Value>& operands, Span span,
                                              std::string_view symbol, bool& weak) {
  const Signature signature = info(op).signature;
  std::optional<DType> strong;
  bool fraction = false, truth_only = true, literals = false, weak_met = false;
  for (std::size_t i = signature == Signature::select ? 1 : 0; i < operands.size(); ++i) {
    const auto* tensor = operands[i].get<TensorValue>();
    if (tensor == nullptr) {
      literals = true;
      inspect_literal(operands[i], fraction, truth_only);
    } else if (tensor->weak && type_of(*tensor).dtype != DType::boolean) {
      weak_met = true;
    } else {
      const DType dtype = type_of(*tensor).dtype;
      strong = strong ? promote(*strong, dtype) : dtype;
    }
  }
  weak = !strong && weak_met;
  DType type = strong ? *strong : weak_met ? DType::f64 : context_->float_type;
  if (!strong && !weak_met && literals && truth_only) type = DType::boolean;
  if (strong && !is_floating(type)) {
    // Literals and scalars of the optimizer turn whole numbers into real ones where they have to.
    if (weak_met || fraction) type = context_->float_type;
    if (type == DType::boolean && literals && !truth_only) type = context_->float_type;
  }
  if (signature == Signature::logical) {
    if (type == DType::boolean) return type;
    fail(span, fmt::format("'{}' needs truth values, and these are numbers: compare first, as in x != 0", symbol));
    return std::nullopt;
  }
  const bool needs_real = signature == Signature::floating || signature == Signature::test;
  if ((needs_real && !is_floating(type)) || (signature == Signature::numeric && type == DType::boolean)) {
    type = context_->float_type;
  }
  return type;
}

Value Elaborator::elementwise(Op op, std::vector<Value> operands, Span span, std::string_view symbol) {
  bool has_tensor = false;
  bool known = true;
  for (const Value& operand : operands) {
    if (operand.is_error()) return ErrorValue{};
    if (const auto* tensor = operand.get<TensorValue>()) {
      has_tensor = true;
      if (tensor->graph != context_->number) return fail(span, "a value of the model cannot be used here");
      known = known && tensor->known;
    } else if (is_numeric(operand)) {
      known = known && !operand.is<ListValue>();
      if (!check_total(operand, span)) return ErrorValue{};
    } else {
      const bool of_tensors = operand.is<ListValue>() && !operand.get<ListValue>()->several;
      return fail(span, fmt::format("'{}' takes numbers and tensors, not {}", symbol, kind_of(operand)), "",
                  of_tensors ? "stack(list) and concat(…) make a tensor of a list of tensors" : "");
    }
  }
  if (!has_tensor) return fold(op, operands, span, symbol);

  bool weak = false;
  const std::optional<DType> type = operand_type(op, operands, span, symbol, weak);
  if (!type) return ErrorValue{};
  const Signature signature = info(op).signature;
  const bool selects = signature == Signature::select;
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const std::optional<DType> wanted = selects && i == 0             ? std::optional<DType>()
                                        : signature == Signature::any ? std::nullopt
                                                                      : type;
    const std::optional<NodeId> node = to_node(operands[i], wanted, span);
    if (!node) return ErrorValue{};
    nodes.push_back(*node);
  }
  if (selects && builder().type(nodes[0]).dtype != DType::boolean) {
    return fail(span, "the condition of where must be a truth value, as x > 0 is; this is a number");
  }
  Shape shape = builder().shape(nodes[0]);
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const Result<Shape> common = Builder::broadcast_shapes(shape, builder().shape(nodes[i]));
    if (!common) {
      return fail(span, "shapes do not agree: " + operand_shapes(*this, nodes, symbol), "expression",
                  disagreement(shape, builder().shape(nodes[i])));
    }
    shape = *common;
  }
  if (!check_shape(shape, span)) return ErrorValue{};
  locate(span);
  for (NodeId& node : nodes) node = builder().broadcast_to(node, shape);
  // x > y is y < x: the operands were swapped for the operation, and a condition on tensors reads the same.
  const std::optional<NodeId> node = make(op, nodes, {}, nullptr, span);
  if (!node) return ErrorValue{};
  TensorValue result{*node, context_->number, weak, {}};
  if (selects && !operands[0].get<TensorValue>()) known = false;
  if (known && shape.empty()) {
    double v[3] = {};
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const auto* tensor = operands[i].get<TensorValue>();
      v[i] = tensor != nullptr ? *tensor->known : scalar(operands[i]);
    }
    result.known = info(op).scalar(v[0], v[1], v[2]);
  }
  const bool gives_truth = builder().type(*node).dtype == DType::boolean;
  result.weak = weak || (gives_truth && result.known.has_value());
  return result;
}

Value Elaborator::matrix_product(const Value& left, const Value& right, Span span) {
  std::optional<NodeId> a = to_floating(left, span);
  std::optional<NodeId> b = to_floating(right, span);
  if (!a || !b) return ErrorValue{};
  const Shape left_shape = builder().shape(*a), right_shape = builder().shape(*b);
  const std::string shapes = fmt::format("{} @ {}", to_string(left_shape), to_string(right_shape));
  if (left_shape.empty() || right_shape.empty()) {
    return fail(span, "a product needs axes to sum over: " + shapes, "product",
                "a scalar has none; `*` multiplies by a number");
  }
  if (right_shape.size() > 2) {
    return fail(span, "the right side of @ has rank 1 or 2: " + shapes, "product", "einsum takes any ranks");
  }
  if (left_shape.back() != right_shape.front()) {
    return fail(span, "shapes do not agree: " + shapes, "product",
                fmt::format("the last axis of the left has {}, the first of the right {}", left_shape.back(),
                            right_shape.front()));
  }
  const DType type = promote(builder().type(*a).dtype, builder().type(*b).dtype);
  locate(span);
  // Axes of the left are a, b, …; the summed one is its last.
  std::string left_letters;
  for (std::size_t i = 0; i < left_shape.size(); ++i) left_letters += static_cast<char>('a' + i);
  std::string right_letters(1, left_letters.back());
  std::string result = left_letters.substr(0, left_letters.size() - 1);
  if (right_shape.size() == 2) {
    right_letters += 'z';
    result += 'z';
  }
  const std::optional<NodeId> node =
      make(Op::contract, {convert(*a, type), convert(*b, type)},
           {{Key::map, left_letters + "," + right_letters + "->" + result}}, nullptr, span, "product");
  return node ? tensor(*node) : Value(ErrorValue{});
}

}  // namespace tarn::elaboration
