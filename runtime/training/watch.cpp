// See watch.h.
#include "runtime/training/watch.h"

#include <cmath>

namespace tarn {

bool is_better(double value, const std::optional<double>& than, bool larger, double min_delta) {
  if (!std::isfinite(value)) return false;
  if (!than) return true;
  return larger ? value - std::fabs(min_delta) > *than : value + std::fabs(min_delta) < *than;
}

EarlyStopper::EarlyStopper(const EarlyStopping& setting) : setting_(setting), larger_(larger_is_better(setting.mode)) {}

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
    : setting_(setting), larger_(larger_is_better(setting.mode)) {}

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
