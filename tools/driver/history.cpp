// See history.h.
#include "tools/driver/history.h"

#include <fmt/format.h>

#include <cmath>

#include "ir/metric_values.h"
#include "runtime/files/csv.h"

namespace tarn {

std::vector<History::Series> History::series() const {
  std::vector<Series> all = all_series();
  std::erase_if(all, [](const Series& series) { return series.epochs.empty(); });
  return all;
}

std::vector<History::Series> History::all_series() const {
  std::vector<Series> all;
  for (const bool of_validation : {false, true}) {
    for (std::size_t i = 0; i < program_.metrics.size(); ++i) {
      const std::int64_t count = element_count(program_.metrics[i].shape);
      for (std::int64_t value = 0; value < count && count <= kMostCurves; ++value) {
        all.push_back(series_of(i, static_cast<std::size_t>(value), of_validation));
      }
    }
  }
  return all;
}

History::Series History::series_of(std::size_t metric, std::size_t value, bool of_validation) const {
  const std::string name = name_of_value(program_.metrics[metric], value);
  Series series{(of_validation ? "val_" : "") + name, of_validation, {}, {}};
  for (const EpochReport& report : epochs_) {
    if (of_validation && !report.validation) continue;
    series.epochs.push_back(report.epoch);
    series.values.push_back((of_validation ? *report.validation : report.training).values[metric][value]);
  }
  return series;
}

std::string History::csv(bool validates) const {
  std::vector<Series> all = all_series();
  if (!validates) std::erase_if(all, [](const Series& series) { return series.of_validation; });
  std::string text = "epoch";
  for (const Series& column : all) text += "," + csv_field(column.name);
  text += ",seconds\n";
  for (std::size_t row = 0; row < epochs_.size(); ++row) {
    text += fmt::format("{}", epochs_[row].epoch);
    for (const Series& column : all)
      text += std::isnan(column.values[row]) ? ",nan" : fmt::format(",{}", column.values[row]);
    text += fmt::format(",{}\n", epochs_[row].seconds);
  }
  return text;
}

}  // namespace tarn
