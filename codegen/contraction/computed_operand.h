// An operand of a product that is computed: its body, over a block of rows or columns and of k, into scratch memory.
#pragma once

#include <functional>

#include "codegen/contraction/contraction.h"
#include "codegen/kernels/bodies.h"

namespace tarn {

class ComputedOperand {
 public:
  // `free`: the last axis of the rows of `a`, or of the columns of `b`. Vectors go along it, of so many lanes; or along
  // the last inner axis.
  struct Shape {
    std::size_t free = 0, first_inner = 0;  // numbers among the axes of the operand
    bool along_free = true;
    unsigned lanes = 1;
  };
  ComputedOperand(const Contraction& contraction, const Operand& operand, const Shape& shape);
  ComputedOperand(const ComputedOperand&) = delete;
  ComputedOperand& operator=(const ComputedOperand&) = delete;

  // Before all loops; and in the loop over an axis that tiles do not go over.
  void start() { body_.emit_level(-1); }
  void enter(std::size_t axis, llvm::Value* index);
  // The values at these indices of the free axis and `count` numbers of k from `k` on. `address` says where the one at
  // a free index and a number of k, from 0 on, is to be; those of the lanes of a vector lie side by side.
  using Address = std::function<llvm::Value*(llvm::Value* free, llvm::Value* number)>;
  void emit(const Range& free, llvm::Value* k, llvm::Value* count, const Address& address);

 private:
  Nest nest_of() const;
  void emit_inner(std::size_t inner, llvm::Value* number, const Range& free, const Range& last, const Address& address);
  void emit_plane(llvm::Value* number, const Range& free, const Range& last, const Address& address);

  const Contraction& whole_;
  llvm::IRBuilder<>& b_;
  const Operand& operand_;
  const Shape shape_;
  Nest nest_;
  BodyEmitter body_;
};

}  // namespace tarn
