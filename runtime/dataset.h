// From the `data` block of a model file to arrays that native code reads: columns picked, labels numbered, rows
// shuffled once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/array.h"
#include "runtime/session.h"
#include "runtime/vocabularies.h"

namespace tarn {

struct Dataset {
  std::uint64_t rows = 0;
  // One an input of the program, row-major samples in its dtype; empty where the request left it out.
  std::vector<Bytes> arrays;

  Rows view() const;
};

struct DataRequest {
  std::string part;  // "" for the training data, "validation", "test"
  // Files instead of those that the model names: "" for the one source, or by the name of an input or target.
  std::map<std::string, std::string> paths;
  bool targets = true;  // false: inputs alone, as `predict` wants
};

// Reads a part of the program's data. A part inherits bindings and reading options from the training data. Labels are
// numbered by `vocabularies`; those that may still learn take the labels of the file (labels.h). Paths are relative to
// `folder`. Errors: everything that can be wrong with files, columns, labels, missing values and shapes.
Result<Dataset> read_dataset(const Program& program, const std::string& folder, const DataRequest& request,
                             Vocabularies& vocabularies);

// Numbers the labels of inputs and targets as the training data do, where the vocabularies may learn: whoever reads
// other data first asks for it. Where the training data cannot be read, the labels of those that come first decide.
void learn_labels(const Program& program, const std::string& folder, Vocabularies& vocabularies);

// Whether the program names data for this part.
inline bool has_data(const Program& program, const std::string& part) { return program.data.contains(part); }

}  // namespace tarn
