// Arrays of files made into samples of an input: dtype, range, scale, classes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "runtime/files/array.h"

namespace tarn {

// The array type that holds the same numbers in the same bytes.
ArrayType array_type_of(DType dtype);

// How errors speak of a value of an array: by its row and its number in the row.
struct ValueOrigin {
  // "d.csv:4", "x.npy: row 4".
  std::function<std::string(std::size_t row, std::size_t element)> place;
  // As it is written there; null: the number itself.
  std::function<std::string(std::size_t row, std::size_t element)> text;
};
// Rows of `where`, counted from 1.
ValueOrigin rows_of(std::string_view where);

// The given rows of [all rows, …] in the dtype of the input, each number times `scale`. Every value must be one that
// the input may hold (value_check.h).
Result<Bytes> input_values(const Array& array, const std::vector<std::uint32_t>& rows, const InputInfo& input,
                           double scale, const ValueOrigin& origin);
// All rows; floats stay where they are, so that they are not held twice.
Result<Bytes> input_values(Array array, const InputInfo& input, double scale, const ValueOrigin& origin);

// Of the given rows of an array with one number a row, whole numbers in [0, limit).
Result<std::vector<std::int64_t>> classes_of(const Array& array, const std::vector<std::uint32_t>& rows,
                                             const InputInfo& input, std::int64_t limit, const ValueOrigin& origin);

// Rows of an array that hold something that is no number: there a value is missing.
std::vector<std::uint32_t> rows_with_missing(const Array& array);

// One 1 and zeros elsewhere for each class; classes are in [0, width).
Bytes one_hot_values(const std::vector<std::int64_t>& classes, std::int64_t width, const InputInfo& input);

// The class numbers themselves, in the dtype of the input.
Bytes class_values(const std::vector<std::int64_t>& classes, const InputInfo& input);

}  // namespace tarn
