// Quantities that are followed over the epochs, and what happens when they get better or stop to: early stopping, lower
// learning rates, checkpoints of the best. As Keras 3 does it (keras/src/callbacks).
//
// Contract: a watcher keeps nothing but its setting; what it remembers from epoch to epoch stands in a Watched, which
// checkpoints hold, so that a resumed run decides as an uninterrupted one. What is not finite is never the best.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "runtime/files/array.h"
#include "runtime/session/epoch_position.h"

namespace tarn {

struct Watched {
  std::optional<double> best;
  std::int64_t wait = 0;      // epochs since it got better
  std::int64_t cooldown = 0;  // epochs for which a plateau is not looked for
  bool ended = false;         // early stopping has ended the training
  bool operator==(const Watched&) const = default;
};

// What a run remembers beside the session's state, from epoch to epoch and where one was interrupted.
struct TrainingMemory {
  Watched early_stopping, plateau;
  std::vector<Watched> checkpoints;       // one for each `checkpoint` of the train block
  std::vector<NamedArray> best_weights;   // of restore_best: parameters and states; empty before the first epoch
  std::optional<EpochPosition> position;  // in the epoch that was interrupted
};

// Whether a larger value is better. The mode of a compiled program is "min" or "max".
inline bool larger_is_better(std::string_view mode) { return mode == "max"; }

// Whether the value is better than another by more than min_delta; everything is better than nothing but what is
// not finite.
bool is_better(double value, const std::optional<double>& than, bool larger, double min_delta);

class EarlyStopper {
 public:
  explicit EarlyStopper(const EarlyStopping& setting);
  struct Verdict {
    bool is_best = false;
    bool stops = false;
  };
  // `epoch` counts from 1. Epochs up to start_from_epoch are passed over.
  Verdict after_epoch(std::int64_t epoch, double value, Watched& watched) const;
  // Whether training has ended before, with no more patience now than then.
  bool has_ended(const Watched& watched) const { return watched.ended && watched.wait >= setting_.patience; }

 private:
  EarlyStopping setting_;
  bool larger_;
};

class PlateauWatcher {
 public:
  explicit PlateauWatcher(const ReduceOnPlateau& setting);
  // Whether learning rates are to be lowered now.
  bool after_epoch(double value, Watched& watched) const;

 private:
  ReduceOnPlateau setting_;
  bool larger_;
};

}  // namespace tarn
