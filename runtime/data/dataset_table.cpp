// Data of CSV files. See dataset.h.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "runtime/data/dataset_parts.h"
#include "runtime/data/labels.h"
#include "runtime/files/array_values.h"
#include "runtime/files/csv.h"
#include "runtime/files/number_text.h"

namespace tarn {

namespace {

Status in_columns(Result<std::size_t>& found, const DataBinding::Column& column) {
  if (found) return Done{};
  found.error().front().span = column.span;
  return std::move(found).error();
}

// The numbers of the columns that one part of a binding names.
Result<std::pair<std::size_t, std::size_t>> range_of(const Table& table, const DataBinding::Column& column) {
  if (column.first_index >= 0) {
    const auto first = static_cast<std::size_t>(column.first_index);
    const std::size_t end = column.last_index >= 0 ? static_cast<std::size_t>(column.last_index) : first + 1;
    if (end <= table.columns()) return std::pair(first, end);
    return error_at(column.span, table.columns() == 1 ? fmt::format("'{}' has one column, number 0", table.name())
                                                      : fmt::format("'{}' has {} columns, 0 to {}", table.name(),
                                                                    table.columns(), table.columns() - 1));
  }
  Result<std::size_t> first = table.find_column(column.first);
  TARN_RETURN_IF_ERROR(in_columns(first, column));
  if (column.last.empty()) return std::pair(*first, *first + 1);
  Result<std::size_t> last = table.find_column(column.last);
  TARN_RETURN_IF_ERROR(in_columns(last, column));
  if (*first <= *last) return std::pair(*first, *last + 1);
  return error_at(column.span,
                  fmt::format("column '{}' stands after '{}' in '{}'", column.first, column.last, table.name()));
}

bool has_range_of_names(const DataBinding& binding) {
  return std::ranges::any_of(binding.columns, [](const DataBinding::Column& part) { return !part.last.empty(); });
}

// The columns by the names that training found between the ends of ranges, wherever they stand here.
Result<std::vector<std::size_t>> columns_by_name(const Table& table, const DataColumn& column,
                                                 const std::vector<std::string>& names) {
  std::vector<std::size_t> indices;
  for (const std::string& name : names) {
    Result<std::size_t> found = table.find_column(name);
    TARN_RETURN_IF_ERROR(in_columns(found, column.binding.columns.front()));
    indices.push_back(*found);
  }
  return indices;
}

Result<std::vector<std::size_t>> columns_of(const Table& table, const DataColumn& column, bool is_only_one,
                                            Vocabularies& vocabularies) {
  std::vector<std::size_t> indices;
  const bool has_range = has_range_of_names(column.binding);
  const std::vector<std::string>* const known = has_range ? vocabularies.columns(column.input->name) : nullptr;
  if (known != nullptr && static_cast<std::int64_t>(known->size()) == column.elements)
    return columns_by_name(table, column, *known);
  // A table with just as many columns as the only input has numbers needs no line that says which.
  if (!column.is_bound && is_only_one && static_cast<std::int64_t>(table.columns()) == column.elements) {
    indices.resize(table.columns());
    std::iota(indices.begin(), indices.end(), 0U);
    return indices;
  }
  for (const DataBinding::Column& part : column.binding.columns) {
    TARN_TRY(const auto range, range_of(table, part));
    for (std::size_t i = range.first; i < range.second; ++i) indices.push_back(i);
  }
  if (has_range) {
    std::vector<std::string> names;
    for (const std::size_t i : indices) names.push_back(table.column_names()[i]);
    vocabularies.note_columns(column.input->name, std::move(names));
  }
  return indices;
}

bool is_label(const DataColumn& column) { return column.binding.encoding != DataBinding::Encoding::none; }

std::string name_of_column(const Table& table, std::size_t column) {
  return table.column_names().empty() ? fmt::format("column {}", column + 1) : table.column_names()[column];
}

class TableReader {
 public:
  explicit TableReader(const Reading& reading) : reading_(reading) {}

  Result<Dataset> read() {
    TARN_RETURN_IF_ERROR(open());
    TARN_RETURN_IF_ERROR(find_columns());
    remark_on_reading();
    TARN_RETURN_IF_ERROR(leave_out_rows());
    data_.rows = rows_.size();
    data_.arrays.resize(reading_.program.inputs.size());
    for (std::size_t i = 0; i < reading_.columns.size(); ++i) {
      const DataColumn& column = reading_.columns[i];
      Result<Bytes> values = is_label(column) ? labels(column, places_[i]) : numbers_in(column, places_[i]);
      if (!values) return with_hints(std::move(values).error());
      data_.arrays[static_cast<std::size_t>(column.input - reading_.program.inputs.data())] = std::move(*values);
    }
    return std::move(data_);
  }

 private:
  Status open() {
    const DataSource& source = reading_.source;
    const auto file = source.files.find("");
    if (file == source.files.end()) return error_at(source.span, "the data block names no file");
    CsvOptions options;
    options.header = source.header;
    if (source.separator != 0) options.separator = source.separator;
    for (const DataColumn& column : reading_.columns) {
      for (const DataBinding::Column& part : column.binding.columns) {
        if (part.first_index < 0 && column.is_bound) options.column_names.push_back(part.first);
      }
    }
    TARN_TRY(table_, read_csv(file->second, options));
    if (table_.rows() == 0) return error(fmt::format("'{}' has no rows", file->second));
    return Done{};
  }

  Status find_columns() {
    for (const DataColumn& column : reading_.columns) {
      TARN_TRY(std::vector<std::size_t> indices,
               columns_of(table_, column, reading_.columns.size() == 1, reading_.vocabularies));
      places_.push_back(std::move(indices));
    }
    return Done{};
  }

  void remark_on_reading() {
    if (!table_.header_remark().empty())
      data_.remarks.push_back(warning_at({}, fmt::format("{}: {}", table_.name(), table_.header_remark())));
    if (!may_have_decimal_commas()) return;
    data_.remarks.push_back(warning_at(
        {}, fmt::format("{}: is read as two columns of whole numbers, and the second is not used: decimals have a "
                        "point, not a comma",
                        table_.name())));
  }

  // 1,5 in a file without a header: two columns, of which one is used.
  bool may_have_decimal_commas() const {
    constexpr std::size_t kRowsSeen = 100;
    if (!table_.column_names().empty() || table_.columns() != 2 || reading_.source.separator != 0) return false;
    for (const std::vector<std::size_t>& places : places_) {
      if (std::ranges::find(places, 1U) != places.end()) return false;
    }
    for (std::size_t row = 0; row < std::min(table_.rows(), kRowsSeen); ++row) {
      const std::string_view text = table_.cell(row, 1);
      if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return false;
    }
    return true;
  }

  bool is_missing_at(std::size_t row, std::size_t column, bool label) const {
    const std::string_view text = table_.cell(row, column);
    if (!is_missing(text)) return false;
    // What stands in quotes is a label, be it NA.
    return !(label && table_.is_quoted(row, column) && !without_blanks(text).empty());
  }

  std::vector<TableCell> missing_values() const {
    std::vector<std::pair<std::size_t, bool>> used;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      for (const std::size_t place : places_[i]) used.emplace_back(place, is_label(reading_.columns[i]));
    }
    std::vector<TableCell> missing;
    for (std::size_t row = 0; row < table_.rows(); ++row) {
      for (const auto& [column, label] : used) {
        if (is_missing_at(row, column, label)) missing.push_back({row, column});
      }
    }
    return missing;
  }

  Status leave_out_rows() {
    const std::vector<TableCell> missing = missing_values();
    if (!missing.empty() && !reading_.source.drop_missing) {
      Diagnostics errors = missing_errors(table_, missing);
      errors.back().notes.push_back({{}, "`drop_missing` in the data block leaves such rows out"});
      return errors;
    }
    std::vector<bool> dropped(table_.rows()), has_missing(table_.columns());
    for (const TableCell& cell : missing) dropped[cell.row] = has_missing[cell.column] = true;
    rows_ = rows_that_stay(dropped);
    if (rows_.empty()) return error(fmt::format("every row of '{}' misses a value", table_.name()));
    if (rows_.size() == table_.rows()) return Done{};
    std::vector<std::string> columns;
    for (std::size_t column = 0; column < has_missing.size(); ++column) {
      if (has_missing[column]) columns.push_back(name_of_column(table_, column));
    }
    data_.remarks.push_back(rows_left_out(table_.rows() - rows_.size(), table_.rows(), table_.name(), columns));
    data_.file_rows = table_.rows();
    data_.kept = rows_;
    return Done{};
  }

  // "d.csv:4", with the column where the input's name does not say it.
  ValueOrigin origin_of(const DataColumn& column, const std::vector<std::size_t>& places) const {
    return {[&](std::size_t row, std::size_t element) {
              const std::size_t at = places[element];
              const std::string place = fmt::format("{}:{}", table_.name(), table_.line(row));
              const bool is_said = places.size() == 1 && name_of_column(table_, at) == column.input->name;
              return is_said ? place : fmt::format("{}: {}", place, table_.column_label(at));
            },
            [&](std::size_t row, std::size_t element) { return excerpt(table_.cell(row, places[element])); }};
  }

  Result<Bytes> numbers_in(const DataColumn& column, const std::vector<std::size_t>& places) {
    TARN_RETURN_IF_ERROR(check_width(column, static_cast<std::int64_t>(places.size()), "column"));
    const ArrayType type = column.input->type.dtype == DType::f32 ? ArrayType::f32 : ArrayType::f64;
    TARN_TRY(Numbers read, numbers(table_, places, type));
    const ValueOrigin origin = origin_of(column, places);
    const double scale = column.binding.scale;
    return rows_.size() == table_.rows() ? input_values(std::move(read.values), *column.input, scale, origin)
                                         : input_values(read.values, rows_, *column.input, scale, origin);
  }

  Result<Bytes> labels(const DataColumn& column, const std::vector<std::size_t>& places) {
    if (places.size() != 1) {
      return error_at(column.binding.span, fmt::format("labels stand in one column, here are {}", places.size()));
    }
    TARN_TRY(const std::vector<std::int64_t> classes,
             read_labels(table_, places.front(), rows_, *column.input, column.binding, reading_.vocabularies));
    if (column.binding.encoding == DataBinding::Encoding::one_hot)
      return one_hot_values(classes, column.elements, *column.input);
    TARN_RETURN_IF_ERROR(check_width(column, 1, "number"));
    return class_values(classes, *column.input);
  }

  // An error about what stands in the first row may be one of taking it for data.
  Diagnostics with_hints(Diagnostics errors) const {
    if (!table_.header_remark().empty() && !errors.empty()) errors.back().notes.push_back({{}, table_.header_remark()});
    return errors;
  }

  const Reading& reading_;
  Table table_;
  std::vector<std::vector<std::size_t>> places_;  // of the columns in the table
  std::vector<std::uint32_t> rows_;               // that stay
  Dataset data_;
};

}  // namespace

Result<Dataset> read_table(const Reading& reading) { return TableReader(reading).read(); }

}  // namespace tarn
