// Packing: copies of panels of b, and of rows of a.
#include "codegen/contraction/operands.h"

#include <algorithm>

#include "codegen/contraction/copies.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/loops.h"
#include "codegen/kernels/transpose.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

ContractionOperands::ContractionOperands(const Contraction& contraction)
    : whole_(contraction),
      function_(contraction.function),
      b_(contraction.builder),
      kernel_(contraction.kernel),
      tiling_(contraction.tiling) {
  if (!a_in_memory(kernel_, tiling_)) {
    const bool along_rows = tiling_.computes_along_rows;
    computed_a_.emplace(
        contraction, kernel_.a,
        ComputedOperand::Shape{kernel_.row_axis(), kernel_.inner_axis_of_a(0), along_rows, tiling_.left_lanes});
  }
  if (!kernel_.b.is_load()) {
    computed_b_.emplace(
        contraction, kernel_.b,
        ComputedOperand::Shape{kernel_.column_axis_of_b(), kernel_.inner_axis_of_b(0), true, tiling_.right_lanes});
  }
}

void ContractionOperands::start() {
  if (computed_a_) computed_a_->start();
  if (computed_b_) computed_b_->start();
}

void ContractionOperands::enter(std::size_t axis, llvm::Value* index) {
  const std::optional<std::size_t> of_a = whole_.axis_of_a(axis), of_b = whole_.axis_of_b(axis);
  if (computed_a_ && of_a) computed_a_->enter(*of_a, index);
  if (computed_b_ && of_b) computed_b_->enter(*of_b, index);
}

void ContractionOperands::enter_inner(std::size_t inner, llvm::Value* index) {
  if (computed_a_) computed_a_->enter(kernel_.inner_axis_of_a(inner), index);
  if (computed_b_) computed_b_->enter(kernel_.inner_axis_of_b(inner), index);
}

// b is contiguous along k, and whole panels are packed: by blocks in registers.
bool ContractionOperands::packs_by_transposing() const {
  const Extent &inner = kernel_.inner.back(), &columns = kernel_.columns.back();
  const std::int64_t last = inner.constant % std::max<std::int64_t>(tiling_.inner_block, 1);
  const bool long_blocks = !tiling_.several_blocks || (!inner.times_batch && (last == 0 || last >= kTransposeBlock));
  return whole_.b_inner_stride() == whole_.size && !columns.times_batch && columns.constant >= tiling_.panel &&
         tiling_.tile_columns >= kTransposeBlock && inner.constant >= kTransposeBlock && long_blocks;
}

ContractionOperands::Source ContractionOperands::emit_pack(const Panel& panel, llvm::Value* source, llvm::Value* k,
                                                           llvm::Value* count) {
  const std::int64_t width = tiling_.tile_columns, row_bytes = width * whole_.size;
  llvm::Value* const tile_stride = multiply_add(b_, count, row_bytes, nullptr);
  whole_.emit_column_tiles(panel, [&](const ColumnTile& tile) {
    llvm::Value* const to = moved_by(b_, whole_.packed, b_.CreateMul(tile.number, tile_stride));
    if (computed_b_) {
      llvm::Value* const begin = b_.CreateAdd(panel.first, tile.begin);
      llvm::Value* const end = whole_.minimum(b_.CreateAdd(begin, function_.integer(width)), whole_.column_count);
      const std::int64_t known = kernel_.columns.back().times_batch ? 0 : kernel_.columns.back().constant;
      const Range columns = {begin, end, known >= width ? width : known};
      computed_b_->emit(columns, k, count, [&](llvm::Value* column, llvm::Value* number) {
        return whole_.move(whole_.move(to, number, row_bytes), b_.CreateSub(column, begin), whole_.size);
      });
      return;
    }
    llvm::Value* const from = whole_.move(source, tile.begin, whole_.column_stride());
    if (tiling_.tile_inner == 1) return emit_pack_of_tile(tile, panel, from, to, count);
    emit_pack_along(whole_.outer_inner(), from, to, [&](llvm::Value* part, llvm::Value* copy) {
      emit_pack_of_tile(tile, panel, part, copy, function_.extent(kernel_.inner.back()));
    });
  });
  return packed_source(count);
}

void ContractionOperands::emit_pack_along(std::size_t inner, llvm::Value* from, llvm::Value* to,
                                          const std::function<void(llvm::Value*, llvm::Value*)>& pack) {
  if (inner + 1 == kernel_.inner.size()) return pack(from, to);
  const std::int64_t row_bytes = tiling_.tile_columns * whole_.size;
  llvm::Value* const step = multiply_add(b_, whole_.inner_count(inner + 1), row_bytes, nullptr);
  emit_loop(b_, range_of(function_, kernel_.inner[inner]), 1, {}, [&](llvm::Value* index, const Carried&) {
    emit_pack_along(inner + 1, whole_.move(from, index, whole_.b_stride(kernel_.inner_axis_of_b(inner))),
                    moved_by(b_, to, b_.CreateMul(index, step)), pack);
    return Carried{};
  });
}

void ContractionOperands::emit_pack_of_tile(const ColumnTile& tile, const Panel& panel, llvm::Value* from,
                                            llvm::Value* to, llvm::Value* count) {
  const std::int64_t width = tiling_.tile_columns;
  if (packs_by_transposing()) {
    b_.CreateCall(transpose_function(function_.emission, static_cast<std::size_t>(whole_.size)),
                  {from, function_.integer(whole_.column_stride()), function_.integer(width), count, to,
                   function_.integer(width * whole_.size)});
    return;
  }
  const bool contiguous = whole_.column_stride() == whole_.size || kernel_.one_column();
  llvm::Function* const pack =
      pack_function(function_.emission, kernel_.dtype, tiling_.lanes, static_cast<unsigned>(width), contiguous);
  llvm::Value* const left = b_.CreateSub(whole_.column_count, b_.CreateAdd(panel.first, tile.begin));
  b_.CreateCall(pack, {from, function_.integer(whole_.b_inner_stride()), function_.integer(whole_.column_stride()),
                       count, whole_.minimum(left, function_.integer(width)), to});
}

std::vector<llvm::Value*> ContractionOperands::counted_strides(std::int64_t bytes) {
  std::vector<llvm::Value*> strides;
  for (std::size_t inner = whole_.outer_inner(); inner + 1 < kernel_.inner.size(); ++inner) {
    strides.push_back(multiply_add(b_, whole_.inner_count(inner + 1), bytes, nullptr));
  }
  strides.push_back(function_.integer(bytes));
  return strides;
}

ContractionOperands::Source ContractionOperands::packed_source(llvm::Value* count) {
  const std::int64_t width = tiling_.tile_columns * whole_.size;
  return {whole_.packed, counted_strides(width), multiply_add(b_, count, width, nullptr), function_.integer(0)};
}

ContractionOperands::Sources ContractionOperands::emit_sources(const Panel& panel, llvm::Value* rows,
                                                               llvm::Value* k_begin, llvm::Value* count) {
  using Packing = ContractionTiling::Packing;
  if (computed_b_) {
    const Source packed = emit_pack(panel, nullptr, k_begin, count);
    return {packed, packed, nullptr};
  }
  const std::int64_t width = tiling_.tile_columns;
  llvm::Value* const start =
      whole_.move(whole_.move(whole_.b, panel.first, whole_.column_stride()), k_begin, whole_.b_inner_stride());
  Source in_place = {start, {}, function_.integer(width * whole_.size), function_.integer(whole_.size)};
  for (std::size_t inner = whole_.outer_inner(); inner < kernel_.inner.size(); ++inner) {
    in_place.k_strides.push_back(function_.integer(whole_.b_stride(kernel_.inner_axis_of_b(inner))));
  }
  if (tiling_.packing == Packing::never) return {in_place, in_place, nullptr};
  if (tiling_.packing == Packing::always) {
    const Source packed = emit_pack(panel, start, k_begin, count);
    return {packed, packed, nullptr};
  }
  static_assert(kCosts.packing_rows >= kCosts.most_tile_rows,
                "a tile of rows must come first, since single rows do not pack");
  llvm::Value* const many = b_.CreateICmpUGE(rows, function_.integer(kCosts.packing_rows));
  const Source packed = packed_source(count);
  const auto choose = [&](llvm::Value* there, llvm::Value* own) { return b_.CreateSelect(many, there, own); };
  Source rest = {choose(packed.address, in_place.address), {}, nullptr, nullptr};
  for (std::size_t i = 0; i < packed.k_strides.size(); ++i) {
    rest.k_strides.push_back(choose(packed.k_strides[i], in_place.k_strides[i]));
  }
  rest.tile_stride = choose(packed.tile_stride, in_place.tile_stride);
  rest.moved_back = choose(packed.moved_back, in_place.moved_back);
  return {in_place, rest, many};
}

llvm::Value* ContractionOperands::address_of(const Source& source, const ColumnTile& tile) {
  llvm::Value* distance = b_.CreateMul(tile.number, source.tile_stride);
  if (tile.moved_back != nullptr) {
    distance = b_.CreateSub(distance, b_.CreateMul(tile.moved_back, source.moved_back));
  }
  return moved_by(b_, source.address, distance);
}

llvm::Value* ContractionOperands::left_row(llvm::Value* row) {
  return b_.CreateURem(b_.CreateSub(row, whole_.rows.begin), function_.integer(tiling_.left_rows));
}

ContractionOperands::Left ContractionOperands::left(llvm::Value* row, llvm::Value* k) {
  const auto in_rows = [&](llvm::Value* elements) { return multiply_add(b_, elements, whole_.size, nullptr); };
  if (computed_a_) return computed_left(row);
  if (tiling_.left_rows > 0) return copied_left(row);
  const std::int64_t pointer = pointer_bytes();
  switch (whole_.left_operand()) {
    case LeftOperand::strided:
      break;
    case LeftOperand::table_of_rows:
      return {whole_.move(whole_.a, row, pointer), in_rows(k), {function_.integer(0)}};
    case LeftOperand::table_of_inner:
      return {whole_.move(whole_.a, k, pointer), in_rows(row), {function_.integer(pointer)}};
  }
  llvm::Value* const row_stride = function_.integer(whole_.row_stride());
  llvm::Value* const start = whole_.move(whole_.a, k, whole_.a_inner_stride());
  Left left{whole_.move(start, row, whole_.row_stride()), row_stride, {}};
  for (std::size_t inner = whole_.outer_inner(); inner < kernel_.inner.size(); ++inner) {
    left.k_strides.push_back(function_.integer(whole_.a_stride(kernel_.inner_axis_of_a(inner))));
  }
  return left;
}

std::int64_t ContractionOperands::pointer_bytes() const {
  return static_cast<std::int64_t>(function_.emission.module.getDataLayout().getPointerSize());
}

// In the part of the row of tiles that it belongs to, which left_copy_function describes.
ContractionOperands::Left ContractionOperands::copied_left(llvm::Value* row) {
  const std::int64_t height = tiling_.tile_rows;
  llvm::Value* const number = left_row(row);
  llvm::Value* const part_bytes = left_copy_part_bytes(b_, kernel_.dtype, tiling_.tile_rows, whole_.inner);
  llvm::Value* const distance = b_.CreateMul(b_.CreateUDiv(number, function_.integer(height)), part_bytes);
  llvm::Value* const part = moved_by(b_, whole_.left, distance);
  return {whole_.move(part, b_.CreateURem(number, function_.integer(height)), whole_.size),
          function_.integer(whole_.size),
          {function_.integer(height * whole_.size)}};
}

// Bytes from row to row, and from k to k, where a is computed.
std::int64_t ContractionOperands::computed_row_bytes() const {
  return tiling_.computes_along_rows ? whole_.size : tiling_.inner_block * whole_.size;
}
std::int64_t ContractionOperands::computed_k_bytes() const {
  return tiling_.computes_along_rows ? tiling_.left_rows * whole_.size : whole_.size;
}

ContractionOperands::Left ContractionOperands::computed_left(llvm::Value* row) {
  return {whole_.move(whole_.left, left_row(row), computed_row_bytes()), function_.integer(computed_row_bytes()),
          counted_strides(computed_k_bytes())};
}

void ContractionOperands::emit_left_copy(llvm::Value* row, llvm::Value* k, llvm::Value* count) {
  llvm::Value* const is_first = b_.CreateICmpEQ(left_row(row), function_.integer(0));
  const auto rows_here = [&] {
    return whole_.minimum(b_.CreateSub(whole_.rows.end, row), function_.integer(tiling_.left_rows));
  };
  if (computed_a_) {
    emit_if(b_, is_first, {}, [&](const Carried&) {
      computed_a_->emit({row, b_.CreateAdd(row, rows_here())}, k, count, [&](llvm::Value* at, llvm::Value* number) {
        llvm::Value* const of_row = whole_.move(whole_.left, b_.CreateSub(at, row), computed_row_bytes());
        return whole_.move(of_row, number, computed_k_bytes());
      });
      return Carried{};
    });
    return;
  }
  const LeftOperand left = whole_.left_operand();
  llvm::Function* const copy = left_copy_function(function_.emission, kernel_.dtype, tiling_.tile_rows, left);
  const std::int64_t stride = left == LeftOperand::table_of_inner ? pointer_bytes() : whole_.a_inner_stride();
  emit_if(b_, is_first, {}, [&](const Carried&) {
    llvm::Value* const rows = rows_here();
    b_.CreateCall(copy, {whole_.a, function_.integer(stride), multiply_add(b_, row, whole_.size, nullptr), whole_.inner,
                         rows, whole_.left});
    return Carried{};
  });
}

}  // namespace tarn
