// Samples, as calls of a program take them.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/program.h"

namespace tarn {

// Samples for a call: one pointer an input of the program (null where the call does not need it) and the number of
// rows.
struct Rows {
  std::vector<const void*> arrays;
  std::uint64_t count = 0;

  // Rows [begin, end) of these.
  Rows slice(const Program& program, std::uint64_t begin, std::uint64_t end) const;
};

}  // namespace tarn
