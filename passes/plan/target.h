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
  // Bytes of a cache line, of a page, and of the second-level cache of a core: those of any processor that is worth
  // tuning for, whichever one is there.
  std::int64_t line_bytes = 64, page_bytes = 4096, second_cache_bytes = std::int64_t{1024} * 1024;

  // Masked loads and stores cost no more than plain ones, elements that lie apart are gathered and scattered by one
  // instruction, and rows are transposed in registers under masks: AVX-512.
  bool has_masks() const { return vector_bytes == 64; }
  // A vector of half the length takes half the time: where vectors are so long that two units make one.
  bool halves_long_vectors() const { return vector_bytes == 64; }
  // Two multiply-adds of whole vectors begin in a cycle.
  bool multiplies_twice() const { return vector_bytes < 64; }
  // A core has the second-level cache of 1 MiB that CPUs with long vectors have; else half of that is what one can
  // count on.
  bool has_large_second_cache() const { return vector_bytes == 64; }
  // It is the number of instructions that a tile waits for, and of lines that nobody has asked for: so it was measured
  // on CPUs whose vectors have 32 bytes. Those with longer ones begin half as many multiply-adds, and look further
  // ahead.
  bool runs_out_of_instructions() const { return vector_bytes == 32; }
  bool needs_fetches() const { return vector_bytes == 32; }

  bool operator==(const Target&) const = default;
};

}  // namespace tarn
