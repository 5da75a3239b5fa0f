// Where an interrupted epoch goes on. The batches before it are done and stay done: weights, slots and counters are in
// the session's state, and the metrics of the epoch so far are here.
#pragma once

#include <cstdint>

#include "runtime/files/array.h"

namespace tarn {

// With the seed this decides which rows each batch of an epoch has, so a position fits an epoch with the same plan
// only.
struct EpochPlan {
  std::int64_t epoch = 0;  // epochs before it
  std::uint64_t rows = 0, batch = 1;
  bool shuffled = false;
  bool operator==(const EpochPlan&) const = default;

  std::uint64_t batches() const { return rows / batch + (rows % batch != 0 ? 1 : 0); }
};

struct EpochPosition {
  EpochPlan plan;
  std::uint64_t batches = 0;  // done; all of them where validation was interrupted
  Bytes accumulators;         // of the metrics, as they lie at the start of a workspace
};

}  // namespace tarn
