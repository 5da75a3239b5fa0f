// See history.h.
#include "tools/history.h"

#include <fmt/format.h>

#include "runtime/csv.h"

namespace tarn {

std::vector<History::Series> History::series() const {
  std::vector<Series> all;
  for (const bool of_validation : {false, true}) {
    for (std::size_t i = 0; i < program_.metrics.size(); ++i) {
      if (!program_.metrics[i].shape.empty()) continue;
      Series series{(of_validation ? "val_" : "") + program_.metrics[i].name, of_validation, {}, {}};
      for (const EpochReport& report : epochs_) {
        if (of_validation && !report.validation) continue;
        series.epochs.push_back(report.epoch);
        series.values.push_back((of_validation ? *report.validation : report.training).values[i].front());
      }
      if (!series.epochs.empty()) all.push_back(std::move(series));
    }
  }
  return all;
}

std::string History::csv() const {
  const std::vector<Series> all = series();
  std::string text = "epoch";
  for (const Series& column : all) text += "," + csv_field(column.name);
  text += ",seconds\n";
  for (std::size_t row = 0; row < epochs_.size(); ++row) {
    text += fmt::format("{}", epochs_[row].epoch);
    for (const Series& column : all) text += fmt::format(",{}", column.values[row]);
    text += fmt::format(",{}\n", epochs_[row].seconds);
  }
  return text;
}

}  // namespace tarn
