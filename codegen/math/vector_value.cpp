// The operations of vector_value.h, each one instruction or a well-known short sequence.
#include "codegen/math/vector_value.h"

#include "llvm/IR/Intrinsics.h"

namespace tarn {

namespace {

llvm::Type* integer_type_like(llvm::Type* type) {
  llvm::Type* lane = llvm::IntegerType::get(type->getContext(), type->getScalarSizeInBits());
  auto* vector = llvm::dyn_cast<llvm::VectorType>(type);
  return vector == nullptr ? lane : llvm::VectorType::get(lane, vector->getElementCount());
}

}  // namespace

VectorContext::VectorContext(llvm::IRBuilderBase& builder, llvm::Type* type, MathTarget target)
    : builder_(builder),
      guard_(builder),
      real_type_(type),
      bits_type_(integer_type_like(type)),
      target_(target),
      is_f64_(type->getScalarType()->isDoubleTy()) {
  builder_.clearFastMathFlags();
}

namespace {

Real with(Real x, llvm::Value* value) { return {x.context, value}; }
Bits with(Bits x, llvm::Value* value) { return {x.context, value}; }
Mask mask(Real x, llvm::Value* value) { return {x.context, value}; }
llvm::IRBuilderBase& ir(Real x) { return x.context->ir(); }
llvm::IRBuilderBase& ir(Bits x) { return x.context->ir(); }
llvm::IRBuilderBase& ir(Mask x) { return x.context->ir(); }
Real number(Real like, double value) { return like.context->number(value); }
Bits number(Bits like, std::uint64_t value) { return like.context->bits(value); }

}  // namespace

Real operator+(Real a, Real b) { return with(a, ir(a).CreateFAdd(a.value, b.value)); }
Real operator+(Real a, double b) { return a + number(a, b); }
Real operator+(double a, Real b) { return b + a; }
Real operator-(Real a, Real b) { return with(a, ir(a).CreateFSub(a.value, b.value)); }
Real operator-(Real a, double b) { return a - number(a, b); }
Real operator-(double a, Real b) { return number(b, a) - b; }
Real operator*(Real a, Real b) { return with(a, ir(a).CreateFMul(a.value, b.value)); }
Real operator*(Real a, double b) { return a * number(a, b); }
Real operator/(Real a, Real b) { return with(a, ir(a).CreateFDiv(a.value, b.value)); }
Real operator/(double a, Real b) { return number(b, a) / b; }
Real operator-(Real a) { return with(a, ir(a).CreateFNeg(a.value)); }

Real multiply_add(Real a, Real b, Real c) {
  if (!a.context->target().has_fma) return a * b + c;
  return with(a, ir(a).CreateIntrinsic(llvm::Intrinsic::fma, {a.context->real_type()}, {a.value, b.value, c.value}));
}
Real multiply_add(Real a, double b, Real c) { return multiply_add(a, number(a, b), c); }
Real multiply_add(Real a, Real b, double c) { return multiply_add(a, b, number(a, c)); }
Real multiply_add(Real a, double b, double c) { return multiply_add(a, number(a, b), number(a, c)); }

Real polynomial(Real x, std::span<const double> coefficients) {
  Real sum = number(x, coefficients.back());
  for (std::size_t degree = coefficients.size() - 1; degree-- > 0;) sum = multiply_add(sum, x, coefficients[degree]);
  return sum;
}

Real absolute(Real x) { return with(x, ir(x).CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x.value)); }
Real copy_sign(Real magnitude, Real sign) {
  return with(sign, ir(sign).CreateBinaryIntrinsic(llvm::Intrinsic::copysign, magnitude.value, sign.value));
}
// An ordered comparison is false for NaN, which then is the value selected; x86 has exactly this as one instruction.
Real at_most(Real x, double limit) { return select(x > limit, limit, x); }
Real at_least(Real x, double limit) { return select(x < limit, limit, x); }

Mask operator<(Real a, double b) { return mask(a, ir(a).CreateFCmpOLT(a.value, number(a, b).value)); }
Mask operator>(Real a, double b) { return mask(a, ir(a).CreateFCmpOGT(a.value, number(a, b).value)); }
Mask operator==(Real a, double b) { return a == number(a, b); }
Mask operator==(Real a, Real b) { return mask(a, ir(a).CreateFCmpOEQ(a.value, b.value)); }
Mask operator|(Mask a, Mask b) { return {a.context, ir(a).CreateOr(a.value, b.value)}; }
Mask operator&(Mask a, Mask b) { return {a.context, ir(a).CreateAnd(a.value, b.value)}; }
Mask operator!(Mask a) { return {a.context, ir(a).CreateNot(a.value)}; }
Real select(Mask condition, Real yes, Real no) {
  return with(no, ir(no).CreateSelect(condition.value, yes.value, no.value));
}
Real select(Mask condition, double yes, Real no) { return select(condition, number(no, yes), no); }
Real select(Mask condition, double yes, double no) { return select(condition, yes, condition.context->number(no)); }

Bits operator+(Bits a, Bits b) { return with(a, ir(a).CreateAdd(a.value, b.value)); }
Bits operator+(Bits a, std::uint64_t b) { return a + number(a, b); }
Bits operator-(Bits a, Bits b) { return with(a, ir(a).CreateSub(a.value, b.value)); }
Bits operator&(Bits a, std::uint64_t b) { return with(a, ir(a).CreateAnd(a.value, number(a, b).value)); }
Bits operator|(Bits a, Bits b) { return with(a, ir(a).CreateOr(a.value, b.value)); }
Bits operator|(Bits a, std::uint64_t b) { return a | number(a, b); }
Bits operator^(Bits a, Bits b) { return with(a, ir(a).CreateXor(a.value, b.value)); }
Bits operator<<(Bits a, unsigned count) { return with(a, ir(a).CreateShl(a.value, number(a, count).value)); }
Bits operator>>(Bits a, unsigned count) { return with(a, ir(a).CreateLShr(a.value, number(a, count).value)); }
Mask is_nonzero(Bits a) { return {a.context, ir(a).CreateICmpNE(a.value, number(a, 0).value)}; }
Bits select(Mask condition, Bits yes, Bits no) {
  return with(no, ir(no).CreateSelect(condition.value, yes.value, no.value));
}

Bits to_bits(Real x) { return {x.context, ir(x).CreateBitCast(x.value, x.context->bits_type())}; }
Real to_real(Bits x) { return {x.context, ir(x).CreateBitCast(x.value, x.context->real_type())}; }

TwoPart two_sum(Real a, Real b) {
  // Knuth, TAOCP 2, 4.2.2, theorem B
  Real sum = a + b;
  Real b_part = sum - a;
  Real a_part = sum - b_part;
  Real a_error = a - a_part;
  return {sum, a_error + (b - b_part)};
}

TwoPart fast_two_sum(Real a, Real b) {
  Real sum = a + b;
  return {sum, b - (sum - a)};
}

namespace {

/// x = high + low with halves of the significant bits: 12 + 12 in f32, 26 + 27 in f64, where only low * low may then be
/// inexact.
TwoPart split_in_halves(Real x) {
  unsigned low_bits = (x.context->mantissa_bits() + 2) / 2;
  Real high = to_real(to_bits(x) & ~((std::uint64_t{1} << low_bits) - 1));
  return {high, x - high};
}

}  // namespace

TwoPart two_product(Real a, Real b) {
  Real product = a * b;
  if (a.context->target().has_fma) return {product, multiply_add(a, b, -product)};
  // Dekker, "A floating-point technique for extending the available precision" (1971)
  TwoPart x = split_in_halves(a);
  TwoPart y = split_in_halves(b);
  Real error = x.high * y.high - product;
  error = error + x.high * y.low;
  error = error + x.low * y.high;
  return {product, error + x.low * y.low};
}

}  // namespace tarn
