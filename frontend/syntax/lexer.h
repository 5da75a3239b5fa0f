// From text to tokens.
//
// Contract: tokens stand in the order of the source and end with exactly one file_end. A line end is a token only where
// it ends a statement: not inside ( and [, not behind or in front of a binary operator, not behind `,` `=` `=>` `<-`
// `then` `else` `not`, not in front of `then` and `else`, never twice in a row, and neither in front of the first
// token nor behind the last. A
// `{` inside brackets makes line ends count again. What cannot be read (a bad byte, a string without end, a number out
// of range) becomes a diagnostic, and lexing goes on with the nearest token that makes sense, so that the parser does
// not stumble over it again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/syntax/token.h"
#include "ir/diagnostics.h"

namespace tarn {

inline constexpr std::size_t kMaxSourceBytes = std::size_t{16} << 20;
// Bounds the memory of tokens and tree, which take far more than the text that they are made from.
inline constexpr std::size_t kMaxTokens = 1'000'000;

struct Lexed {
  std::vector<Token> tokens;
  std::vector<Token> comments;  // each from its # to the last character on the line that is not white space
  Diagnostics diagnostics;      // in the order of the source, not more than a hundred
};

// A piece of a file, which begins a line.
struct SourcePart {
  std::size_t begin = 0, end = std::string_view::npos;  // bytes
  std::uint32_t line = 1;
};
Lexed lex(FileId file, const Sources& sources, const SourcePart& part = {});

// The text that a part of a string stands for: `part` is the source of a string token, with its delimiters; escapes,
// `{{` and `}}` are resolved.
std::string decode_string_part(std::string_view part);

}  // namespace tarn
