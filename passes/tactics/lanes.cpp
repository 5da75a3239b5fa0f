// See lanes.h.
#include "passes/tactics/lanes.h"

#include <algorithm>
#include <bit>

#include "passes/plan/access.h"
#include "passes/plan/body_lanes.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

unsigned fitting_lanes(std::int64_t count, unsigned most, const Target& target) {
  const auto vectors = [&](std::int64_t lanes) { return (count + lanes - 1) / lanes; };
  const auto all = static_cast<unsigned>(std::min<std::int64_t>(std::max<std::int64_t>(count, 1), most));
  if (count <= most) return std::bit_ceil(all);
  return target.halves_long_vectors() && vectors(most / 2) < 2 * vectors(most) ? most / 2 : most;
}

// Long sums that all points of the vector axis have: of each line that they read a vector is but a part, so as many
// vectors go side by side as have registers for what they add up.
unsigned vectors_of_sums(const KernelPlan& plan, const LoopKernel& kernel, const CpuTactics& tactics, unsigned lanes,
                         const Target& target, const CostModel& costs) {
  const Extent& extent = kernel.axes[tactics.vector_axis];
  if (kernel.reductions.empty() || kernel.reduced[tactics.vector_axis] || extent.times_batch || lanes < 2) return 1;
  if (target.vector_registers < costs.registers_of_vectors) return 1;
  std::int64_t steps = 1;
  for (std::size_t axis = 0; axis < kernel.axes.size(); ++axis) {
    if (kernel.reduced[axis]) steps *= largest(kernel.axes[axis], plan.max_batch);
  }
  if (steps < costs.long_column) return 1;
  const std::size_t sums = kernel.reductions.size() * accumulators_of_loop(plan, kernel, tactics, lanes, costs);
  std::size_t vectors = 1;
  while (2 * vectors * sums <= static_cast<std::size_t>(target.vector_registers) &&
         2 * vectors <= costs.most_summed_vectors &&
         extent.constant % static_cast<std::int64_t>(2 * vectors * lanes) == 0) {
    vectors *= 2;
  }
  return static_cast<unsigned>(vectors);
}

unsigned lanes_of_loop(const KernelPlan& plan, const LoopKernel& kernel, const CpuTactics& tactics,
                       const Target& target, const CostModel& costs) {
  if (kernel.axes.empty()) return 1;
  const int axis = static_cast<int>(tactics.vector_axis);
  const bool is_reduced = kernel.reduced[tactics.vector_axis];
  const LaneValues body = lane_values(kernel.body, axis, values_of(kernel.reductions), true);
  const LaneValues tail = lane_values(kernel.tail, is_reduced ? -1 : axis, {}, !is_reduced);
  if (!may_have_lanes(kernel, tactics.vector_axis)) return 1;
  unsigned lanes = lanes_for({&kernel.body, &kernel.tail}, {&body, &tail}, target.vector_bytes);
  const Extent& extent = kernel.axes[tactics.vector_axis];
  // The lanes of a reduced axis decide the order of its sum; those of a kept one are free.
  if (!extent.times_batch && is_reduced) {
    lanes = std::min(lanes, std::bit_ceil(static_cast<unsigned>(std::min<std::int64_t>(extent.constant, lanes))));
  } else if (!extent.times_batch && lanes > 1) {
    lanes = fitting_lanes(extent.constant, lanes, target);
  }
  // A processor holds too few instructions to overlap one long chain with the next: two vectors go side by side, where
  // there are registers for both.
  if (!is_reduced && target.vector_registers >= costs.registers_for_two && !stores_nothing(plan) &&
      largest(extent, plan.max_batch) >= 2 * std::int64_t{lanes} &&
      (has_long_chains(kernel.body) || has_long_chains(kernel.tail))) {
    lanes *= 2;
  }
  return std::max(lanes * vectors_of_sums(plan, kernel, tactics, lanes, target, costs), 1U);
}

unsigned accumulators_of_loop(const KernelPlan& plan, const LoopKernel& kernel, const CpuTactics& tactics,
                              unsigned lanes, const CostModel& costs) {
  const std::optional<std::size_t> innermost = innermost_summed_axis(kernel, tactics.vector_axis);
  if (!innermost || !may_have_accumulators(kernel)) return 1;
  const std::int64_t step = *innermost == tactics.vector_axis ? lanes : 1;
  const bool is_long = largest(kernel.axes[*innermost], plan.max_batch) >= step * costs.accumulated_steps;
  const bool is_small = kernel.body.values.size() <= costs.small_loop_body;
  return is_long && is_small ? static_cast<unsigned>(costs.accumulators) : 1;
}

unsigned lanes_of_epilogue(const ContractionKernel& kernel, const CpuTactics& tactics, const Target& target,
                           const CostModel& costs) {
  const Body &body = kernel.epilogue, &tail = kernel.tail;
  const int axis = static_cast<int>(kernel.one_column() ? kernel.row_axis() : kernel.column_axis());
  if (!may_have_epilogue_lanes(kernel)) return 1;
  const LaneValues of_body = lane_values(body, axis, values_of(kernel.sums), true);
  const LaneValues of_tail = lane_values(tail, axis, {}, true);
  const unsigned most_lanes = lanes_for({&body, &tail}, {&of_body, &of_tail}, target.vector_bytes);
  const ContractionTiling& tiling = *tactics.tiling;
  const Extent& along = kernel.one_column() ? kernel.rows.back() : kernel.columns.back();
  const std::int64_t columns = tiling.tile_epilogue ? tiling.tile_columns : tiling.panel;
  const std::int64_t most = kernel.one_column() ? tiling.row_block : columns;
  const std::int64_t count = along.times_batch ? most : std::min(most, along.constant);
  const unsigned lanes =
      fitting_lanes(has_flat_epilogue(kernel, tactics) ? count * tiling.row_block : count, most_lanes, target);
  // One look at two vectors of new weights costs hardly more than one at each.
  const bool is_guarded = std::any_of(body.stores.begin(), body.stores.end(), [](const Store& s) { return s.guarded; });
  const std::int64_t twice = 2 * std::int64_t{lanes};
  const bool doubles = is_guarded && tiling.tile_epilogue && !kernel.one_column() && !along.times_batch &&
                       along.constant % twice == 0 && count % twice == 0 && body.values.size() <= costs.small_epilogue;
  return doubles ? 2 * lanes : lanes;
}

unsigned lanes_of_operand(const Operand& operand, std::size_t axis, std::int64_t most, const Target& target) {
  const LaneValues values = lane_values(operand.body, static_cast<int>(axis), {operand.value}, false);
  return fitting_lanes(most, lanes_for({&operand.body}, {&values}, target.vector_bytes), target);
}

}  // namespace tarn
