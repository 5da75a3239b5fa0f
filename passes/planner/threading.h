// Which kernels of a plan are shared among threads, and along which axis.
#pragma once

#include "passes/plan/kernel_plan.h"

namespace tarn {

// What is worth sharing; tests share whatever can be.
struct SharingLimits {
  double nanoseconds = kSharedNanoseconds;
  // Fewer points along an axis, or vectors along that of vectors, are not worth dividing: shares would be unequal.
  std::int64_t points = 16;
  // Rows of a product from which on these are shared, rather than columns: those who share rows each pack all that
  // their rows are multiplied with.
  std::int64_t rows = 512;
  std::int64_t columns = 128;
};

// Sets `split` of the kernels whose work pays for waking and awaiting other threads. Depends on shapes and accesses
// only; a part computes the points that are its own exactly as the whole kernel would, so that no bit depends on it.
//
// Sets `b_for_writing` of shared products with a weight that the plan updates. Who reads a part of the weight is not
// who will store it. To write a line that another core has read takes 36 ns, one line after the other; to fetch one
// that another core alone has, 3 ns (measured on two cores of one socket).
void split_among_threads(KernelPlan& plan, const SharingLimits& limits = {});

}  // namespace tarn
