// What callbacks follow from epoch to epoch: that it is there, and which of its values are the better ones.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/train/train_block.h"
#include "ir/joined.h"
#include "ir/metric_values.h"

namespace tarn::elaboration {

std::string& TrainBlock::mode_of(const Monitor& monitor) {
  TrainSettings& settings = elaborator_.program.settings;
  if (monitor.setting == "early_stopping") return settings.early_stopping->mode;
  if (monitor.setting == "reduce_on_plateau") return settings.reduce_on_plateau->mode;
  return settings.checkpoints[monitor.checkpoint].mode;
}

// The mode "auto" becomes that of the metric.
void TrainBlock::find_direction(const Monitor& monitor, const MetricInfo& metric) {
  std::string& mode = mode_of(monitor);
  if (mode != "auto") return;
  if (metric.better == Better::unknown) {
    elaborator_.reports.fail(
        monitor.span,
        fmt::format("{0}: nothing says whether more or less of '{1}' is better: give mode = \"max\" or mode = \"min\", "
                    "or say `larger is better` or `smaller is better` where the metric is declared",
                    monitor.setting, monitor.name));
    return;
  }
  mode = metric.better == Better::larger ? "max" : "min";
}

void TrainBlock::check_monitor(const Monitor& monitor) {
  std::vector<std::string> names;
  std::string_view wanted = monitor.name;
  if (wanted.starts_with("val_")) wanted.remove_prefix(4);
  for (const MetricInfo& metric : elaborator_.program.metrics) {
    // A metric may itself be called val_….
    if (value_named(metric, monitor.name) || value_named(metric, wanted)) return find_direction(monitor, metric);
    const auto count = static_cast<std::size_t>(element_count(metric.shape));
    const std::string first = name_of_value(metric, 0), last = name_of_value(metric, count - 1);
    if (metric.name == monitor.name || metric.name == wanted) {
      elaborator_.reports.fail(
          monitor.span,
          fmt::format("'{}' has {} values, and {} follows one: {} to {}; or make one of them, as average = "
                      "\"macro\" of f1_score does",
                      metric.name, count, monitor.setting, first, last));
      return;
    }
    for (const char* part : {"", "val_"}) {
      names.push_back(part + first);
      if (count > 1) names.push_back(part + last);
    }
  }
  // "val_acc" is what Keras 2 calls "val_accuracy".
  const auto begins = [&](const std::string& name) { return name.starts_with(monitor.name); };
  const auto longer = std::find_if(names.begin(), names.end(), begins);
  std::string meant =
      longer == names.end() ? did_you_mean(monitor.name, names) : fmt::format("; did you mean '{}'?", *longer);
  if (meant.empty()) meant = fmt::format("; there are {}", joined(names, ", "));
  elaborator_.reports.fail(monitor.span, fmt::format("nothing is reported as '{}'{}", monitor.name, meant));
}

}  // namespace tarn::elaboration
