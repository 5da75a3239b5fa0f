// Conversion of read arrays to samples. See array_values.h.
#include "runtime/files/array_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "runtime/files/number_text.h"
#include "runtime/files/value_check.h"

namespace tarn {

namespace {

void put(Bytes& bytes, std::size_t at, DType dtype, double value) {
  switch (dtype) {
    case DType::f32:
      reinterpret_cast<float*>(bytes.data())[at] = static_cast<float>(value);
      break;
    case DType::f64:
      reinterpret_cast<double*>(bytes.data())[at] = value;
      break;
    case DType::i32:
      reinterpret_cast<std::int32_t*>(bytes.data())[at] = static_cast<std::int32_t>(value);
      break;
    case DType::boolean:
      reinterpret_cast<std::uint8_t*>(bytes.data())[at] = value != 0 ? 1 : 0;
      break;
  }
}

// "d.csv:4: 't' takes a class from 0 to 2, here is 3; 12 more values like that".
Diagnostic wrong_value(const InputInfo& input, const ValueOrigin& origin, std::size_t row, std::size_t element,
                       double read, double scale, std::size_t more) {
  const std::string text = origin.text ? origin.text(row, element) : fmt::format("{}", read);
  // What is beyond f32 is an infinity by now.
  if (origin.text) read = parse_number(text).value_or(read);
  return error(fmt::format("{}: '{}' takes {}, here is {}{}{}", origin.place(row, element), input.name,
                           wanted_instead(input, element, read * scale), text,
                           scale == 1 ? "" : fmt::format(", times {}", scale), and_more(more)));
}

// The first of the given rows' values that is wrong, number `at`, and how many there are behind it.
Diagnostic wrong_value_of(const Array& array, const std::vector<std::uint32_t>* rows, const InputInfo& input,
                          double scale, const ValueOrigin& origin, std::size_t at) {
  const auto width = static_cast<std::size_t>(element_count(input.type.shape));
  const std::size_t count = rows == nullptr ? static_cast<std::size_t>(array.elements()) : rows->size() * width;
  const auto row_of = [&](std::size_t i) { return rows == nullptr ? i / width : (*rows)[i / width]; };
  const auto value_of = [&](std::size_t i) {
    return array.at(static_cast<std::int64_t>(row_of(i) * width + i % width));
  };
  std::size_t more = 0;
  for (std::size_t i = at + 1; i < count; ++i) more += may_hold(input, i % width, value_of(i) * scale) ? 0 : 1;
  return wrong_value(input, origin, row_of(at), at % width, value_of(at), scale, more);
}

// Looks at what has become of the rows, all of them in order where `rows` is null.
Status check_values(const Array& array, const std::vector<std::uint32_t>* rows, const InputInfo& input, double scale,
                    const ValueOrigin& origin, const Bytes& bytes) {
  const std::size_t count = bytes.size() / size_of(input.type.dtype);
  const std::optional<std::size_t> wrong = first_wrong_value(input, bytes.data(), count);
  if (!wrong) return Done{};
  return wrong_value_of(array, rows, input, scale, origin, *wrong);
}

// Block by block, so that what a wrong value was before can be said.
Status scale_and_check(std::span<float> values, const InputInfo& input, double scale, const ValueOrigin& origin) {
  constexpr std::size_t kBlock = 4096;
  const auto width = static_cast<std::size_t>(element_count(input.type.shape));
  const std::size_t block = std::max<std::size_t>(kBlock / width, 1) * width;
  std::vector<float> before;
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const std::span<float> part = values.subspan(begin, std::min(block, values.size() - begin));
    before.assign(part.begin(), part.end());
    for (float& value : part) value = static_cast<float>(static_cast<double>(value) * scale);
    if (const std::optional<std::size_t> wrong = first_wrong_value(input, part.data(), part.size())) {
      const std::size_t at = begin + *wrong;
      std::size_t more = 0;
      for (std::size_t i = at + 1; i < values.size(); ++i) {
        const double factor = i < begin + part.size() ? 1 : scale;
        more += may_hold(input, i % width, static_cast<double>(values[i]) * factor) ? 0 : 1;
      }
      return wrong_value(input, origin, at / width, at % width, before[*wrong], scale, more);
    }
  }
  return Done{};
}

// The rows as floats, straight from the type of the file: the way of large data sets.
template <class From>
void copy_scaled(const Array& array, const std::vector<std::uint32_t>& rows, std::size_t width, double scale,
                 float* to) {
  const From* from = array.values<From>().data();
  for (const std::uint32_t row : rows) {
    for (std::size_t j = 0; j < width; ++j)
      *to++ = static_cast<float>(static_cast<double>(from[row * width + j]) * scale);
  }
}

bool copy_to_floats(const Array& array, const std::vector<std::uint32_t>& rows, std::size_t width, double scale,
                    float* to) {
  switch (array.type) {
    case ArrayType::u8:
      copy_scaled<std::uint8_t>(array, rows, width, scale, to);
      return true;
    case ArrayType::f32:
      copy_scaled<float>(array, rows, width, scale, to);
      return true;
    case ArrayType::f64:
      copy_scaled<double>(array, rows, width, scale, to);
      return true;
    default:
      return false;
  }
}

template <class T>
bool any_is_nan(std::span<const T> values) {
  constexpr std::size_t kBlock = 4096;
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    unsigned any = 0;
    for (const T value : values.subspan(begin, std::min(kBlock, values.size() - begin)))
      any |= static_cast<unsigned>(value != value);
    if (any != 0) return true;
  }
  return false;
}

bool has_no_number(const Array& array) {
  switch (array.type) {
    case ArrayType::f32:
      return any_is_nan(array.values<float>());
    case ArrayType::f64:
      return any_is_nan(array.values<double>());
    case ArrayType::f16:
    case ArrayType::bf16:
      for (std::int64_t i = 0; i < array.elements(); ++i) {
        if (std::isnan(array.at(i))) return true;
      }
      return false;
    default:
      return false;
  }
}

}  // namespace

ArrayType array_type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return ArrayType::f32;
    case DType::f64:
      return ArrayType::f64;
    case DType::i32:
      return ArrayType::i32;
    case DType::boolean:
      break;
  }
  return ArrayType::boolean;
}

ValueOrigin rows_of(std::string_view where) {
  return {
      [where = std::string(where)](std::size_t row, std::size_t) { return fmt::format("{}: row {}", where, row + 1); },
      nullptr};
}

Result<Bytes> input_values(const Array& array, const std::vector<std::uint32_t>& rows, const InputInfo& input,
                           double scale, const ValueOrigin& origin) {
  const auto width = static_cast<std::size_t>(element_count(input.type.shape));
  Bytes bytes;
  bytes.resize(rows.size() * width * size_of(input.type.dtype));
  const bool to_floats = input.type.dtype == DType::f32;
  if (!to_floats || !copy_to_floats(array, rows, width, scale, reinterpret_cast<float*>(bytes.data()))) {
    const bool is_narrow = input.type.dtype == DType::i32 || input.type.dtype == DType::boolean;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        const double read = array.at(static_cast<std::int64_t>(rows[i] * width + j));
        // What an integer cannot say is seen before it is one.
        if (is_narrow && !may_hold(input, j, read * scale))
          return wrong_value_of(array, &rows, input, scale, origin, i * width + j);
        put(bytes, i * width + j, input.type.dtype, read * scale);
      }
    }
  }
  TARN_RETURN_IF_ERROR(check_values(array, &rows, input, scale, origin, bytes));
  return bytes;
}

Result<Bytes> input_values(Array array, const InputInfo& input, double scale, const ValueOrigin& origin) {
  if (array.type == ArrayType::f32 && input.type.dtype == DType::f32) {
    TARN_RETURN_IF_ERROR(scale == 1 ? check_values(array, nullptr, input, 1, origin, array.data)
                                    : scale_and_check(array.values<float>(), input, scale, origin));
    return std::move(array.data);
  }
  std::vector<std::uint32_t> rows(array.shape.empty() ? 1 : static_cast<std::size_t>(array.shape.front()));
  std::iota(rows.begin(), rows.end(), 0U);
  return input_values(array, rows, input, scale, origin);
}

Result<std::vector<std::int64_t>> classes_of(const Array& array, const std::vector<std::uint32_t>& rows,
                                             const InputInfo& input, std::int64_t limit, const ValueOrigin& origin) {
  std::vector<std::int64_t> classes(rows.size());
  const auto is_class = [&](double value) {
    const bool is_ignored = input.values.ignored && value == static_cast<double>(*input.values.ignored);
    return value == std::floor(value) && (is_ignored || (value >= 0 && value < static_cast<double>(limit)));
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double value = array.at(rows[i]);
    if (!is_class(value)) {
      const auto more = std::count_if(rows.begin() + static_cast<std::ptrdiff_t>(i) + 1, rows.end(),
                                      [&](std::uint32_t row) { return !is_class(array.at(row)); });
      return error(fmt::format("{}: '{}' takes a class from 0 to {}, here is {}{}", origin.place(rows[i], 0),
                               input.name, limit - 1, value, and_more(static_cast<std::size_t>(more))));
    }
    classes[i] = static_cast<std::int64_t>(value);
  }
  return classes;
}

std::vector<std::uint32_t> rows_with_missing(const Array& array) {
  std::vector<std::uint32_t> rows;
  if (array.shape.empty() || !has_no_number(array)) return rows;
  const std::int64_t width = array.elements() / array.shape.front();
  for (std::int64_t row = 0; row < array.shape.front(); ++row) {
    for (std::int64_t j = 0; j < width; ++j) {
      if (!std::isnan(array.at(row * width + j))) continue;
      rows.push_back(static_cast<std::uint32_t>(row));
      break;
    }
  }
  return rows;
}

Bytes one_hot_values(const std::vector<std::int64_t>& classes, std::int64_t width, const InputInfo& input) {
  Bytes bytes;
  bytes.resize(classes.size() * static_cast<std::size_t>(width) * size_of(input.type.dtype));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      put(bytes, i * static_cast<std::size_t>(width) + static_cast<std::size_t>(j), input.type.dtype,
          classes[i] == j ? 1 : 0);
    }
  }
  return bytes;
}

Bytes class_values(const std::vector<std::int64_t>& classes, const InputInfo& input) {
  Bytes bytes;
  bytes.resize(classes.size() * size_of(input.type.dtype));
  for (std::size_t i = 0; i < classes.size(); ++i) put(bytes, i, input.type.dtype, static_cast<double>(classes[i]));
  return bytes;
}

}  // namespace tarn
