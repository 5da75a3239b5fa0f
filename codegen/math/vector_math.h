// Elementary functions as LLVM IR, inlined where they are used: no call of a maths library, no table, no branch in the
// common path.
//
// Contract of every emitter:
// - The argument is float, double, <n x float> or <n x double>; the result has the same type; lanes are independent,
//   and the same input gives the same bits whatever the number of lanes.
// - Instructions are added at the builder's insertion point and control flow of the caller is left alone. sin and cos,
//   which need a branch for huge arguments, are internal functions of the module, made on first use with the target
//   attributes of the caller.
// - Fast-math flags of the builder are not used, and are restored.
// - Zeros, infinities, NaN (quiet, payload unspecified), overflow and gradual underflow are those of C's Annex F.
//   Floating-point exceptions and rounding modes other than to nearest are not supported.
// - Errors stay within the bounds of vector_functions(), in units in the last place of the correctly rounded result.
//   The f32 bounds hold over all 2^32 inputs (target tarn_exhaustive_math measures it; pow: random and special pairs),
//   the f64 bounds over random and special inputs.
#pragma once

#include <span>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/IRBuilder.h"

namespace tarn {

/// What the emitters need to know of the machine. Results depend on it: equal targets give equal bits.
struct MathTarget {
  /// The machine has fused multiply-add; without it exact products are built from multiplications (Dekker).
  bool has_fma = true;
};

/// e^x
llvm::Value* emit_exp(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// e^x - 1, exact to the relative bound also near 0
llvm::Value* emit_expm1(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Natural logarithm; log(±0) = -inf, NaN below 0
llvm::Value* emit_log(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// log(1 + x), exact to the relative bound also near 0; log1p(-1) = -inf, NaN below -1
llvm::Value* emit_log1p(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Correctly rounded square root; NaN below 0
llvm::Value* emit_sqrt(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// 1 / sqrt(x); rsqrt(±0) = ±inf
llvm::Value* emit_rsqrt(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Sine of x radians, of any magnitude; NaN for ±inf
llvm::Value* emit_sin(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Cosine of x radians, of any magnitude; NaN for ±inf
llvm::Value* emit_cos(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// The bits of emit_cos in less code, for |x| <= 2^20; for larger x, any numbers.
llvm::Value* emit_cos_of_small(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Hyperbolic tangent
llvm::Value* emit_tanh(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// 1 / (1 + e^-x)
llvm::Value* emit_sigmoid(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// log(1 + e^x) without overflow
llvm::Value* emit_softplus(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x
llvm::Value* emit_erf(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// base^exponent, with the special cases of C's pow
llvm::Value* emit_pow(llvm::IRBuilderBase& builder, llvm::Value* base, llvm::Value* exponent, MathTarget target = {});
/// Largest integer not above x
llvm::Value* emit_floor(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Smallest integer not below x
llvm::Value* emit_ceil(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});
/// Nearest integer, halves to the even one
llvm::Value* emit_round(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target = {});

/// One row a function above.
struct VectorFunction {
  const char* name;
  /// Emits the function for `arity` arguments of one type.
  llvm::Value* (*emit)(llvm::IRBuilderBase& builder, llvm::ArrayRef<llvm::Value*> arguments, MathTarget target);
  unsigned arity;
  /// Largest |result - exact| in units in the last place of the exact result rounded to the format, on a target with
  /// fused multiply-add.
  double max_ulp_f32, max_ulp_f64;
};

/// Without fused multiply-add the bounds are larger by this factor.
inline constexpr double kBoundFactorWithoutFma = 1.125;

/// All rows, in the order of the declarations.
std::span<const VectorFunction> vector_functions();

}  // namespace tarn
