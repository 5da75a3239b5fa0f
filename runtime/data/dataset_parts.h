// What reading tables and reading arrays share: only dataset.cpp and its two readers include it.
#pragma once

#include <string>
#include <vector>

#include "runtime/data/dataset.h"

namespace tarn {

// What is read for one input: numbers, or labels to be turned into classes.
struct DataColumn {
  const InputInfo* input = nullptr;
  DataBinding binding;
  std::int64_t elements = 1;  // of one sample
  bool is_bound = false;      // the data block has a line for it
};

struct Reading {
  const Program& program;
  const DataSource& source;
  const std::vector<DataColumn>& columns;
  Vocabularies& vocabularies;
};

Result<Dataset> read_table(const Reading& reading);
Result<Dataset> read_arrays(const Reading& reading);
Result<Dataset> read_images(const Reading& reading);

// The error where one sample has another number of what it is made of: "column", "number".
Status check_width(const DataColumn& column, std::int64_t found, const char* one);

// "4 of 8 rows of 'd.csv' left out: they miss a value in c, d".
Diagnostic rows_left_out(std::uint64_t count, std::uint64_t all, const std::string& file,
                         const std::vector<std::string>& columns);

// The numbers of the rows that are not dropped, in order.
std::vector<std::uint32_t> rows_that_stay(const std::vector<bool>& dropped);

}  // namespace tarn
