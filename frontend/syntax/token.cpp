// Spellings and kinds of tokens. See token.h.
#include "frontend/syntax/token.h"

namespace tarn {

namespace {

enum class TokenGroup : std::uint8_t { keyword, sign, other };
struct TokenRow {
  TokenKind kind;
  TokenGroup group;
  std::string_view spelling;
};
constexpr TokenRow kTokens[] = {
#define TOKEN(kind, group, spelling) {TokenKind::kind, TokenGroup::group, spelling},
#include "frontend/syntax/tokens.def"
};

}  // namespace

std::string_view spelling(TokenKind kind) { return kTokens[static_cast<std::size_t>(kind)].spelling; }

std::optional<TokenKind> keyword_named(std::string_view word) {
  for (const TokenRow& row : kTokens) {
    if (row.group == TokenGroup::keyword && row.spelling == word) return row.kind;
  }
  return std::nullopt;
}

std::optional<TokenKind> sign_at(std::string_view text) {
  const TokenRow* longest = nullptr;
  for (const TokenRow& row : kTokens) {
    if (row.group != TokenGroup::sign || !text.starts_with(row.spelling)) continue;
    if (longest == nullptr || row.spelling.size() > longest->spelling.size()) longest = &row;
  }
  return longest == nullptr ? std::nullopt : std::optional(longest->kind);
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
