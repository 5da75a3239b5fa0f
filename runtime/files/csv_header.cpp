// See csv_header.h.
#include "runtime/files/csv_header.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/files/number_text.h"

namespace tarn {

namespace {

// So many rows below the first tell what its columns hold.
constexpr std::size_t kRowsSeen = 100;

std::optional<double> number_in(const Table& table, std::size_t row, std::size_t column) {
  const std::optional<double> number = parse_number(table.cell(row, column));
  return number && std::isfinite(*number) ? number : std::nullopt;
}

bool is_year(double number) { return number == std::floor(number) && number >= 1800 && number < 2200; }

// What stands in a column below the first row.
struct Below {
  std::size_t numbers = 0, years = 0, texts = 0;
};

Below below_first(const Table& table, std::size_t column) {
  Below below;
  for (std::size_t row = 1; row < std::min(table.rows(), kRowsSeen); ++row) {
    if (const std::optional<double> number = number_in(table, row, column)) {
      ++below.numbers;
      if (is_year(*number)) ++below.years;
    } else if (!is_missing(table.cell(row, column))) {
      ++below.texts;
    }
  }
  return below;
}

class FirstRow {
 public:
  explicit FirstRow(const Table& table) : table_(table) {
    for (std::size_t column = 0; column < table.columns(); ++column) {
      const std::optional<double> number = number_in(table, 0, column);
      first_.push_back(number);
      if (number) numbers_.push_back(*number);
      has_names_ |= !parse_number(table.cell(0, column)) && !is_missing(table.cell(0, column));
    }
  }

  bool has_numbers() const { return !numbers_.empty(); }
  // Something that is neither a number nor the sign that one is missing.
  bool has_names() const { return has_names_; }
  bool has_texts() const { return numbers_.size() < first_.size(); }

  bool is_above_text_alone() const {
    for (std::size_t column = 0; column < first_.size(); ++column) {
      if (below_first(table_, column).numbers > 0) return false;
    }
    return table_.rows() > 1;
  }
  // A cell that is no number above numbers.
  bool has_text_above_numbers() const {
    for (std::size_t column = 0; column < first_.size(); ++column) {
      if (first_[column]) continue;
      const Below below = below_first(table_, column);
      if (below.numbers > 0 && below.texts == 0) return true;
    }
    return false;
  }
  // 2019, 2020, 2021 above what are no years.
  bool has_years() const {
    if (!is_series() || !std::ranges::all_of(numbers_, is_year)) return false;
    for (std::size_t column = 0; column < first_.size(); ++column) {
      const Below below = below_first(table_, column);
      if (first_[column] && (below.numbers == 0 || 2 * below.years >= below.numbers)) return false;
    }
    return true;
  }
  // 0, 1, 2 beside text that occurs nowhere below: the numbers of columns.
  bool has_column_numbers() const {
    if (!is_series() || numbers_.size() < 2 || numbers_[1] - numbers_[0] != 1 || numbers_[0] < 0 || numbers_[0] > 1)
      return false;
    for (std::size_t column = 0; column < first_.size(); ++column) {
      for (std::size_t row = 1; !first_[column] && row < std::min(table_.rows(), kRowsSeen); ++row) {
        if (table_.cell(row, column) == table_.cell(0, column)) return false;
      }
    }
    return true;
  }

 private:
  // Two numbers at least, each as far from the one before it as all others.
  bool is_series() const {
    for (std::size_t i = 1; i < numbers_.size(); ++i) {
      if (numbers_[i] - numbers_[i - 1] != numbers_[1] - numbers_[0] || numbers_[i] == numbers_[i - 1]) return false;
    }
    return numbers_.size() > 1;
  }

  const Table& table_;
  std::vector<std::optional<double>> first_;
  std::vector<double> numbers_;
  bool has_names_ = false;
};

}  // namespace

HeaderDecision decide_header(const Table& table, const std::vector<std::string>& names) {
  for (std::size_t column = 0; column < table.columns(); ++column) {
    if (std::ranges::find(names, without_blanks(table.cell(0, column))) != names.end()) return {true, ""};
  }
  const FirstRow first(table);
  if (!first.has_numbers()) {
    if (!first.has_names()) return {false, ""};
    return {true, first.is_above_text_alone() ? "row 1 is taken as a header, though all rows below are text, too: "
                                                "`header false` says that it is data"
                                              : ""};
  }
  if (first.has_years() && first.has_texts())
    return {true, "row 1 is taken as a header, for its numbers look like years: `header false` says that it is data"};
  const bool is_doubtful =
      first.has_years() || (first.has_texts() && (first.has_text_above_numbers() || first.has_column_numbers()));
  return {false, is_doubtful ? "row 1 is read as data: `header true` says that it is a header" : ""};
}

}  // namespace tarn
