// validation_split: the last rows of the training data are kept for validation.
#pragma once

#include "runtime/dataset.h"

namespace tarn {

struct ValidationSplit {
  Rows training, validation;
  // Classes that one of the two lacks: rows that are sorted by class make a validation that says nothing.
  Diagnostics warnings;
};

// Training has the first floor(n (1 - f)) rows, as Keras cuts, and validation the others, in the order of the data set,
// which must outlive the result. Errors: a split that leaves nothing to train on.
Result<ValidationSplit> split_for_validation(const Program& program, const Dataset& data,
                                             const Vocabularies& vocabularies);

}  // namespace tarn
