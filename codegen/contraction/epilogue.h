// The epilogue of a contraction: its body over what tiles left of the product in scratch memory; and where there are
// sums over the rows, these and the tail.
#pragma once

#include <optional>

#include "codegen/contraction/contraction.h"
#include "codegen/kernels/bodies.h"

namespace tarn {

class ContractionEpilogue {
 public:
  using Rows = Contraction::Rows;
  using Panel = Contraction::Panel;

  // The contraction need not have been started.
  explicit ContractionEpilogue(const Contraction& contraction);
  ContractionEpilogue(const ContractionEpilogue&) = delete;
  ContractionEpilogue& operator=(const ContractionEpilogue&) = delete;

  // What depends on no index: before all loops. Then, in the loop over an axis that is around: what depends on its
  // index.
  void start();
  void enter(std::size_t axis, llvm::Value* index);
  // The body at these rows and columns. `first_row`, `first_column`: of the product in the scratch memory.
  void emit(llvm::Value* first_row, llvm::Value* first_column, const Range& columns, const Rows& rows);
  // Before and behind all rows: sums begin, and the tail takes them up.
  void start_sums();
  void finish_sums();

  // What is known of a range of at most `block` columns from a multiple of `block` on.
  Range columns_of(std::int64_t block, llvm::Value* begin, llvm::Value* end) const;

 private:
  static Nest nest_of(const Contraction& contraction);
  static Nest tail_nest_of(const Contraction& contraction, const Nest& nest);
  Range block_of(const Extent& extent, std::int64_t block, std::size_t axis, llvm::Value* begin,
                 llvm::Value* end) const;
  unsigned lanes_along(std::size_t axis) const;
  llvm::Value* load_product();
  void emit_flat(llvm::Value* first_row, const Range& rows);
  void emit_summed(const Range& columns, const Range& rows);
  // Where a sum of these columns waits; `column` counts from the first of this call.
  llvm::Value* sum_address(std::size_t number, llvm::Value* column);
  llvm::Type* vector_type() const;

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionTiling& tiling_;
  bool flat_;
  Nest nest_, tail_nest_;
  BodyEmitter body_, tail_;
  llvm::Value *product_row_ = nullptr, *product_column_ = nullptr;  // first ones in the scratch
};

}  // namespace tarn
