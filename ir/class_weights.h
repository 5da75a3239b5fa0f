// Where the numbers of classes stand whose weights are given by label or, of data with labels, by number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "ir/program.h"

namespace tarn {

inline constexpr std::string_view kClassWeightPrefix = "class_weight.";

// The hyper-parameter with the number of the class that has this label of settings.class_weight, -1 as long as the data
// have not said; whoever reads the data sets it.
inline std::string class_weight_tensor(const TrainSettings& settings, std::string_view label) {
  const auto found = settings.class_weight.find(std::string(label));
  return std::string(kClassWeightPrefix) + "label_" +
         std::to_string(std::distance(settings.class_weight.begin(), found));
}

// The same for a number, where the data have labels: the label with that number if there are such, else the class with
// it, which it is as long as the data have not said.
inline constexpr std::string_view kClassWeightNumberPrefix = "class_weight.class_";
inline std::string class_weight_tensor(std::int64_t number) {
  return std::string(kClassWeightNumberPrefix) + std::to_string(number);
}
// The number in such a name, as text.
inline std::optional<std::string_view> class_weight_number(std::string_view tensor) {
  if (!tensor.starts_with(kClassWeightNumberPrefix)) return std::nullopt;
  return tensor.substr(kClassWeightNumberPrefix.size());
}

}  // namespace tarn
