// Data of npy, npz and idx files. See dataset.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "ir/counted.h"
#include "ir/data_formats.h"
#include "ir/joined.h"
#include "runtime/data/dataset_parts.h"
#include "runtime/data/labels.h"
#include "runtime/files/array_values.h"
#include "runtime/files/idx.h"
#include "runtime/files/npy.h"
#include "runtime/files/npz.h"

namespace tarn {

namespace {

// An array and what errors call it.
struct ReadArray {
  Array array;
  std::string name;
};

const std::string& array_name(const DataColumn& column) {
  return column.binding.array.empty() ? column.input->name : column.binding.array;
}

using Archives = std::map<std::string, std::vector<NamedArray>>;

Result<ReadArray> read_member(const Reading& reading, const DataColumn& column, Archives& archives) {
  const auto file = reading.source.files.find("");
  if (file == reading.source.files.end()) return error_at(reading.source.span, "no npz file is named");
  const std::string& path = file->second;
  if (!archives.contains(path)) {
    TARN_TRY(archives[path], read_npz(path));
  }
  const std::string& wanted = array_name(column);
  const auto uses = std::ranges::count(reading.columns, wanted, array_name);
  std::vector<std::string> names;
  for (NamedArray& member : archives[path]) {
    if (member.name == wanted)
      return ReadArray{uses == 1 ? std::move(member.array) : member.array, fmt::format("{}: '{}'", path, wanted)};
    names.push_back(member.name);
  }
  return error_at(column.binding.span,
                  fmt::format("'{}' has no array '{}'; it has {}", path, wanted, joined(names, ", ")));
}

// One reader a format of arrays.
Result<Array> read_array(std::string_view format, const std::string& path) {
#define ARRAY(name, ...) \
  if (format == #name) return read_##name(path);
#define FORMAT(...)
#include "ir/data_formats.def"
  TARN_CHECK(false, "not a format of arrays: " + std::string(format));
  return error("");
}

Result<ReadArray> read_one(const Reading& reading, const DataColumn& column, Archives& archives) {
  const DataFormat* const format = find_format(reading.source.format);
  if (format != nullptr && format->kind == DataKind::archive) return read_member(reading, column, archives);
  const auto file = reading.source.files.find(column.input->name);
  if (file == reading.source.files.end())
    return error_at(reading.source.span, fmt::format("no file is named for '{}'", column.input->name));
  TARN_TRY(Array array, read_array(reading.source.format, file->second));
  return ReadArray{std::move(array), file->second};
}

Shape without_ones(std::span<const std::int64_t> shape) {
  Shape result;
  std::ranges::copy_if(shape, std::back_inserter(result), [](std::int64_t extent) { return extent != 1; });
  return result;
}

// [channels, height, width] where [height, width, channels] is wanted.
bool are_channels_first(const Shape& wanted, std::span<const std::int64_t> found) {
  return wanted.size() == 3 && std::ranges::equal(found, Shape{wanted[2], wanted[0], wanted[1]});
}

// A sample has the shape of the input, or one of the two is flat; axes of 1 do not count.
Status check_shape(const DataColumn& column, const Array& array) {
  const std::string& name = column.input->name;
  if (array.shape.empty())
    return error_at(column.binding.span, fmt::format("the array of '{}' has no axis of samples", name));
  if (array.shape.front() == 0) return error(fmt::format("the array of '{}' has no rows", name));
  const std::span<const std::int64_t> sample = std::span(array.shape).subspan(1);
  const std::int64_t width = array.elements() / array.shape.front();
  if (column.binding.encoding != DataBinding::Encoding::none) {
    if (width == 1) return Done{};
    return error_at(column.binding.span, fmt::format("labels of '{}' are one number a sample, here {} {}", name,
                                                     agreeing(width, "is", "are"), width));
  }
  const Shape wanted = without_ones(column.input->type.shape), found = without_ones(sample);
  const bool one_is_flat = wanted.size() <= 1 || found.size() <= 1;
  if (width == column.elements && (one_is_flat || wanted == found)) return Done{};
  if (one_is_flat) return check_width(column, width, "number");
  Diagnostic other =
      error_at(column.binding.span, fmt::format("'{}' is {}, and a sample of the array {}", name,
                                                to_string(column.input->type.shape), format_shape(sample)));
  if (are_channels_first(column.input->type.shape, sample)) {
    other.notes.push_back({{},
                           "channels of images come last here, as in Keras: numpy.transpose(array, (0, 2, 3, 1)) puts "
                           "them there"});
  }
  return other;
}

// All arrays, as many rows in each.
Result<std::vector<ReadArray>> read_all(const Reading& reading) {
  std::vector<ReadArray> arrays;
  Archives archives;
  for (const DataColumn& column : reading.columns) {
    TARN_TRY(ReadArray read, read_one(reading, column, archives));
    TARN_RETURN_IF_ERROR(check_shape(column, read.array));
    if (!arrays.empty() && read.array.shape.front() != arrays.front().array.shape.front()) {
      return error(fmt::format("'{}' has {}, but '{}' has {}", reading.columns.front().input->name,
                               counted(arrays.front().array.shape.front(), "row"), column.input->name,
                               read.array.shape.front()));
    }
    arrays.push_back(std::move(read));
  }
  return arrays;
}

// The rows without a missing value, with a remark on the others; an error where they are not to be left out.
Result<std::vector<std::uint32_t>> complete_rows(const Reading& reading, const std::vector<ReadArray>& arrays,
                                                 Dataset& data) {
  std::vector<bool> dropped(data.rows);
  std::vector<std::string> with_missing;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::vector<std::uint32_t> missing = rows_with_missing(arrays[i].array);
    if (missing.empty()) continue;
    if (!reading.source.drop_missing) {
      Diagnostic failure = error(fmt::format("{}: row {}: the value of '{}' is missing: it is no number",
                                             arrays[i].name, missing.front() + 1, reading.columns[i].input->name));
      if (missing.size() > 1) {
        failure.message += missing.size() == 2 ? " (so is that of another row)"
                                               : fmt::format(" (so are those of {} more rows)", missing.size() - 1);
      }
      failure.notes.push_back({{}, "`drop_missing` in the data block leaves such rows out"});
      return failure;
    }
    with_missing.push_back(reading.columns[i].input->name);
    for (const std::uint32_t row : missing) dropped[row] = true;
  }
  std::vector<std::uint32_t> rows = rows_that_stay(dropped);
  if (rows.empty()) return error(fmt::format("every row of '{}' misses a value", arrays.front().name));
  if (rows.size() < data.rows) {
    data.remarks.push_back(rows_left_out(data.rows - rows.size(), data.rows, arrays.front().name, with_missing));
    data.file_rows = data.rows;
    data.kept = rows;
    data.rows = rows.size();
  }
  return rows;
}

// "x.npy: row 4, column 2", or "x.npy: row 4, at [0, 3, 1]" where samples have several axes.
ValueOrigin origin_in(const ReadArray& read, const Shape& shape) {
  ValueOrigin origin = rows_of(read.name);
  if (element_count(shape) == 1) return origin;
  const auto place_of_row = origin.place;
  origin.place = [place_of_row, shape](std::size_t row, std::size_t element) {
    const std::string place = place_of_row(row, element);
    if (shape.size() == 1) return fmt::format("{}, column {}", place, element + 1);
    return fmt::format("{}, at {}", place, format_place(static_cast<std::int64_t>(element), shape));
  };
  return origin;
}

Result<Bytes> values_of(const DataColumn& column, ReadArray&& read, const std::vector<std::uint32_t>& rows,
                        Vocabularies& vocabularies) {
  const InputInfo& input = *column.input;
  const bool are_labels = column.binding.encoding != DataBinding::Encoding::none;
  const ValueOrigin origin = are_labels ? rows_of(read.name) : origin_in(read, input.type.shape);
  if (!are_labels) {
    const bool all = rows.size() == static_cast<std::size_t>(read.array.shape.front());
    return all ? input_values(std::move(read.array), input, column.binding.scale, origin)
               : input_values(read.array, rows, input, column.binding.scale, origin);
  }
  // Labels of arrays are the numbers of their classes.
  TARN_TRY(const std::int64_t limit, class_limit(input, column.binding));
  TARN_TRY(const std::vector<std::int64_t> classes,
           classes_of(read.array, rows, input, limit > 0 ? limit : kMostClasses, origin));
  if (limit > 0 && vocabularies.may_learn(input.name)) vocabularies.learn(input.name, {{}, limit});
  return column.binding.encoding == DataBinding::Encoding::one_hot ? one_hot_values(classes, column.elements, input)
                                                                   : class_values(classes, input);
}

}  // namespace

Result<Dataset> read_arrays(const Reading& reading) {
  Dataset data;
  data.arrays.resize(reading.program.inputs.size());
  TARN_TRY(std::vector<ReadArray> arrays, read_all(reading));
  if (arrays.empty()) return data;
  data.rows = static_cast<std::uint64_t>(arrays.front().array.shape.front());
  TARN_TRY(const std::vector<std::uint32_t> rows, complete_rows(reading, arrays, data));
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const DataColumn& column = reading.columns[i];
    TARN_TRY(data.arrays[static_cast<std::size_t>(column.input - reading.program.inputs.data())],
             values_of(column, std::move(arrays[i]), rows, reading.vocabularies));
    arrays[i] = {};
  }
  return data;
}

}  // namespace tarn
