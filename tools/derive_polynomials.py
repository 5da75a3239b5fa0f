#!/usr/bin/env python3
"""Derives the coefficients of codegen/math/coefficients.h.

    python3 tools/derive_polynomials.py > codegen/math/coefficients.h

Needs mpmath (PyPI). Each row of POLYNOMIALS states f, the interval and the weight w under which the polynomial P
minimises max |w(x) (f(x) - P(x))|. The method is Remez's exchange on a dense Chebyshev grid, in 60 digits. The printed
error is that of the polynomial whose coefficients are rounded to the format; f leaves out the leading terms, so that
this rounding costs next to nothing.
"""
import struct
import sys

from mpmath import cos, erf, erfc, exp, expm1, fabs, log, log1p, matrix, lu_solve, mp, mpf, pi, sin, sqrt

mp.dps = 60
GRID = 800


def to_float(value, bits):
    """The nearest f32 or f64 as a Python float (which holds both exactly)."""
    if bits == 64:
        return float(value)
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def chebyshev_grid(low, high):
    return [(low + high) / 2 + (high - low) / 2 * cos(pi * k / (GRID - 1)) for k in range(GRID)][::-1]


def evaluate(coefficients, x):
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def alternating_extrema(errors, count):
    """Indices of `count` extrema of alternating sign, the largest ones."""
    extrema = []
    for index, error in enumerate(errors):
        if error == 0:
            continue
        if extrema and (errors[extrema[-1]] > 0) == (error > 0):
            if fabs(error) > fabs(errors[extrema[-1]]):
                extrema[-1] = index
        else:
            extrema.append(index)
    while len(extrema) > count:
        extrema.pop(0 if fabs(errors[extrema[0]]) < fabs(errors[extrema[-1]]) else -1)
    return extrema


def remez(grid, values, weights, terms):
    powers = [[x ** degree for degree in range(terms)] for x in grid]
    points = [round((1 - cos(pi * (k + mpf(1) / 2) / (terms + 1))) / 2 * (len(grid) - 1)) for k in range(terms + 1)]
    for _ in range(40):
        system, target = matrix(terms + 1, terms + 1), matrix(terms + 1, 1)
        for row, point in enumerate(points):
            for column in range(terms):
                system[row, column] = powers[point][column]
            system[row, terms] = (-1) ** row / weights[point]
            target[row] = values[point]
        solution = lu_solve(system, target)
        coefficients = [solution[c] for c in range(terms)]
        errors = [w * (v - evaluate(coefficients, x)) for w, v, x in zip(weights, values, grid)]
        if max(fabs(error) for error in errors) <= fabs(solution[terms]) * (1 + mpf(10) ** -3):
            return coefficients
        points = alternating_extrema(errors, terms + 1)
    raise RuntimeError("the exchange did not converge")


def derive(function, weight, low, high, terms, bits):
    # A grid that touches a removable singularity (r = 0) is moved off it by a hair.
    grid = [x if fabs(x) > mpf(10) ** -12 else mpf(10) ** -12 for x in chebyshev_grid(mpf(low), mpf(high))]
    values, weights = [function(x) for x in grid], [weight(x) for x in grid]
    rounded = [mpf(to_float(c, bits)) for c in remez(grid, values, weights, terms)]
    return rounded, max(fabs(w * (v - evaluate(rounded, x))) for w, v, x in zip(weights, values, grid))


LN2 = log(mpf(2))
HALF = LN2 / 2 * mpf("1.0002")  # the reduction rounds x/ln 2 in floating point, so r may end just beyond ln 2 / 2
S_MAX = ((sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1) * mpf("1.0001")) ** 2
LOG_LOW, LOG_HIGH = (sqrt(mpf(2)) / 2 - 1) * mpf("1.0001"), (sqrt(mpf(2)) - 1) * mpf("1.0001")
QUARTER_PI = pi / 4 * mpf("1.0001")
ERF_SPLIT = mpf("0.9375")


def atanh_series(z):
    """R(z) with log((1+s)/(1-s)) = 2 s + s R(s^2)"""
    s = sqrt(z)
    return (log1p(s) - log1p(-s)) / s - 2


def cosine_tail(z):
    return (cos(sqrt(z)) - 1 + z / 2) / z ** 2


def sine_tail(z):
    return (sin(sqrt(z)) - sqrt(z)) / (z * sqrt(z))


# name, what P approximates, f, weight, interval, terms for f32, terms for f64
POLYNOMIALS = [
    ("Expm1", "(e^r - 1 - r - r^2/2) / r^3 on |r| <= ln 2 / 2; error relative to e^r - 1",
     lambda r: (expm1(r) - r - r ** 2 / 2) / r ** 3, lambda r: fabs(r ** 3 / expm1(r)), -HALF, HALF, 4, 10),
    ("Sin", "(sin r - r) / r^3 in z = r^2, |r| <= pi/4; error relative to sin r",
     sine_tail, lambda z: z * sqrt(z) / sin(sqrt(z)), mpf(10) ** -9, QUARTER_PI ** 2, 3, 6),
    ("Cos", "(cos r - 1 + r^2/2) / r^4 in z = r^2, |r| <= pi/4; error relative to cos r",
     cosine_tail, lambda z: z ** 2 / cos(sqrt(z)), mpf(10) ** -9, QUARTER_PI ** 2, 3, 6),
    ("ErfSmall", "erf(x)/x - 1 in z = x^2, |x| <= 0.9375; error relative to erf x",
     lambda z: erf(sqrt(z)) / sqrt(z) - 1, lambda z: sqrt(z) / erf(sqrt(z)), mpf(10) ** -9, ERF_SPLIT ** 2, 7, 13),
    ("Exp2", "(2^r - 1) / r on |r| <= 1/2; error relative to 2^r - 1",
     lambda r: expm1(r * LN2) / r, lambda r: fabs(r / expm1(r * LN2)), mpf("-0.5001"), mpf("0.5001"), 6, 12),
]


def atanh_series_base_2(z, terms_left_out):
    """(log2((1+s)/(1-s)) - sum of the first odd terms of its series) / s^(2 terms_left_out + 1)"""
    s = sqrt(z)
    known = sum(2 * s ** (2 * j + 1) / (2 * j + 1) for j in range(terms_left_out))
    return (log1p(s) - log1p(-s) - known) / s ** (2 * terms_left_out + 1) / LN2


# Rows that differ by format: name, bits, meaning, f, weight, interval, terms.
# The tail of erf ends where erf rounds to 1. The logarithm of pow needs ten (thirteen) bits more than the format has,
# so its leading term (two, in f64) is taken in extended precision and the polynomial holds what follows.
OTHERS = [
    ("ErfLarge", 32, "(log erfc t) / t on 0.9375 <= t <= 3.95; error of erf t",
     lambda t: log(erfc(t)) / t, lambda t: t * erfc(t), ERF_SPLIT, mpf("3.95"), 6),
    ("ErfLarge", 64, "(log erfc t) / t on 0.9375 <= t <= 5.95; error of erf t",
     lambda t: log(erfc(t)) / t, lambda t: t * erfc(t), ERF_SPLIT, mpf("5.95"), 18),
    ("Log", 32, "(log(1 + f) - f + f^2/2) / f^3 on sqrt(1/2) - 1 <= f <= sqrt 2 - 1; error relative to log(1 + f)",
     lambda f: (log1p(f) - f + f ** 2 / 2) / f ** 3, lambda f: fabs(f ** 3 / log1p(f)), LOG_LOW, LOG_HIGH, 8),
    ("Log", 64, "R(z) / z with log((1+s)/(1-s)) = 2s + s R(z), z = s^2, |s| <= (sqrt 2 - 1)/(sqrt 2 + 1); error relative to 2s",
     lambda z: atanh_series(z) / z, lambda z: z / 2, mpf(10) ** -9, S_MAX, 7),
    ("Log2Tail", 32, "(log2((1+s)/(1-s)) - 2 s / ln 2) / s^3 in z = s^2; error relative to log2",
     lambda z: atanh_series_base_2(z, 1), lambda z: z * LN2 / 2, mpf(10) ** -6, S_MAX, 4),
    ("Log2Tail", 64, "(log2((1+s)/(1-s)) - 2 (s + s^3/3) / ln 2) / s^5 in z = s^2; error relative to log2",
     lambda z: atanh_series_base_2(z, 2), lambda z: z ** 2 * LN2 / 2, mpf(10) ** -6, S_MAX, 7),
]
# name, value, bits of the leading parts per format (the product with an integer n is then exact); what is left is the
# last part
CONSTANTS = [
    ("Log2E", 1 / LN2, {32: [], 64: []}),
    ("WholeLn2", LN2, {32: [], 64: []}),
    ("Ln2", LN2, {32: [16], 64: [32]}),
    ("TwoOverLn2", 2 / LN2, {32: [24], 64: [53]}),
    ("TwoOverThreeLn2", 2 / (3 * LN2), {64: [53]}),
    ("TwoOverPi", 2 / pi, {64: []}),
    ("HalfPi", pi / 2, {64: [33, 33, 33]}),
    ("HalfPiExtended", pi / 2, {64: [53]}),
]
# Payne and Hanek's reduction of the largest f64, m 2^971, reads 256 bits from bit 971 + 62 on, the leading word of
# zeros included.
TWO_OVER_PI_WORDS = (971 + 62) // 64 + 4


def split(value, part_bits, bits):
    """`value` as a sum: a part for every entry of part_bits, with so many significant bits, and the rest, rounded to the format."""
    parts = []
    for count in part_bits:
        unit = mpf(2) ** (int(mp.floor(log(fabs(value), 2))) + 1 - count)
        part = mp.nint(value / unit) * unit
        parts.append(part)
        value -= part
    return parts + [mpf(to_float(value, bits))]


def print_row(name, meaning, coefficients, error, bits):
    print(f"\n// {meaning}.\n// Largest error of the rounded polynomial: {float(error):.2e} = 2^{float(log(error, 2)):.1f}.")
    print(f"inline constexpr std::array<double, {len(coefficients)}> k{name}F{bits} = {{")
    print("    " + ", ".join(float(c).hex() for c in coefficients) + "};")


def main():
    print("// Written by tools/derive_polynomials.py; do not edit. Coefficients from the constant term up.")
    print("#pragma once\n\n#include <array>\n#include <cstdint>\n\nnamespace tarn::vector_math_coefficients {")
    for name, meaning, function, weight, low, high, terms32, terms64 in POLYNOMIALS:
        for bits, terms in ((32, terms32), (64, terms64)):
            coefficients, error = derive(function, weight, low, high, terms, bits)
            print_row(name, meaning, coefficients, error, bits)
            print(f"{name} F{bits} 2^{float(log(error, 2)):.1f}", file=sys.stderr)
    for name, bits, meaning, function, weight, low, high, terms in OTHERS:
        coefficients, error = derive(function, weight, low, high, terms, bits)
        print_row(name, meaning, coefficients, error, bits)
        print(f"{name} F{bits} 2^{float(log(error, 2)):.1f}", file=sys.stderr)
    print("\n// Constants as sums of parts, the leading ones short enough that their products with the integers in use are exact.")
    for name, value, formats in CONSTANTS:
        for bits, part_bits in formats.items():
            parts = [float(part).hex() for part in split(value, part_bits, bits)]
            print(f"inline constexpr std::array<double, {len(parts)}> k{name}F{bits} = {{{', '.join(parts)}}};")
    mp.prec = 2000
    words = [0] + [int(2 / mp.pi * mpf(2) ** (64 * (k + 1))) & (2 ** 64 - 1) for k in range(TWO_OVER_PI_WORDS - 1)]
    print("\n// The binary digits of 2/pi, most significant word first, behind one word of zeros.")
    print(f"inline constexpr std::array<std::uint64_t, {len(words)}> kTwoOverPiDigits = {{")
    print("    " + ", ".join(f"0x{word:016x}" for word in words) + "};")
    print("\n}  // namespace tarn::vector_math_coefficients")


if __name__ == "__main__":
    main()
