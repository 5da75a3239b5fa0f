// In the program of unit tests every array of the runtime (Bytes, and all that has an AlignedAllocator: states,
// workspaces, data, packed weights, outputs) lies between pages without access. This is the link-time replacement of
// runtime/files/aligned_memory.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "runtime/files/array.h"
#include "tests/support/guarded_memory.h"

namespace tarn::testing {

// Guarded to the byte at its back or at its front, as drawn for each anew.
template <class T>
using GuardedVector = std::vector<T, AlignedAllocator<T>>;

// While there is one, arrays are guarded at this end.
class GuardAt {
 public:
  explicit GuardAt(test::GuardedEnd end);
  GuardAt(const GuardAt&) = delete;
  GuardAt& operator=(const GuardAt&) = delete;
  ~GuardAt();

 private:
  int before_;
};
inline constexpr test::GuardedEnd kGuardedEnds[] = {test::GuardedEnd::back, test::GuardedEnd::front};

// Bytes that arrays have now, and the most they ever had since `most` was set.
struct ArrayBytes {
  std::atomic<std::uint64_t> now = 0, most = 0;
};
ArrayBytes& array_bytes();

}  // namespace tarn::testing
