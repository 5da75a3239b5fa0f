// See value_check.h.
#include "runtime/files/value_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "ir/counted.h"

namespace tarn {

namespace {

// So many values are looked at without a branch, as vectors do; in the block that has a wrong one it is sought.
constexpr std::size_t kBlock = 1024;

template <class T, class Wrong>
std::optional<std::size_t> first_of(const void* data, std::size_t count, const Wrong& is_wrong) {
  const T* const values = static_cast<const T*>(data);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(count, begin + kBlock);
    unsigned any = 0;
    for (std::size_t i = begin; i < end; ++i) any |= static_cast<unsigned>(is_wrong(values[i]));
    if (any == 0) continue;
    for (std::size_t i = begin; i < end; ++i) {
      if (is_wrong(values[i])) return i;
    }
  }
  return std::nullopt;
}

// All exponent bits set: an infinity or no number.
bool is_not_finite(float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7F800000U) == 0x7F800000U; }
bool is_not_finite(double value) {
  return (std::bit_cast<std::uint64_t>(value) & 0x7FF0000000000000ULL) == 0x7FF0000000000000ULL;
}

template <class T>
std::optional<std::size_t> first_wrong_float(const ValueRange& range, const void* data, std::size_t count) {
  switch (range.kind) {
    case ValueRange::Kind::any:
      return first_of<T>(data, count, [](T value) { return is_not_finite(value); });
    case ValueRange::Kind::probability:
      return first_of<T>(data, count, [](T value) { return !(value >= 0 && value <= 1); });
    case ValueRange::Kind::sign:
      return first_of<T>(data, count, [](T value) { return !(value == -1 || value == 0 || value == 1); });
    case ValueRange::Kind::index:
    case ValueRange::Kind::class_number:
      break;
  }
  // Whole numbers below 2^31 are those that conversion to an integer and back keeps.
  const T limit = static_cast<T>(std::min<std::int64_t>(range.count, std::numeric_limits<std::int32_t>::max()));
  // Nothing equals what is no number.
  const T ignored = range.ignored ? static_cast<T>(*range.ignored) : std::numeric_limits<T>::quiet_NaN();
  return first_of<T>(data, count, [=](T value) {
    const bool inside = value >= 0 && value < limit;
    const T safe = inside ? value : T{0};
    const bool whole = static_cast<T>(static_cast<std::int32_t>(safe)) == safe;
    return !((inside && whole) || value == ignored);
  });
}

std::optional<std::size_t> first_wrong_integer(const ValueRange& range, const void* data, std::size_t count) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
  if (range.kind == ValueRange::Kind::any) return std::nullopt;
  const std::int64_t end = range.counts() ? range.count : 2;
  const auto limit = static_cast<std::int32_t>(std::min(end, kLargest));
  const std::int32_t least = range.kind == ValueRange::Kind::sign ? -1 : 0;
  const std::int64_t ignored = range.ignored.value_or(0);
  const bool can_be_ignored = range.ignored && ignored >= -kLargest - 1 && ignored <= kLargest;
  const auto unlike = static_cast<std::int32_t>(can_be_ignored ? ignored : 0);
  return first_of<std::int32_t>(data, count, [=](std::int32_t value) {
    return !(value >= least && value < limit) && !(can_be_ignored && value == unlike);
  });
}

}  // namespace

std::optional<std::size_t> first_wrong_value(const InputInfo& input, const void* values, std::size_t count) {
  if (!input.elements.empty()) {
    const std::size_t width = input.elements.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!may_hold(input, i % width, value_at(input.type.dtype, values, i))) return i;
    }
    return std::nullopt;
  }
  switch (input.type.dtype) {
    case DType::f32:
      return first_wrong_float<float>(input.values, values, count);
    case DType::f64:
      return first_wrong_float<double>(input.values, values, count);
    case DType::i32:
      return first_wrong_integer(input.values, values, count);
    case DType::boolean:
      break;
  }
  return std::nullopt;
}

bool may_hold(const InputInfo& input, std::size_t element, double value) {
  constexpr std::numeric_limits<std::int32_t> kIntegers;
  if (!std::isfinite(value) || !input.range_of(element).holds(value)) return false;
  switch (input.type.dtype) {
    case DType::f32:
      return std::isfinite(static_cast<float>(value));
    case DType::i32:
      return value == std::floor(value) && value >= kIntegers.min() && value <= kIntegers.max();
    case DType::f64:
    case DType::boolean:
      break;
  }
  return true;
}

std::string and_more(std::size_t count, std::string_view one) {
  return count == 0 ? std::string() : fmt::format("; {} like that", counted(count, fmt::format("more {}", one)));
}

std::string wanted_instead(const InputInfo& input, std::size_t element, double value) {
  const ValueRange& range = input.range_of(element);
  if (range.kind != ValueRange::Kind::any) return range.wanted();
  if (input.type.dtype == DType::i32) return "a whole number (i32)";
  return std::isfinite(value) ? fmt::format("a finite number ({})", name_of(input.type.dtype)) : "a finite number";
}

namespace {

bool is_float(ArrayType type) {
  return type == ArrayType::f16 || type == ArrayType::bf16 || type == ArrayType::f32 || type == ArrayType::f64;
}

// Whole numbers and truth values are held if they come back; floats if they are finite.
bool can_hold(ArrayType type, double value) {
  if (!std::isfinite(value)) return false;
  if (type == ArrayType::f32) return std::isfinite(static_cast<float>(value));
  return is_float(type) || Array::from_doubles(type, {}, std::span(&value, 1)).at(0) == value;
}

}  // namespace

bool all_finite(DType dtype, const void* values, std::size_t count) {
  const auto is_wrong = [](auto value) { return is_not_finite(value); };
  if (dtype == DType::f32) return !first_of<float>(values, count, is_wrong);
  if (dtype == DType::f64) return !first_of<double>(values, count, is_wrong);
  return true;
}

std::optional<WrongElements> wrong_elements(const Array& array, ArrayType type) {
  // Most arrays are floats of the type that is asked for.
  if (array.type == type && !is_float(type)) return std::nullopt;
  const auto count = static_cast<std::size_t>(array.elements());
  if (array.type == type && type == ArrayType::f32 && all_finite(DType::f32, array.data.data(), count))
    return std::nullopt;
  if (array.type == type && type == ArrayType::f64 && all_finite(DType::f64, array.data.data(), count))
    return std::nullopt;
  WrongElements wrong;
  for (std::int64_t i = array.elements(); i-- > 0;) {
    if (can_hold(type, array.at(i))) continue;
    wrong = {i, wrong.count + 1, array.at(i)};
  }
  return wrong.count > 0 ? std::optional(wrong) : std::nullopt;
}

std::string wrong_elements_text(const std::string& name, const Array& array, ArrayType type,
                                const WrongElements& wrong) {
  std::string text = fmt::format("'{}' is {}", name, std::isnan(wrong.value) ? std::nan("") : wrong.value);
  if (!array.shape.empty()) text += fmt::format(" at {}", format_place(wrong.first, array.shape));
  if (std::isfinite(wrong.value)) text += fmt::format(", which {} cannot hold", name_of(type));
  return text + and_more(static_cast<std::size_t>(wrong.count - 1));
}

double value_at(DType dtype, const void* values, std::size_t index) {
  switch (dtype) {
    case DType::f32:
      return static_cast<const float*>(values)[index];
    case DType::f64:
      return static_cast<const double*>(values)[index];
    case DType::i32:
      return static_cast<const std::int32_t*>(values)[index];
    case DType::boolean:
      break;
  }
  return static_cast<const std::uint8_t*>(values)[index];
}

bool is_count(double value) {
  return value >= 0 && value <= static_cast<double>(kMostCounted) && value == std::floor(value);
}

}  // namespace tarn
