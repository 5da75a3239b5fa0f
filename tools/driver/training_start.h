// What `tarn train` begins with: initial weights, those of a file, or the checkpoint of another run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/training/checkpoint.h"
#include "tools/driver/command.h"

namespace tarn {

struct TrainOptions : CommonOptions {
  std::string output, checkpoint, history, report, tensorboard;
  std::vector<std::string> validation;
  std::optional<std::string> resume;
  std::optional<std::int64_t> epochs, batch;
  std::int64_t every = 0;
};

// Where checkpoints go and come from: --checkpoint, else the first of the train block that is not of the best epoch
// alone, else a folder beside the model file, which only an interrupted run makes.
std::string checkpoint_folder(const TrainOptions& options, const TrainSettings& settings, const std::string& folder);

// What a run goes on from: weights, or the checkpoint of another run.
struct Start {
  std::optional<WeightsFile> weights;
  std::optional<Checkpoint> checkpoint;
  // Hyper-parameters that the model has otherwise than the run before; those that --set says are applied.
  std::vector<ChangedHyperParameter> from_settings, from_file;

  const WeightsFile* file() const { return weights ? &*weights : checkpoint ? &checkpoint->state : nullptr; }
};

// Reads what the options say that the run begins with. Errors: no such file, or checkpoint; both of them.
Result<Start> read_start(const TrainOptions& options, const ModelOptions& chosen, Console& console);

// Tells what --set says of hyper-parameters from what the file does: by their keys, and by what they are without --set.
// `without` are the settings that the command line does not have.
void find_changes(Start& start, const TrainOptions& options, const Program& program, ModelOptions without,
                  Console& console);

}  // namespace tarn
