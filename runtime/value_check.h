// Whether the values of an input are such as it may hold: finite, within its type, and in the range that its readers
// ask for. Data of files and of callers are looked at once, where they enter.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "ir/program.h"

namespace tarn {

// The first of `count` values, whole samples in the dtype of the input, that it may not hold. One pass at the speed of
// memory.
std::optional<std::size_t> first_wrong_value(const InputInfo& input, const void* values, std::size_t count);

// Whether element `element` of a sample may be this number, which is not in the input's dtype yet.
bool may_hold(const InputInfo& input, std::size_t element, double value);

// What it takes instead of `value`, which it does not take: "a class from 0 to 2", "a finite number".
std::string wanted_instead(const InputInfo& input, std::size_t element, double value);

// Value number `index` of an array in this dtype.
double value_at(DType dtype, const void* values, std::size_t index);

}  // namespace tarn
