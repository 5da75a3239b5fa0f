// Fast conversion of the numbers that fill data files: short decimals. See number_text.h.
#include "runtime/files/number_text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace tarn {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Powers of ten that double holds exactly.
constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kMostExactDigits = 15;

// Up to 15 digits, with or without a point: digits and power of ten are exact doubles, so their quotient, one IEEE
// operation, is correctly rounded (W. D. Clinger, How to read floating point numbers accurately, PLDI 1990).
std::optional<double> short_decimal(std::string_view text, bool negative) {
  if (text.size() > kMostExactDigits + 1) return std::nullopt;
  std::uint64_t digits = 0;
  std::size_t digit_count = 0;
  std::size_t point = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = static_cast<unsigned>(text[i]) - unsigned{'0'};
    if (digit < 10) {
      digits = 10 * digits + digit;
      ++digit_count;
    } else if (text[i] == '.' && point == text.size()) {
      point = i;
    } else {
      return std::nullopt;
    }
  }
  if (digit_count == 0 || digit_count > kMostExactDigits) return std::nullopt;
  const std::size_t decimals = point == text.size() ? 0 : text.size() - point - 1;
  const double value = static_cast<double>(digits) / kPowersOfTen[decimals];
  return negative ? -value : value;
}

}  // namespace

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> parse_number(std::string_view text) {
  text = without_blanks(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (const std::optional<double> value = short_decimal(text, negative)) return value;
  // from_chars would take a second sign.
  if (text.empty() || text[0] == '-' || text[0] == '+') return std::nullopt;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  double value = 0;
  auto [stop, code] = std::from_chars(begin, end, value);
  if (code == std::errc::result_out_of_range) {
    // Whether it is too large or too small, a wider type tells, as far as its own range goes.
    long double wide = 0;
    const auto wide_result = std::from_chars(begin, end, wide);
    stop = wide_result.ptr;
    code = wide_result.ec;
    value = static_cast<double>(wide);
  }
  if (code != std::errc() || stop != end) return std::nullopt;
  return negative ? -value : value;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::size_t length = text.size();
  if (length > kLongest) {
    length = kLongest;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  }
  std::string result(text.substr(0, length));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return length < text.size() ? result + "…" : result;
}

}  // namespace tarn
