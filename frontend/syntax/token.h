// The tokens of Tarn: what the lexer makes, and the parser and the formatter read.
#pragma once

#include <cstdint>
#include <string_view>

#include "ir/diagnostics.h"

namespace tarn {

enum class TokenKind : std::uint8_t {
  name,
  number,
  // A string without interpolation is one `string`. "a {x} b {y} c" is string_start `"a {`, the tokens of x,
  // string_middle
  // `} b {`, the tokens of y, string_end `} c"`.
  string,
  string_start,
  string_middle,
  string_end,
  // Reserved words. All others (`model`, `param`, `repeat`, …) are names that mean more where a statement may start.
  keyword_if,
  keyword_then,
  keyword_else,
  keyword_for,
  keyword_in,
  keyword_return,
  keyword_and,
  keyword_or,
  keyword_not,
  keyword_true,
  keyword_false,
  keyword_none,
  // Punctuation and operators.
  left_parenthesis,
  right_parenthesis,
  left_bracket,
  right_bracket,
  left_brace,
  right_brace,
  comma,
  colon,
  dot,
  assign,      // =
  arrow,       // =>
  left_arrow,  // <-
  pipe,        // |>
  range,       // ..
  plus,
  minus,
  star,
  slash,
  double_slash,
  percent,
  at,
  caret,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  // Ends of statements: a line end that counts, and `;`.
  line_end,
  semicolon,
  file_end,
  // Never among the tokens of the parser; see Lexed::comments.
  comment,
};

struct Token {
  TokenKind kind = TokenKind::file_end;
  std::uint32_t line = 0;    // from 1
  std::uint32_t column = 0;  // from 1, in code points
  std::uint32_t length = 0;  // in code points
  std::uint32_t offset = 0;  // in bytes
  std::uint32_t size = 0;    // in bytes

  Span span(FileId file) const { return {file, line, column, length}; }
  std::string_view text(std::string_view source) const { return source.substr(offset, size); }
};

// The spelling of a kind that has only one ("=>", "then"), else what it is called ("a name", "the end of the line").
std::string_view spelling(TokenKind kind);

// Whether the kind stands between two operands: + and |>, `in`.
bool is_binary_operator(TokenKind kind);

bool opens(TokenKind kind);   // ( [ {
bool closes(TokenKind kind);  // ) ] }
// The closing kind of an opening one.
TokenKind closing(TokenKind kind);

}  // namespace tarn
