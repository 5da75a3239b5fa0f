// What the parts of a contraction kernel's emitter share: the product c = a * b that is computed, the pieces that it is
// cut into, and addresses in its operands. The order of the loops stands in schedule.h.
#pragma once

#include <functional>

#include "codegen/contraction/schedule.h"
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
  const ContractionSchedule schedule;
  const std::int64_t size;  // bytes of an element
  const std::size_t batch_axes;

  // Set by start(): numbers of columns and of k; what this call computes of rows, columns, and batch axis number 0; and
  // the parts of the scratch memory that the schedule has sizes of.
  llvm::Value *column_count = nullptr, *inner = nullptr;
  Range rows, columns, outer;
  llvm::Value *product = nullptr, *fetched = nullptr, *left = nullptr, *sums = nullptr, *packed = nullptr;
  // The operands at the indices of the batch axes, set inside of the loops over these.
  llvm::Value *a = nullptr, *b = nullptr;

  // Before all loops. Returns from the function where threads share the kernel and this call has no share.
  void start();
  // Calls `tile` for every tile of columns, in a loop.
  void emit_column_tiles(const Panel& panel, const std::function<void(const ColumnTile&)>& tile) const;

  // How the tiles find a.
  LeftOperand left_operand() const {
    if (!tactics.rows_in_place) return LeftOperand::strided;
    return kernel.inner.times_batch ? LeftOperand::table_of_inner : LeftOperand::table_of_rows;
  }
  // Strides in bytes.
  std::int64_t a_stride(std::size_t axis) const { return kernel.a.at.strides[axis] * size; }
  std::int64_t b_stride(std::size_t axis) const { return kernel.b.at.strides[axis] * size; }
  std::int64_t row_stride() const { return a_stride(batch_axes); }
  std::int64_t a_inner_stride() const { return a_stride(batch_axes + 1); }
  std::int64_t b_inner_stride() const { return b_stride(batch_axes); }
  std::int64_t column_stride() const { return b_stride(batch_axes + 1); }
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
};

}  // namespace tarn
