// Tile shapes, panels and blocks of products; and for all kernels, what is chosen last. See tiling.h.
#include "passes/tactics/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"
#include "passes/tactics/lanes.h"

namespace tarn {

namespace {

using Packing = ContractionTiling::Packing;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

class TilingChooser {
 public:
  TilingChooser(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                const Target& target, const CostModel& costs)
      : kernel_(kernel),
        tactics_(tactics),
        max_batch_(max_batch),
        target_(target),
        costs_(costs),
        strides_(strides_of(kernel)),
        rows_(most(kernel.rows.back())),
        columns_(most(kernel.columns.back())),
        inner_(std::max<std::int64_t>(points_of(kernel.inner, max_batch), 1)),
        size_(static_cast<std::int64_t>(size_of(kernel.dtype))) {}

  ContractionTiling choose() {
    t_.lanes = static_cast<unsigned>(target_.vector_bytes / size_);
    t_.inner_block = inner_;
    if (tactics_.form == CpuTactics::Form::inner) {
      TARN_CHECK(may_dot(kernel_), "dot products of what is not contiguous");
      choose_dots();
    } else {
      choose_columns();
    }
    return t_;
  }
  double cycles() const { return cycles_; }

 private:
  std::int64_t most(const Extent& extent) const { return std::max<std::int64_t>(largest(extent, max_batch_), 1); }

  // Registers of a tile: its sums, a row of b, an element of a in all lanes, and where products and sums are two
  // instructions, the product. Where there are no more rows than the tile has, their elements wait instead of a row of
  // b: those leave no register over, which longer loops would want.
  unsigned registers_of_tile(unsigned rows, unsigned vectors) const {
    const unsigned product = !target_.has_fma && vectors > 1 ? 1 : 0;
    const unsigned waiting = rows == rows_ ? std::min(rows, vectors) : vectors;
    return rows * vectors + waiting + 1 + product;
  }

  // Cycles of one k in a tile: two multiply-adds a cycle, one where vectors have 64 bytes; two loads; and chains of
  // additions no faster than one in four cycles, a little more where two begin in each: eight chains are just enough
  // for that. Where products and sums are two instructions, copies and spreading an element over the lanes are more,
  // and it is the number of instructions that counts.
  double cycles_of_step(unsigned rows, unsigned vectors) const {
    const bool twice = target_.multiplies_twice();
    const double operations = rows * vectors;
    const double instructions = target_.has_fma ? 0 : 3 * operations + rows + vectors + costs_.step_instructions;
    return std::max({twice ? operations / 2 : operations, (rows + vectors) / 2.0,
                     instructions / costs_.decoded_instructions,
                     twice ? costs_.chained_addition_of_two : costs_.chained_addition}) +
           costs_.step_cycles;
  }

  // Whether rows that are left are one tile, which adds to their code: of what is long enough to pay for it.
  bool rests_in_tiles() const {
    return !kernel_.rows.back().times_batch && (t_.several_blocks || kernel_.inner.size() > 1);
  }

  // Cycles of a call of all tiles of one shape, and the price of compiling the tile, which matters for products that
  // take less time in all of training.
  double cost_of_tile(std::int64_t columns, unsigned rows, unsigned vectors) const {
    const double operations = rows * vectors;
    const auto inner = static_cast<double>(inner_);
    const auto per_tile = [&](unsigned height) {
      return cycles_of_step(height, vectors) * inner + costs_.stored_sum * height * vectors + costs_.tile_call;
    };
    const auto panels = static_cast<double>(divide_up(columns, std::int64_t{vectors} * t_.lanes));
    const std::int64_t tiles = t_.moves_rows ? divide_up(rows_, rows) : rows_ / rows;
    const auto full = static_cast<double>(tiles);
    const auto left = static_cast<unsigned>(t_.moves_rows ? 0 : rows_ % rows);
    const double rest = left > 0 && rests_in_tiles() ? per_tile(left) : left * per_tile(1);
    return panels * (full * per_tile(rows) + rest) * costs_.assumed_runs + operations * costs_.compiled_operation;
  }

  void choose_tile(std::int64_t columns, std::int64_t most_rows) {
    double best = std::numeric_limits<double>::infinity();
    const auto registers = static_cast<unsigned>(target_.vector_registers);
    const std::int64_t all = divide_up(columns, t_.lanes);
    const bool one_tile = all <= (registers >= 32 ? costs_.one_tile_vectors_of_many : costs_.one_tile_vectors);
    const auto max_vectors = static_cast<unsigned>(std::min<std::int64_t>(all, costs_.most_tile_vectors));
    const auto max_rows = static_cast<unsigned>(std::min(rows_, most_rows));
    for (unsigned vectors = one_tile ? max_vectors : 1; vectors <= max_vectors; ++vectors) {
      for (unsigned rows = 1; rows <= max_rows; ++rows) {
        if (registers_of_tile(rows, vectors) > registers) break;
        const double cost = cost_of_tile(columns, rows, vectors);
        // Of tiles of windows that cost the same, the one with fewer loads: theirs are from further away.
        const bool loads_less = kernel_.inner.size() > 1 && rows + vectors < t_.tile_rows + t_.tile_vectors();
        if (cost > best || (cost == best && !loads_less)) continue;
        best = cost;
        t_.tile_rows = rows;
        t_.tile_columns = vectors * t_.lanes;
        cycles_ = cycles_of_step(rows, vectors);
      }
    }
  }

  // Columns whose part of b stays in the second-level cache while all rows go over it, in panels of equal width. The
  // number of panels is a multiple of `shares`.
  void choose_panel(std::int64_t shares) {
    t_.panel = t_.tile_columns;
    if (columns_ <= t_.tile_columns) return;
    if (t_.several_blocks) {
      // As wide as a block of b may be in the first-level cache: the rows of a block share it, and all of it what they
      // read of a.
      const std::int64_t fit = costs_.block_of_b / (t_.inner_block * t_.tile_columns * size_);
      t_.panel = std::clamp<std::int64_t>(fit * t_.tile_columns, t_.tile_columns, round_up(columns_, t_.tile_columns));
      if (!kernel_.columns.back().times_batch) t_.panel = std::min(t_.panel, columns_);
      // One tile at least, which has the columns for itself.
      while (tiles_overlap(kernel_, t_)) t_.panel = (t_.tiles() - 1) * t_.tile_columns;
      return;
    }
    const std::int64_t bytes = target_.has_large_second_cache() ? costs_.wide_panel : costs_.panel;
    const std::int64_t panels = round_up(divide_up(columns_ * inner_ * size_, bytes), shares);
    t_.panel = round_up(divide_up(columns_, panels), t_.tile_columns);
    if (!kernel_.columns.back().times_batch) t_.panel = std::min(t_.panel, columns_);
  }

  // A step of the largest tile has ten to twelve multiply-adds, which take five or six cycles where vectors have 32
  // bytes; it begins two dozen instructions, and such CPUs no more than five or six a cycle. What the loop, its jump
  // and the lines that it asks for add is worth sharing. With one vector to a row there is a broadcast for every
  // multiply-add, and steps that overlap would spill.
  //
  // A short run along k is as many steps from jump to jump as leave none over.
  unsigned steps_of_loop() const {
    const bool pays = target_.has_fma && target_.runs_out_of_instructions() && t_.tile_vectors() > 1;
    if (!pays) return 1;
    const Extent& last = kernel_.inner.back();
    const std::int64_t run = t_.tile_inner == 1 ? t_.inner_block : last.constant;
    if (last.times_batch || run > costs_.short_run || t_.skips_outside) return costs_.unrolled_steps;
    for (unsigned steps = costs_.unrolled_steps; steps <= costs_.most_unrolled_steps; ++steps) {
      if (run % steps == 0) return steps;
    }
    return costs_.unrolled_steps;
  }

  // How tiles get what they read of a and of the next panel of b.
  void choose_left() {
    if (!kernel_.is_of_matrices()) return;
    const Extent& inner_extent = kernel_.inner.back();
    t_.fetches_panels = t_.packing != Packing::never && kernel_.batch.empty() && !kernel_.columns.back().times_batch &&
                        t_.panel < columns_;
    // Lines so many bytes apart share a few places in a cache; and of lines of which a tile reads less than half, those
    // for all k are soon more than the first-level cache has room for.
    const std::int64_t step = strides_.a_inner * size_, line = target_.line_bytes;
    const bool wastes_lines = target_.needs_fetches() && std::int64_t{2} * t_.tile_rows * size_ < line && step >= line;
    if (strides_.a_rows == 1 && (step % costs_.far_apart == 0 || wastes_lines) && !kernel_.rows.back().times_batch &&
        t_.tiles() >= costs_.copied_left_tiles) {
      t_.left_rows = std::int64_t{costs_.copied_tiles} * t_.tile_rows;
    }
    // Groups of columns are runs of lines, too, which few rows do not outlast.
    t_.fetches_groups = target_.needs_fetches() && tactics_.weights_in_groups && !inner_extent.times_batch &&
                        kernel_.batch[0].constant * kernel_.b.access().at.strides[0] * size_ > costs_.panel;
    // Rows behind each other are one run of lines: where all of them are more than the second-level cache has room for.
    t_.fetches_rows = target_.needs_fetches() && !tactics_.rows_in_place && !inner_extent.times_batch &&
                      strides_.a_inner == 1 && strides_.a_rows == inner_ && rows_ * inner_ * size_ > costs_.panel;
  }

  // Of the loops around the tiles.
  std::int64_t points_around() const {
    return points_of(axes_with(kernel_, kernel_.rows, kernel_.columns), max_batch_) / (rows_ * columns_);
  }

  // Whether all that goes around the tiles of windows has the same b.
  bool shares_b() const { return kernel_.inner.size() > 1 && !kernel_.batch.empty() && b_stays(kernel_); }

  // How many times as many rows there are in all: along the axes around that b does not have.
  std::int64_t rows_around() const {
    std::int64_t rows = 1;
    for (std::size_t i = 0; i < kernel_.batch.size(); ++i) {
      const bool has_b = !kernel_.b.is_load() || kernel_.b.access().at.strides[i] != 0;
      if (!has_b) rows *= most(kernel_.batch[i]);
    }
    for (std::size_t i = 0; i + 1 < kernel_.rows.size(); ++i) rows *= most(kernel_.rows[i]);
    return rows;
  }

  // How much of k a tile goes over, and in how many blocks.
  void choose_inner() {
    t_.several_blocks = inner_ > costs_.longest_inner;
    t_.tile_inner = static_cast<unsigned>(kernel_.inner.size());
    if (!t_.several_blocks) return;
    const std::int64_t last = largest(kernel_.inner.back(), max_batch_);
    t_.tile_inner = 1;
    t_.inner_block = last;
    // All of them would be more.
    const auto next = [&] { return largest(kernel_.inner[kernel_.inner.size() - 1 - t_.tile_inner], max_batch_); };
    while (t_.tile_inner < kernel_.inner.size() && t_.inner_block * next() <= costs_.longest_inner) {
      t_.inner_block *= next();
      ++t_.tile_inner;
    }
    // One axis is cut where it is long: so that the block of all columns has room in the first-level cache, if these
    // are few.
    const std::int64_t fit =
        std::clamp(costs_.block_of_b / (columns_ * size_), costs_.inner_block / 4, costs_.inner_block);
    if (t_.tile_inner == 1 && last > 2 * fit) {
      t_.inner_block = round_up(divide_up(last, divide_up(last, fit)), 8);
    }
  }

  // Rows of a that is computed, as many at a time as are copied of one that lies across. Vectors go along k, unless
  // more of what is loaded is contiguous along the rows.
  void compute_left() {
    std::int64_t along_rows = 0;
    for (const Value& value : kernel_.a.body.values) {
      if (value.kind != Value::Kind::load) continue;
      const std::vector<std::int64_t>& strides = value.access.at.strides;
      along_rows += (strides[kernel_.row_axis()] == 1 ? 1 : 0) - (strides[kernel_.inner_axis_of_a()] == 1 ? 1 : 0);
    }
    t_.computes_along_rows = along_rows > 0;
    t_.left_rows = std::min(std::int64_t{costs_.copied_tiles} * t_.tile_rows, t_.row_block);
    t_.row_block -= t_.row_block % t_.left_rows;
    const std::size_t along = t_.computes_along_rows ? kernel_.row_axis() : kernel_.inner_axis_of_a();
    const std::int64_t count = t_.computes_along_rows ? t_.left_rows : largest(kernel_.inner.back(), max_batch_);
    t_.left_lanes = lanes_of_operand(kernel_.a, along, count, target_);
  }

  // As many indices of the first axis in a tile that all rows and a panel find what they read in the first-level cache.
  void choose_first_inner() {
    const std::int64_t first = largest(kernel_.inner[kernel_.inner.size() - t_.tile_inner], max_batch_);
    const std::int64_t each = t_.inner_block / std::max<std::int64_t>(first, 1);
    const std::int64_t fit = std::max<std::int64_t>(costs_.block_of_b / ((rows_ + t_.panel) * each * size_), 1);
    if (fit < first) t_.first_inner = divide_up(first, divide_up(first, fit));
  }

  // As many samples as the second-level cache has room for, which all that goes around reads from there. Each time all
  // products are read and written again.
  void choose_shared() {
    std::vector<Extent> inner(kernel_.inner.begin() + 1, kernel_.inner.end());
    const std::int64_t first = largest(kernel_.inner.front(), max_batch_), around = points_around();
    const std::int64_t each = points_of(inner, max_batch_) * (rows_ + columns_) * size_;
    const std::int64_t products = around * rows_ * columns_ * size_;
    if (around == 1 || each * first <= costs_.panel || products > costs_.waiting_products) return;
    const std::int64_t shared = std::clamp<std::int64_t>(costs_.panel / each, 1, first);
    if (2 * products >= (around - 1) * shared * each) return;
    t_.shared_inner = shared;
    t_.row_block = round_up(rows_, t_.tile_rows);
  }

  void choose_packing(bool in_groups) {
    const bool times_batch = kernel_.columns.back().times_batch;
    const bool contiguous = kernel_.b.is_load() && (strides_.b_columns == 1 || kernel_.one_column());
    if (!contiguous || times_batch) {
      t_.packing = Packing::always;
    } else if ((shares_b() ? rows_ * points_around() : rows_) >= 2 * costs_.packing_rows &&
               inner_ * columns_ * size_ >= costs_.packed_panel && strides_.b_inner * size_ > costs_.short_row) {
      t_.packing = t_.skips_outside || shares_b() ? Packing::always : Packing::many_rows;
    }
    // A row of a group is read as it lies by a tile of one row, too, if that is as wide.
    const bool whole_group = in_groups && t_.tile_columns >= columns_;
    t_.streams = tactics_.often_few_rows && contiguous && kernel_.is_of_matrices() && rows_ > costs_.streamed_rows &&
                 !whole_group && !times_batch && columns_ >= t_.lanes &&
                 inner_ * columns_ * size_ >= costs_.streamed_matrix;
  }

  void choose_columns() {
    if (!kernel_.columns.back().times_batch) t_.lanes = fitting_lanes(columns_, t_.lanes, target_);
    // Where threads share the columns, two or four of them find equal work, tiles included.
    const bool shares_columns = tactics_.split && tactics_.split->axis == kernel_.column_axis();
    const std::int64_t shares = !shares_columns ? 1 : columns_ >= 4 * kSplitVectors ? 4 : 2;
    const bool packed_rows = tactics_.weights_in_groups && target_.vector_registers >= 32;
    t_.skips_outside = may_skip_outside(kernel_);
    choose_inner();
    t_.tile_epilogue = !t_.several_blocks && !kernel_.one_column() && inner_ >= costs_.finished_sum &&
                       rows_ * rows_around() * columns_ >= costs_.finished_elements;
    // A single row has too few sums to go on side by side, and reads all of b for itself: a tenth of the time of 128
    // rows in tiles of five or six. Parts of copied rows of a are those of whole tiles.
    t_.moves_rows = t_.tile_epilogue && target_.runs_out_of_instructions() && !rests_in_tiles() &&
                    ((kernel_.a.is_load() && strides_.a_rows != 1) || t_.skips_outside);
    choose_tile(divide_up(columns_, shares), packed_rows ? costs_.packed_tile_rows : costs_.most_tile_rows);
    if (rests_in_tiles()) t_.rest_rows = std::max(static_cast<unsigned>(rows_ % t_.tile_rows), 1U);
    choose_packing(tactics_.weights_in_groups);
    choose_panel(shares);
    if (t_.tile_epilogue || t_.several_blocks) t_.inner_steps = steps_of_loop();
    t_.row_block = round_up(rows_, t_.tile_rows);
    if (t_.several_blocks && t_.tile_inner > 1 && t_.packing == Packing::never && kernel_.b.is_load() &&
        a_in_memory(kernel_, t_)) {
      choose_first_inner();
    }
    if (t_.tile_epilogue) {
      t_.fetches_epilogue =
          kernel_.batch.empty() && kernel_.is_of_matrices() && rows_ * columns_ >= costs_.fetched_elements;
      choose_left();
    } else {
      // Products wait for their epilogue in the first-level cache; where a panel is packed for several blocks of k, its
      // copy has to pay off first.
      const std::int64_t bytes = t_.several_blocks ? costs_.waiting_blocks : costs_.waiting_product;
      const std::int64_t fit = std::max<std::int64_t>(bytes / (t_.panel * size_ * t_.tile_rows), 1);
      t_.row_block = std::min(fit * t_.tile_rows, t_.row_block);
    }
    if (!a_in_memory(kernel_, t_)) compute_left();
    if (may_share_inner(kernel_, t_)) choose_shared();
    // What is packed is so for all of them; else a would come from further away for every panel.
    t_.panels_outside = t_.packing == Packing::always && may_put_panels_outside(kernel_, t_) && points_around() > 1;
    if (!kernel_.b.is_load()) {
      t_.right_lanes = lanes_of_operand(kernel_.b, kernel_.column_axis_of_b(), t_.lanes, target_);
    }
  }

  void choose_dots() {
    if (!kernel_.inner.back().times_batch) {
      t_.lanes = std::min(t_.lanes, std::bit_ceil(static_cast<unsigned>(std::min<std::int64_t>(inner_, t_.lanes))));
    }
    // Whole tiles of a number of columns that is not known.
    const auto fits = [](std::int64_t count, const Extent& extent) {
      while (extent.times_batch && extent.constant % count != 0) --count;
      return static_cast<unsigned>(count);
    };
    // Few rows are one tile, with as many columns as make the same number of sums.
    const std::int64_t sums = target_.vector_registers >= 32 ? costs_.dot_sums_of_many : costs_.dot_sums;
    const bool one_tile = !kernel_.rows.back().times_batch && rows_ <= costs_.few_dot_rows && rows_ <= sums;
    const std::int64_t rows = one_tile ? rows_ : costs_.dot_rows;
    t_.tile_rows = static_cast<unsigned>(std::min(rows, rows_));
    t_.tile_columns = fits(std::min(sums / rows, columns_), kernel_.columns.back());
    t_.panel = std::min(columns_, costs_.dot_block);
    if (kernel_.columns.back().times_batch) t_.panel -= t_.panel % t_.tile_columns;
    t_.row_block = round_up(std::min(rows_, costs_.dot_block), t_.tile_rows);
  }

  const ContractionKernel& kernel_;
  const CpuTactics& tactics_;
  const std::int64_t max_batch_;
  const Target& target_;
  const CostModel& costs_;
  const ProductStrides strides_;
  const std::int64_t rows_, columns_, inner_;  // extents of the last axes, and of all inner ones; one at least
  const std::int64_t size_;                    // bytes of an element
  double cycles_ = 0;
  ContractionTiling t_;
};

}  // namespace

ContractionTiling tiling_of(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch,
                            const Target& target, const CostModel& costs, double* cycles_of_step) {
  TilingChooser chooser(kernel, tactics, max_batch, target, costs);
  CpuTactics tiled = tactics;
  tiled.tiling = chooser.choose();
  tiled.tiling->epilogue_lanes = lanes_of_epilogue(kernel, tiled, target, costs);
  if (cycles_of_step != nullptr) *cycles_of_step = chooser.cycles();
  return *tiled.tiling;
}

void choose_tilings(KernelPlan& plan, const Target& target, const CostModel& costs,
                    std::vector<TacticsReasons>* reasons) {
  std::size_t number = 0;
  for_each_kernel(plan.kernels, [&](Kernel& kernel) {
    CpuTactics& tactics = kernel.tactics;
    TacticsReasons* const why = reasons == nullptr ? nullptr : &(*reasons)[number++];
    by_kind(
        kernel.body,
        [&](const LoopKernel& loop) {
          // Other copies have other emitters.
          const bool by_points = tactics.copy == CpuTactics::Copy::by_points;
          tactics.lanes = by_points ? lanes_of_loop(plan, loop, tactics, target, costs) : 0;
          tactics.accumulators = by_points ? accumulators_of_loop(plan, loop, tactics, tactics.lanes, costs) : 1;
          if (why != nullptr) why->lanes = fmt::format("of {} bytes", target.vector_bytes);
        },
        [&](const ContractionKernel& product) {
          double cycles = 0;
          tactics.tiling = tiling_of(product, tactics, plan.max_batch, target, costs, &cycles);
          if (why == nullptr) return;
          const auto bytes = points_of(product.inner, plan.max_batch) *
                             largest(product.columns.back(), plan.max_batch) *
                             static_cast<std::int64_t>(size_of(product.dtype));
          const std::int64_t rows = largest(product.rows.back(), plan.max_batch);
          why->tiles = cycles > 0 ? fmt::format("{:.3g} cycles for each k of a tile", cycles)
                                  : "as many sums as registers hold side by side";
          why->around = fmt::format("{} rows go over {} bytes of b", rows, bytes);
        },
        [](const FiniteGuard&) {}, [](const Repeat&) {});
  });
}

}  // namespace tarn
