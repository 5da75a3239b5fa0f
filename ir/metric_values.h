// The values of a metric that has several, by name: "f1_score[1]", "confusion_matrix[0][2]".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "ir/program.h"

namespace tarn {

// Of a scalar, the name of the metric.
std::string name_of_value(const MetricInfo& metric, std::size_t index);
// Which value of the metric has this name; nothing where none has.
std::optional<std::size_t> value_named(const MetricInfo& metric, std::string_view name);

}  // namespace tarn
