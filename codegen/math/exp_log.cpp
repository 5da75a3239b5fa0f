// exp, expm1, log, log1p and what is made of them: tanh, sigmoid, softplus.
#include <limits>

#include "codegen/math/coefficients.h"
#include "codegen/math/internal.h"

namespace tarn {

using namespace vector_math_coefficients;

// Exponentials ----------------------------------------------------------------
//
// e^x = 2^n e^r, n = round(x / ln 2), r = x - n ln 2, |r| <= ln 2 / 2. n is rounded by adding 1.5 · 2^p, whose unit in
// the last place is 1: the sum's low bits are n, ready to be shifted into an exponent field. ln 2 has two parts (Cody
// and Waite); n times the first is exact, so r carries an error of about half a unit of its own. e^r = 1 + r + r^2
// q(r), q = 1/2 + r P(r) of degree 4 (f32) or 10 (f64).

ExponentSplit split_exponent(Real x, int bias) {
  VectorContext& context = *x.context;
  std::span<const double> ln2 = context.pick(kLn2F32, kLn2F64);
  // 1.5 · 2^p + bias is itself a multiple of the unit.
  double rounder = context.pick(0x1.8p23, 0x1.8p52) + bias;
  Real sum = multiply_add(x, context.pick(kLog2EF32[0], kLog2EF64[0]), rounder);
  Real n = sum - rounder;
  Real r = multiply_add(n, -ln2[0], x);
  return {multiply_add(n, -ln2[1], r), to_bits(sum)};
}

Real power_of_two(Bits field) { return to_real(field << field.context->mantissa_bits()); }

Real scale_in_two_steps(Real significand, Bits field) {
  // 2^n = 2^h 2^g with h = floor(n / 2): both are normal numbers, the first product is exact, the second rounds.
  VectorContext& context = *significand.context;
  Bits exponent = field << context.mantissa_bits();
  Bits half = (exponent >> 1) & ~context.mantissa_mask();
  return significand * to_real(half) * to_real(exponent - half);
}

namespace {

/// q(r)
Real exponential_tail(Real r) { return multiply_add(polynomial(r, r.context->pick(kExpm1F32, kExpm1F64)), r, 0.5); }

}  // namespace

Real exp_reduced(Real r) {
  Real tail = exponential_tail(r);
  // Horner's rule is the more accurate form as long as its products are not rounded.
  if (r.context->target().has_fma) return multiply_add(multiply_add(tail, r, 1), r, 1);
  return (r * r * tail + r) + 1.0;
}

Real exp_below_overflow(Real x) {
  // Below the bound the result rounds to 0.
  ExponentSplit split = split_exponent(at_least(x, x.context->pick(-104, -746)), two_step_bias(*x.context));
  return scale_in_two_steps(exp_reduced(split.r), split.biased_n);
}

llvm::Value* emit_exp(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  VectorContext context(builder, x->getType(), target);
  // At the upper bound the result has overflowed already.
  return exp_below_overflow(at_most(context.real(x), context.pick(89, 710))).value;
}

llvm::Value* emit_expm1(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  Real clamped = at_least(at_most(x, context.pick(89, 710)), context.pick(-18, -38));
  // e^x - 1 = 2 (s (r + p) + (s - 1/2)), s = 2^(n-1) (finite even where 2^n is not), p = r^2 q(r). The large terms go
  // first.
  ExponentSplit split = split_exponent(clamped, static_cast<int>(context.exponent_bias()) - 1);
  Real s = power_of_two(split.biased_n);
  Real p = split.r * split.r * exponential_tail(split.r);
  Real large = multiply_add(s, split.r, s - 0.5);
  Real result = multiply_add(s, p, large) * 2.0;
  // Where e^x - 1 rounds to x: keeps the sign of zero and the last bit of denormals.
  return select(absolute(x) < context.pick(0x1p-25, 0x1p-54), x, result).value;
}

llvm::Value* emit_tanh(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  // tanh |x| = (1 - e^a) / (1 + e^a), a = -2 |x|. With e^a = s (1 + m), s = 2^n, m = e^r - 1 = r + r^2 q(r), that is
  // ((1 - s) - s m) / ((1 + s) + s m). Near 0 the denominator is just below 2, where its rounding is finest; the
  // opposite sign of a would put it above. Beyond the bound the quotient is 1; for a tiny x it is x exactly.
  Real magnitude = absolute(x);
  Real a = at_least(-(magnitude + magnitude), context.pick(-19, -40));
  ExponentSplit split = split_exponent(a, static_cast<int>(context.exponent_bias()));
  Real s = power_of_two(split.biased_n);
  Real r = split.r;
  Real m = multiply_add(r * r, exponential_tail(r), r);
  Real scaled = s * m;
  Real below = 1.0 - s;
  Real above = s + 1.0;
  Real numerator = below - scaled;
  Real denominator = above + scaled;
  Real quotient = numerator / denominator;
  if (context.is_f64() && target.has_fma) {
    // What the roundings of numerator, denominator and quotient lost: the remainder over the denominator, which is
    // 2 / (1 + quotient). f32 stays within its bound without.
    Real remainder = multiply_add(-quotient, denominator, numerator) + ((below - numerator) - scaled);
    remainder = multiply_add(-quotient, scaled - (denominator - above), remainder);
    quotient = multiply_add(remainder * 0.5, quotient + 1.0, quotient);
  }
  return copy_sign(quotient, x).value;
}

llvm::Value* emit_sigmoid(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  // With e = e^-|x| <= 1 and q = e / (1 + e): 1 - q for x >= 0, e - e q below. q is the smaller part of both, so its
  // roundings count little, and the relative precision stays down to denormals.
  Real e = exp_below_overflow(-absolute(x));
  Real q = e / (e + 1.0);
  Real leading = select(x < 0, e, context.number(1));
  return multiply_add(-leading, q, leading).value;
}

// Logarithms ------------------------------------------------------------------
//
// x = 2^k m with m = 1 + f in [sqrt(1/2), sqrt 2); log x = k ln 2 + log(1 + f), where the leading terms are exact or
// small:
//   f32: log(1 + f) = f + f^2 (-1/2 + f P(f)), 8 terms; a division would take as long as the terms that it saves;
//   f64: log(1 + f) = f - f^2/2 + s (f^2/2 + R(z)), s = f / (2 + f), z = s^2, R(z) = z (2/3 + 2/5 z + ...), 7 terms
//        (from 2 atanh s = 2 s + s R(z); W. Kahan's form, as in FreeBSD's e_log.c).

LogSplit split_logarithm(Bits x) {
  // Adding 1 - sqrt(1/2) to the bits carries into the exponent exactly when the significand is at least that of
  // sqrt(1/2).
  VectorContext& context = *x.context;
  std::uint64_t root_half = context.is_f64() ? 0x3fe6a09e667f3bcd : 0x3f3504f3;
  Bits shifted = x + (context.power_of_two_bits(0) - root_half);
  return {shifted >> context.mantissa_bits(), (shifted & context.mantissa_mask()) + root_half};
}

Real small_integer_to_real(Bits integer) {
  // In 2^p + integer the unit of the last place is 1; p = mantissa_bits.
  VectorContext& context = *integer.context;
  double base = context.pick(0x1p23, 0x1p52);
  return to_real(integer | context.power_of_two_bits(static_cast<int>(context.mantissa_bits()))) - base;
}

Real log_of_parts(Real k, Real f) {
  VectorContext& context = *f.context;
  std::span<const double> ln2 = context.pick(kLn2F32, kLn2F64);
  Real low = k * ln2[1];
  Real small = f;
  if (context.is_f64()) {
    Real s = f / (f + 2.0);
    Real z = s * s;
    Real half_square = f * 0.5 * f;
    small = multiply_add(s, multiply_add(z, polynomial(z, kLogF64), half_square), low) - half_square;
  } else {
    small = multiply_add(f * f, multiply_add(f, polynomial(f, kLogF32), -0.5), low);
  }
  // The inner sum's rounding is the last one's half or less, but for |k| = 1 and a result below 1/2: then the last sum
  // is exact.
  return multiply_add(k, ln2[0], f + small);
}

namespace {

/// log's results where x is not a positive finite number: x for +inf and NaN, -inf for `pole`, NaN below.
Real with_logarithm_specials(Real result, Real x, double pole) {
  double infinity = std::numeric_limits<double>::infinity();
  result = select(x < infinity, result, x);
  result = select(x == pole, -infinity, result);
  return select(x < pole, std::numeric_limits<double>::quiet_NaN(), result);
}

}  // namespace

llvm::Value* emit_log(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  // Denormals are scaled up, and the bias that is taken off k afterwards is larger by as much.
  double base = context.pick(0x1p23, 0x1p52);
  double bias = context.exponent_bias();
  Mask is_denormal = x < context.pick(0x1p-126, 0x1p-1022);
  Real scaled = select(is_denormal, x * base, x);
  LogSplit split = split_logarithm(to_bits(scaled));
  Real rounder = select(is_denormal, base + bias + context.mantissa_bits(), base + bias);
  Real k = to_real(split.biased_k | context.power_of_two_bits(static_cast<int>(context.mantissa_bits()))) - rounder;
  return with_logarithm_specials(log_of_parts(k, to_real(split.m) - 1.0), x, 0).value;
}

llvm::Value* emit_log1p(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  // k comes from the rounded 1 + x; then f = 2^-k (1 + x) - 1 = 2^-k x + (2^-k - 1), whose terms are exact as long as
  // they matter, so that f has one rounding. 2^-k may be denormal: 2^(2-k) is not, and 4 is taken off the other factor.
  LogSplit split = split_logarithm(to_bits(x + 1.0));
  Bits field = context.bits(2 * context.exponent_bias() + 2) - split.biased_k;
  Real s = power_of_two(field);
  Real f = multiply_add(x * 0.25, s, multiply_add(s, 0.25, -1));
  Real k = small_integer_to_real(split.biased_k) - context.exponent_bias();
  Real result = with_logarithm_specials(log_of_parts(k, f), x, -1);
  // Where log(1 + x) rounds to x: keeps the sign of zero and the last bit of denormals.
  return select(absolute(x) < context.pick(0x1p-25, 0x1p-54), x, result).value;
}

Real log1p_of_fraction(Real x) {
  VectorContext& context = *x.context;
  // Here k is 0 or 1.
  Mask is_large = x > 0x1.a827999fcef32p-2;
  Real f = select(is_large, multiply_add(x, 0.5, -0.5), x);
  return log_of_parts(select(is_large, 1, context.number(0)), f);
}

llvm::Value* emit_softplus(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  // log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
  Real tail = log1p_of_fraction(exp_below_overflow(-absolute(x)));
  return (at_least(x, 0) + tail).value;
}

}  // namespace tarn
