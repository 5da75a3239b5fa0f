// Conversion of read arrays to samples. See array_values.h.
#include "runtime/array_values.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>

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

Status check_integer(double value, const InputInfo& input, std::uint32_t row, std::string_view where) {
  constexpr std::numeric_limits<std::int32_t> kLimits;
  if (value == std::floor(value) && value >= kLimits.min() && value <= kLimits.max() && input.values.holds(value))
    return Done{};
  const std::string wanted =
      input.values.kind == ValueRange::Kind::any ? "a whole number (i32)" : input.values.wanted();
  return error(fmt::format("{}: row {}: '{}' takes {}, here is {}", where, row + 1, input.name, wanted, value));
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

Result<Bytes> input_values(const Array& array, const std::vector<std::uint32_t>& rows, const InputInfo& input,
                           double scale, std::string_view where) {
  const auto width = static_cast<std::size_t>(element_count(input.type.shape));
  Bytes bytes;
  bytes.resize(rows.size() * width * size_of(input.type.dtype));
  const bool to_floats = input.type.dtype == DType::f32;
  if (to_floats && copy_to_floats(array, rows, width, scale, reinterpret_cast<float*>(bytes.data()))) return bytes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      const double value = array.at(static_cast<std::int64_t>(rows[i] * width + j)) * scale;
      if (input.type.dtype == DType::i32) TARN_RETURN_IF_ERROR(check_integer(value, input, rows[i], where));
      put(bytes, i * width + j, input.type.dtype, value);
    }
  }
  return bytes;
}

Result<Bytes> input_values(Array array, const InputInfo& input, double scale, std::string_view where) {
  if (array.type == ArrayType::f32 && input.type.dtype == DType::f32) {
    if (scale != 1) {
      for (float& value : array.values<float>()) value = static_cast<float>(static_cast<double>(value) * scale);
    }
    return std::move(array.data);
  }
  std::vector<std::uint32_t> rows(array.shape.empty() ? 1 : static_cast<std::size_t>(array.shape.front()));
  std::iota(rows.begin(), rows.end(), 0U);
  return input_values(array, rows, input, scale, where);
}

Result<std::vector<std::int64_t>> classes_of(const Array& array, std::int64_t limit, std::string_view where) {
  std::vector<std::int64_t> classes(static_cast<std::size_t>(array.elements()));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const double value = array.at(static_cast<std::int64_t>(i));
    if (value != std::floor(value) || value < 0 || value >= static_cast<double>(limit)) {
      return error(
          fmt::format("{}: row {}: a class from 0 to {} is wanted, here is {}", where, i + 1, limit - 1, value));
    }
    classes[i] = static_cast<std::int64_t>(value);
  }
  return classes;
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
