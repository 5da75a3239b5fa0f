// Whether the values of an input are such as it may hold: finite, within its type, and in the range that its readers
// ask for; and whether those of a weight are, which are finite and within its type. Data and weights of files and of
// callers are looked at once, where they enter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ir/program.h"
#include "runtime/files/array.h"

namespace tarn {

// The first of `count` values, whole samples in the dtype of the input, that it may not hold. One pass at the speed of
// memory.
std::optional<std::size_t> first_wrong_value(const InputInfo& input, const void* values, std::size_t count);

// Whether element `element` of a sample may be this number, which is not in the input's dtype yet.
bool may_hold(const InputInfo& input, std::size_t element, double value);

// "; 12 more values like that", behind what is said of the first one; "" where there are none.
std::string and_more(std::size_t count, std::string_view one = "value");

// What it takes instead of `value`, which it does not take: "a class from 0 to 2", "a finite number".
std::string wanted_instead(const InputInfo& input, std::size_t element, double value);

// Value number `index` of an array in this dtype.
double value_at(DType dtype, const void* values, std::size_t index);

// The elements of an array that a tensor of a type cannot hold.
struct WrongElements {
  std::int64_t first = 0, count = 0;
  double value = 0;  // of the first
};
std::optional<WrongElements> wrong_elements(const Array& array, ArrayType type);

// Epochs and steps that can be counted, and whether the value of a counter may be this number: a whole one from 0 on.
inline constexpr std::int64_t kMostCounted = std::int64_t{1} << 52;
bool is_count(double value);

// Whether so many values in the dtype are finite, at the speed of memory.
bool all_finite(DType dtype, const void* values, std::size_t count);

// What is wrong with the tensor `name`: "'w' is nan at [0, 1]", "'w' is 1e+39, which f32 cannot hold".
std::string wrong_elements_text(const std::string& name, const Array& array, ArrayType type,
                                const WrongElements& wrong);

}  // namespace tarn
