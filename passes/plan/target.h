// What the planner needs to know of the machine that code is made for. Filled in by codegen; passes see no LLVM.
//
// The order of every sum may depend on these facts and on shapes only: never on detected cache sizes or thread counts.
#pragma once

#include <cmath>
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

// Nanoseconds of work from which on a second thread pays: some hand-overs to a thread that is awake, with its answer.
// One takes between 0.2 and 1 microsecond on two cores of one socket (measured with runtime/session/thread_pool.h).
inline constexpr double kSharedNanoseconds = 3'000;

// Bytes that one core moves in a nanosecond where they come from memory that is shared with others.
inline constexpr double kBytesPerNanosecond = 20;
// From how many samples on threads share a copy that moves so many bytes for each.
inline std::int64_t samples_worth_sharing(double bytes) {
  return static_cast<std::int64_t>(std::ceil(kSharedNanoseconds * kBytesPerNanosecond / bytes));
}

}  // namespace tarn
