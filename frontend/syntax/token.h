// The tokens of Tarn: what the lexer makes, and the parser and the formatter read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ir/diagnostics.h"

namespace tarn {

enum class TokenKind : std::uint8_t {
#define TOKEN(kind, group, spelling) kind,
#include "frontend/syntax/tokens.def"
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
// The keyword that a word is.
std::optional<TokenKind> keyword_named(std::string_view word);
// The longest sign that the text begins with.
std::optional<TokenKind> sign_at(std::string_view text);

// Whether the kind stands between two operands: + and |>, `in`.
bool is_binary_operator(TokenKind kind);

bool opens(TokenKind kind);   // ( [ {
bool closes(TokenKind kind);  // ) ] }
// The closing kind of an opening one.
TokenKind closing(TokenKind kind);

}  // namespace tarn
