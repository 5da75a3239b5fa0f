// The functions that are one or two instructions, and the table of all.
#include "codegen/math/vector_math.h"

#include <array>

#include "codegen/math/vector_value.h"
#include "llvm/IR/Intrinsics.h"

namespace tarn {

namespace {

llvm::Value* emit_intrinsic(llvm::IRBuilderBase& builder, llvm::Intrinsic::ID intrinsic, llvm::Value* x,
                            MathTarget target) {
  VectorContext context(builder, x->getType(), target);
  return builder.CreateUnaryIntrinsic(intrinsic, x);
}

template <llvm::Value* (*Emit)(llvm::IRBuilderBase&, llvm::Value*, MathTarget)>
llvm::Value* emit_unary(llvm::IRBuilderBase& builder, llvm::ArrayRef<llvm::Value*> arguments, MathTarget target) {
  return Emit(builder, arguments[0], target);
}

llvm::Value* emit_binary_pow(llvm::IRBuilderBase& builder, llvm::ArrayRef<llvm::Value*> arguments, MathTarget target) {
  return emit_pow(builder, arguments[0], arguments[1], target);
}

constexpr std::array<VectorFunction, 16> kVectorFunctions = {{
    {"exp", emit_unary<emit_exp>, 1, 1, 1},
    {"expm1", emit_unary<emit_expm1>, 1, 2, 2},
    {"log", emit_unary<emit_log>, 1, 1, 1},
    {"log1p", emit_unary<emit_log1p>, 1, 2, 2},
    {"sqrt", emit_unary<emit_sqrt>, 1, 0.5, 0.5},
    {"rsqrt", emit_unary<emit_rsqrt>, 1, 1.5, 1.5},
    {"sin", emit_unary<emit_sin>, 1, 2, 2},
    {"cos", emit_unary<emit_cos>, 1, 2, 2},
    {"tanh", emit_unary<emit_tanh>, 1, 2, 2},
    {"sigmoid", emit_unary<emit_sigmoid>, 1, 2, 2},
    {"softplus", emit_unary<emit_softplus>, 1, 2, 2},
    {"erf", emit_unary<emit_erf>, 1, 2, 2},
    {"pow", emit_binary_pow, 2, 4, 2},
    {"floor", emit_unary<emit_floor>, 1, 0, 0},
    {"ceil", emit_unary<emit_ceil>, 1, 0, 0},
    {"round", emit_unary<emit_round>, 1, 0, 0},
}};

}  // namespace

llvm::Value* emit_sqrt(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_intrinsic(builder, llvm::Intrinsic::sqrt, x, target);
}

llvm::Value* emit_rsqrt(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  VectorContext context(builder, x->getType(), target);
  return (1.0 / context.real(emit_sqrt(builder, x, target))).value;
}

llvm::Value* emit_floor(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_intrinsic(builder, llvm::Intrinsic::floor, x, target);
}

llvm::Value* emit_ceil(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_intrinsic(builder, llvm::Intrinsic::ceil, x, target);
}

llvm::Value* emit_round(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_intrinsic(builder, llvm::Intrinsic::roundeven, x, target);
}

std::span<const VectorFunction> vector_functions() { return kVectorFunctions; }

}  // namespace tarn
