// See possible_tactics.h.
#include "passes/plan/possible_tactics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <span>

#include "passes/plan/body_lanes.h"

namespace tarn {
namespace {

using Packing = ContractionTiling::Packing;

// Whatever the extents.
std::int64_t points_of_inner(std::span<const Extent> axes, std::int64_t max_batch) {
  std::int64_t points = 1;
  for (const Extent& axis : axes) {
    const std::int64_t extent = std::max<std::int64_t>(axis.constant, 0);
    if (__builtin_mul_overflow(points, extent, &points) ||
        __builtin_mul_overflow(points, axis.times_batch ? max_batch : 1, &points)) {
      return std::numeric_limits<std::int64_t>::max();
    }
  }
  return std::max<std::int64_t>(points, 1);
}

// What must hold, and what is wrong where it does not.
struct Demand {
  bool holds;
  const char* otherwise;
};

template <std::size_t count>
const char* first_broken(const std::array<Demand, count>& demands) {
  const auto found = std::find_if(demands.begin(), demands.end(), [](const Demand& demand) { return !demand.holds; });
  return found == demands.end() ? nullptr : found->otherwise;
}

const char* wrong_tile(const ContractionKernel& kernel, const CpuTactics& tactics, const ContractionTiling& t) {
  const bool dot = tactics.form == CpuTactics::Form::inner;
  const Extent& columns = kernel.columns.back();
  const std::int64_t width = t.tile_columns;
  if (!std::has_single_bit(t.lanes) || t.tile_rows < 1 || width < 1 || t.row_block < 1 || t.panel < 1)
    return "a tile has no rows, columns or lanes";
  return first_broken(std::array{
      Demand{dot || width % t.lanes == 0, "columns of a tile are no whole vectors"},
      Demand{t.row_block % t.tile_rows == 0, "a block of rows is no whole tiles"},
      Demand{!t.panels_outside || may_put_panels_outside(kernel, t), "panels are outside that cannot be"},
      Demand{t.rest_rows == 1 || (!dot && !kernel.rows.back().times_batch && !t.moves_rows &&
                                  kernel.rows.back().constant % t.tile_rows == t.rest_rows),
             "rows that are left are others"},
      Demand{dot ? width <= t.panel : t.panel % width == 0 || (!columns.times_batch && t.panel >= columns.constant),
             "a panel is no whole tiles"},
      Demand{!dot || !columns.times_batch || (t.panel % width == 0 && columns.constant % width == 0),
             "tiles of a number of columns that is not known do not fit"},
      Demand{!dot || columns.times_batch || t.panel <= std::max<std::int64_t>(columns.constant, 1),
             "a panel has more columns than there are"},
  });
}

const char* wrong_inner_blocks(const ContractionKernel& kernel, const ContractionTiling& t, std::int64_t max_batch) {
  const std::int64_t all = points_of_inner(kernel.inner, max_batch);
  if (t.tile_inner < 1 || t.tile_inner > kernel.inner.size()) return "a tile goes over inner axes that there are not";
  const std::int64_t in_tile = points_of_inner(std::span(kernel.inner).last(t.tile_inner), max_batch);
  const bool one_block = t.tile_inner == kernel.inner.size() && t.inner_block == all;
  const bool fits = t.inner_block >= 1 && (t.tile_inner == 1 ? t.inner_block <= in_tile : t.inner_block == in_tile);
  return first_broken(
      std::array{Demand{t.several_blocks ? fits : one_block, "blocks of k are not those of its axes"},
                 Demand{t.first_inner >= 0 && (t.first_inner == 0 || (t.several_blocks && t.tile_inner > 1 &&
                                                                      t.packing == Packing::never && t.left_rows == 0)),
                        "a tile goes over some indices of an axis that it does not cut"},
                 Demand{t.shared_inner >= 0 && (t.shared_inner == 0 || may_share_inner(kernel, t)),
                        "indices around share what they do not all read"},
                 Demand{t.inner_steps >= 1, "a tile takes no steps along k"}});
}

// Of what is copied and computed.
const char* wrong_copies(const ContractionKernel& kernel, const CpuTactics& tactics, const ContractionTiling& t) {
  const bool dot = tactics.form == CpuTactics::Form::inner;
  const ProductStrides strides = strides_of(kernel);
  const bool computes_a = !a_in_memory(kernel, t), computes_b = !kernel.b.is_load();
  const bool contiguous = !computes_b && (strides.b_columns == 1 || kernel.one_column());
  const bool must_pack = !dot && (!contiguous || kernel.columns.back().times_batch);
  const bool copies_a = !computes_a && t.left_rows > 0;
  return first_broken(std::array{
      Demand{!must_pack || t.packing == Packing::always, "b is not packed, and does not lie as tiles read it"},
      Demand{!dot || (t.packing == Packing::never && t.left_rows == 0), "dot products of copies"},
      Demand{t.left_rows >= 0 && (!computes_a || t.left_rows > 0), "a is computed, no rows at a time"},
      Demand{!computes_a || t.left_rows <= t.row_block, "more rows of a are computed than a block has"},
      Demand{!copies_a || (t.tile_epilogue && kernel.is_of_matrices() && strides.a_rows == 1),
             "rows of a that do not lie across are copied"},
      Demand{!t.skips_outside || (!dot && may_skip_outside(kernel)), "what is outside is left out, and counts"},
      Demand{!t.skips_outside || t.packing != Packing::many_rows, "tiles that pass over some of b pack it"},
      Demand{!t.computes_along_rows || computes_a, "what is not computed lies along rows"},
      Demand{std::has_single_bit(t.left_lanes) && std::has_single_bit(t.right_lanes), "an operand has no lanes"},
  });
}

const char* wrong_order(const ContractionKernel& kernel, const CpuTactics& tactics, const ContractionTiling& t) {
  const bool dot = tactics.form == CpuTactics::Form::inner, fetches = t.fetches_panels || t.fetches_rows;
  const Extent& columns = kernel.columns.back();
  const bool of_matrices = kernel.is_of_matrices();
  return first_broken(std::array{
      Demand{!t.tile_epilogue || (!dot && !t.several_blocks && !kernel.one_column()),
             "an epilogue follows tiles that are not complete"},
      Demand{!t.several_blocks || !tiles_overlap(kernel, t), "tiles of several blocks of k have columns in common"},
      Demand{!t.moves_rows || (t.tile_epilogue && t.left_rows == 0), "rows are moved back that cannot be"},
      Demand{!t.streams || (!dot && of_matrices && !columns.times_batch && columns.constant >= t.lanes &&
                            (strides_of(kernel).b_columns == 1 || kernel.one_column())),
             "rows are streamed that cannot be"},
      Demand{!(fetches || t.fetches_groups || t.fetches_epilogue) || (t.tile_epilogue && of_matrices),
             "tiles fetch without an epilogue behind them"},
      Demand{!t.fetches_panels || (t.packing != Packing::never && kernel.batch.empty() && !columns.times_batch),
             "panels are fetched that nobody packs"},
      Demand{!t.fetches_rows || !tactics.rows_in_place, "rows of a table are fetched"},
      Demand{!t.fetches_groups || tactics.weights_in_groups, "groups are fetched that there are not"},
      Demand{!t.fetches_epilogue || kernel.batch.empty(), "what is fetched for an epilogue moves with the batch"},
      Demand{std::has_single_bit(t.epilogue_lanes) && (t.epilogue_lanes == 1 || may_have_epilogue_lanes(kernel)),
             "lanes of an epilogue store to one element"},
  });
}

// Loads one element at each point, and stores it.
bool only_copies(const LoopKernel& kernel) {
  const Body& body = kernel.body;
  if (!kernel.reductions.empty() || body.values.size() != 1 || body.stores.size() != 1) return false;
  const Value& value = body.values.front();
  const Store& store = body.stores.front();
  const auto is_plain = [](const Access& access) {
    return access.row == kNoValue && access.at.repeat_strides.empty() && access.bounds.empty();
  };
  return value.kind == Value::Kind::load && is_plain(value.access) && is_plain(store.access) && !store.accumulate &&
         !store.guarded;
}

std::size_t reads_of_input(const KernelPlan& plan, std::uint32_t input) {
  std::size_t reads = 0;
  for (const Kernel& kernel : plan.kernels) {
    for_each_buffer(kernel.body, [&](const BufferId& id) {
      reads += plan.buffers[id].space == Space::input && plan.buffers[id].index == input ? 1U : 0U;
    });
  }
  return reads;
}

}  // namespace

bool keeps_order(const LoopKernel& kernel, std::size_t vector_axis) {
  const bool finds_index = std::any_of(kernel.reductions.begin(), kernel.reductions.end(),
                                       [](const Reduction& reduction) { return gives_index(reduction.op); });
  if (!finds_index || !kernel.reduced[vector_axis]) return true;
  const auto behind = kernel.reduced.begin() + static_cast<std::ptrdiff_t>(vector_axis) + 1;
  return std::find(behind, kernel.reduced.end(), true) == kernel.reduced.end();
}

bool may_have_lanes(const LoopKernel& kernel, std::size_t vector_axis) {
  const int axis = static_cast<int>(vector_axis);
  const bool is_reduced = kernel.reduced[vector_axis];
  const LaneValues body = lane_values(kernel.body, axis, values_of(kernel.reductions), true);
  if (!allows_lanes(kernel.body, body, axis)) return false;
  return is_reduced || allows_lanes(kernel.tail, lane_values(kernel.tail, axis, {}, true), axis);
}

bool may_have_accumulators(const LoopKernel& kernel) {
  return kernel.body.stores.empty() &&
         std::none_of(kernel.reductions.begin(), kernel.reductions.end(),
                      [](const Reduction& reduction) { return gives_index(reduction.op); });
}

std::optional<std::size_t> innermost_summed_axis(const LoopKernel& kernel, std::size_t vector_axis) {
  for (std::size_t axis = kernel.axes.size(); axis-- > 0;) {
    if (kernel.reduced[axis]) return kernel.reduced[vector_axis] ? vector_axis : axis;
  }
  return std::nullopt;
}

bool may_copy_samples(const KernelPlan& plan, const LoopKernel& kernel) {
  if (!only_copies(kernel) || kernel.axes.size() != 2) return false;
  if (kernel.axes[0] != Extent{1, true} || kernel.axes[1].times_batch) return false;
  const Access& load = kernel.body.values.front().access;
  const Buffer& from = plan.buffers[load.buffer];
  return from.space == Space::input && load.at.offset == 0 && load.at.strides[0] == from.strides.front() &&
         reads_of_input(plan, from.index) == 1;
}

std::optional<CopyAxes> axes_of_transposing_copy(const KernelPlan& plan, const LoopKernel& kernel) {
  if (!only_copies(kernel) || kernel.body.values.front().dtype == DType::boolean) return std::nullopt;
  const Access &load = kernel.body.values.front().access, &store = kernel.body.stores.front().access;
  if (plan.buffers[store.buffer].space == Space::state) return std::nullopt;
  for (std::size_t i = 0; i < kernel.axes.size(); ++i) {
    for (std::size_t j = 0; j < kernel.axes.size(); ++j) {
      if (i == j || load.at.strides[i] != 1 || store.at.strides[j] != 1) continue;
      if (kernel.axes[i].constant >= kSquareOfCopy && kernel.axes[j].constant >= kSquareOfCopy) return CopyAxes{i, j};
    }
  }
  return std::nullopt;
}

ProductStrides strides_of(const ContractionKernel& kernel) {
  ProductStrides strides;
  if (kernel.a.is_load()) {
    const std::vector<std::int64_t>& of_a = kernel.a.access().at.strides;
    strides.a_rows = of_a[kernel.row_axis()];
    strides.a_inner = of_a[kernel.inner_axis_of_a()];
  }
  if (kernel.b.is_load()) {
    const std::vector<std::int64_t>& of_b = kernel.b.access().at.strides;
    strides.b_inner = of_b[kernel.inner_axis_of_b()];
    strides.b_columns = of_b[kernel.column_axis_of_b()];
  }
  return strides;
}

bool may_dot(const ContractionKernel& kernel) {
  const ProductStrides strides = strides_of(kernel);
  return kernel.inner.size() == 1 && kernel.sums.empty() && strides.a_inner == 1 && strides.b_inner == 1;
}

bool may_skip_outside(const ContractionKernel& kernel) {
  if (kernel.a.is_load() || kernel.a.body.values.size() != 1) return false;
  const Value& value = kernel.a.body.values.front();
  const Access& access = value.access;
  if (value.kind != Value::Kind::load || value.dtype != kernel.dtype || access.row != kNoValue || access.fill != 0)
    return false;
  return std::all_of(access.bounds.begin(), access.bounds.end(), [&](const Bound& bound) {
    const std::vector<std::int64_t>& strides = bound.index.strides;
    std::size_t inner = 0;
    for (std::size_t i = 0; i < kernel.inner.size(); ++i) inner += strides[kernel.inner_axis_of_a(i)] != 0 ? 1U : 0U;
    return inner == 1 && strides[kernel.row_axis()] == 0 && bound.index.repeat_strides.empty();
  });
}

bool a_in_memory(const ContractionKernel& kernel, const ContractionTiling& tiling) {
  return kernel.a.is_load() || tiling.skips_outside;
}

bool may_share_inner(const ContractionKernel& kernel, const ContractionTiling& t) {
  const std::vector<Extent> axes = axes_with(kernel, kernel.rows, kernel.columns);
  const bool known = std::none_of(axes.begin(), axes.end(), [](const Extent& axis) { return axis.times_batch; });
  if (!known || !t.several_blocks || t.tile_inner >= kernel.inner.size() || t.left_rows > 0) return false;
  if (!a_in_memory(kernel, t) || !kernel.b.is_load() || !kernel.sums.empty()) return false;
  const std::vector<Bound>& bounds = kernel.a.access().bounds;
  const std::size_t first = kernel.inner_axis_of_a(0);
  return std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) { return bound.index.strides[first] == 0; });
}

bool b_stays(const ContractionKernel& kernel) {
  if (!kernel.b.is_load()) return false;
  const std::vector<std::int64_t>& of_b = kernel.b.access().at.strides;
  return std::all_of(of_b.begin(), of_b.begin() + static_cast<std::ptrdiff_t>(kernel.batch.size()),
                     [](std::int64_t stride) { return stride == 0; });
}

bool may_put_panels_outside(const ContractionKernel& kernel, const ContractionTiling& t) {
  return t.tile_epilogue && !t.streams && t.packing != ContractionTiling::Packing::many_rows && kernel.sums.empty() &&
         kernel.columns.size() == 1 && b_stays(kernel);
}

// Of the panels the last is cut otherwise than those before it, which are whole tiles.
bool tiles_overlap(const ContractionKernel& kernel, const ContractionTiling& tiling) {
  const Extent& columns = kernel.columns.back();
  if (columns.times_batch) return false;
  const std::int64_t rest = columns.constant % tiling.panel, last = rest == 0 ? tiling.panel : rest;
  return last > tiling.tile_columns && last % tiling.tile_columns != 0;
}

bool has_flat_epilogue(const ContractionKernel& kernel, const CpuTactics& tactics) {
  const std::size_t rows = kernel.row_axis(), columns = kernel.column_axis();
  const Extent& extent = kernel.columns.back();
  const bool shares_columns = tactics.split && tactics.split->axis == columns;
  if (tactics.form != CpuTactics::Form::inner || kernel.one_column() || extent.times_batch || shares_columns ||
      tactics.tiling->panel != extent.constant) {
    return false;
  }
  bool follows = true;
  for_each_linear(kernel.epilogue, [&](const Linear& linear) {
    follows = follows && linear.strides[rows] == linear.strides[columns] * extent.constant;
  });
  return follows;
}

bool may_have_epilogue_lanes(const ContractionKernel& kernel) {
  const int axis = static_cast<int>(kernel.one_column() ? kernel.row_axis() : kernel.column_axis());
  const LaneValues body = lane_values(kernel.epilogue, axis, values_of(kernel.sums), true);
  const LaneValues tail = lane_values(kernel.tail, axis, {}, true);
  return allows_lanes(kernel.epilogue, body, axis) && allows_lanes(kernel.tail, tail, axis);
}

const char* wrong_tiling(const ContractionKernel& kernel, const CpuTactics& tactics, std::int64_t max_batch) {
  const ContractionTiling& tiling = *tactics.tiling;
  if (const char* const wrong = wrong_tile(kernel, tactics, tiling)) return wrong;
  if (const char* const wrong = wrong_inner_blocks(kernel, tiling, max_batch)) return wrong;
  if (const char* const wrong = wrong_copies(kernel, tactics, tiling)) return wrong;
  return wrong_order(kernel, tactics, tiling);
}

bool has_groups(const ContractionKernel& kernel) {
  if (kernel.batch.size() != 1 || !kernel.is_of_matrices()) return false;
  const Extent &columns = kernel.columns.front(), &inner = kernel.inner.front();
  const std::vector<std::int64_t>& strides = kernel.b.access().at.strides;
  return !columns.times_batch && !inner.times_batch && kernel.a.access().at.strides.front() == 0 && strides[2] == 1 &&
         strides[1] == columns.constant && strides[0] == inner.constant * columns.constant;
}

}  // namespace tarn
