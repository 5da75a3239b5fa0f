// Gives every tensor, constant and temporary of a plan memory of its own, so that reading from one into the next is no
// less an error than reading beyond them all.
#pragma once

#include <vector>

#include "tests/support/compiler/hand_plan.h"

namespace tarn::testing {

// Bytes of a space that have become an array of the call: number `input`, which kernels read and write. Temporaries
// that ever overlap are one region.
struct SpreadRegion {
  Space space = Space::arena;
  std::uint64_t begin = 0, end = 0;
  std::uint32_t input = 0;
};
// Inputs follow those that the program has.
std::vector<SpreadRegion> spread_buffers(Program& program, KernelPlan& plan);

}  // namespace tarn::testing
