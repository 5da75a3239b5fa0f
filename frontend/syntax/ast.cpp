// Spellings of the syntax tree. See ast.h.
#include "frontend/syntax/ast.h"

namespace tarn::ast {

std::string Path::text() const {
  std::string joined;
  for (const Identifier& part : parts) {
    if (!joined.empty()) joined += '.';
    joined += part.name;
  }
  return joined;
}

std::optional<std::string> String::literal() const {
  std::string text;
  for (const Part& part : parts) {
    if (part.expression != nullptr) return std::nullopt;
    text += part.text;
  }
  return text;
}

std::string_view spelling(UnaryOperator op) { return op == UnaryOperator::negate ? "-" : "not"; }

std::string_view spelling(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::add:
      return "+";
    case BinaryOperator::subtract:
      return "-";
    case BinaryOperator::multiply:
      return "*";
    case BinaryOperator::divide:
      return "/";
    case BinaryOperator::floor_divide:
      return "//";
    case BinaryOperator::remainder:
      return "%";
    case BinaryOperator::product:
      return "@";
    case BinaryOperator::power:
      return "^";
    case BinaryOperator::equal:
      return "==";
    case BinaryOperator::not_equal:
      return "!=";
    case BinaryOperator::less:
      return "<";
    case BinaryOperator::less_equal:
      return "<=";
    case BinaryOperator::greater:
      return ">";
    case BinaryOperator::greater_equal:
      return ">=";
    case BinaryOperator::in:
      return "in";
    case BinaryOperator::range:
      return "..";
    case BinaryOperator::logical_and:
      return "and";
    case BinaryOperator::logical_or:
      return "or";
  }
  return "";
}

std::string_view spelling(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::function:
      return "fn";
    case FunctionKind::layer:
      return "layer";
    case FunctionKind::optimizer:
      return "optimizer";
    case FunctionKind::metric:
      return "metric";
  }
  return "";
}

std::string_view spelling(VariableKind kind) {
  switch (kind) {
    case VariableKind::input:
      return "input";
    case VariableKind::target:
      return "target";
    case VariableKind::parameter:
      return "param";
    case VariableKind::state:
      return "state";
    case VariableKind::slot:
      return "slot";
  }
  return "";
}

std::string_view spelling(TermKind kind) {
  switch (kind) {
    case TermKind::loss:
      return "loss";
    case TermKind::metric:
      return "metric";
    case TermKind::optimizer:
      return "optimizer";
  }
  return "";
}

}  // namespace tarn::ast
