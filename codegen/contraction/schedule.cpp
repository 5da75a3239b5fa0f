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
  const bool twice = target.vector_bytes < 64;
  const double operations = rows * vectors;
  const double instructions = target.has_fma ? 0 : 3 * operations + rows + vectors + kCosts.step_instructions;
  return std::max({twice ? operations / 2 : operations, (rows + vectors) / 2.0,
                   instructions / kCosts.decoded_instructions,
                   twice ? kCosts.chained_addition_of_two : kCosts.chained_addition}) +
         kCosts.step_cycles;
}

// Cycles of a call of all tiles of one shape, and the price of compiling the tile, which matters for products that take
// less time in all of training.
double cost_of_tile(const ContractionSchedule& schedule, const Extents& extents, unsigned rows, unsigned vectors,
                    const Target& target) {
  const double operations = rows * vectors;
  const auto inner = static_cast<double>(extents.inner);
  const double per_tile =
      cycles_of_step(rows, vectors, target) * inner + kCosts.stored_sum * operations + kCosts.tile_call;
  const double per_row = cycles_of_step(1, vectors, target) * inner + kCosts.stored_sum * vectors + kCosts.tile_call;
  const auto panels = static_cast<double>(divide_up(extents.columns, std::int64_t{vectors} * schedule.lanes));
  const std::int64_t tiles = schedule.moves_rows ? divide_up(extents.rows, rows) : extents.rows / rows;
  const auto full = static_cast<double>(tiles);
  const auto rest = schedule.moves_rows ? 0 : static_cast<double>(extents.rows % rows);
  return panels * (full * per_tile + rest * per_row) * kCosts.assumed_runs + operations * kCosts.compiled_operation;
}

void choose_tile(ContractionSchedule& schedule, const Extents& extents, std::int64_t most_rows, const Target& target) {
  double best = std::numeric_limits<double>::infinity();
  const unsigned registers = static_cast<unsigned>(target.vector_registers);
  const std::int64_t all = divide_up(extents.columns, schedule.lanes);
  const bool one_tile = all <= (registers >= 32 ? kCosts.one_tile_vectors_of_many : kCosts.one_tile_vectors);
  const auto max_vectors = static_cast<unsigned>(std::min<std::int64_t>(all, kCosts.most_tile_vectors));
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
  const std::int64_t bytes = target.vector_bytes == 64 ? kCosts.wide_panel : kCosts.panel;
  const std::int64_t panels = round_up(divide_up(extents.columns * extents.inner * size, bytes), shares);
  schedule.panel = round_up(divide_up(extents.columns, panels), tile);
  if (!times_batch) schedule.panel = std::min(schedule.panel, extents.columns);
}

// A step of the largest tile has ten to twelve multiply-adds, which take five or six cycles where vectors have 32
// bytes; it begins two dozen instructions, and such CPUs no more than five or six a cycle. What the loop, its jump and
// the lines that it asks for add is worth sharing. With one vector to a row there is a broadcast for every
// multiply-add, and steps that overlap would spill.
unsigned steps_of_loop(const ContractionSchedule& schedule, const Target& target) {
  return target.has_fma && target.vector_bytes == 32 && schedule.tile_vectors > 1 ? kCosts.unrolled_steps : 1;
}

// How tiles get what they read of a and of the next panel of b.
void choose_left(ContractionSchedule& schedule, const ContractionKernel& kernel, const CpuTactics& tactics,
                 const Extents& extents, std::int64_t size, const Target& target) {
  if (!kernel.is_of_matrices()) return;
  const ProductStrides strides = strides_of(kernel);
  const Extent &row_extent = kernel.rows.back(), &inner_extent = kernel.inner.back();
  schedule.fetches_panels = schedule.packing != ContractionSchedule::Packing::never && kernel.batch.empty() &&
                            !kernel.columns.back().times_batch && schedule.panel < extents.columns;
  // Lines so many bytes apart share a few places in a cache; and of lines of which a tile reads less than half, those
  // for all k are soon more than the first-level cache has room for.
  const std::int64_t step = strides.a_inner * size;
  const bool wastes_lines =
      target.vector_bytes == 32 && std::int64_t{2} * schedule.tile_rows * size < kLineBytes && step >= kLineBytes;
  if (strides.a_rows == 1 && (step % kCosts.far_apart == 0 || wastes_lines) && !row_extent.times_batch &&
      schedule.tiles() >= kCosts.copied_left_tiles) {
    schedule.left_rows = std::int64_t{kCosts.copied_tiles} * schedule.tile_rows;
    schedule.left_bytes = kCosts.copied_tiles * (extents.inner * schedule.tile_rows * size + kLineBytes) + kLineBytes;
    schedule.left_bytes = round_up(schedule.left_bytes, 64);
  }
  // Groups of columns are runs of lines, too, which few rows do not outlast.
  schedule.fetches_groups = target.vector_bytes == 32 && tactics.weights_in_groups && !inner_extent.times_batch &&
                            kernel.batch[0].constant * kernel.b.access().at.strides[0] * size > kCosts.panel;
  // Rows behind each other are one run of lines: where all of them are more than the second-level cache has room for.
  schedule.fetches_rows = target.vector_bytes == 32 && !tactics.rows_in_place && !inner_extent.times_batch &&
                          strides.a_inner == 1 && strides.a_rows == extents.inner &&
                          extents.rows * extents.inner * size > kCosts.panel;
}

// How much of k a tile goes over, and in how many blocks.
void choose_inner(ContractionSchedule& schedule, const ContractionKernel& kernel, std::int64_t max_batch) {
  const std::int64_t all = std::max<std::int64_t>(points_of(kernel.inner, max_batch), 1);
  schedule.several_blocks = all > kCosts.longest_inner;
  schedule.tile_inner = static_cast<unsigned>(kernel.inner.size());
  schedule.inner_block = all;
  if (!schedule.several_blocks) return;
  const std::int64_t last = largest(kernel.inner.back(), max_batch);
  schedule.tile_inner = 1;
  schedule.inner_block = last;
  if (last > kCosts.longest_inner) {
    schedule.inner_block = round_up(divide_up(last, divide_up(last, kCosts.inner_block)), 8);
    return;
  }
  // All of them would be more.
  const auto next = [&] { return largest(kernel.inner[kernel.inner.size() - 1 - schedule.tile_inner], max_batch); };
  for (; schedule.inner_block * next() <= kCosts.longest_inner; ++schedule.tile_inner) schedule.inner_block *= next();
}

// Rows of a that is computed, as many at a time as are copied of one that lies across. Vectors go along k, unless more
// of what is loaded is contiguous along the rows.
void compute_left(ContractionSchedule& schedule, const ContractionKernel& kernel, std::int64_t size) {
  std::int64_t along_rows = 0;
  for (const Value& value : kernel.a.body.values) {
    if (value.kind != Value::Kind::load) continue;
    const std::vector<std::int64_t>& strides = value.access.at.strides;
    along_rows += (strides[kernel.row_axis()] == 1 ? 1 : 0) - (strides[kernel.inner_axis_of_a()] == 1 ? 1 : 0);
  }
  schedule.computes_along_rows = along_rows > 0;
  schedule.left_rows = std::min(std::int64_t{kCosts.copied_tiles} * schedule.tile_rows, schedule.row_block);
  schedule.row_block -= schedule.row_block % schedule.left_rows;
  // A vector more, for the last one.
  schedule.left_bytes = round_up(schedule.left_rows * schedule.inner_block * size, 64) + kLineBytes;
}

void schedule_columns(ContractionSchedule& schedule, const ContractionKernel& kernel, const CpuTactics& tactics,
                      const Extents& extents, std::int64_t max_batch, const Target& target, std::int64_t size) {
  const Extent& column_extent = kernel.columns.back();
  const ProductStrides strides = strides_of(kernel);
  if (!column_extent.times_batch) schedule.lanes = fitting_lanes(extents.columns, schedule.lanes, target);
  const bool in_groups = tactics.weights_in_groups;
  // Where threads share the columns, two or four of them find equal work, tiles included.
  const bool shares_columns = tactics.split && tactics.split->axis == kernel.column_axis();
  const std::int64_t shares = !shares_columns ? 1 : extents.columns >= 4 * kSplitVectors ? 4 : 2;
  const bool packed_rows = in_groups && target.vector_registers >= 32;
  choose_inner(schedule, kernel, max_batch);
  schedule.tile_epilogue = !schedule.several_blocks && !kernel.one_column() && extents.inner >= kCosts.finished_sum &&
                           extents.rows * extents.columns >= kCosts.finished_elements;
  // A single row has too few sums to go on side by side, and reads all of b for itself: a tenth of the time of 128 rows
  // in tiles of five or six. Parts of copied rows of a are those of whole tiles.
  schedule.moves_rows =
      schedule.tile_epilogue && target.vector_bytes == 32 && kernel.a.is_load() && strides.a_rows != 1;
  choose_tile(schedule, {extents.rows, divide_up(extents.columns, shares), extents.inner},
              packed_rows ? kCosts.packed_tile_rows : kCosts.most_tile_rows, target);
  const bool contiguous = kernel.b.is_load() && (strides.b_columns == 1 || kernel.one_column());
  if (!contiguous || column_extent.times_batch) {
    schedule.packing = ContractionSchedule::Packing::always;
  } else if (extents.rows >= 2 * kCosts.packing_rows && extents.inner * extents.columns * size >= kCosts.packed_panel &&
             strides.b_inner * size > kCosts.short_row) {
    schedule.packing = ContractionSchedule::Packing::many_rows;
  }
  // A row of a group is read as it lies by a tile of one row, too, if that is as wide.
  const bool whole_group = in_groups && schedule.tile_columns() >= extents.columns;
  schedule.streams = tactics.often_few_rows && contiguous && kernel.is_of_matrices() &&
                     extents.rows > kCosts.streamed_rows && !whole_group && !column_extent.times_batch &&
                     extents.columns >= schedule.lanes &&
                     extents.inner * extents.columns * size >= kCosts.streamed_matrix;
  choose_panel(schedule, extents, column_extent.times_batch, shares, size, target);
  if (schedule.tile_epilogue || schedule.several_blocks) schedule.inner_steps = steps_of_loop(schedule, target);
  if (schedule.tile_epilogue) {
    if (kernel.batch.empty() && kernel.is_of_matrices() && extents.rows * extents.columns >= kCosts.fetched_elements) {
      schedule.fetched_bytes = kCosts.fetched_lines * 8;
    }
    choose_left(schedule, kernel, tactics, extents, size, target);
    schedule.row_block = round_up(extents.rows, schedule.tile_rows);
    if (!kernel.a.is_load()) compute_left(schedule, kernel, size);
    return;
  }
  // Products wait for their epilogue in the first-level cache; where a panel is packed for several blocks of k, its
  // copy has to pay off first.
  const std::int64_t bytes = schedule.several_blocks ? kCosts.waiting_blocks : kCosts.waiting_product;
  const std::int64_t fit = std::max<std::int64_t>(bytes / (schedule.panel * size * schedule.tile_rows), 1);
  schedule.row_block = std::min(fit * schedule.tile_rows, round_up(extents.rows, schedule.tile_rows));
  if (!kernel.a.is_load()) compute_left(schedule, kernel, size);
}

void schedule_dots(ContractionSchedule& schedule, const ContractionKernel& kernel, const Extents& extents,
                   const Target& target) {
  schedule.dot = true;
  if (!kernel.inner.back().times_batch) {
    schedule.lanes = std::min(
        schedule.lanes, std::bit_ceil(static_cast<unsigned>(std::min<std::int64_t>(extents.inner, schedule.lanes))));
  }
  // Whole tiles of a number of columns that is not known.
  const auto fits = [](std::int64_t count, const Extent& extent) {
    while (extent.times_batch && extent.constant % count != 0) --count;
    return static_cast<unsigned>(count);
  };
  // Few rows are one tile, with as many columns as make the same number of sums.
  const std::int64_t sums = target.vector_registers >= 32 ? kCosts.dot_sums_of_many : kCosts.dot_sums;
  const bool one_tile = !kernel.rows.back().times_batch && extents.rows <= kCosts.few_dot_rows && extents.rows <= sums;
  const std::int64_t rows = one_tile ? extents.rows : kCosts.dot_rows;
  schedule.tile_rows = static_cast<unsigned>(std::min(rows, extents.rows));
  schedule.tile_vectors = fits(std::min(sums / rows, extents.columns), kernel.columns.back());
  schedule.panel = std::min(extents.columns, kCosts.dot_block);
  if (kernel.columns.back().times_batch) schedule.panel -= schedule.panel % schedule.tile_vectors;
  schedule.inner_block = extents.inner;
  schedule.row_block = round_up(std::min(extents.rows, kCosts.dot_block), schedule.tile_rows);
}

}  // namespace

ContractionSchedule schedule_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                                const Target& target) {
  const auto most = [&](const Extent& extent) { return std::max<std::int64_t>(largest(extent, max_batch), 1); };
  const Extents extents = {most(kernel.rows.back()), most(kernel.columns.back()),
                           std::max<std::int64_t>(points_of(kernel.inner, max_batch), 1)};
  const auto size = static_cast<std::int64_t>(size_of(kernel.dtype));
  ContractionSchedule schedule;
  schedule.lanes = static_cast<unsigned>(target.vector_bytes / size);
  if (tactics.form == CpuTactics::Form::inner) {
    TARN_CHECK(may_dot(kernel), "dot products of what is not contiguous");
    schedule_dots(schedule, kernel, extents, target);
  } else {
    schedule_columns(schedule, kernel, tactics, extents, max_batch, target, size);
  }
  // A vector more, so that reading whole vectors at the end stays inside.
  schedule.product_row = schedule.dot ? schedule.panel : round_up(schedule.panel, schedule.lanes);
  if (schedule.tile_epilogue) schedule.product_row = schedule.tile_columns();
  const std::int64_t waiting_rows = schedule.tile_epilogue ? schedule.tile_rows : schedule.row_block;
  const std::int64_t streamed = schedule.streams ? extents.columns : 0;
  schedule.product_bytes = round_up(std::max(waiting_rows * schedule.product_row, streamed) * size, 64) + 64;
  schedule.sum_row = round_up(std::max(extents.columns, schedule.panel), target.vector_bytes / size);
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
