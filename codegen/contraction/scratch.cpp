// See scratch.h.
#include "codegen/contraction/scratch.h"

#include <algorithm>

#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

namespace {

std::int64_t round_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }

// Rows of a that are computed, with a vector more for the last one; or that are copied, every part with a line behind
// it.
std::int64_t left_bytes_of(const ContractionKernel& kernel, const ContractionTiling& tiling, std::int64_t size) {
  if (tiling.left_rows == 0) return 0;
  if (!kernel.a.is_load()) return round_up(tiling.left_rows * tiling.inner_block * size, 64) + kLineBytes;
  TARN_CHECK(tiling.left_rows == std::int64_t{kCosts.copied_tiles} * tiling.tile_rows, "copies of other rows of a");
  const std::int64_t part = tiling.inner_block * tiling.tile_rows * size + kLineBytes;
  return round_up(kCosts.copied_tiles * part + kLineBytes, 64);
}

}  // namespace

ContractionScratch scratch_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                              const Target& target) {
  TARN_CHECK(tactics.tiling, "nobody has chosen how a product is cut");
  const char* const wrong = wrong_tiling(kernel, tactics, max_batch);
  TARN_CHECK(wrong == nullptr, wrong);
  const ContractionTiling& tiling = *tactics.tiling;
  const auto size = static_cast<std::int64_t>(size_of(kernel.dtype));
  const std::int64_t columns = std::max<std::int64_t>(largest(kernel.columns.back(), max_batch), 1);
  const bool dot = tactics.form == CpuTactics::Form::inner;
  ContractionScratch scratch;
  // A vector more, so that reading whole vectors at the end stays inside.
  scratch.product_row = dot ? tiling.panel : round_up(tiling.panel, tiling.lanes);
  if (tiling.tile_epilogue) scratch.product_row = tiling.tile_columns;
  std::int64_t waiting_rows = tiling.tile_epilogue ? tiling.tile_rows : tiling.row_block;
  if (tiling.shared_inner > 0) {
    scratch.product_row = round_up(columns, tiling.panel);
    waiting_rows = points_of(axes_with(kernel, kernel.rows, kernel.columns), max_batch) / columns;
  }
  const std::int64_t streamed = tiling.streams ? columns : 0;
  scratch.product_bytes = round_up(std::max(waiting_rows * scratch.product_row, streamed) * size, 64) + 64;
  if (tiling.fetches_epilogue) scratch.fetched_bytes = kCosts.fetched_lines * 8;
  scratch.left_bytes = left_bytes_of(kernel, tiling, size);
  scratch.sum_row = round_up(std::max(columns, tiling.panel), target.vector_bytes / size);
  scratch.sum_bytes = round_up(static_cast<std::int64_t>(kernel.sums.size()) * scratch.sum_row * size, 64);
  if (tiling.packing != ContractionTiling::Packing::never) {
    scratch.packed_bytes = round_up(tiling.inner_block * tiling.tiles() * tiling.tile_columns * size, 64);
  }
  return scratch;
}

std::int64_t scratch_bytes(const KernelPlan& plan, const Target& target) {
  std::int64_t bytes = 0;
  for_each_product(plan.kernels, [&](const ContractionKernel& product, const CpuTactics& tactics) {
    bytes = std::max(bytes, scratch_of(product, tactics, plan.max_batch, target).bytes());
  });
  return bytes;
}

}  // namespace tarn
