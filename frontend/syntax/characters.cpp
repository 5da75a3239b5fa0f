// See characters.h.
#include "frontend/syntax/characters.h"

#include <fmt/format.h>

namespace tarn {

// Not well-formed are too long a form, a surrogate, and what is beyond U+10FFFF: the table of the Unicode
// standard, 3.9.
std::size_t code_point_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto trailing = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return trailing(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return trailing(1, low, high) && trailing(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return trailing(1, low, high) && trailing(2) && trailing(3) ? 4 : 0;
  }
  return 0;
}

std::string printable(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7F || (first >= 0x80 && character.size() == 1)) return fmt::format("\\x{:02X}", first);
  if (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0) {
    return fmt::format("\\x{:02X}", static_cast<unsigned char>(character[1]));
  }
  return std::string(character);
}

}  // namespace tarn
