// Weights of a session on disk: safetensors or npz, with metadata.
//
// A weights file holds every parameter and state by name. Its metadata say which model it is of, which constants of the
// model file were overridden, and the vocabularies of inputs and targets. Whatever applies a file's weights to a
// session applies its vocabularies, too: a session never has weights of one file and the names of another.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/vocabularies.h"
#include "runtime/files/safetensors.h"
#include "runtime/session/session.h"

namespace tarn {

// All that a file of tensors holds: safetensors, or npz, where the metadata are the comment of the archive.
struct TensorFile {
  std::vector<NamedArray> tensors;
  std::map<std::string, std::string> metadata;
};
// Told apart by their content, but for a file that is named .npz, which must be one. Errors: a missing or malformed
// file; a directory.
Result<TensorFile> read_tensor_file(const std::string& path);
// npz where the path ends in ".npz", else safetensors. Atomic.
Status write_tensor_file(const std::string& path, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata);

struct WeightsFile {
  std::string path;
  std::vector<NamedArray> tensors;
  std::string model;  // "" where the file does not say
  std::map<std::string, std::string> constants;
  Vocabularies vocabularies;  // closed
};

// Weights, or a checkpoint as the weights that it goes on from.
Result<WeightsFile> read_weights(const std::string& path);

// Writes the session's parameters, states and vocabularies.
Status write_weights(const std::string& path, const Session& session);

// Whether a file of that name takes them: what an archive has room for is less than the names of many classes.
Status can_hold_weights(const std::string& path, const Session& session);

// Puts the constants that weights note before a model's settings, which win.
void set_constants(ModelOptions& options, const WeightsFile& weights);

// Sets the session's parameters, states and vocabularies. Weights of another model are one error that lists every name
// that is missing, unknown, or of another shape; then, and where check_values finds fault, nothing is set.
Status apply_weights(Session& session, const WeightsFile& weights);

// An error where tensors of a file hold what is not finite, or beyond their types in the program (null: their own).
Status check_values(const Program* program, const std::vector<NamedArray>& tensors, const std::string& path);
// The same for the state of a session that nothing was done with: an initializer gave what is not finite.
Status check_initial_values(const Session& session);

// The metadata with other names for the classes of an input or target.
void set_class_names(std::map<std::string, std::string>& metadata, const std::string& input,
                     const std::vector<std::string>& names);

}  // namespace tarn
