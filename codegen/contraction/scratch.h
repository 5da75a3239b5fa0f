// The scratch memory of products, behind the arena: what their tilings take of it.
#pragma once

#include <cstdint>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

struct ContractionScratch {
  std::int64_t product_row = 1;  // row length of the product, a multiple of lanes
  std::int64_t sum_row = 0;      // columns of each of the kernel's sums, in whole vectors
  // Bytes of: the product of a tile or a block of rows; where what the epilogue reads is too much for caches, addresses
  // of lines to fetch; copied rows of a; the kernel's sums; the packed panel. They lie in this order.
  std::int64_t product_bytes = 0, fetched_bytes = 0, left_bytes = 0, sum_bytes = 0, packed_bytes = 0;

  std::int64_t bytes() const { return product_bytes + fetched_bytes + left_bytes + sum_bytes + packed_bytes; }
};

// Of a product whose tactics have a tiling that its kernel allows; anything else is a bug.
ContractionScratch scratch_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                              const Target& target);

// Bytes of a cache line.
inline constexpr std::int64_t kLineBytes = Target{}.line_bytes;
// Entries of a table of rows behind those of the batch: the last row again, for those who look ahead.
inline constexpr std::uint64_t kTablePadding = 32;

// What the kernels of a plan need behind its arena; 64-byte aligned.
std::int64_t scratch_bytes(const KernelPlan& plan, const Target& target);

}  // namespace tarn
