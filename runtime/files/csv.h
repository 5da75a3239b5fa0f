// Tables from CSV text: RFC 4180, and what files in the wild add to it.
//
// Contract: fields are separated by one of `, ; tab`; a field that starts with a quote runs to the matching one and may
// hold separators, line ends and "" for a quote; a quote elsewhere is text. Lines end in LF, CRLF or CR. A byte order
// mark, empty lines and a missing last line end are passed over; where rows have one field, an empty line between two
// others is a row without a value. A first line `sep=;` names the separator. Text is UTF-8. Every row has as many
// fields as the first. Memory: the text itself, four bytes a cell and sixteen a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// Diagnostics of one kind are printed so often, then counted.
inline constexpr std::size_t kErrorsShown = 5;

struct CsvOptions {
  // ',', ';' or '\t'; by default the most frequent of them in the first line, outside quotes.
  std::optional<char> separator;
  // Whether the first row names the columns; by default decide_header (csv_header.h) says it.
  std::optional<bool> header;
  // Names by which columns will be asked for: a first row that holds one is a header.
  std::vector<std::string> column_names = {};
};

// The cells of a file as text. Rows and columns count from 0, lines from 1.
class Table {
 public:
  // What diagnostics call the file.
  const std::string& name() const { return name_; }
  // Names of the columns without blanks around them; empty if the file has no header.
  const std::vector<std::string>& column_names() const { return column_names_; }
  // What is to be said of the first row where it could be meant otherwise than it was taken; else "".
  const std::string& header_remark() const { return header_remark_; }
  std::size_t rows() const { return rows_.size(); }
  std::size_t columns() const { return column_count_; }
  // Eight bytes from where the cell begins may be read, whatever its size.
  std::string_view cell(std::size_t row, std::size_t column) const;
  // Whether the cell stands in quotes in the file, which makes it text.
  bool is_quoted(std::size_t row, std::size_t column) const;
  // Line of the file where the row begins.
  std::uint32_t line(std::size_t row) const { return rows_[row].line; }
  // "column 'petal_width'", or "column 5" (from 1) without a header.
  std::string column_label(std::size_t column) const;
  // The column of that name. An unknown name (with the nearest one), one that two columns share, and a file without
  // names are errors.
  Result<std::size_t> find_column(std::string_view column_name) const;

 private:
  friend class CsvParser;
  struct Row {
    std::uint64_t begin = 0;  // in text_
    std::uint32_t line = 0;
  };
  std::string name_, header_remark_;
  std::vector<std::string> column_names_;
  std::size_t column_count_ = 0;
  // Unquoted: within a row, cells stand one byte apart, so that where a cell ends says where the next begins. That byte
  // is a quote behind a cell that was quoted, and nothing that a number may hold behind another.
  Bytes text_;
  std::vector<Row, AlignedAllocator<Row>> rows_;
  std::vector<std::uint32_t, AlignedAllocator<std::uint32_t>> cell_ends_;  // from the begin of the row; row-major
};

// Errors, at most five of each kind: rows with another number of fields, text behind a closing quote, a quote without
// end, bytes that are no UTF-8. Empty text gives a table without columns. `name` is what errors call the file.
Result<Table> parse_csv(Bytes text, std::string name = "csv", const CsvOptions& options = {});
// The same from a file, which may be compressed with gzip.
Result<Table> read_csv(const std::string& path, const CsvOptions& options = {});

struct TableCell {
  std::size_t row = 0;
  std::size_t column = 0;
  friend bool operator==(const TableCell&, const TableCell&) = default;
};

// The text as a field that a table gives back as it is: in quotes where it has separators, quotes, line ends or blanks
// at its ends, or would say that a value is missing.
std::string csv_field(std::string_view text);

// Whether the text of a cell says that there is no value: nothing but blanks, NA, null, ?, or what reads as no number
// in any spelling (nan, -NaN, nan(ind), 1.#QNAN).
bool is_missing(std::string_view text);

// The missing cells among `columns`, row by row.
std::vector<TableCell> missing_cells(const Table& table, std::span<const std::size_t> columns);

struct Numbers {
  Array values;                    // [rows, columns.size()]; NaN where a cell is missing
  std::vector<TableCell> missing;  // row by row
};

// The cells of `columns` as f32 or f64, rounded to nearest. Blanks around a number, a leading '+', exponents and inf
// are accepted. Text that is neither a number nor missing is an error: the first five cells, and how many more there
// are.
Result<Numbers> numbers(const Table& table, std::span<const std::size_t> columns, ArrayType type = ArrayType::f32);

// The error for cells that must not be missing: "iris.csv:12: column 'petal_width': the value is missing", for the
// first five.
Diagnostics missing_errors(const Table& table, std::span<const TableCell> cells);

}  // namespace tarn
