// Reading data sets. See dataset.h.
#include "runtime/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "ir/random.h"
#include "runtime/array_values.h"
#include "runtime/csv.h"
#include "runtime/file.h"
#include "runtime/idx.h"
#include "runtime/labels.h"
#include "runtime/npy.h"
#include "runtime/npz.h"
#include "runtime/number_text.h"

namespace tarn {

namespace {

// The source of a part: what it says itself, and for the rest what the training data say.
Result<DataSource> source_of(const Program& program, const DataRequest& request) {
  const auto base = program.data.find("");
  const auto own = program.data.find(request.part);
  if (own == program.data.end() && base == program.data.end() && request.paths.empty()) {
    return error("the file has no `data` block: name the data with --data PATH");
  }
  DataSource source = own != program.data.end()    ? own->second
                      : base != program.data.end() ? base->second
                                                   : DataSource();
  if (base != program.data.end() && !request.part.empty()) {
    if (source.bindings.empty()) source.bindings = base->second.bindings;
    if (source.format.empty()) source.format = base->second.format;
    if (source.files.empty()) source.files = base->second.files;
    if (!source.header) source.header = base->second.header;
    if (source.separator == 0) source.separator = base->second.separator;
    source.drop_missing = source.drop_missing || base->second.drop_missing;
  }
  return source;
}

std::string format_by_name(std::string path) {
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  for (const char* format : {"npy", "npz"}) {
    if (path.ends_with(std::string(".") + format)) return format;
  }
  const std::string file = std::filesystem::path(path).filename().string();
  const bool is_idx = file.ends_with("-ubyte") || file.ends_with(".idx") || file.find("-idx") != std::string::npos;
  return is_idx ? "idx" : "csv";
}

void replace_files(DataSource& source, const std::map<std::string, std::string>& paths) {
  for (const auto& [name, path] : paths) {
    const std::string format = format_by_name(path);
    if (format != source.format) {
      source.format = format;
      source.files.clear();
    }
    source.files[name] = std::filesystem::absolute(path).string();
  }
}

std::string resolved(const std::string& folder, const std::string& path) {
  const std::filesystem::path file(path);
  return file.is_absolute() || folder.empty() ? path : (std::filesystem::path(folder) / file).string();
}

// What is read for one input: numbers, or labels to be turned into classes.
struct Column {
  const InputInfo* input = nullptr;
  DataBinding binding;
  std::int64_t elements = 1;  // of one sample
};

// The inputs that the request wants, each with its binding; an input that the block does not name is bound to what
// bears its name.
Result<std::vector<Column>> wanted_columns(const Program& program, const DataSource& source,
                                           const DataRequest& request) {
  std::vector<Column> columns;
  for (const InputInfo& input : program.inputs) {
    if (!request.targets && input.role != InputRole::input) continue;
    Column column{&input, {}, element_count(input.type.shape)};
    const auto found = std::find_if(source.bindings.begin(), source.bindings.end(),
                                    [&](const DataBinding& binding) { return binding.name == input.name; });
    if (found != source.bindings.end()) {
      column.binding = *found;
    } else {
      column.binding.name = input.name;
      if (source.format == "csv") column.binding.columns.push_back({input.name, "", -1, -1, {}});
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

Result<std::vector<std::size_t>> columns_of(const Table& table, const DataBinding& binding) {
  std::vector<std::size_t> indices;
  for (const DataBinding::Column& column : binding.columns) {
    std::size_t first = 0, end = 0;
    if (column.first_index >= 0) {
      first = static_cast<std::size_t>(column.first_index);
      end = column.last_index >= 0 ? static_cast<std::size_t>(column.last_index) : first + 1;
      if (end > table.columns()) {
        return error_at(column.span, fmt::format("'{}' has {} columns, 0 to {}", table.name(), table.columns(),
                                                 table.columns() - 1));
      }
    } else {
      auto found = table.find_column(column.first);
      if (!found) {
        found.error().front().span = column.span;
        return std::move(found).error();
      }
      first = *found;
      end = first + 1;
      if (!column.last.empty()) {
        auto last = table.find_column(column.last);
        if (!last) {
          last.error().front().span = column.span;
          return std::move(last).error();
        }
        if (*last < first) {
          return error_at(column.span, fmt::format("column '{}' stands after '{}' in '{}'", column.first, column.last,
                                                   table.name()));
        }
        end = *last + 1;
      }
    }
    for (std::size_t i = first; i < end; ++i) indices.push_back(i);
  }
  return indices;
}

Status check_width(const Column& column, std::int64_t found, const char* what) {
  if (found == column.elements) return Done{};
  return error_at(column.binding.span,
                  fmt::format("'{}' is {}: one sample takes {} {}, here are {}", column.input->name,
                              to_string(column.input->type.shape), column.elements, what, found));
}

Result<Bytes> read_column(const Table& table, const std::vector<std::uint32_t>& rows, const Column& column,
                          Vocabularies& vocabularies) {
  const DType dtype = column.input->type.dtype;
  TARN_TRY(const std::vector<std::size_t> indices, columns_of(table, column.binding));
  if (column.binding.encoding == DataBinding::Encoding::none) {
    TARN_RETURN_IF_ERROR(check_width(column, static_cast<std::int64_t>(indices.size()), "columns"));
    TARN_TRY(const Numbers read, numbers(table, indices, dtype == DType::f32 ? ArrayType::f32 : ArrayType::f64));
    return input_values(read.values, rows, *column.input, column.binding.scale, table.name());
  }
  if (indices.size() != 1) {
    return error_at(column.binding.span, fmt::format("labels stand in one column, here are {}", indices.size()));
  }
  TARN_TRY(const std::vector<std::int64_t> classes,
           read_labels(table, indices.front(), rows, *column.input, column.binding, vocabularies));
  if (column.binding.encoding == DataBinding::Encoding::one_hot)
    return one_hot_values(classes, column.elements, *column.input);
  TARN_RETURN_IF_ERROR(check_width(column, 1, "numbers"));
  return class_values(classes, *column.input);
}

Result<Dataset> read_table(const Program& program, const DataSource& source, const std::string& path,
                           const std::vector<Column>& columns, Vocabularies& vocabularies) {
  CsvOptions options;
  options.header = source.header;
  if (source.separator != 0) options.separator = source.separator;
  TARN_TRY(const Table table, read_csv(path, options));
  if (table.rows() == 0) return error(fmt::format("'{}' has no rows", path));

  std::vector<std::size_t> used;
  for (const Column& column : columns) {
    TARN_TRY(const std::vector<std::size_t> indices, columns_of(table, column.binding));
    used.insert(used.end(), indices.begin(), indices.end());
  }
  const std::vector<TableCell> missing = missing_cells(table, used);
  if (!missing.empty() && !source.drop_missing) {
    Diagnostics errors = missing_errors(table, missing);
    errors.back().notes.push_back({{}, "`drop_missing` in the data block leaves such rows out"});
    return errors;
  }
  std::vector<bool> dropped(table.rows());
  for (const TableCell& cell : missing) dropped[cell.row] = true;
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < table.rows(); ++row) {
    if (!dropped[row]) rows.push_back(row);
  }
  if (rows.empty()) return error(fmt::format("every row of '{}' misses a value", path));

  Dataset data;
  data.rows = rows.size();
  data.arrays.resize(program.inputs.size());
  for (const Column& column : columns) {
    TARN_TRY(data.arrays[static_cast<std::size_t>(column.input - program.inputs.data())],
             read_column(table, rows, column, vocabularies));
  }
  return data;
}

const std::string& array_name(const Column& column) {
  return column.binding.array.empty() ? column.input->name : column.binding.array;
}

// The array of a column, which is one of `columns`.
Result<Array> read_array(const DataSource& source, const std::string& folder, const Column& column,
                         const std::vector<Column>& columns, std::map<std::string, std::vector<NamedArray>>& archives) {
  const std::string& name = column.input->name;
  if (source.format == "npz") {
    const auto file = source.files.find("");
    if (file == source.files.end()) return error_at(source.span, "no npz file is named");
    const std::string path = resolved(folder, file->second);
    if (!archives.contains(path)) {
      TARN_TRY(archives[path], read_npz(path));
    }
    const std::string& wanted = array_name(column);
    const auto uses = std::ranges::count(columns, wanted, array_name);
    std::vector<std::string> names;
    for (NamedArray& member : archives[path]) {
      if (member.name == wanted) return uses == 1 ? std::move(member.array) : member.array;
      names.push_back(member.name);
    }
    return error_at(column.binding.span,
                    fmt::format("'{}' has no array '{}'; it has {}", path, wanted, fmt::join(names, ", ")));
  }
  auto file = source.files.find(name);
  if (file == source.files.end()) file = source.files.find("");
  if (file == source.files.end()) return error_at(source.span, fmt::format("no file is named for '{}'", name));
  const std::string path = resolved(folder, file->second);
  return source.format == "idx" ? read_idx(path) : read_npy(path);
}

// Numbers of an array that stand for classes: there, labels are the numbers of their classes.
Result<Bytes> read_class_numbers(const Array& array, const Column& column, std::int64_t width,
                                 Vocabularies& vocabularies) {
  const std::string& name = column.input->name;
  if (width != 1)
    return error_at(column.binding.span,
                    fmt::format("labels of '{}' are one number a sample, here are {}", name, width));
  TARN_TRY(const std::int64_t limit, class_limit(*column.input, column.binding));
  TARN_TRY(const std::vector<std::int64_t> classes, classes_of(array, limit, name));
  if (vocabularies.may_learn(name)) vocabularies.learn(name, {{}, limit});
  return column.binding.encoding == DataBinding::Encoding::one_hot
             ? one_hot_values(classes, column.elements, *column.input)
             : class_values(classes, *column.input);
}

Result<Dataset> read_arrays(const Program& program, const DataSource& source, const std::string& folder,
                            const std::vector<Column>& columns, Vocabularies& vocabularies) {
  Dataset data;
  data.arrays.resize(program.inputs.size());
  std::map<std::string, std::vector<NamedArray>> archives;
  const InputInfo* first = nullptr;
  for (const Column& column : columns) {
    TARN_TRY(Array array, read_array(source, folder, column, columns, archives));
    const std::string& name = column.input->name;
    if (array.shape.empty())
      return error_at(column.binding.span, fmt::format("the array of '{}' has no axis of samples", name));
    const auto count = static_cast<std::uint64_t>(array.shape.front());
    if (count == 0) return error(fmt::format("the array of '{}' has no rows", name));
    if (first != nullptr && count != data.rows) {
      return error(fmt::format("'{}' has {} rows, but '{}' has {}", first->name, data.rows, name, count));
    }
    first = column.input;
    data.rows = count;
    const auto width = static_cast<std::int64_t>(static_cast<std::uint64_t>(array.elements()) / count);
    Bytes& values = data.arrays[static_cast<std::size_t>(column.input - program.inputs.data())];
    if (column.binding.encoding == DataBinding::Encoding::one_hot || column.binding.classes > 0) {
      TARN_TRY(values, read_class_numbers(array, column, width, vocabularies));
    } else {
      TARN_RETURN_IF_ERROR(check_width(column, width, "numbers"));
      TARN_TRY(values, input_values(std::move(array), *column.input, column.binding.scale, name));
    }
  }
  return data;
}

// Puts the rows of every array into the order of the permutation: row i is to be what row order[i] was. Cycle by cycle,
// so that no array is held twice.
void permute_rows(Dataset& data, const std::vector<std::uint32_t>& order) {
  std::vector<std::byte> first;
  for (Bytes& array : data.arrays) {
    if (array.empty()) continue;
    const std::size_t bytes = array.size() / data.rows;
    const auto row = [&](std::size_t number) { return array.data() + number * bytes; };
    std::vector<bool> done(order.size());
    for (std::size_t start = 0; start < order.size(); ++start) {
      if (done[start]) continue;
      first.assign(row(start), row(start) + bytes);
      std::size_t at = start;
      for (; order[at] != start; at = order[at]) {
        std::memcpy(row(at), row(order[at]), bytes);
        done[at] = true;
      }
      std::memcpy(row(at), first.data(), bytes);
      done[at] = true;
    }
  }
}

}  // namespace

Rows Dataset::view() const {
  Rows view;
  view.count = rows;
  for (const Bytes& array : arrays) view.arrays.push_back(array.empty() ? nullptr : array.data());
  return view;
}

namespace {

Result<Dataset> read_source(const Program& program, const DataSource& source, const std::string& folder,
                            const DataRequest& request, Vocabularies& vocabularies) {
  TARN_TRY(const std::vector<Column> columns, wanted_columns(program, source, request));
  if (source.format != "csv") {
    TARN_TRY(Dataset data, read_arrays(program, source, folder, columns, vocabularies));
    if (source.shuffle_rows)
      permute_rows(data, row_order(*source.shuffle_rows, 0, static_cast<std::uint32_t>(data.rows)));
    return data;
  }
  const auto file = source.files.find("");
  if (file == source.files.end()) return error_at(source.span, "the data block names no file");
  TARN_TRY(Dataset data, read_table(program, source, resolved(folder, file->second), columns, vocabularies));
  if (source.shuffle_rows)
    permute_rows(data, row_order(*source.shuffle_rows, 0, static_cast<std::uint32_t>(data.rows)));
  return data;
}

}  // namespace

Result<Dataset> read_dataset(const Program& program, const std::string& folder, const DataRequest& request,
                             Vocabularies& vocabularies) {
  TARN_TRY(DataSource source, source_of(program, request));
  replace_files(source, request.paths);
  Result<Dataset> data = read_source(program, source, folder, request, vocabularies);
  if (data || !request.paths.empty()) return data;
  // The line that names the file is at fault, where nothing else is known to be.
  Diagnostics errors = std::move(data).error();
  for (Diagnostic& diagnostic : errors) {
    if (!diagnostic.span) diagnostic.span = source.span;
  }
  return errors;
}

void learn_labels(const Program& program, const std::string& folder, Vocabularies& vocabularies) {
  const auto source = program.data.find("");
  if (source == program.data.end()) return;
  const bool has_labels = std::ranges::any_of(source->second.bindings, [&](const DataBinding& binding) {
    return binding.encoding != DataBinding::Encoding::none && vocabularies.may_learn(binding.name);
  });
  if (!has_labels) return;
  Vocabularies learnt = vocabularies;
  if (read_dataset(program, folder, {"", {}, true}, learnt)) vocabularies = std::move(learnt);
}

}  // namespace tarn
