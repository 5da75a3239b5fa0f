// Weights of a session on disk: safetensors with metadata, or npz; and whole states for checkpoints.
//
// A weights file holds every parameter and state by name. Its metadata say which model it is of, which constants of the
// model file were overridden, and the class names, so that `eval` and `predict` can apply them again.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/safetensors.h"
#include "runtime/session.h"
#include "runtime/watch.h"

namespace tarn {

// The names of classes, in order, by input or target.
using Vocabularies = std::map<std::string, std::vector<std::string>>;

struct WeightsFile {
  std::vector<NamedArray> tensors;
  std::string model;  // "" where the file does not say (npz)
  std::map<std::string, std::string> constants;
  Vocabularies vocabularies;
};

// Reads safetensors or npz, told apart by their content. Errors: a missing or malformed file; a directory.
Result<WeightsFile> read_weights(const std::string& path);

// Writes the session's parameters and states: npz where the path ends in ".npz", else safetensors. Atomic.
Status write_weights(const std::string& path, const Session& session, const Vocabularies& vocabularies);

// Sets the session's parameters and states. Weights of another model are one error that lists every name that is
// missing, unknown, or of another shape, and nothing is set.
Status apply_weights(Session& session, const WeightsFile& weights, const std::string& path);

// Checkpoints hold everything that a resumed run needs to give the bits of an uninterrupted one: parameters, states,
// slots, hyper-parameters, counters, the seed, and what the training loop remembers, in a safetensors file whose
// metadata name the layout. The position in an interrupted epoch is kept where the session's metrics are those of the
// checkpoint.
Status write_checkpoint(const std::string& path, const Session& session, const Vocabularies& vocabularies,
                        const TrainingMemory& memory = {});
// Errors: a file that is no checkpoint, or one of another model or optimizer; session and memory are unchanged then.
Status resume_checkpoint(Session& session, const std::string& path, TrainingMemory& memory);

}  // namespace tarn
