// Cells of a table as numbers, and where they are missing. See csv.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/files/csv.h"
#include "runtime/files/file.h"
#include "runtime/files/number_text.h"

namespace tarn {

bool is_missing(std::string_view text) {
  // Most cells are numbers, which a digit at the begin says: all but 1.#QNAN and its like.
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  const bool has_digit = first < text.size() && text[first] >= '0' && text[first] <= '9';
  if (has_digit && text.substr(first + 1, 2) != ".#") return false;
  text = without_blanks(text);
  if (text.empty() || text == "NA" || text == "null" || text == "?") return true;
  const bool has_sign = text.front() == '-' || text.front() == '+';
  const std::string_view unsigned_text = text.substr(has_sign ? 1 : 0);
  if (unsigned_text.empty()) return false;
  if (unsigned_text.front() == 'n' || unsigned_text.front() == 'N') {
    const std::optional<double> number = parse_number(text);
    return number && std::isnan(*number);
  }
  // As printf of older Windows writes it.
  constexpr std::array<std::string_view, 3> kOnWindows = {"1.#QNAN", "1.#SNAN", "1.#IND"};
  return unsigned_text.starts_with("1.#") &&
         std::ranges::any_of(kOnWindows, [&](std::string_view mark) { return unsigned_text.starts_with(mark); });
}

std::string csv_field(std::string_view text) {
  const bool is_plain = text.find_first_of(",\"\r\n") == std::string_view::npos &&
                        without_blanks(text).size() == text.size() && !is_missing(text);
  if (is_plain) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

std::vector<TableCell> missing_cells(const Table& table, std::span<const std::size_t> columns) {
  std::vector<TableCell> missing;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (const std::size_t column : columns) {
      if (is_missing(table.cell(row, column))) missing.push_back({row, column});
    }
  }
  return missing;
}

namespace {

// "iris.csv:12: column 'petal_width': " and the problem of the cell, for the first cells; then how many more there are.
class CellErrors {
 public:
  explicit CellErrors(const Table& table) : table_(table) {}
  template <class Describe>
  void add(const TableCell& cell, Describe describe) {
    if (count_++ >= kErrorsShown) return;
    diagnostics_.push_back(error_in_file(table_.name(), table_.line(cell.row),
                                         fmt::format("{}: {}", table_.column_label(cell.column), describe())));
  }
  Diagnostics finish() {
    if (count_ > kErrorsShown) {
      diagnostics_.push_back(error_in_file(table_.name(), fmt::format("and {} more", count_ - kErrorsShown)));
    }
    return std::move(diagnostics_);
  }
  bool empty() const { return count_ == 0; }

 private:
  const Table& table_;
  std::size_t count_ = 0;
  Diagnostics diagnostics_;
};

// The number that 1 to 8 digits are, nothing for other text. Without a branch on each digit, because the lengths of the
// numbers in a table follow no pattern that a processor could predict. Reads eight bytes.
std::optional<std::uint32_t> short_integer(std::string_view text) {
  if (text.empty() || text.size() > 8) return std::nullopt;
  std::uint64_t digits = 0;
  std::memcpy(&digits, text.data(), sizeof(digits));
  // Right-aligned (the last digit in the highest byte), with '0' in front.
  const std::size_t unused_bits = 8 * (8 - text.size());
  digits <<= unused_bits;
  if (unused_bits != 0) digits |= 0x3030303030303030u >> (64 - unused_bits);
  // Only the bytes 0x30 to 0x39 keep a high half of 3 when 6 is added to them.
  const std::uint64_t high_halves =
      (digits & 0xF0F0F0F0F0F0F0F0u) | ((digits + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4;
  if (high_halves != 0x3333333333333333u) return std::nullopt;
  digits &= 0x0F0F0F0F0F0F0F0Fu;
  digits = (digits * 10 + (digits >> 8)) & 0x00FF00FF00FF00FFu;        // pairs: d0·10 + d1
  digits = (digits * 100 + (digits >> 16)) & 0x0000FFFF0000FFFFu;      // fours
  return static_cast<std::uint32_t>(digits * 10000 + (digits >> 32));  // eight
}

bool begins_with_letter(std::string_view text) {
  text = without_blanks(text);
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
}

template <class T>
Diagnostics fill_numbers(const Table& table, std::span<const std::size_t> columns, Numbers& result) {
  CellErrors errors(table);
  bool has_words = false;
  T* value = result.values.values<T>().data();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (const std::size_t column : columns) {
      const std::string_view text = table.cell(row, column);
      if (const std::optional<std::uint32_t> integer = short_integer(text)) {
        *value++ = static_cast<T>(*integer);
        continue;
      }
      const std::optional<double> number = parse_number(text);
      if (!number && !is_missing(text)) {
        has_words = has_words || (row > 0 && begins_with_letter(text));  // the first may be a header
        errors.add({row, column}, [&] { return fmt::format("'{}' is not a number", excerpt(text)); });
      }
      if (!number || std::isnan(*number)) result.missing.push_back({row, column});
      *value++ = static_cast<T>(number.value_or(std::numeric_limits<double>::quiet_NaN()));
    }
  }
  Diagnostics found = errors.finish();
  if (has_words) {
    found.front().notes.push_back(
        {{}, "words are labels: ordinal(column(...)) reads them as class numbers, one_hot(column(...)) as 0 and 1"});
  }
  return found;
}

}  // namespace

Result<Numbers> numbers(const Table& table, std::span<const std::size_t> columns, ArrayType type) {
  TARN_CHECK(type == ArrayType::f32 || type == ArrayType::f64, "numbers of a table are floats");
  Numbers result;
  result.values =
      Array::unset(type, {static_cast<std::int64_t>(table.rows()), static_cast<std::int64_t>(columns.size())});
  Diagnostics errors = type == ArrayType::f32 ? fill_numbers<float>(table, columns, result)
                                              : fill_numbers<double>(table, columns, result);
  if (!errors.empty()) return errors;
  return result;
}

Diagnostics missing_errors(const Table& table, std::span<const TableCell> cells) {
  CellErrors errors(table);
  for (const TableCell& cell : cells) {
    errors.add(cell, [] { return "the value is missing"; });
  }
  return errors.finish();
}

}  // namespace tarn
