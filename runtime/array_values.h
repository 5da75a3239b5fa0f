// Arrays of files made into samples of an input: dtype, range, scale, classes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "runtime/array.h"

namespace tarn {

// The array type that holds the same numbers in the same bytes.
ArrayType array_type_of(DType dtype);

// The given rows of [all rows, …] in the dtype of the input, each number times `scale`. Integers must be whole, within
// i32 and within the input's index limit; `where` is what errors call the source.
Result<Bytes> input_values(const Array& array, const std::vector<std::uint32_t>& rows, const InputInfo& input,
                           double scale, std::string_view where);
// All rows; floats stay where they are, so that they are not held twice.
Result<Bytes> input_values(Array array, const InputInfo& input, double scale, std::string_view where);

// Whole numbers in [0, limit), one a sample.
Result<std::vector<std::int64_t>> classes_of(const Array& array, std::int64_t limit, std::string_view where);

// One 1 and zeros elsewhere for each class; classes are in [0, width).
Bytes one_hot_values(const std::vector<std::int64_t>& classes, std::int64_t width, const InputInfo& input);

// The class numbers themselves, in the dtype of the input.
Bytes class_values(const std::vector<std::int64_t>& classes, const InputInfo& input);

}  // namespace tarn
