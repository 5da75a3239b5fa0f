// Labels of tables made into numbers of classes.
//
// Labels that are whole numbers from 0 up to the number of classes are their own class numbers. Others are looked up in
// the vocabulary of their input or, where it may still learn, become classes in the order of their first appearance. A
// cell in quotes is the text between them; others are compared without blanks around them, and numbers by their value.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/program.h"
#include "runtime/data/vocabularies.h"
#include "runtime/files/csv.h"

namespace tarn {

// Numbers of classes beyond this are none, where nothing says how many there are.
inline constexpr std::int64_t kMostClasses = 1'000'000'000;

// How many classes labels may have: what the binding says, what its input has places for, what its losses take; 0 where
// nothing says it. Errors: a binding that says what its input does not take.
Result<std::int64_t> class_limit(const InputInfo& input, const DataBinding& binding);

// The classes of the labels in a column, one for each of the rows. Errors, with line and column: a label that is not
// known, and one too many.
Result<std::vector<std::int64_t>> read_labels(const Table& table, std::size_t column,
                                              const std::vector<std::uint32_t>& rows, const InputInfo& input,
                                              const DataBinding& binding, Vocabularies& vocabularies);

}  // namespace tarn
