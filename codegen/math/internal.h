// The parts that several elementary functions share. Private to the vector maths.
#pragma once

#include "codegen/math/vector_value.h"

namespace tarn {

/// x = n ln 2 + r with an integer n = round(x / ln 2).
struct ExponentSplit {
  Real r;
  /// The low bits are n + bias.
  Bits biased_n;
};

/// Splits |x| <= 1100 (so that n stays exact in every step) with |r| <= ln 2 / 2. `bias` is an integer that the caller
/// wants added to n.
ExponentSplit split_exponent(Real x, int bias);

/// The number whose exponent field is the low bits of `field`: 2^n for field = n + exponent_bias().
Real power_of_two(Bits field);

/// significand · 2^n, rounded once, also when the result is denormal or infinite; `field` holds n + 2 exponent_bias()
/// in its low bits, and that sum must lie in 2 .. 4 exponent_bias() - 2. The significand is within [1/2, 2].
Real scale_in_two_steps(Real significand, Bits field);

/// The bias of split_exponent that scale_in_two_steps asks for.
inline int two_step_bias(const VectorContext& context) { return 2 * static_cast<int>(context.exponent_bias()); }

/// e^r for |r| <= ln 2 / 2, with an error below 1 ulp.
Real exp_reduced(Real r);

/// e^x for x where nothing overflows (x <= 88 in f32, 709 in f64), -inf included; underflow is gradual.
Real exp_below_overflow(Real x);

/// x = 2^k m with m in [sqrt(1/2), sqrt 2), for positive normal x.
struct LogSplit {
  /// k + exponent_bias() as an integer.
  Bits biased_k;
  /// The bits of m.
  Bits m;
};
LogSplit split_logarithm(Bits x);

/// The integer as a floating-point number; 0 <= integer < 2^mantissa_bits.
Real small_integer_to_real(Bits integer);

/// k ln 2 + log(1 + f) for sqrt(1/2) - 1 <= f < sqrt 2 - 1 and an integer k.
Real log_of_parts(Real k, Real f);

/// log(1 + x) for x in [0, 1], NaN passed through.
Real log1p_of_fraction(Real x);

}  // namespace tarn
