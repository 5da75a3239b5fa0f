// Values of a vector formula as C++ expressions: `a + b` emits an addition. Private to the vector maths.
//
// A VectorContext fixes the format (f32 or f64), the number of lanes and the target for one formula; Real, Bits and
// Mask are the values of that formula: floating-point lanes, the same lanes as unsigned integers, and the lanes' truth
// values. Numbers in expressions are broadcast. No operation carries fast-math flags, so what is written is what is
// computed.
#pragma once

#include <cstdint>
#include <span>

#include "codegen/math/vector_math.h"

namespace tarn {

class VectorContext;

struct Mask {
  VectorContext* context;
  llvm::Value* value;
};

struct Real {
  VectorContext* context;
  llvm::Value* value;
};

struct Bits {
  VectorContext* context;
  llvm::Value* value;
};

class VectorContext {
 public:
  /// `type`: float, double or a fixed vector of them. Fast-math flags of the builder are cleared until the context
  /// ends.
  VectorContext(llvm::IRBuilderBase& builder, llvm::Type* type, MathTarget target);

  llvm::IRBuilderBase& ir() const { return builder_; }
  llvm::Type* real_type() const { return real_type_; }
  llvm::Type* bits_type() const { return bits_type_; }
  MathTarget target() const { return target_; }
  bool is_f64() const { return is_f64_; }
  unsigned mantissa_bits() const { return is_f64_ ? 52 : 23; }
  unsigned exponent_bias() const { return is_f64_ ? 1023 : 127; }

  Real real(llvm::Value* value) { return {this, value}; }
  Real number(double value) { return {this, llvm::ConstantFP::get(real_type_, value)}; }
  Bits bits(std::uint64_t number) { return {this, llvm::ConstantInt::get(bits_type_, number)}; }

  /// The bits of 1.0, and of the numbers 2^exponent in general.
  std::uint64_t power_of_two_bits(int exponent) const {
    return static_cast<std::uint64_t>(exponent + static_cast<int>(exponent_bias())) << mantissa_bits();
  }
  std::uint64_t mantissa_mask() const { return (std::uint64_t{1} << mantissa_bits()) - 1; }
  std::uint64_t exponent_mask() const { return power_of_two_bits(static_cast<int>(exponent_bias()) + 1); }

  /// The entry for the format.
  double pick(double f32, double f64) const { return is_f64_ ? f64 : f32; }
  std::span<const double> pick(std::span<const double> f32, std::span<const double> f64) const {
    return is_f64_ ? f64 : f32;
  }

 private:
  llvm::IRBuilderBase& builder_;
  llvm::IRBuilderBase::FastMathFlagGuard guard_;
  llvm::Type* real_type_;
  llvm::Type* bits_type_;
  MathTarget target_;
  bool is_f64_;
};

Real operator+(Real a, Real b);
Real operator+(Real a, double b);
Real operator+(double a, Real b);
Real operator-(Real a, Real b);
Real operator-(Real a, double b);
Real operator-(double a, Real b);
Real operator*(Real a, Real b);
Real operator*(Real a, double b);
Real operator/(Real a, Real b);
Real operator/(double a, Real b);
Real operator-(Real a);

/// a b + c: fused, with one rounding, when the target can; else with two.
Real multiply_add(Real a, Real b, Real c);
Real multiply_add(Real a, double b, Real c);
Real multiply_add(Real a, Real b, double c);
Real multiply_add(Real a, double b, double c);

/// c[0] + c[1] x + ... by Horner's rule.
Real polynomial(Real x, std::span<const double> coefficients);

Real absolute(Real x);
Real copy_sign(Real magnitude, Real sign);
/// Clamps that let NaN through.
Real at_most(Real x, double limit);
Real at_least(Real x, double limit);

Mask operator<(Real a, double b);
Mask operator>(Real a, double b);
Mask operator==(Real a, double b);
Mask operator==(Real a, Real b);
Mask operator|(Mask a, Mask b);
Mask operator&(Mask a, Mask b);
Mask operator!(Mask a);
Real select(Mask condition, Real yes, Real no);
Real select(Mask condition, double yes, Real no);
Real select(Mask condition, double yes, double no);

Bits operator+(Bits a, Bits b);
Bits operator+(Bits a, std::uint64_t b);
Bits operator-(Bits a, Bits b);
Bits operator&(Bits a, std::uint64_t b);
Bits operator|(Bits a, Bits b);
Bits operator|(Bits a, std::uint64_t b);
Bits operator^(Bits a, Bits b);
Bits operator<<(Bits a, unsigned count);
/// Logical shift.
Bits operator>>(Bits a, unsigned count);
Mask is_nonzero(Bits a);
Bits select(Mask condition, Bits yes, Bits no);

/// The same bits in the other view.
Bits to_bits(Real x);
Real to_real(Bits x);

/// An unevaluated sum high + low, |low| at most half a unit in the last place of high.
struct TwoPart {
  Real high, low;
};
/// a + b exactly.
TwoPart two_sum(Real a, Real b);
/// a + b exactly, when |a| >= |b| or a = 0.
TwoPart fast_two_sum(Real a, Real b);
/// a b exactly (with Dekker's splitting when there is no fused multiply-add), barring overflow and underflow.
TwoPart two_product(Real a, Real b);

}  // namespace tarn
