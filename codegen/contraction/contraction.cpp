// Extents and shares of a contraction kernel, and its tiles of columns.
#include "codegen/contraction/contraction.h"

#include "codegen/kernels/loops.h"

namespace tarn {

Contraction::Contraction(KernelFunction& function, const ContractionKernel& kernel)
    : function(function),
      builder(function.builder),
      kernel(kernel),
      tactics(function.tactics),
      scratch(scratch_of(kernel, tactics, function.emission.plan.max_batch, function.emission.machine.target)),
      tiling(*tactics.tiling),
      size(static_cast<std::int64_t>(size_of(kernel.dtype))) {
  const std::size_t row_axis = kernel.row_axis(), column_axis = kernel.column_axis();
  for (std::size_t axis = 0; axis < kernel.batch.size(); ++axis) around.push_back(axis);
  for (std::size_t axis = row_axis + 1; axis < column_axis; ++axis) around.push_back(axis);
  for (std::size_t axis = kernel.batch.size(); axis < row_axis; ++axis) around.push_back(axis);
}

llvm::Value* Contraction::inner_count(std::size_t first) const {
  llvm::Value* count = function.extent(kernel.inner[first]);
  for (std::size_t i = first + 1; i < kernel.inner.size(); ++i) {
    count = builder.CreateMul(count, function.extent(kernel.inner[i]));
  }
  return count;
}

void Contraction::start() {
  column_count = function.extent(kernel.columns.back());
  inner = inner_count(outer_inner());
  find_shares();
  product = function.scratch();
  fetched = byte_address(builder, product, scratch.product_bytes);
  left = byte_address(builder, fetched, scratch.fetched_bytes);
  sums = byte_address(builder, left, scratch.left_bytes);
  packed = byte_address(builder, sums, scratch.sum_bytes);
}

// Shares end where tiles do. Where vectors go along rows, also where blocks do: what follows may rely on them.
void Contraction::find_shares() {
  rows = range_of(function, kernel.rows.back());
  columns = range_of(function, kernel.columns.back());
  const std::vector<Extent> axes = axes_with(kernel, kernel.rows, kernel.columns);
  for (const std::size_t axis : around) around_[axis] = range_of(function, axes[axis]);
  if (!tactics.split) return;
  if (tactics.split->axis == kernel.row_axis()) {
    rows = function.share_of(rows, kernel.one_column() ? tiling.row_block : tiling.tile_rows);
  } else if (tactics.split->axis == kernel.column_axis()) {
    columns = function.share_of(columns, tiling.panel);
  } else {
    Range& shared = around_.at(tactics.split->axis);
    shared = function.share_of(shared, 1);
  }
}

void Contraction::emit_column_tiles(const Panel& panel, const std::function<void(const ColumnTile&)>& tile) const {
  const std::int64_t width = tiling.tile_columns;
  const Extent& extent = kernel.columns.back();
  const std::int64_t all = extent.constant;
  Range tiles = {function.integer(0), function.integer(tiling.tiles()), tiling.tiles()};
  if (extent.times_batch || (all > tiling.panel && all % tiling.panel != 0)) {
    llvm::Value* const wanted = builder.CreateSub(panel.end, panel.first);
    tiles = {tiles.begin,
             builder.CreateUDiv(builder.CreateAdd(wanted, function.integer(width - 1)), function.integer(width)),
             tiling.tiles() == 1 ? 1 : 0};
  }
  emit_loop(builder, tiles, 1, {}, [&](llvm::Value* number, const Carried&) {
    llvm::Value* const regular = multiply_add(builder, number, width, function.integer(0));
    if (extent.times_batch || all % width == 0 || all < width) {
      tile({number, regular, nullptr});
    } else {
      // The last tile is moved back where it does not fit, so that no load needs a mask. The panel has room for it.
      llvm::Value* const begin = minimum(regular, builder.CreateSub(function.integer(all - width), panel.first));
      tile({number, begin, builder.CreateSub(regular, begin)});
    }
    return Carried{};
  });
}

}  // namespace tarn
