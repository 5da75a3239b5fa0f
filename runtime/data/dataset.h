// From the `data` block of a model file to arrays that native code reads: columns picked, labels numbered, rows
// shuffled once. Which files and rows that are row_selection.h says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "runtime/data/row_selection.h"
#include "runtime/data/rows.h"
#include "runtime/data/vocabularies.h"
#include "runtime/files/array.h"

namespace tarn {

struct Dataset {
  std::uint64_t rows = 0;
  // One an input of the program, row-major samples in its dtype; empty where the request left it out.
  std::vector<Bytes> arrays;
  // Where rows of the file were left out: how many it has, and which are here, by their number in it. Else empty.
  std::uint64_t file_rows = 0;
  std::vector<std::uint32_t> kept;
  // Of a folder of images: the file of each of its rows, also of those that are left out, in the order of the folder;
  // and the input that is made of them. Else empty.
  std::vector<std::string> names;
  std::string named_input;
  // What the user should know: rows that were left out, a first row that could be meant otherwise.
  Diagnostics remarks;

  Rows view() const;
};

// Reads the data that the request is about, as its RowPolicy says. Labels are numbered by `vocabularies`; those that
// may still learn take the labels of the file (labels.h). Every value is one that its input may hold (value_check.h).
// Errors: everything that can be wrong with files, columns, labels, values, missing values and shapes.
Result<Dataset> read_dataset(const Program& program, const std::string& folder, const DataRequest& request,
                             Vocabularies& vocabularies);

// Numbers the labels of inputs and targets as the training data do, where the vocabularies may learn: whoever reads
// other data first asks for it. Where the training data cannot be read, the labels of those that come first decide.
void learn_labels(const Program& program, const std::string& folder, Vocabularies& vocabularies);

// Whether the program names data for this part.
inline bool has_data(const Program& program, const std::string& part) { return program.data.contains(part); }

}  // namespace tarn
