// Element types and conversions of host arrays. See array.h.
#include "runtime/files/array.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "ir/counted.h"
#include "runtime/files/file.h"

namespace tarn {
namespace {

struct Boolean {
  std::uint8_t byte;
};

// Calls f.operator()<T>() with the C++ type of `type`.
template <class F>
decltype(auto) with_element_type(ArrayType type, F&& f) {
  switch (type) {
    case ArrayType::f16:
      return f.template operator()<Float16>();
    case ArrayType::bf16:
      return f.template operator()<BFloat16>();
    case ArrayType::f32:
      return f.template operator()<float>();
    case ArrayType::f64:
      return f.template operator()<double>();
    case ArrayType::i8:
      return f.template operator()<std::int8_t>();
    case ArrayType::i16:
      return f.template operator()<std::int16_t>();
    case ArrayType::i32:
      return f.template operator()<std::int32_t>();
    case ArrayType::i64:
      return f.template operator()<std::int64_t>();
    case ArrayType::u8:
      return f.template operator()<std::uint8_t>();
    case ArrayType::u16:
      return f.template operator()<std::uint16_t>();
    case ArrayType::u32:
      return f.template operator()<std::uint32_t>();
    case ArrayType::u64:
      return f.template operator()<std::uint64_t>();
    case ArrayType::boolean:
      break;
  }
  return f.template operator()<Boolean>();
}

template <class T>
auto number_of(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return to_float(value);
  } else if constexpr (std::is_same_v<T, Boolean>) {
    return static_cast<std::uint8_t>(value.byte != 0);
  } else {
    return value;
  }
}

template <class To, class From>
To number_to(From value) {
  if constexpr (std::is_same_v<To, Boolean>) {
    return Boolean{static_cast<std::uint8_t>(value != From{0})};
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    // 2^digits is a power of two, so exact in every float type; the largest To itself need not be.
    const From end = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (std::isnan(value)) return 0;
    if (value >= end) return std::numeric_limits<To>::max();
    if (value < static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    if (std::cmp_greater(value, std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    if (std::cmp_less(value, std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  }
}

template <class From, class To>
void convert(const std::byte* source, std::byte* target, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    From element;
    std::memcpy(&element, source + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    const To converted = number_to<To>(number_of(element));
    std::memcpy(target + static_cast<std::size_t>(i) * sizeof(To), &converted, sizeof(To));
  }
}

void convert(ArrayType from, const std::byte* source, ArrayType to, std::byte* target, std::int64_t count) {
  with_element_type(from, [&]<class From>() {
    with_element_type(to, [&]<class To>() {
      if constexpr (std::is_same_v<To, Float16> || std::is_same_v<To, BFloat16>) {
        TARN_CHECK(false, "f16 and bf16 are only read");
      } else {
        convert<From, To>(source, target, count);
      }
    });
  });
}

struct TypeRow {
  std::string_view name;
  std::size_t size;
};
// In the order of ArrayType.
constexpr std::array<TypeRow, 13> kTypes = {{{"f16", 2},
                                             {"bf16", 2},
                                             {"f32", 4},
                                             {"f64", 8},
                                             {"i8", 1},
                                             {"i16", 2},
                                             {"i32", 4},
                                             {"i64", 8},
                                             {"u8", 1},
                                             {"u16", 2},
                                             {"u32", 4},
                                             {"u64", 8},
                                             {"bool", 1}}};
static_assert(kTypes.size() == static_cast<std::size_t>(ArrayType::boolean) + 1);

}  // namespace

std::string_view name_of(ArrayType type) { return kTypes[static_cast<std::size_t>(type)].name; }

std::size_t size_of(ArrayType type) { return kTypes[static_cast<std::size_t>(type)].size; }

float to_float(Float16 value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1Fu;
  const std::uint32_t fraction = value.bits & 0x3FFu;
  if (exponent == 0) {  // zero or denormal: fraction · 2^−24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  // The exponent's bias goes from 15 to 127; all ones (infinity, NaN) stay all ones.
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

float to_float(BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

std::optional<std::int64_t> byte_count(ArrayType type, std::span<const std::int64_t> shape) {
  const std::optional<std::int64_t> count = element_count(shape);
  std::int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, static_cast<std::int64_t>(size_of(type)), &bytes)) return std::nullopt;
  return bytes;
}

Status check_size(ArrayType type, std::span<const std::int64_t> shape, std::size_t available, std::string_view name) {
  const std::optional<std::int64_t> size = byte_count(type, shape);
  if (size && std::cmp_equal(*size, available)) return Done{};
  const std::string claim = size ? fmt::format("takes {}", counted(*size, "byte")) : "is too large";
  return error_in_file(
      name, fmt::format("an array of shape {} and type {} {}, but {} {} the header", format_shape(shape), name_of(type),
                        claim, counted(available, "byte"), agreeing(available, "follows", "follow")));
}

std::string format_shape(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", extent);
  return "[" + text + "]";
}

std::string format_place(std::int64_t element, std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; element /= shape[axis]) index[axis] = element % shape[axis];
  return format_shape(index);
}

Array Array::unset(ArrayType type, std::vector<std::int64_t> shape) {
  const std::optional<std::int64_t> bytes = byte_count(type, shape);
  TARN_CHECK(bytes.has_value(), "shape " + format_shape(shape) + " has no element count");
  Array array{type, std::move(shape), {}};
  array.data.resize(static_cast<std::size_t>(*bytes));
  return array;
}

Array Array::zeros(ArrayType type, std::vector<std::int64_t> shape) {
  Array array = unset(type, std::move(shape));
  std::fill(array.data.begin(), array.data.end(), std::byte{0});
  return array;
}

Array Array::from_doubles(ArrayType type, std::vector<std::int64_t> shape, std::span<const double> values) {
  Array array = unset(type, std::move(shape));
  TARN_CHECK(std::cmp_equal(values.size(), array.elements()), "as many values as elements");
  convert(ArrayType::f64, reinterpret_cast<const std::byte*>(values.data()), type, array.data.data(), array.elements());
  return array;
}

std::int64_t Array::elements() const { return static_cast<std::int64_t>(data.size() / size_of(type)); }

double Array::at(std::int64_t index) const {
  TARN_CHECK(index >= 0 && index < elements(), "index of an array");
  double value = 0;
  convert(type, data.data() + static_cast<std::size_t>(index) * size_of(type), ArrayType::f64,
          reinterpret_cast<std::byte*>(&value), 1);
  return value;
}

std::vector<double> Array::to_doubles() const {
  std::vector<double> values(static_cast<std::size_t>(elements()));
  convert(type, data.data(), ArrayType::f64, reinterpret_cast<std::byte*>(values.data()), elements());
  return values;
}

Array Array::converted(ArrayType target) const {
  if (target == type) return *this;
  Array result = unset(target, shape);
  convert(type, data.data(), target, result.data.data(), elements());
  return result;
}

Array Array::of_bytes(ArrayType type, std::vector<std::int64_t> shape, Bytes bytes, std::size_t skipped) {
  const std::optional<std::int64_t> wanted = byte_count(type, shape);
  TARN_CHECK(wanted && std::cmp_equal(*wanted, bytes.size() - skipped), "as many bytes as the shape takes");
  std::memmove(bytes.data(), bytes.data() + skipped, bytes.size() - skipped);
  bytes.resize(bytes.size() - skipped);
  return {type, std::move(shape), std::move(bytes)};
}

void Array::swap_byte_order() {
  if (size_of(type) == 1) return;
  const auto width = static_cast<std::ptrdiff_t>(size_of(type));
  for (auto element = data.begin(); element != data.end(); element += width) std::reverse(element, element + width);
}

void Array::check_type(ArrayType expected) const {
  TARN_CHECK(type == expected || (type == ArrayType::boolean && expected == ArrayType::u8),
             fmt::format("array of {} read as {}", name_of(type), name_of(expected)));
}

std::vector<NamedView> views_of(std::span<const NamedArray> arrays) {
  std::vector<NamedView> views;
  views.reserve(arrays.size());
  for (const auto& [name, array] : arrays) views.push_back({name, array.type, array.shape, array.data});
  return views;
}

}  // namespace tarn
