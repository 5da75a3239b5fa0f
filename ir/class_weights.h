// Where the numbers of classes stand whose weights are given by label.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "ir/program.h"

namespace tarn {

// The hyper-parameter with the number of the class that has this label of settings.class_weight, -1 as long as the data
// have not said; whoever reads the data sets it.
inline std::string class_weight_tensor(const TrainSettings& settings, std::string_view label) {
  const auto found = settings.class_weight.find(std::string(label));
  return "class_weight.label_" + std::to_string(std::distance(settings.class_weight.begin(), found));
}

}  // namespace tarn
