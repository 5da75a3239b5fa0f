// What the planner needs to know of the machine that code is made for. Filled in by codegen; passes see no LLVM.
//
// The order of every sum may depend on these facts and on shapes only: never on detected cache sizes or thread counts.
#pragma once

#include <cstdint>

namespace tarn {

struct Target {
  // Bytes of a vector register: 64 (AVX-512), 32 (AVX2), 16 (SSE2, NEON).
  std::int64_t vector_bytes = 16;
  // Number of vector registers: 32 or 16.
  std::int64_t vector_registers = 16;
  bool has_fma = false;

  bool operator==(const Target&) const = default;
};

}  // namespace tarn
