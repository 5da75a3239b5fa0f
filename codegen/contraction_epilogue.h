// The epilogue of a contraction: its body over what tiles left of the product in scratch memory.
#pragma once

#include <optional>

#include "codegen/bodies.h"
#include "codegen/contraction.h"

namespace tarn {

class ContractionEpilogue {
 public:
  using Rows = Contraction::Rows;

  // The contraction need not have been started.
  explicit ContractionEpilogue(const Contraction& contraction);
  ContractionEpilogue(const ContractionEpilogue&) = delete;
  ContractionEpilogue& operator=(const ContractionEpilogue&) = delete;

  // What depends on no index: before all loops. Then, in the loop over a batch axis: what depends on its index.
  void start();
  void enter_batch(std::size_t axis, llvm::Value* index);
  // The body at these rows and columns. `first_column`: of the product in the scratch memory, whose first row is the
  // first of these.
  void emit(llvm::Value* first_column, const Range& columns, const Rows& rows);

  // What is known of a range of at most `block` columns from a multiple of `block` on.
  Range columns_of(std::int64_t block, llvm::Value* begin, llvm::Value* end) const;

 private:
  static bool is_flat(const Contraction& contraction);
  static Nest nest_of(const Contraction& contraction);
  Range block_of(const Extent& extent, std::int64_t block, std::size_t axis, llvm::Value* begin,
                 llvm::Value* end) const;
  unsigned lanes_along(std::size_t axis) const;
  llvm::Value* load_product();
  void emit_flat(llvm::Value* first_row, const Range& rows);

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionSchedule& schedule_;
  bool flat_;
  Nest nest_;
  BodyEmitter body_;
  llvm::Value *product_row_ = nullptr, *product_column_ = nullptr;  // first ones in the scratch
};

}  // namespace tarn
