// Random model files: valid by construction, over the whole language, and of values near 1, so that few of them are
// badly conditioned. What the prelude declares is found there by itself; see prelude_parts.h for what is left out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ir/type.h"
#include "tests/models/choices.h"

namespace tarn::models {

struct RandomModel {
  std::string text;
  std::vector<std::pair<std::string, std::string>> overrides;  // --set
  DType float_type = DType::f32;                               // --precision
  std::uint64_t seed = 0;                                      // of weights, draws and data
  std::int64_t rows = 1;                                       // to train on: up to three batches
};

RandomModel generate(Choices& choices);

// The command line and the text, as they are shown and written to files.
std::string describe(const RandomModel& model);

}  // namespace tarn::models
