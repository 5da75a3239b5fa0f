// What the parts of a contraction kernel's emitter share: the product c = a * b that is computed, the pieces that it is
// cut into, and addresses in its operands. The order of the loops stands in passes/plan/contraction_tiling.h.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "codegen/contraction/scratch.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/emission.h"

namespace tarn {

struct Contraction {
  // What is being computed: product[row_begin … row_end, begin … end], of which columns `first` … are in the scratch.
  struct Panel {
    llvm::Value *first, *begin, *end;
  };
  struct Rows {
    llvm::Value *begin, *end;
  };
  // A tile of columns: its number in the panel, its first column there, and by how much that was moved back (nullptr:
  // not).
  struct ColumnTile {
    llvm::Value *number, *begin, *moved_back;
  };

  Contraction(KernelFunction& function, const ContractionKernel& kernel);

  KernelFunction& function;
  llvm::IRBuilder<>& builder;
  const ContractionKernel& kernel;
  const CpuTactics& tactics;
  const ContractionScratch scratch;
  const ContractionTiling& tiling;
  const std::int64_t size;  // bytes of an element
  // Axes of the epilogue that loops around the tiles go over, the outermost first: of the batch, of the columns and of
  // the rows but the last.
  std::vector<std::size_t> around;

  // Set by start(): numbers of columns, and of k that a tile goes over where there is one block of it; what this call
  // computes of the rows and columns of tiles; and the parts of the scratch memory that `scratch` has sizes of.
  llvm::Value *column_count = nullptr, *inner = nullptr;
  Range rows, columns;
  llvm::Value *product = nullptr, *fetched = nullptr, *left = nullptr, *sums = nullptr, *packed = nullptr;
  // The operands at the indices of the loops around, set inside of these; nullptr where they are computed.
  llvm::Value *a = nullptr, *b = nullptr;

  // Before all loops. Returns from the function where threads share the kernel and this call has no share.
  void start();
  // Of an axis that is around: what this call computes.
  Range range_around(std::size_t axis) const { return around_.at(axis); }
  // Inner axes that a tile does not go over, and those that it does.
  std::size_t outer_inner() const { return kernel.inner.size() - tiling.tile_inner; }
  // The number of k that the axes from `first` on make, of the inner ones.
  llvm::Value* inner_count(std::size_t first) const;
  // Calls `tile` for every tile of columns, in a loop.
  void emit_column_tiles(const Panel& panel, const std::function<void(const ColumnTile&)>& tile) const;

  // Lanes lie along k.
  bool is_dot() const { return tactics.form == CpuTactics::Form::inner; }
  // How the tiles find a.
  LeftOperand left_operand() const {
    if (!tactics.rows_in_place) return LeftOperand::strided;
    return kernel.inner.back().times_batch ? LeftOperand::table_of_inner : LeftOperand::table_of_rows;
  }
  // Strides in bytes of operands that lie in memory.
  std::int64_t a_stride(std::size_t axis) const { return kernel.a.access().at.strides[axis] * size; }
  std::int64_t b_stride(std::size_t axis) const { return kernel.b.access().at.strides[axis] * size; }
  std::int64_t row_stride() const { return a_stride(kernel.row_axis()); }
  std::int64_t a_inner_stride() const { return a_stride(kernel.inner_axis_of_a()); }
  std::int64_t b_inner_stride() const { return b_stride(kernel.inner_axis_of_b()); }
  std::int64_t column_stride() const { return b_stride(kernel.column_axis_of_b()); }
  // Which axis of b the axis of the epilogue is, or of a; none: it has not got that.
  std::optional<std::size_t> axis_of_a(std::size_t axis) const {
    return axis <= kernel.row_axis() ? std::optional(axis) : std::nullopt;
  }
  std::optional<std::size_t> axis_of_b(std::size_t axis) const {
    if (axis < kernel.batch.size()) return axis;
    return axis > kernel.row_axis() ? std::optional(axis - kernel.rows.size() + kernel.inner.size()) : std::nullopt;
  }
  // address + index * bytes
  llvm::Value* move(llvm::Value* address, llvm::Value* index, std::int64_t bytes) const {
    llvm::Value* const distance = multiply_add(builder, index, bytes, nullptr);
    return element_address(builder, builder.getInt8Ty(), address, distance);
  }
  llvm::Value* minimum(llvm::Value* x, llvm::Value* y) const {
    return builder.CreateBinaryIntrinsic(llvm::Intrinsic::umin, x, y);
  }

 private:
  void find_shares();

  std::map<std::size_t, Range> around_;
};

}  // namespace tarn
