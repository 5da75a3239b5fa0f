// Spellings and classes of tokens. See token.h.
#include "frontend/syntax/token.h"

namespace tarn {

std::string_view spelling(TokenKind kind) {
  switch (kind) {
    case TokenKind::name:
      return "a name";
    case TokenKind::number:
      return "a number";
    case TokenKind::string:
    case TokenKind::string_start:
      return "a string";
    case TokenKind::string_middle:
    case TokenKind::string_end:
    case TokenKind::right_brace:
      return "}";
    case TokenKind::keyword_if:
      return "if";
    case TokenKind::keyword_then:
      return "then";
    case TokenKind::keyword_else:
      return "else";
    case TokenKind::keyword_for:
      return "for";
    case TokenKind::keyword_in:
      return "in";
    case TokenKind::keyword_return:
      return "return";
    case TokenKind::keyword_and:
      return "and";
    case TokenKind::keyword_or:
      return "or";
    case TokenKind::keyword_not:
      return "not";
    case TokenKind::keyword_true:
      return "true";
    case TokenKind::keyword_false:
      return "false";
    case TokenKind::keyword_none:
      return "none";
    case TokenKind::left_parenthesis:
      return "(";
    case TokenKind::right_parenthesis:
      return ")";
    case TokenKind::left_bracket:
      return "[";
    case TokenKind::right_bracket:
      return "]";
    case TokenKind::left_brace:
      return "{";
    case TokenKind::comma:
      return ",";
    case TokenKind::colon:
      return ":";
    case TokenKind::dot:
      return ".";
    case TokenKind::assign:
      return "=";
    case TokenKind::arrow:
      return "=>";
    case TokenKind::left_arrow:
      return "<-";
    case TokenKind::pipe:
      return "|>";
    case TokenKind::range:
      return "..";
    case TokenKind::plus:
      return "+";
    case TokenKind::minus:
      return "-";
    case TokenKind::star:
      return "*";
    case TokenKind::slash:
      return "/";
    case TokenKind::double_slash:
      return "//";
    case TokenKind::percent:
      return "%";
    case TokenKind::at:
      return "@";
    case TokenKind::caret:
      return "^";
    case TokenKind::equal:
      return "==";
    case TokenKind::not_equal:
      return "!=";
    case TokenKind::less:
      return "<";
    case TokenKind::less_equal:
      return "<=";
    case TokenKind::greater:
      return ">";
    case TokenKind::greater_equal:
      return ">=";
    case TokenKind::line_end:
      return "the end of the line";
    case TokenKind::semicolon:
      return ";";
    case TokenKind::file_end:
      return "the end of the file";
    case TokenKind::comment:
      return "a comment";
  }
  return "";
}

bool is_binary_operator(TokenKind kind) {
  switch (kind) {
    case TokenKind::keyword_in:
    case TokenKind::keyword_and:
    case TokenKind::keyword_or:
      return true;
    default:
      return kind >= TokenKind::pipe && kind <= TokenKind::greater_equal;
  }
}

bool opens(TokenKind kind) {
  return kind == TokenKind::left_parenthesis || kind == TokenKind::left_bracket || kind == TokenKind::left_brace;
}

bool closes(TokenKind kind) {
  return kind == TokenKind::right_parenthesis || kind == TokenKind::right_bracket || kind == TokenKind::right_brace;
}

TokenKind closing(TokenKind kind) {
  switch (kind) {
    case TokenKind::left_parenthesis:
      return TokenKind::right_parenthesis;
    case TokenKind::left_bracket:
      return TokenKind::right_bracket;
    default:
      return TokenKind::right_brace;
  }
}

}  // namespace tarn
