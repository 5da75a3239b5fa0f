// See watch.h.
#include "runtime/watch.h"

#include <algorithm>
#include <cmath>

namespace tarn {

namespace {

// Parts of the names of quantities of which more is better. Keras has them as the direction of each metric.
constexpr std::string_view kScores[] = {"acc",     "auc",         "precision", "recall",         "f1",
                                        "fbeta",   "r2",          "iou",       "true_positives", "sensitivity",
                                        "pearson", "correlation", "score",     "true_negatives", "specificity"};

}  // namespace

bool larger_is_better(std::string_view quantity, std::string_view mode) {
  if (mode != "auto") return mode == "max";
  if (quantity.starts_with("val_")) quantity.remove_prefix(4);
  return quantity == "cosine" || std::any_of(std::begin(kScores), std::end(kScores), [&](std::string_view score) {
           return quantity.find(score) != std::string_view::npos;
         });
}

bool is_better(double value, const std::optional<double>& than, bool larger, double min_delta) {
  if (!std::isfinite(value)) return false;
  if (!than) return true;
  return larger ? value - std::fabs(min_delta) > *than : value + std::fabs(min_delta) < *than;
}

EarlyStopper::EarlyStopper(const EarlyStopping& setting)
    : setting_(setting), larger_(larger_is_better(setting.monitor, setting.mode)) {}

EarlyStopper::Verdict EarlyStopper::after_epoch(std::int64_t epoch, double value, Watched& watched) const {
  if (epoch <= setting_.start_from_epoch) return {};
  ++watched.wait;
  if (is_better(value, watched.best, larger_, setting_.min_delta)) {
    watched.best = value;
    // Patience starts anew only where the baseline is beaten, too.
    if (!setting_.baseline || is_better(value, setting_.baseline, larger_, setting_.min_delta)) watched.wait = 0;
    return {true, false};
  }
  watched.ended = watched.wait >= setting_.patience && epoch > 1;
  return {false, watched.ended};
}

PlateauWatcher::PlateauWatcher(const ReduceOnPlateau& setting)
    : setting_(setting), larger_(larger_is_better(setting.monitor, setting.mode)) {}

bool PlateauWatcher::after_epoch(double value, Watched& watched) const {
  if (watched.cooldown > 0) {
    --watched.cooldown;
    watched.wait = 0;
  }
  if (is_better(value, watched.best, larger_, setting_.min_delta)) {
    watched.best = value;
    watched.wait = 0;
    return false;
  }
  if (watched.cooldown > 0 || ++watched.wait < setting_.patience) return false;
  watched.cooldown = setting_.cooldown;
  watched.wait = 0;
  return true;
}

}  // namespace tarn
