// See metric_values.h.
#include "ir/metric_values.h"

#include <fmt/format.h>

#include <charconv>

namespace tarn {

std::string name_of_value(const MetricInfo& metric, std::size_t index) {
  std::string indices;
  auto rest = static_cast<std::int64_t>(index);
  for (std::size_t axis = metric.shape.size(); axis-- > 0;) {
    indices = fmt::format("[{}]", rest % metric.shape[axis]) + indices;
    rest /= metric.shape[axis];
  }
  return metric.name + indices;
}

std::optional<std::size_t> value_named(const MetricInfo& metric, std::string_view name) {
  if (!name.starts_with(metric.name)) return std::nullopt;
  name.remove_prefix(metric.name.size());
  std::int64_t index = 0;
  for (const std::int64_t extent : metric.shape) {
    const std::size_t end = name.find(']');
    if (!name.starts_with('[') || end == std::string_view::npos) return std::nullopt;
    std::int64_t at = -1;
    const auto read = std::from_chars(name.data() + 1, name.data() + end, at);
    if (read.ec != std::errc() || read.ptr != name.data() + end || at < 0 || at >= extent) return std::nullopt;
    index = index * extent + at;
    name.remove_prefix(end + 1);
  }
  return name.empty() ? std::optional(static_cast<std::size_t>(index)) : std::nullopt;
}

}  // namespace tarn
