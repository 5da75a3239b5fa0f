// See operators.h.
#include "frontend/elaborate/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

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

std::string operand_shapes(const Graph& graph, const std::vector<NodeId>& nodes, std::string_view symbol) {
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

}  // namespace

Value Operators::equality(const Value& left, const Value& right, bool negated, Span span) {
  const auto* a = left.list();
  const auto* b = right.list();
  if (a != nullptr && b != nullptr) {
    if (a->size() != b->size()) return negated;
    for (std::size_t i = 0; i < a->size(); ++i) {
      if (!reports_.spend(1, span)) return ErrorValue{};
      const Value same = equality((*a)[i], (*b)[i], false, span);
      if (same.is_error()) return ErrorValue{};
      const bool* truth = same.get<bool>();
      if (truth == nullptr) return reports_.fail(span, "lists of tensors cannot be compared");
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

Value Operators::fold_numbers(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol) {
  const OpInfo& row = info(op);
  const Signature signature = row.signature;
  if (signature == Signature::logical || signature == Signature::select) {
    const std::size_t conditions = signature == Signature::select ? 1 : operands.size();
    for (std::size_t i = 0; i < conditions; ++i) {
      if (!operands[i].is<bool>())
        return reports_.fail(span, fmt::format("'{}' needs a truth value, not {}", symbol, kind_of(operands[i])));
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
  if (row.has(kDivides) && v[1] == 0) return reports_.fail(span, "division by zero");
  const double result = row.scalar(v[0], v[1], v[2]);
  if (signature == Signature::compare || signature == Signature::logical || signature == Signature::test)
    return result != 0;
  bool is_integer = row.has(kRounds) || (integers && row.has(kIntegers));
  is_integer = is_integer && std::fabs(result) <= kExactIntegers && std::floor(result) == result;
  return NumberValue{result, is_integer};
}

// Lists fold element by element; a number stands beside every element, and so does a list of one.
Value Operators::fold(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol) {
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
      return reports_.fail(span, fmt::format("lists of different lengths: {} and {}", list->size(), length));
    }
  }
  std::vector<Value> elements;
  for (std::size_t i = 0; i < length; ++i) {
    if (!reports_.spend(1, span)) return ErrorValue{};
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
std::optional<DType> Operators::operand_type(Op op, const std::vector<Value>& operands, Span span,
                                             std::string_view symbol, bool& weak) {
  const Signature signature = info(op).signature;
  std::optional<DType> strong;
  bool fraction = false, truth_only = true, literals = false, weak_met = false;
  bool any_weak = false, any_strong = false;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const auto* tensor = operands[i].get<TensorValue>();
    any_weak = any_weak || (tensor != nullptr && tensor->weak);
    if (i == 0 && signature == Signature::select) continue;
    any_strong = any_strong || (tensor != nullptr && !tensor->weak);
    if (tensor == nullptr) {
      literals = true;
      inspect_literal(operands[i], fraction, truth_only);
    } else if (tensor->weak && graphs_.type_of(*tensor).dtype != DType::boolean) {
      weak_met = true;
    } else {
      const DType dtype = graphs_.type_of(*tensor).dtype;
      strong = strong ? promote(*strong, dtype) : dtype;
    }
  }
  // Truth values of weak scalars are weak, too, and so is what literals become by them: where(step > 9, 0.1, 1).
  weak = any_weak && !any_strong;
  const DType real = weak ? DType::f64 : graphs_.current().float_type;
  DType type = strong ? *strong : weak_met ? DType::f64 : real;
  if (!strong && !weak_met && literals && truth_only) type = DType::boolean;
  if (strong && !is_floating(type)) {
    // Literals and scalars of the optimizer turn whole numbers into real ones where they have to.
    if (weak_met || fraction) type = real;
    if (type == DType::boolean && literals && !truth_only) type = real;
  }
  if (signature == Signature::logical) {
    if (type == DType::boolean) return type;
    reports_.fail(span,
                  fmt::format("'{}' needs truth values, and these are numbers: compare first, as in x != 0", symbol));
    return std::nullopt;
  }
  const bool needs_real = signature == Signature::floating || signature == Signature::test;
  if ((needs_real && !is_floating(type)) || (signature == Signature::numeric && type == DType::boolean)) {
    type = real;
  }
  return type;
}

std::optional<Operators::Operands> Operators::check_operands(const std::vector<Value>& operands, Span span,
                                                             std::string_view symbol) {
  Operands together;
  for (const Value& operand : operands) {
    if (operand.is_error()) return std::nullopt;
    if (const auto* tensor = operand.get<TensorValue>()) {
      together.has_tensor = true;
      if (!graphs_.owns(*tensor)) {
        reports_.fail(span, "a value of the model cannot be used here");
        return std::nullopt;
      }
      together.known = together.known && tensor->known;
    } else if (is_numeric(operand)) {
      together.known = together.known && !operand.is<ListValue>();
      if (!readings_.check_total(operand, span)) return std::nullopt;
    } else {
      const bool of_tensors = operand.is<ListValue>() && !operand.get<ListValue>()->several;
      reports_.fail(span, fmt::format("'{}' takes numbers and tensors, not {}", symbol, kind_of(operand)), "",
                    of_tensors ? "stack(list) and concat(…) make a tensor of a list of tensors" : "");
      return std::nullopt;
    }
  }
  return together;
}

std::optional<std::vector<NodeId>> Operators::operand_nodes(Op op, const std::vector<Value>& operands, DType type,
                                                            Span span) {
  const Signature signature = info(op).signature;
  const bool selects = signature == Signature::select;
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const bool as_it_is = (selects && i == 0) || signature == Signature::any;
    const std::optional<NodeId> node = nodes_.to_node(operands[i], as_it_is ? std::nullopt : std::optional(type), span);
    if (!node) return std::nullopt;
    nodes.push_back(*node);
  }
  if (selects && graphs_.builder().type(nodes[0]).dtype != DType::boolean) {
    reports_.fail(span, "the condition of where must be a truth value, as x > 0 is; this is a number");
    return std::nullopt;
  }
  return nodes;
}

std::optional<Shape> Operators::common_shape(const std::vector<NodeId>& nodes, Span span, std::string_view symbol) {
  const Builder& builder = graphs_.builder();
  Shape shape = builder.shape(nodes[0]);
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const Result<Shape> common = Builder::broadcast_shapes(shape, builder.shape(nodes[i]));
    if (!common) {
      reports_.fail(span, "shapes do not agree: " + operand_shapes(graphs_.current().graph, nodes, symbol),
                    "expression", disagreement(shape, builder.shape(nodes[i])));
      return std::nullopt;
    }
    shape = *common;
  }
  if (!readings_.check_shape(shape, span)) return std::nullopt;
  return shape;
}

Value Operators::elementwise(Op op, std::vector<Value> operands, Span span, std::string_view symbol) {
  const std::optional<Operands> together = check_operands(operands, span, symbol);
  if (!together) return ErrorValue{};
  if (!together->has_tensor) return fold(op, operands, span, symbol);
  bool weak = false;
  const std::optional<DType> type = operand_type(op, operands, span, symbol, weak);
  if (!type) return ErrorValue{};
  std::optional<std::vector<NodeId>> nodes = operand_nodes(op, operands, *type, span);
  const std::optional<Shape> shape = nodes ? common_shape(*nodes, span, symbol) : std::nullopt;
  if (!shape) return ErrorValue{};
  nodes_.locate(span);
  for (NodeId& node : *nodes) node = graphs_.builder().broadcast_to(node, *shape);
  // x > y is y < x: the operands were swapped for the operation, and a condition on tensors reads the same.
  const std::optional<NodeId> node = nodes_.make(op, std::move(*nodes), {}, nullptr, span);
  if (!node) return ErrorValue{};
  TensorValue result{*node, graphs_.current().number, weak, {}};
  const bool selects_by_literal = info(op).signature == Signature::select && !operands[0].get<TensorValue>();
  if (together->known && !selects_by_literal && shape->empty()) {
    double v[3] = {};
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const auto* tensor = operands[i].get<TensorValue>();
      v[i] = tensor != nullptr ? *tensor->known : scalar(operands[i]);
    }
    result.known = info(op).scalar(v[0], v[1], v[2]);
  }
  const bool gives_truth = graphs_.builder().type(*node).dtype == DType::boolean;
  result.weak = weak || (gives_truth && result.known.has_value());
  return result;
}

Value Operators::matrix_product(const Value& left, const Value& right, Span span) {
  std::optional<NodeId> a = nodes_.to_floating(left, span);
  std::optional<NodeId> b = nodes_.to_floating(right, span);
  if (!a || !b) return ErrorValue{};
  const Shape left_shape = graphs_.builder().shape(*a), right_shape = graphs_.builder().shape(*b);
  const std::string shapes = fmt::format("{} @ {}", to_string(left_shape), to_string(right_shape));
  if (left_shape.empty() || right_shape.empty()) {
    return reports_.fail(span, "a product needs axes to sum over: " + shapes, "product",
                         "a scalar has none; `*` multiplies by a number");
  }
  if (right_shape.size() > 2) {
    return reports_.fail(span, "the right side of @ has rank 1 or 2: " + shapes, "product", "einsum takes any ranks");
  }
  if (left_shape.back() != right_shape.front()) {
    return reports_.fail(span, "shapes do not agree: " + shapes, "product",
                         fmt::format("the last axis of the left has {}, the first of the right {}", left_shape.back(),
                                     right_shape.front()));
  }
  const DType type = promote(graphs_.builder().type(*a).dtype, graphs_.builder().type(*b).dtype);
  nodes_.locate(span);
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
      nodes_.make(Op::contract, {nodes_.convert(*a, type), nodes_.convert(*b, type)},
                  {{Key::map, left_letters + "," + right_letters + "->" + result}}, nullptr, span, "product");
  return node ? graphs_.tensor(*node) : Value(ErrorValue{});
}

}  // namespace tarn::elaboration
