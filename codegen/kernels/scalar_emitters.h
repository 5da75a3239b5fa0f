// The emitter of every elementwise operation: for scalars and vectors alike.
#pragma once

#include "codegen/kernels/emission.h"
#include "ir/op.h"

namespace tarn {

// Operands have one number of lanes and, but for `where` and `convert`, the dtype `operand`; booleans are i1.
struct Operands {
  llvm::Value *a = nullptr, *b = nullptr, *c = nullptr;
  DType operand = DType::f32;  // dtype of a
  DType result = DType::f32;
};

// The value of an elementwise operation. Total: no input traps or is undefined. Where ops.def leaves a value open:
// integers wrap; a conversion to an integer saturates, and NaN becomes 0; floor_div by an integer 0 is converted from
// the infinite or NaN quotient likewise, mod by an integer 0 is 0. floor_div of floats is the floor of the rounded
// quotient, and mod loses digits where that quotient has more than a float holds.
llvm::Value* emit_operation(const Emission& emission, llvm::IRBuilderBase& builder, Op op, const Operands& operands);

// Pieces that other emitters need too. NaN if either is; integers and booleans too.
llvm::Value* emit_maximum(llvm::IRBuilderBase& builder, llvm::Value* a, llvm::Value* b);
llvm::Value* emit_minimum(llvm::IRBuilderBase& builder, llvm::Value* a, llvm::Value* b);

}  // namespace tarn
