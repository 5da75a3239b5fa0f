// Tile shapes and blocks of contractions. See schedule.h.
#include "codegen/contraction/schedule.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "codegen/kernels/lanes.h"
#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

struct Extents {
  std::int64_t rows, columns, inner;
};

}  // namespace

namespace {

// Registers of a tile: its sums, a row of b, an element of a in all lanes, and where products and sums are two
// instructions, the product.
unsigned registers_of_tile(unsigned rows, unsigned vectors, const Target& target) {
  const unsigned product = !target.has_fma && vectors > 1 ? 1 : 0;
  return rows * vectors + vectors + 1 + product;
}

// Cycles of one k in a tile: two multiply-adds a cycle, one where vectors have 64 bytes; two loads; and chains of
// additions no faster than one in four cycles, a little more where two begin in each: eight chains are just enough for
// that. Where products and sums are two instructions, copies and spreading an element over the lanes are more, and it
// is the number of instructions that counts.
double cycles_of_step(unsigned rows, unsigned vectors, const Target& target) {
  constexpr double kDecoded = 5, kOfLoop = 6;
  const bool twice = target.vector_bytes < 64;
  const double operations = rows * vectors;
  const double instructions = target.has_fma ? 0 : 3 * operations + rows + vectors + kOfLoop;
  return std::max({twice ? operations / 2 : operations, (rows + vectors) / 2.0, instructions / kDecoded,
                   twice ? 4.5 : 4.0}) +
         0.5;
}

// Cycles of a call of all tiles of one shape, and the price of compiling the tile, which matters for products that take
// less time in all of training. A thousand steps are assumed.
double cost_of_tile(const ContractionSchedule& schedule, const Extents& extents, unsigned rows, unsigned vectors,
                    const Target& target) {
  constexpr double kSteps = 1000, kCompileCyclesPerOperation = 120'000;
  const double operations = rows * vectors;
  const auto inner = static_cast<double>(extents.inner);
  const double per_tile = cycles_of_step(rows, vectors, target) * inner + 2 * operations + 12;
  const double per_row = cycles_of_step(1, vectors, target) * inner + 2.0 * vectors + 12;
  const auto panels = static_cast<double>(divide_up(extents.columns, std::int64_t{vectors} * schedule.lanes));
  const std::int64_t tiles = schedule.moves_rows ? divide_up(extents.rows, rows) : extents.rows / rows;
  const auto full = static_cast<double>(tiles);
  const auto rest = schedule.moves_rows ? 0 : static_cast<double>(extents.rows % rows);
  return panels * (full * per_tile + rest * per_row) * kSteps + operations * kCompileCyclesPerOperation;
}

void choose_tile(ContractionSchedule& schedule, const Extents& extents, std::int64_t most_rows, const Target& target) {
  double best = std::numeric_limits<double>::infinity();
  const unsigned registers = static_cast<unsigned>(target.vector_registers);
  // Few columns are one tile: a second one, moved back over the first, would write what is just about to be read.
  const std::int64_t all = divide_up(extents.columns, schedule.lanes);
  const bool one_tile = all <= (registers >= 32 ? 4 : 3);
  const auto max_vectors = static_cast<unsigned>(std::min<std::int64_t>(all, 6));
  const auto max_rows = static_cast<unsigned>(std::min(extents.rows, most_rows));
  for (unsigned vectors = one_tile ? max_vectors : 1; vectors <= max_vectors; ++vectors) {
    for (unsigned rows = 1; rows <= max_rows; ++rows) {
      if (registers_of_tile(rows, vectors, target) > registers) break;
      const double cost = cost_of_tile(schedule, extents, rows, vectors, target);
      if (cost >= best) continue;
      best = cost;
      schedule.tile_rows = rows;
      schedule.tile_vectors = vectors;
    }
  }
}

// Columns whose part of b stays in the second-level cache while all rows go over it, in panels of equal width.
// The number of panels is a multiple of `shares`.
void choose_panel(ContractionSchedule& schedule, const Extents& extents, bool times_batch, std::int64_t shares,
                  std::int64_t size, const Target& target) {
  const std::int64_t tile = schedule.tile_columns();
  schedule.panel = tile;
  if (schedule.several_blocks || extents.columns <= tile) return;
  const std::int64_t bytes = target.vector_bytes == 64 ? kWidePanelBytes : kPanelBytes;
  const std::int64_t panels = round_up(divide_up(extents.columns * extents.inner * size, bytes), shares);
  schedule.panel = round_up(divide_up(extents.columns, panels), tile);
  if (!times_batch) schedule.panel = std::min(schedule.panel, extents.columns);
}

// A step of the largest tile has ten to twelve multiply-adds, which take five or six cycles where vectors have 32
// bytes; it begins two dozen instructions, and such CPUs no more than five or six a cycle. What the loop, its jump and
// the lines that it asks for add is worth sharing. Measured on Zen 3: 1.08 times as fast; eight are no better than
// four. With one vector to a row there is a broadcast for every multiply-add, and steps that overlap would spill.
unsigned steps_of_loop(const ContractionSchedule& schedule, const Target& target) {
  return target.has_fma && target.vector_bytes == 32 && schedule.tile_vectors > 1 ? 4 : 1;
}

// How tiles get what they read of a and of the next panel of b.
void choose_left(ContractionSchedule& schedule, const ContractionKernel& kernel, const CpuTactics& tactics,
                 const Extents& extents, std::int64_t size, const Target& target) {
  const std::size_t rows = kernel.batch.size(), inner = rows + 1;
  schedule.fetches_panels = schedule.packing != ContractionSchedule::Packing::never && kernel.batch.empty() &&
                            !kernel.columns.times_batch && schedule.panel < extents.columns;
  // Lines so many bytes apart share a few places in a cache; and of lines of which a tile reads less than half, those
  // for all k are soon more than the first-level cache has room for.
  constexpr std::int64_t kFarApart = 4096, kTiles = 4;
  const std::int64_t step = kernel.a.at.strides[inner] * size;
  const bool wastes_lines =
      target.vector_bytes == 32 && 2 * schedule.tile_rows * size < kLineBytes && step >= kLineBytes;
  if (kernel.a.at.strides[rows] == 1 && (step % kFarApart == 0 || wastes_lines) && !kernel.rows.times_batch &&
      schedule.tiles() >= kTiles) {
    schedule.left_rows = std::int64_t{kCopiedTiles} * schedule.tile_rows;
    schedule.left_bytes = kCopiedTiles * (extents.inner * schedule.tile_rows * size + kLineBytes) + kLineBytes;
    schedule.left_bytes = round_up(schedule.left_bytes, 64);
  }
  // Groups of columns are runs of lines, too, which few rows do not outlast.
  schedule.fetches_groups = target.vector_bytes == 32 && tactics.weights_in_groups && !kernel.inner.times_batch &&
                            kernel.batch[0].constant * kernel.b.at.strides[0] * size > kPanelBytes;
  // Rows behind each other are one run of lines: where all of them are more than the second-level cache has room for.
  const std::int64_t row = kernel.a.at.strides[rows];
  schedule.fetches_rows = target.vector_bytes == 32 && !tactics.rows_in_place && !kernel.inner.times_batch &&
                          kernel.a.at.strides[inner] == 1 && row == extents.inner &&
                          extents.rows * extents.inner * size > kPanelBytes;
}

void schedule_columns(ContractionSchedule& schedule, const ContractionKernel& kernel, const CpuTactics& tactics,
                      const Extents& extents, const Target& target, std::int64_t size) {
  if (!kernel.columns.times_batch) schedule.lanes = fitting_lanes(extents.columns, schedule.lanes, target);
  const std::size_t axes = kernel.batch.size();
  const bool in_groups = tactics.weights_in_groups;
  // Where threads share the columns, two or four of them find equal work, tiles included.
  const bool shares_columns = tactics.split && tactics.split->axis == axes + 1;
  const std::int64_t shares = !shares_columns ? 1 : extents.columns >= 4 * kSplitVectors ? 4 : 2;
  // Packed weights meet any number of rows: four at a time leave the fewest single ones, which wait for b, and four
  // vectors to a row make enough sums to go on side by side.
  constexpr std::int64_t kMostRows = 14, kPackedRows = 4;
  const bool packed_rows = in_groups && target.vector_registers >= 32;
  // Where there is little to compute, it is the code that counts.
  constexpr std::int64_t kManyElements = 4096, kLongSum = 32, kLarge = 64 * 1024;
  schedule.several_blocks = extents.inner > kLongestInner;
  schedule.tile_epilogue = !schedule.several_blocks && !kernel.one_column() && extents.inner >= kLongSum &&
                           extents.rows * extents.columns >= kManyElements;
  // A single row has too few sums to go on side by side, and reads all of b for itself: a tenth of the time of 128 rows
  // in tiles of five or six. Parts of copied rows of a are those of whole tiles.
  schedule.moves_rows = schedule.tile_epilogue && target.vector_bytes == 32 && kernel.a.at.strides[axes] != 1;
  choose_tile(schedule, {extents.rows, divide_up(extents.columns, shares), extents.inner},
              packed_rows ? kPackedRows : kMostRows, target);
  const bool contiguous = kernel.b.at.strides[axes + 1] == 1 || kernel.one_column();
  constexpr std::int64_t kLargePanel = 64 * 1024, kShortRow = 256;
  if (!contiguous || kernel.columns.times_batch) {
    schedule.packing = ContractionSchedule::Packing::always;
  } else if (extents.rows >= 2 * kPackingRows && extents.inner * extents.columns * size >= kLargePanel &&
             kernel.b.at.strides[axes] * size > kShortRow) {
    schedule.packing = ContractionSchedule::Packing::many_rows;
  }
  schedule.inner_block = extents.inner;
  if (schedule.several_blocks) {
    schedule.inner_block = round_up(divide_up(extents.inner, divide_up(extents.inner, kInnerBlock)), 8);
  }
  constexpr std::int64_t kStreamedBytes = 32 * 1024;
  // A row of a group is read as it lies by a tile of one row, too, if that is as wide.
  const bool whole_group = in_groups && schedule.tile_columns() >= extents.columns;
  schedule.streams = tactics.often_few_rows && contiguous && extents.rows > kStreamedRows && !whole_group &&
                     !kernel.columns.times_batch && extents.columns >= schedule.lanes &&
                     extents.inner * extents.columns * size >= kStreamedBytes;
  choose_panel(schedule, extents, kernel.columns.times_batch, shares, size, target);
  if (schedule.tile_epilogue || schedule.several_blocks) schedule.inner_steps = steps_of_loop(schedule, target);
  if (schedule.tile_epilogue) {
    if (kernel.batch.empty() && extents.rows * extents.columns >= kLarge) schedule.fetched_bytes = kFetchedLines * 8;
    choose_left(schedule, kernel, tactics, extents, size, target);
    schedule.row_block = round_up(extents.rows, schedule.tile_rows);
    return;
  }
  // Products wait for their epilogue in the first-level cache; where a panel is packed for several blocks of k, its
  // copy has to pay off first.
  const std::int64_t bytes = schedule.several_blocks ? 128 * 1024 : 12 * 1024;
  const std::int64_t fit = std::max<std::int64_t>(bytes / (schedule.panel * size * schedule.tile_rows), 1);
  schedule.row_block = std::min(fit * schedule.tile_rows, round_up(extents.rows, schedule.tile_rows));
}

void schedule_dots(ContractionSchedule& schedule, const ContractionKernel& kernel, const Extents& extents,
                   const Target& target) {
  schedule.dot = true;
  if (!kernel.inner.times_batch) {
    schedule.lanes = std::min(
        schedule.lanes, std::bit_ceil(static_cast<unsigned>(std::min<std::int64_t>(extents.inner, schedule.lanes))));
  }
  // Whole tiles of a number of columns that is not known.
  const auto fits = [](std::int64_t count, const Extent& extent) {
    while (extent.times_batch && extent.constant % count != 0) --count;
    return static_cast<unsigned>(count);
  };
  // Few rows are one tile, with as many columns as make the same number of sums.
  constexpr std::int64_t kRows = 4, kFewRows = 8;
  const std::int64_t sums = target.vector_registers >= 32 ? 16 : 8;
  const bool one_tile = !kernel.rows.times_batch && extents.rows <= kFewRows && extents.rows <= sums;
  const std::int64_t rows = one_tile ? extents.rows : kRows;
  schedule.tile_rows = static_cast<unsigned>(std::min(rows, extents.rows));
  schedule.tile_vectors = fits(std::min(sums / rows, extents.columns), kernel.columns);
  schedule.panel = std::min<std::int64_t>(extents.columns, 64);
  if (kernel.columns.times_batch) schedule.panel -= schedule.panel % schedule.tile_vectors;
  schedule.inner_block = extents.inner;
  schedule.row_block = round_up(std::min<std::int64_t>(extents.rows, 64), schedule.tile_rows);
}

}  // namespace

ContractionSchedule schedule_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                                const Target& target) {
  const auto most = [&](const Extent& extent) { return std::max<std::int64_t>(largest(extent, max_batch), 1); };
  const Extents extents = {most(kernel.rows), most(kernel.columns), most(kernel.inner)};
  const auto size = static_cast<std::int64_t>(size_of(kernel.dtype));
  ContractionSchedule schedule;
  schedule.lanes = static_cast<unsigned>(target.vector_bytes / size);
  if (tactics.form == CpuTactics::Form::inner) {
    TARN_CHECK(may_dot(kernel), "dot products of what is not contiguous");
    schedule_dots(schedule, kernel, extents, target);
  } else {
    schedule_columns(schedule, kernel, tactics, extents, target, size);
  }
  // A vector more, so that reading whole vectors at the end stays inside.
  schedule.product_row = schedule.dot ? schedule.panel : round_up(schedule.panel, schedule.lanes);
  if (schedule.tile_epilogue) schedule.product_row = schedule.tile_columns();
  const std::int64_t waiting_rows = schedule.tile_epilogue ? schedule.tile_rows : schedule.row_block;
  const std::int64_t streamed = schedule.streams ? extents.columns : 0;
  schedule.product_bytes = round_up(std::max(waiting_rows * schedule.product_row, streamed) * size, 64) + 64;
  schedule.sum_row = round_up(schedule.panel, target.vector_bytes / size);
  schedule.sum_bytes = round_up(static_cast<std::int64_t>(kernel.sums.size()) * schedule.sum_row * size, 64);
  if (schedule.packing != ContractionSchedule::Packing::never) {
    schedule.packed_bytes = round_up(schedule.inner_block * schedule.tiles() * schedule.tile_columns() * size, 64);
  }
  return schedule;
}

std::int64_t scratch_bytes(const KernelPlan& plan, const Target& target) {
  std::int64_t bytes = 0;
  for_each_product(plan.kernels, [&](const ContractionKernel& product, const CpuTactics& tactics) {
    const ContractionSchedule schedule = schedule_of(product, tactics, plan.max_batch, target);
    bytes = std::max(bytes, schedule.product_bytes + schedule.fetched_bytes + schedule.left_bytes + schedule.sum_bytes +
                                schedule.packed_bytes);
  });
  return bytes;
}

}  // namespace tarn
