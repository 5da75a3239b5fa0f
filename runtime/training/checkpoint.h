// Checkpoints: whole states of sessions on disk, for runs that go on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/session/session.h"
#include "runtime/session/weights.h"
#include "runtime/training/watch.h"

namespace tarn {

// They hold everything that a resumed run needs to give the bits of an uninterrupted one: parameters, states,
// slots, hyper-parameters, counters, the seed, vocabularies, and what the training loop remembers, in a safetensors
// file whose metadata name the layout. The position in an interrupted epoch is kept where the session's metrics are
// those of the checkpoint.
Status write_checkpoint(const std::string& path, const Session& session, const TrainingMemory& memory = {});

struct Checkpoint {
  WeightsFile state;  // every tensor of it
  std::uint64_t seed = 0;
  std::string layout;
  std::vector<NamedArray> best_weights, metrics;
  std::string memory;                              // of training, in JSON
  std::map<std::string, double> hyper_parameters;  // as the model file had them, where the checkpoint says so
};
// Errors: a file that is no checkpoint.
Result<Checkpoint> read_checkpoint(const std::string& path);
// Errors: a checkpoint of another model or optimizer, or with values that are not finite; session and memory are
// unchanged then.
Status resume_checkpoint(Session& session, Checkpoint checkpoint, TrainingMemory& memory);
Status resume_checkpoint(Session& session, const std::string& path, TrainingMemory& memory);

// A hyper-parameter that the model file gives another value than it did when the checkpoint was made.
struct ChangedHyperParameter {
  std::string name;
  double in_checkpoint = 0, in_file = 0;
  // Whether a setting with this key is about it: "optimizer.lr" or "optimizer".
  bool is_under(const std::string& key) const { return name == key || name.starts_with(key + "."); }
};
std::vector<ChangedHyperParameter> changed_hyper_parameters(const Program& program, const Checkpoint& checkpoint);

}  // namespace tarn
