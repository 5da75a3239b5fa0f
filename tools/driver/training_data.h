// The data that `tarn train` trains and validates on, read while native code is being made.
#pragma once

#include <future>
#include <optional>
#include <string>

#include "runtime/data/dataset.h"
#include "runtime/data/vocabularies.h"
#include "runtime/session/session.h"

namespace tarn {

struct TrainingData {
  Dataset training;
  std::optional<Dataset> validation;
  Rows training_rows, validation_rows;
  Vocabularies vocabularies;
  Diagnostics warnings;
};

// What to read: --data, --validation; and the vocabularies of the weights that training begins with.
struct TrainingDataRequest {
  std::vector<GivenFile> files, validation;
  Vocabularies vocabularies;
};

// Whether there are data to validate on, beside those for training.
bool has_validation_data(const TrainingDataRequest& request, const Program& program);

// Paths of the model file are relative to `folder`.
Result<TrainingData> read_training_data(const TrainingDataRequest& request, const Program& program,
                                        const std::string& folder);

// The same in another thread, which sees copies alone, so that the program may be used or go meanwhile. What goes wrong
// is known when the data are asked for; the end of the future's life waits.
std::future<Result<TrainingData>> start_reading(const TrainingDataRequest& request, const Program& program,
                                                const std::string& folder);

}  // namespace tarn
