// The training loop as Keras runs it: epochs over shuffled rows, validation, early stopping, and what is kept of each
// epoch.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/session/session.h"
#include "runtime/training/watch.h"

namespace tarn {

// What one epoch gave. Names are those of Program::metrics; a metric that is no scalar has all its values.
struct EpochReport {
  std::int64_t epoch = 0;   // from 1
  std::int64_t epochs = 0;  // planned
  MetricValues training;
  std::optional<MetricValues> validation;
  double seconds = 0;
};

struct FitOptions {
  std::int64_t epochs = 1;
  bool shuffle = true;
  // Called after each epoch; false ends training.
  std::function<bool(const EpochReport&)> on_epoch = nullptr;
  // Called after an epoch at which this `checkpoint` of the train block is due, before on_epoch; false ends training.
  std::function<bool(const CheckpointSetting&)> on_checkpoint = nullptr;
  // Called when the epochs are done, before averages and the best weights take the place of the weights: a checkpoint
  // that is to be gone on from is written here.
  std::function<void()> before_end = nullptr;
  // What a run that goes on has in its checkpoint, kept up to date for the next one; null: nothing is known.
  TrainingMemory* memory = nullptr;
  // Before the first epoch, states with an `adapt` block are fitted to the training rows; not where it goes on behind
  // that.
  bool adapt = true;
};

struct FitResult {
  enum class End { completed, stopped_early, by_callback, interrupted, not_finite } end = End::completed;
  std::int64_t epochs_done = 0;  // of this call
  std::uint64_t steps = 0;
  double seconds = 0;  // in native code, validation included
  std::optional<EpochReport> last;
  // not_finite: what happened where; nothing else is empty then.
  Diagnostic failure;
  // restore_best: the session has the weights of the best epoch, also where training ended with what is not finite.
  bool has_best_weights = false;
};

// Trains on `training`; evaluates on `validation` (may be null) after each epoch. Early stopping and the reduction of
// the learning rate on plateaus are as the program's settings say. Epochs are counted from the session's counter
// "epoch", so that a resumed run goes on: where the memory has a position in the epoch that comes first, with the batch
// that stands there, and all that follows has the bits of a run that was not interrupted. A position in another epoch
// is forgotten. Where training is interrupted the memory has the position, but for an interruption of `adapt`, which
// begins anew.
FitResult fit(Session& session, const Rows& training, const Rows* validation, const FitOptions& options);

// The epoch that training on these rows comes to next.
EpochPlan next_epoch(const Session& session, const Rows& training, bool shuffle);

// Which classes the labels and numbers are that class weights are given by, by the hyper-parameters where that stands:
// where labels are numbers but not those of their classes, a number is a label. Errors: labels that the data do not
// have.
Result<std::map<std::string, std::int64_t>> weighted_classes(const Program& program, const Vocabularies& vocabularies);
// Gives the session these vocabularies, and class weights the classes that they are of by them. Where there is an
// error, the session is as it was.
Status take_vocabularies(Session& session, Vocabularies vocabularies);

// The value with this name ("loss", "val_loss", "accuracy", "val_f1_score[1]") in the report; nothing where there is
// none.
std::optional<double> quantity_of(const Program& program, const EpochReport& report, std::string_view name);

// A step with a loss or an update that is not finite: on the batch rows[order[first]] …; `order` null: as they stand.
struct FailedStep {
  Outcome outcome;
  const Rows& rows;
  const std::uint32_t* order = nullptr;
  std::uint64_t first = 0;
  std::int64_t epoch = 1;
  std::string graph = "train";  // or "adapt"
};

// Finds, by running the step again in the reference evaluator, the first operation that gave a NaN or an infinity, in
// the model, its gradient or an update, and the row; a diagnostic at its line in the user's file, or without a line
// where a row of the data holds one, or where it cannot tell. To be called before anything changes the session.
Diagnostic explain_not_finite(const Session& session, const FailedStep& step);

}  // namespace tarn
