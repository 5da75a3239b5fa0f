// Folders of checkpoints: where they lie, and how often a run writes one where nobody says so.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "runtime/training/checkpoint.h"

namespace tarn {

// The file in the folder.
std::string checkpoint_path(const std::string& folder);
// The folder of a `checkpoint` of the train block, which is relative to that of the model file.
std::string folder_of(const CheckpointSetting& setting, const std::string& model_folder);
// Makes the folder where it is missing, and writes the checkpoint.
Status save_checkpoint(const std::string& folder, const Session& session, const TrainingMemory& memory);

// Decides which epochs are worth a checkpoint: the first, then one every two seconds at most, and so that writing takes
// no more than a fiftieth of the time.
class CheckpointPace {
 public:
  using Clock = std::chrono::steady_clock;
  bool is_due(Clock::time_point now) const { return !next_ || now >= *next_; }
  void wrote(Clock::time_point begin, Clock::time_point end) {
    next_ = end + std::max<Clock::duration>(std::chrono::seconds(2), 50 * (end - begin));
  }

 private:
  std::optional<Clock::time_point> next_;
};

}  // namespace tarn
