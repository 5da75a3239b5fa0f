// See tile_calls.h.
#include "codegen/contraction/tile_calls.h"

#include "codegen/kernels/loops.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

TileCalls::TileCalls(const Contraction& contraction, ContractionFetches& fetches, ContractionOperands& operands,
                     const InnerRanges& ranges)
    : whole_(contraction),
      function_(contraction.function),
      b_(contraction.builder),
      kernel_(contraction.kernel),
      tiling_(contraction.tiling),
      fetches_(fetches),
      operands_(operands),
      ranges_(ranges) {}

// Of a tile that packs nothing.
TileShape TileCalls::shape_of_tile(unsigned tile_rows) const {
  TileShape shape{kernel_.dtype, tile_rows,     tiling_.tile_vectors(),
                  tiling_.lanes, tiling_.lanes, tiling_.several_blocks};
  shape.left = tiling_.left_rows > 0 ? LeftOperand::strided : whole_.left_operand();
  const std::int64_t columns = kernel_.columns.back().constant;
  if (tiling_.packing != ContractionTiling::Packing::always && columns < tiling_.panel) {
    shape.last_lanes = static_cast<unsigned>(columns - (tiling_.tile_vectors() - 1) * std::int64_t{tiling_.lanes});
  }
  shape.inner_axes = tiling_.tile_inner;
  shape.may_be_empty = tiling_.skips_outside && !(tiling_.tile_inner == 1 && tiling_.several_blocks);
  if (tile_rows > 1 && fetches_.has_list()) shape.fetches = fetches_.fetches();
  shape.ahead = tile_rows > 1 && fetches_.has_ahead();
  if (tile_rows > 1) {
    shape.inner_steps = tiling_.inner_steps;
    const Extent& inner = kernel_.inner.back();
    shape.whole_steps = (!tiling_.several_blocks || tiling_.tile_inner > 1) && !inner.times_batch &&
                        inner.constant % tiling_.inner_steps == 0 && !ranges_.is_bounded(kernel_.inner.size() - 1);
  }
  return shape;
}

void TileCalls::emit(const Panel& panel, const ColumnTile& tile, const Rows& rows, llvm::Value* row, unsigned tile_rows,
                     llvm::Value* k, llvm::Value* count, const ContractionOperands::Sources& sources) {
  TileShape shape = shape_of_tile(tile_rows);
  llvm::Function* const tile_of_rest = tile_function(function_.emission, shape);
  llvm::Value *callee = tile_of_rest, *address = operands_.address_of(sources.rest, tile);
  std::vector<llvm::Value*> k_strides = sources.rest.k_strides;
  llvm::Value* packed = llvm::PoisonValue::get(function_.emission.pointer());
  if (sources.packs != nullptr && tile_rows == tiling_.tile_rows) {
    // The first rows of all that go over this part of b; the block's, where every block packs anew.
    shape.packs = true;
    shape.inner_steps = 1;  // these are few
    shape.for_writing = whole_.tactics.b_for_writing;
    llvm::Value* const begin = tiling_.several_blocks ? rows.begin : whole_.rows.begin;
    llvm::Value* const first = b_.CreateAnd(b_.CreateICmpEQ(row, begin), sources.packs);
    callee = b_.CreateSelect(first, tile_function(function_.emission, shape), callee);
    address = b_.CreateSelect(first, operands_.address_of(sources.first, tile), address);
    for (std::size_t i = 0; i < k_strides.size(); ++i) {
      k_strides[i] = b_.CreateSelect(first, sources.first.k_strides[i], k_strides[i]);
    }
    packed = operands_.address_of(operands_.packed_source(count), tile);
  }
  llvm::Value* const product_row =
      whole_.move(whole_.product, b_.CreateSub(row, rows.begin), whole_.scratch.product_row * whole_.size);
  llvm::Value* const product_tile =
      tiling_.tile_epilogue ? product_row : whole_.move(product_row, tile.begin, whole_.size);
  if (shape.fetches > 0) fetches_.emit_list(panel, tile, row);
  ContractionFetches::Lines ahead = {llvm::PoisonValue::get(function_.emission.pointer()),
                                     llvm::PoisonValue::get(function_.emission.i64())};
  if (shape.ahead) ahead = fetches_.ahead(panel, tile, row);
  const ContractionOperands::Left left = operands_.left(row, k);
  std::vector<llvm::Value*> arguments = {left.address,
                                         left.row_stride,
                                         left.k_strides.back(),
                                         address,
                                         k_strides.back(),
                                         count,
                                         product_tile,
                                         function_.integer(whole_.scratch.product_row * whole_.size),
                                         packed,
                                         whole_.fetched,
                                         ahead.address,
                                         ahead.stride};
  add_inner_axes(arguments, left.k_strides, k_strides);
  b_.CreateCall(tile_of_rest->getFunctionType(), callee, arguments);
}

// How many indices there are along each inner axis, and strides of all but the last; of what has bounds, inside of
// them. Blocks of one axis are inside already.
void TileCalls::add_inner_axes(std::vector<llvm::Value*>& arguments, const std::vector<llvm::Value*>& of_a,
                               const std::vector<llvm::Value*>& of_b) {
  for (std::size_t i = 0; i < tiling_.tile_inner; ++i) {
    const bool is_last = i + 1 == tiling_.tile_inner;
    if (is_last && tiling_.tile_inner == 1 && (tiling_.several_blocks || !tiling_.skips_outside)) return;
    const std::size_t axis = whole_.outer_inner() + i;
    llvm::Value* extent = function_.extent(kernel_.inner[axis]);
    if (i == 0 && tiling_.first_inner > 0) {
      extent = first_count;
    } else if (ranges_.is_bounded(axis)) {
      const auto [first, inside] = ranges_.inside(axis);
      arguments[kTileLeft] = moved_by(b_, arguments[kTileLeft], b_.CreateMul(first, of_a[i]));
      arguments[kTileRight] = moved_by(b_, arguments[kTileRight], b_.CreateMul(first, of_b[i]));
      extent = inside;
    }
    if (is_last) {
      arguments[kTileCount] = extent;
    } else {
      arguments.insert(arguments.end(), {extent, of_a[i], of_b[i]});
    }
  }
}

void TileCalls::emit_dots(const Panel& panel, const Rows& rows, llvm::Value* row, unsigned tile_rows) {
  const DotShape shape{kernel_.dtype, tile_rows, tiling_.tile_columns, tiling_.lanes,
                       kernel_.inner.back().constant % tiling_.lanes == 0};
  const std::int64_t step = tiling_.tile_columns;
  // Whole panels, but for the last of a number of columns that is not known.
  const bool times_batch = kernel_.columns.back().times_batch;
  llvm::Value* const width = times_batch ? b_.CreateSub(panel.end, panel.first) : function_.integer(tiling_.panel);
  const Range columns = {function_.integer(0), width, times_batch ? 0 : tiling_.panel};
  emit_loop(b_, columns, step, {}, [&](llvm::Value* column, const Carried&) {
    if (tiling_.panel % step != 0) column = whole_.minimum(column, function_.integer(tiling_.panel - step));
    llvm::Value* const second = whole_.move(whole_.b, b_.CreateAdd(panel.first, column), whole_.column_stride());
    llvm::Value* const c = whole_.move(
        whole_.move(whole_.product, b_.CreateSub(row, rows.begin), whole_.scratch.product_row * whole_.size), column,
        whole_.size);
    b_.CreateCall(dot_function(function_.emission, shape),
                  {whole_.move(whole_.a, row, whole_.row_stride()), function_.integer(whole_.row_stride()), second,
                   function_.integer(whole_.column_stride()), whole_.inner, c,
                   function_.integer(whole_.scratch.product_row * whole_.size)});
    return Carried{};
  });
}

}  // namespace tarn
