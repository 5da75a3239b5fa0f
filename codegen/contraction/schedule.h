// How a contraction is cut into tiles: decided from extents, strides and the target, without LLVM.
//
//   (few rows: for every row: product[row, :] = a * b by streaming rows of b; epilogue over the row; done)
//   (for every index of the batch axes, of all columns but the last, of all rows but the last)
//   for every panel of columns
//     (one block of k: the first row of tiles packs the panel of b; the last ones fetch the next panel)
//     (a that lies across or is computed: every so many rows of tiles are copied first)
//     for every tile of rows, of columns:
//       product[rows, columns] = a * b      registers hold the tile
//       epilogue over the tile, whose operands were fetched while the tile before was computed
//
// and where k is long, in form `inner`, and for one column:
//
//   for every panel of columns
//     for every block of rows
//       for every block of k: for every tile of rows, of columns: product[rows, columns] (+)= a * b
//       epilogue over the block of rows, product read from scratch memory
//
// The panel is as wide as the second-level cache has room for: so a row of tiles shares what it reads of a. Of several
// inner axes a tile goes over as many of the last as make no more than a block of k; it counts them as one k.
//
// In form `columns` an element of the product is one chain of multiply-adds in the order of k, however it is cut; in
// form `inner` the sums of every lane, then of the lanes. The kernel's sums are chains in the order of the rows. So
// cutting never changes a bit.
#pragma once

#include <cstdint>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

struct ContractionSchedule {
  bool dot = false;  // form `inner`: lanes along k
  unsigned lanes = 1;
  unsigned tile_rows = 1;
  unsigned tile_vectors = 1;     // form `inner`: columns of a tile
  std::int64_t panel = 1;        // columns between packing and packing
  std::int64_t product_row = 1;  // row length of the product in scratch memory, a multiple of lanes
  std::int64_t sum_row = 0;      // columns of each of the kernel's sums in scratch memory, in whole vectors
  // b goes through scratch memory: always, or where there are rows enough to pay for the copy.
  enum class Packing : std::uint8_t { never, many_rows, always } packing = Packing::never;
  unsigned tile_inner = 1;       // inner axes that a tile goes over: the last ones
  std::int64_t inner_block = 0;  // largest number of k at a time
  bool several_blocks = false;   // k may be longer than that
  std::int64_t row_block = 1;    // a multiple of tile_rows
  bool tile_epilogue = false;    // the epilogue follows every tile, not every block of rows
  // The last tile of rows begins earlier where there is less than one left; else they are computed one by one.
  bool moves_rows = false;
  unsigned inner_steps = 1;  // numbers of k from jump to jump of a tile's loop
  // Rows of a that are copied at a time, where they are contiguous and lie so along k that caches have no room for what
  // a row of tiles reads, or where a is computed; 0: none. A copy has a part for every row of tiles.
  std::int64_t left_rows = 0;
  // Of a that is computed: whether its vectors, and the elements of that copy, lie along the rows; else along k.
  bool computes_along_rows = false;
  bool fetches_panels = false;  // tiles fetch the next panel of b
  bool fetches_rows = false;    // and rows of a for the next row of tiles, where they do not fetch that
  bool fetches_groups = false;  // the next group of b, as packed_weights.h has them
  bool streams = false;         // few rows go through b without tiles
  // Bytes of scratch memory behind the arena: the product of a tile or a block of rows; where what the epilogue reads
  // is too much for caches, addresses of lines to fetch; copied rows of a; the kernel's sums; the packed panel.
  std::int64_t product_bytes = 0, fetched_bytes = 0, left_bytes = 0, sum_bytes = 0, packed_bytes = 0;

  std::int64_t tile_columns() const { return dot ? tile_vectors : std::int64_t{tile_vectors} * lanes; }
  // Tiles of a whole panel; the last is moved back where they do not fit.
  std::int64_t tiles() const { return (panel + tile_columns() - 1) / tile_columns(); }
};

ContractionSchedule schedule_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                                const Target& target);

// Bytes of a cache line.
inline constexpr std::int64_t kLineBytes = Target{}.line_bytes;
// Entries of a table of rows behind those of the batch: the last row again, for those who look ahead.
inline constexpr std::uint64_t kTablePadding = 32;

// Scratch memory that the kernels of a plan need behind its arena; 64-byte aligned.
std::int64_t scratch_bytes(const KernelPlan& plan, const Target& target);

}  // namespace tarn
