// From the `data` block of a model file to arrays that native code reads: columns picked, labels numbered, rows
// shuffled once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/array.h"
#include "runtime/session.h"
#include "runtime/weights.h"

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

// Reads a part of the program's data. A part inherits bindings and reading options from the training data. Class labels
// are numbered by `vocabularies`, to which a training request adds the labels of its file in order of first appearance;
// any other part must know them already. Paths are relative to `folder`. Errors: everything that can be wrong with
// files, columns, labels, missing values and shapes.
Result<Dataset> read_dataset(const Program& program, const std::string& folder, const DataRequest& request,
                             Vocabularies& vocabularies);

// Whether the program names data for this part.
inline bool has_data(const Program& program, const std::string& part) { return program.data.contains(part); }

}  // namespace tarn
