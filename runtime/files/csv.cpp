// The CSV parser works in place: the text of a row only ever moves towards its begin, as quotes go. See csv.h.
#include "runtime/files/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/files/csv_header.h"
#include "runtime/files/file.h"
#include "runtime/files/gzip.h"
#include "runtime/files/number_text.h"
#include "runtime/files/utf8.h"

namespace tarn {

class CsvParser {
 public:
  CsvParser(Bytes text, std::string name, const CsvOptions& options) : options_(options) {
    table_.text_ = std::move(text);
    table_.name_ = std::move(name);
  }

  Result<Table> parse() {
    Bytes& bytes = table_.text_;
    if (auto problem = check_text()) return *std::move(problem);
    // The sentinel ends the last line, and every scan; the zeros behind it let eight bytes of the last cell be read at
    // once.
    const std::size_t size = bytes.size();
    bytes.resize(size + kSentinelRoom);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), std::byte{0});
    bytes[size] = std::byte{'\n'};
    begin_ = reinterpret_cast<char*>(bytes.data());
    end_ = begin_ + size + 1;
    char* start = begin_;
    if (view(start, end_).starts_with("\xEF\xBB\xBF")) start += 3;
    start = after_separator_line(start);
    separator_ = options_.separator.value_or(guess_separator(view(start, end_)));
    for (const char c : {separator_, '\n', '\r'}) ends_field_[static_cast<unsigned char>(c)] = true;
    reserve(start);
    parse_rows(start);
    take_header();
    if (errors_ > kErrorsShown) {
      diagnostics_.push_back(
          error_in_file(table_.name_, fmt::format("and {}", counted(errors_ - kErrorsShown, "more such row"))));
    }
    if (!diagnostics_.empty()) return std::move(diagnostics_);
    return std::move(table_);
  }

 private:
  static std::string_view view(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
  }

  std::optional<Diagnostic> check_text() const {
    const std::string_view text = text_of(table_.text_);
    const auto line_of = [&](std::size_t position) {
      return 1 + static_cast<std::uint64_t>(
                     std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    };
    if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
      return error_in_file(table_.name_, line_of(zero),
                           "holds a zero byte, so it is no UTF-8 text (UTF-16, or not text at all?)");
    }
    if (const auto invalid = first_invalid_utf8(text)) {
      return error_in_file(table_.name_, line_of(*invalid),
                           fmt::format("byte 0x{:02x} is not UTF-8; convert the file, for example with iconv",
                                       static_cast<unsigned char>(text[*invalid])));
    }
    return std::nullopt;
  }

  // Spreadsheets write a first line such as `sep=;`.
  char* after_separator_line(char* start) {
    const std::string_view text = view(start, end_);
    if (text.size() < 6 || !text.starts_with("sep=") || (text[5] != '\n' && text[5] != '\r')) return start;
    if (text[4] != ',' && text[4] != ';' && text[4] != '\t') return start;
    if (!options_.separator) options_.separator = text[4];
    return after_line_end(start + 5);
  }

  // 1,5;2,5 and the like: a semicolon at least, and between them digits with one comma at most.
  static bool are_decimals_between_semicolons(std::string_view text) {
    std::size_t commas = 0, semicolons = 0;
    bool has_digit = false;
    for (const char c : text) {
      if (c == '\n' || c == '\r') break;
      if (c == ';') {
        ++semicolons;
        commas = 0;
      } else if (c == ',') {
        if (!has_digit || ++commas > 1) return false;
      } else if ((c < '0' || c > '9') && c != '-' && c != '+' && c != ' ') {
        return false;
      }
      has_digit = c >= '0' && c <= '9';
    }
    return semicolons > 0;
  }

  static char guess_separator(std::string_view text) {
    std::array<std::size_t, 256> count{};
    bool quoted = false;
    for (const char c : text) {
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      if (c == '\n' || c == '\r') break;
      ++count[static_cast<unsigned char>(c)];
    }
    if (are_decimals_between_semicolons(text)) return ';';
    // Equal counts of ',' and ';' are decimal commas between semicolons.
    char best = ',';
    for (const char candidate : {'\t', ';'}) {
      const std::size_t candidates = count[static_cast<unsigned char>(candidate)];
      if (candidates > 0 && candidates >= count[static_cast<unsigned char>(best)]) best = candidate;
    }
    return best;
  }

  // Room for as many cells as the first line and the number of lines let expect; never more than there are bytes.
  void reserve(const char* start) {
    if (start == end_) return;
    const auto* const first_end =
        static_cast<const char*>(std::memchr(start, '\n', static_cast<std::size_t>(end_ - start)));
    const auto columns = static_cast<std::size_t>(std::count(start, first_end, separator_)) + 1;
    const auto lines = static_cast<std::size_t>(std::count(start, static_cast<const char*>(end_), '\n'));
    const auto bytes = static_cast<std::size_t>(end_ - start);
    table_.rows_.reserve(lines);
    table_.cell_ends_.reserve(columns > bytes / lines ? bytes : columns * lines);
  }

  void parse_rows(char* next) {
    std::uint32_t empty = 0;
    while (next != end_ && !stopped_) {
      if (*next == '\n' || *next == '\r') {
        next = after_line_end(next);
        ++empty;
        continue;
      }
      // Where rows have one field, an empty line is one without a value. Those at the end are none.
      if (!table_.rows_.empty() && table_.column_count_ == 1) add_empty_rows(next, empty);
      empty = 0;
      next = parse_row(next);
    }
  }

  // Rows of the empty lines before `next`.
  void add_empty_rows(const char* next, std::uint32_t count) {
    for (std::uint32_t line = line_ - count; line != line_; ++line) {
      table_.cell_ends_.push_back(0);
      table_.rows_.push_back({static_cast<std::uint64_t>(next - begin_), line});
    }
  }

  char* after_line_end(char* next) {
    ++line_;
    if (next[0] == '\r' && next + 1 != end_ && next[1] == '\n') ++next;
    return next + 1;
  }

  char* parse_row(char* const begin) {
    const std::uint32_t line = line_;
    const std::size_t first_cell = table_.cell_ends_.size();
    char* next = begin;
    char* write = begin;
    while (true) {
      const bool is_quoted = *next == '"';
      if (is_quoted) {
        next = unquote(next, write);
        if (stopped_) return next;
      } else {
        char* const field = next;
        while (!ends_field_[static_cast<unsigned char>(*next)]) ++next;
        if (write != field) std::memmove(write, field, static_cast<std::size_t>(next - field));
        write += next - field;
      }
      table_.cell_ends_.push_back(static_cast<std::uint32_t>(write - begin));
      const bool is_last = *next != separator_;
      // The text has become shorter by the quotes, so that nothing is lost.
      if (write != next) *write = is_quoted ? '"' : separator_;
      if (is_last) break;
      ++write;
      ++next;
    }
    if (write - begin > std::numeric_limits<std::uint32_t>::max()) {
      stop(line, "a row of more than 4 GiB is not read");
      return next;
    }
    finish_row(begin, line, first_cell);
    return after_line_end(next);
  }

  // Moves the content of the quoted field at `next` to `write`, which advances; returns where the field ends.
  char* unquote(char* next, char*& write) {
    const std::uint32_t opened = line_;
    ++next;
    while (true) {
      // The sentinel is no part of the text.
      auto* const quote = static_cast<char*>(std::memchr(next, '"', static_cast<std::size_t>(end_ - 1 - next)));
      if (quote == nullptr) {
        stop(opened, "the quote that opens here is never closed");
        return next;
      }
      for (const char* c = next; c != quote; ++c) {
        if (*c == '\n' || (*c == '\r' && c[1] != '\n')) ++line_;
      }
      std::memmove(write, next, static_cast<std::size_t>(quote - next));
      write += quote - next;
      next = quote + 1;
      if (*next != '"') break;
      *write++ = '"';
      ++next;
    }
    if (!ends_field_[static_cast<unsigned char>(*next)]) {
      stop(line_, "text follows a closing quote (a quote within quotes is written twice)");
    }
    return next;
  }

  void stop(std::uint32_t line, std::string_view problem) {
    diagnostics_.push_back(error_in_file(table_.name_, line, problem));
    stopped_ = true;
  }

  void finish_row(const char* begin, std::uint32_t line, std::size_t first_cell) {
    const std::size_t fields = table_.cell_ends_.size() - first_cell;
    if (table_.rows_.empty()) table_.column_count_ = fields;
    if (fields != table_.column_count_) {
      if (errors_++ < kErrorsShown) ragged_.push_back({line, fields});
      table_.cell_ends_.resize(first_cell);
      return;
    }
    table_.rows_.push_back({static_cast<std::uint64_t>(begin - begin_), line});
  }

  void take_header() {
    bool has_header = !table_.rows_.empty() && options_.header.value_or(false);
    if (!table_.rows_.empty() && !options_.header) {
      HeaderDecision decision = decide_header(table_, options_.column_names);
      has_header = decision.is_header;
      table_.header_remark_ = std::move(decision.remark);
    }
    for (const auto& [line, fields] : ragged_) {
      diagnostics_.push_back(error_in_file(table_.name_, line,
                                           fmt::format("row {} has {}, the {} has {}", line, counted(fields, "field"),
                                                       has_header ? "header" : "first row", table_.column_count_)));
    }
    if (!has_header) return;
    for (std::size_t column = 0; column < table_.column_count_; ++column) {
      table_.column_names_.emplace_back(without_blanks(table_.cell(0, column)));
    }
    table_.rows_.erase(table_.rows_.begin());
    table_.cell_ends_.erase(table_.cell_ends_.begin(),
                            table_.cell_ends_.begin() + static_cast<std::ptrdiff_t>(table_.column_count_));
  }

  struct RaggedRow {
    std::uint32_t line;
    std::size_t fields;
  };
  Table table_;
  CsvOptions options_;
  char separator_ = ',';
  std::array<bool, 256> ends_field_{};
  char* begin_ = nullptr;
  char* end_ = nullptr;
  std::uint32_t line_ = 1;
  bool stopped_ = false;
  std::size_t errors_ = 0;
  std::vector<RaggedRow> ragged_;
  Diagnostics diagnostics_;
};

std::string_view Table::cell(std::size_t row, std::size_t column) const {
  TARN_CHECK(row < rows_.size() && column < column_count_, "cell of a table");
  const std::uint32_t* const ends = cell_ends_.data() + row * column_count_;
  const std::uint32_t begin = column == 0 ? 0 : ends[column - 1] + 1;
  return text_of(text_).substr(rows_[row].begin + begin, ends[column] - begin);
}

bool Table::is_quoted(std::size_t row, std::size_t column) const {
  const std::string_view text = cell(row, column);
  return text.data()[text.size()] == '"';
}

std::string Table::column_label(std::size_t column) const {
  return column_names_.empty() ? fmt::format("column {}", column + 1)
                               : fmt::format("column '{}'", column_names_[column]);
}

Result<std::size_t> Table::find_column(std::string_view column_name) const {
  if (column_names_.empty()) {
    return error_in_file(
        name_,
        fmt::format("has no header, so no column '{}': name columns by number, or set 'header true'", column_name));
  }
  const auto first = std::find(column_names_.begin(), column_names_.end(), column_name);
  if (first == column_names_.end()) {
    const auto nearest = nearest_name(column_name, column_names_);
    constexpr std::size_t kMostListed = 12;
    const auto first_names = std::span(column_names_).first(std::min(column_names_.size(), kMostListed));
    const std::string listed = joined(first_names, ", ") + (first_names.size() == column_names_.size() ? "" : ", …");
    return error_in_file(name_, fmt::format("has no column '{}'{}", column_name,
                                            nearest ? fmt::format("; did you mean '{}'?", *nearest)
                                                    : fmt::format("; it has {}", listed)));
  }
  if (std::find(first + 1, column_names_.end(), column_name) != column_names_.end()) {
    return error_in_file(name_, fmt::format("has more than one column '{}'", column_name));
  }
  return static_cast<std::size_t>(first - column_names_.begin());
}

Result<Table> parse_csv(Bytes text, std::string name, const CsvOptions& options) {
  return CsvParser(std::move(text), std::move(name), options).parse();
}

Result<Table> read_csv(const std::string& path, const CsvOptions& options) {
  TARN_TRY(Bytes text, read_data_file(path));
  return parse_csv(std::move(text), path, options);
}

}  // namespace tarn
