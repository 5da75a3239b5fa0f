// Packing: copies of panels of b, and of rows of a.
#include "codegen/contraction/operands.h"

#include <algorithm>

#include "codegen/contraction/copies.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/loops.h"
#include "codegen/kernels/transpose.h"

namespace tarn {

ContractionOperands::ContractionOperands(const Contraction& contraction)
    : whole_(contraction),
      function_(contraction.function),
      b_(contraction.builder),
      kernel_(contraction.kernel),
      schedule_(contraction.schedule) {}

// b is contiguous along k, and whole panels are packed: by blocks in registers.
bool ContractionOperands::packs_by_transposing() const {
  const std::int64_t last = kernel_.inner.constant % std::max<std::int64_t>(schedule_.inner_block, 1);
  const bool long_blocks =
      !schedule_.several_blocks || (!kernel_.inner.times_batch && (last == 0 || last >= kTransposeBlock));
  return whole_.b_inner_stride() == whole_.size && !kernel_.columns.times_batch &&
         kernel_.columns.constant >= schedule_.panel && schedule_.tile_columns() >= kTransposeBlock &&
         kernel_.inner.constant >= kTransposeBlock && long_blocks;
}

ContractionOperands::Source ContractionOperands::emit_pack(const Panel& panel, llvm::Value* source,
                                                           llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns();
  llvm::Value* const tile_stride = multiply_add(b_, count, width * whole_.size, nullptr);
  const bool contiguous = whole_.column_stride() == whole_.size || kernel_.one_column();
  whole_.emit_column_tiles(panel, [&](const ColumnTile& tile) {
    llvm::Value* const from = whole_.move(source, tile.begin, whole_.column_stride());
    llvm::Value* const to = moved_by(b_, whole_.packed, b_.CreateMul(tile.number, tile_stride));
    if (packs_by_transposing()) {
      b_.CreateCall(transpose_function(function_.emission, static_cast<std::size_t>(whole_.size)),
                    {from, function_.integer(whole_.column_stride()), function_.integer(width), count, to,
                     function_.integer(width * whole_.size)});
      return;
    }
    llvm::Function* const pack =
        pack_function(function_.emission, kernel_.dtype, schedule_.lanes, static_cast<unsigned>(width), contiguous);
    llvm::Value* const left = b_.CreateSub(whole_.column_count, b_.CreateAdd(panel.first, tile.begin));
    b_.CreateCall(pack, {from, function_.integer(whole_.b_inner_stride()), function_.integer(whole_.column_stride()),
                         count, whole_.minimum(left, function_.integer(width)), to});
  });
  return packed_source(count);
}

ContractionOperands::Source ContractionOperands::packed_source(llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns() * whole_.size;
  return {whole_.packed, function_.integer(width), multiply_add(b_, count, width, nullptr), function_.integer(0)};
}

ContractionOperands::Sources ContractionOperands::emit_sources(const Panel& panel, llvm::Value* rows,
                                                               llvm::Value* k_begin, llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns();
  llvm::Value* const start =
      whole_.move(whole_.move(whole_.b, panel.first, whole_.column_stride()), k_begin, whole_.b_inner_stride());
  const Source in_place = {start, function_.integer(whole_.b_inner_stride()), function_.integer(width * whole_.size),
                           function_.integer(whole_.size)};
  using Packing = ContractionSchedule::Packing;
  if (schedule_.packing == Packing::never) return {in_place, in_place, nullptr};
  if (schedule_.packing == Packing::always) {
    const Source packed = emit_pack(panel, start, count);
    return {packed, packed, nullptr};
  }
  static_assert(kPackingRows >= 14, "a tile of rows must come first, since single rows do not pack");
  llvm::Value* const many = b_.CreateICmpUGE(rows, function_.integer(kPackingRows));
  const Source packed = packed_source(count);
  const auto choose = [&](llvm::Value* there, llvm::Value* own) { return b_.CreateSelect(many, there, own); };
  const Source rest = {choose(packed.address, in_place.address), choose(packed.k_stride, in_place.k_stride),
                       choose(packed.tile_stride, in_place.tile_stride),
                       choose(packed.moved_back, in_place.moved_back)};
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
  return b_.CreateURem(b_.CreateSub(row, whole_.rows.begin), function_.integer(schedule_.left_rows));
}

ContractionOperands::Left ContractionOperands::left(llvm::Value* row, llvm::Value* k) {
  const auto in_rows = [&](llvm::Value* elements) { return multiply_add(b_, elements, whole_.size, nullptr); };
  if (schedule_.left_rows > 0) return copied_left(row);
  const std::int64_t pointer = pointer_bytes();
  switch (whole_.left_operand()) {
    case LeftOperand::strided:
      break;
    case LeftOperand::table_of_rows:
      return {whole_.move(whole_.a, row, pointer), in_rows(k), function_.integer(0)};
    case LeftOperand::table_of_inner:
      return {whole_.move(whole_.a, k, pointer), in_rows(row), function_.integer(pointer)};
  }
  llvm::Value* const row_stride = function_.integer(whole_.row_stride());
  llvm::Value* const start = whole_.move(whole_.a, k, whole_.a_inner_stride());
  return {whole_.move(start, row, whole_.row_stride()), row_stride, function_.integer(whole_.a_inner_stride())};
}

std::int64_t ContractionOperands::pointer_bytes() const {
  return static_cast<std::int64_t>(function_.emission.module.getDataLayout().getPointerSize());
}

// In the part of the row of tiles that it belongs to, which left_copy_function describes.
ContractionOperands::Left ContractionOperands::copied_left(llvm::Value* row) {
  const std::int64_t height = schedule_.tile_rows;
  llvm::Value* const number = left_row(row);
  llvm::Value* const part_bytes = left_copy_part_bytes(b_, kernel_.dtype, schedule_.tile_rows, whole_.inner);
  llvm::Value* const distance = b_.CreateMul(b_.CreateUDiv(number, function_.integer(height)), part_bytes);
  llvm::Value* const part = moved_by(b_, whole_.left, distance);
  return {whole_.move(part, b_.CreateURem(number, function_.integer(height)), whole_.size),
          function_.integer(whole_.size), function_.integer(height * whole_.size)};
}

void ContractionOperands::emit_left_copy(llvm::Value* row) {
  const LeftOperand left = whole_.left_operand();
  llvm::Function* const copy = left_copy_function(function_.emission, kernel_.dtype, schedule_.tile_rows, left);
  const std::int64_t stride = left == LeftOperand::table_of_inner ? pointer_bytes() : whole_.a_inner_stride();
  emit_if(b_, b_.CreateICmpEQ(left_row(row), function_.integer(0)), {}, [&](const Carried&) {
    llvm::Value* const rows =
        whole_.minimum(b_.CreateSub(whole_.rows.end, row), function_.integer(schedule_.left_rows));
    b_.CreateCall(copy, {whole_.a, function_.integer(stride), multiply_add(b_, row, whole_.size, nullptr), whole_.inner,
                         rows, whole_.left});
    return Carried{};
  });
}

}  // namespace tarn
