// See rows.h.
#include "runtime/data/rows.h"

#include <cstddef>

namespace tarn {

Rows Rows::slice(const Program& program, std::uint64_t begin, std::uint64_t end) const {
  Rows part;
  part.count = end - begin;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto* base = static_cast<const std::byte*>(arrays[i]);
    part.arrays.push_back(base == nullptr ? nullptr : base + begin * sample_bytes(program.inputs[i].type));
  }
  return part;
}

}  // namespace tarn
