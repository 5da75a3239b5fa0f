// How many lanes vectors have. No LLVM in here.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "passes/plan/target.h"

namespace tarn {

// Lanes, at most `most`, of vectors for `count` elements side by side: as few as hold all; else half of them where that
// leaves fewer lanes idle and the vectors are so long that half of one takes half the time.
inline unsigned fitting_lanes(std::int64_t count, unsigned most, const Target& target) {
  const auto vectors = [&](std::int64_t lanes) { return (count + lanes - 1) / lanes; };
  const auto all = static_cast<unsigned>(std::min<std::int64_t>(std::max<std::int64_t>(count, 1), most));
  if (count <= most) return std::bit_ceil(all);
  return target.vector_bytes == 64 && vectors(most / 2) < 2 * vectors(most) ? most / 2 : most;
}

}  // namespace tarn
