// erf and pow.
#include <limits>

#include "codegen/math/coefficients.h"
#include "codegen/math/internal.h"

namespace tarn {

using namespace vector_math_coefficients;

// erf -------------------------------------------------------------------------
//
// |x| <= 15/16: erf x = x + x P(x^2). Beyond: erf |x| = 1 - e^(t Q(t)), t Q(t) = log erfc t, t = min(|x|, where erf
// rounds to 1); the exponential is below 0.19 there, so that its error hardly counts.

llvm::Value* emit_erf(llvm::IRBuilderBase& builder, llvm::Value* argument, MathTarget target) {
  VectorContext context(builder, argument->getType(), target);
  Real x = context.real(argument);
  Real magnitude = absolute(x);
  Real near_zero = multiply_add(polynomial(x * x, context.pick(kErfSmallF32, kErfSmallF64)), x, x);
  Real t = at_most(magnitude, context.pick(3.95, 5.95));
  Real log_erfc = t * polynomial(t, context.pick(kErfLargeF32, kErfLargeF64));
  ExponentSplit split = split_exponent(log_erfc, static_cast<int>(context.exponent_bias()));
  Real complement = power_of_two(split.biased_n) * exp_reduced(split.r);
  Real large = copy_sign(1.0 - complement, x);
  return select(magnitude > 0.9375, large, near_zero).value;
}

// pow -------------------------------------------------------------------------
//
// |b|^y = 2^(y log2 |b|). The product may be as large as 2^7 (2^10), so log2 |b| is needed to 7 (10) bits more than the
// format has: it is computed in two parts. With m = 1 + f in [sqrt(1/2), sqrt 2), s = f / (m + 1), z = s^2,
//   log2 m = 2 s / ln 2 + s^3 T(z)                           in f32: the leading term in two parts,
//   log2 m = 2 s / ln 2 + 2 s^3 / (3 ln 2) + s^5 T(z)        in f64: the two leading terms in two parts.

namespace {

/// (a.high + a.low) (b.high + b.low) without the product of the low parts, which is below the error of the result's low
/// part.
TwoPart product_of_parts(TwoPart a, TwoPart b) {
  TwoPart product = two_product(a.high, b.high);
  Real cross = multiply_add(a.high, b.low, a.low * b.high);
  return fast_two_sum(product.high, product.low + cross);
}

TwoPart constant_parts(VectorContext& context, std::span<const double> parts) {
  return {context.number(parts[0]), context.number(parts[1])};
}

/// f / (m + 1) for f = m - 1: the quotient and, from its remainder, the correction.
TwoPart half_logarithm_argument(Real m) {
  Real f = m - 1.0;
  Real sum = m + 1.0;
  Real sum_low = m - (sum - 1.0);
  Real reciprocal = 1.0 / sum;
  Real quotient = f * reciprocal;
  TwoPart back = two_product(quotient, sum);
  Real remainder = (f - back.high) - back.low;
  remainder = remainder - quotient * sum_low;
  return fast_two_sum(quotient, remainder * reciprocal);
}

/// log2 of a positive finite x in two parts.
TwoPart log2_in_two_parts(Real x) {
  VectorContext& context = *x.context;
  double base = context.pick(0x1p23, 0x1p52);
  Mask is_denormal = x < context.pick(0x1p-126, 0x1p-1022);
  LogSplit split = split_logarithm(to_bits(select(is_denormal, x * base, x)));
  double bias = context.exponent_bias();
  Real k =
      small_integer_to_real(split.biased_k) - select(is_denormal, bias + context.mantissa_bits(), context.number(bias));
  TwoPart s = half_logarithm_argument(to_real(split.m));
  Real z = s.high * s.high;
  Real tail = polynomial(z, context.pick(kLog2TailF32, kLog2TailF64)) * (z * s.high);
  TwoPart leading = product_of_parts(s, constant_parts(context, context.pick(kTwoOverLn2F32, kTwoOverLn2F64)));
  if (context.is_f64()) {
    TwoPart square = product_of_parts(s, s);
    TwoPart cube = product_of_parts(square, s);
    TwoPart second = product_of_parts(cube, constant_parts(context, kTwoOverThreeLn2F64));
    TwoPart sum = fast_two_sum(leading.high, second.high);
    leading = {sum.high, sum.low + (leading.low + second.low)};
    tail = tail * z;
  }
  // k is 0 or larger than the rest.
  TwoPart sum = fast_two_sum(k, leading.high);
  return fast_two_sum(sum.high, sum.low + (leading.low + tail));
}

/// 2^(z + low) for z of any magnitude, infinite or NaN; |low| is at most about a unit in the last place of z.
Real exp2_of_parts(Real z, Real low) {
  VectorContext& context = *z.context;
  // At the bounds the result has become 0 or infinite. Beyond them `low` may be anything.
  Real clamped = at_least(at_most(z, context.pick(130, 1026)), context.pick(-152, -1077));
  low = select(clamped == z, low, context.number(0));
  double rounder = context.pick(0x1.8p23, 0x1.8p52) + two_step_bias(context);
  Real sum = clamped + rounder;
  Real r = (clamped - (sum - rounder)) + low;
  Real significand = multiply_add(polynomial(r, context.pick(kExp2F32, kExp2F64)), r, 1);
  return scale_in_two_steps(significand, to_bits(sum));
}

/// Lanes where x is an integer (infinities included).
Mask is_integer(Real x) {
  // From 2^p on every number is an integer; below, adding and taking off 2^p rounds to one.
  double base = x.context->pick(0x1p23, 0x1p52);
  Real magnitude = absolute(x);
  return (!(magnitude < base)) | ((magnitude + base) - base == magnitude);
}

}  // namespace

llvm::Value* emit_pow(llvm::IRBuilderBase& builder, llvm::Value* base, llvm::Value* exponent, MathTarget target) {
  VectorContext context(builder, base->getType(), target);
  double infinity = std::numeric_limits<double>::infinity();
  Real b = context.real(base);
  Real y = context.real(exponent);
  Real magnitude = absolute(b);
  // The logarithm of 0, infinity and NaN is what the rest needs to come out right by itself.
  TwoPart logarithm = log2_in_two_parts(magnitude);
  logarithm.high = select(magnitude < infinity, logarithm.high, magnitude);
  logarithm.high = select(magnitude == 0, -infinity, logarithm.high);
  // An infinite exponent acts like the largest finite one, and 0 times it is 0.
  double largest = context.pick(0x1.fffffep127, 0x1.fffffffffffffp1023);
  Real finite_y = at_least(at_most(y, largest), -largest);
  TwoPart z = two_product(finite_y, logarithm.high);
  Real power = exp2_of_parts(z.high, multiply_add(finite_y, logarithm.low, z.low));

  // A negative base: the sign of the result is that of (-1)^y; NaN for a finite base and a fractional exponent.
  Mask is_whole = is_integer(y);
  Mask is_odd = is_whole & !is_integer(y * 0.5);
  Mask is_undefined = (b < 0) & (magnitude < infinity) & !is_whole;
  power = select(is_undefined, std::numeric_limits<double>::quiet_NaN(), power);
  power = select(is_odd, copy_sign(power, b), power);
  return select((b == 1) | (y == 0), 1, power).value;
}

}  // namespace tarn
