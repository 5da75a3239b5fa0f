// validation_split: the last rows of the training data are kept for validation.
#pragma once

#include "runtime/data/dataset.h"
#include "runtime/data/vocabularies.h"

namespace tarn {

struct ValidationSplit {
  Rows training, validation;
  // Classes that one of the two lacks: rows that are sorted by class make a validation that says nothing.
  Diagnostics warnings;
};

// How many of so many rows, the first ones, are left for training: floor(n (1 - f)), as Keras cuts, but that the
// rounding of f in binary does not count.
std::uint64_t rows_for_training(const Program& program, std::uint64_t rows);

// Training has rows_for_training, and validation the others, in the order of the data set, which must outlive the
// result. Errors: a split that leaves nothing to train on.
Result<ValidationSplit> split_for_validation(const Program& program, const Dataset& data,
                                             const Vocabularies& vocabularies);

}  // namespace tarn
