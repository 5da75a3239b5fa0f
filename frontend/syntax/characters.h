// Characters of source text, which is UTF-8: what they are, and how messages show them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tarn {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_word(char c) { return is_letter(c) || is_digit(c); }

// The bytes of the code point at the start of `text`; 0 where it is not well-formed UTF-8.
std::size_t code_point_size(std::string_view text);

// A character for a message: control characters, which could upset a terminal, by their number.
std::string printable(std::string_view character);

}  // namespace tarn
