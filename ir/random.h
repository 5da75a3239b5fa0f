// Random numbers as the language defines them: counter-based, so a draw depends on what it is for and not on who drew
// before.
//
// A draw is Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with
//   key     = mix(seed) xor stream                       (64 bits; mix is the finalizer of splitmix64)
//   counter = (element, sample, step low, step high)     (4 x 32 bits)
// where stream hashes the path of the parameter or node and the occurrence in the source, sample counts rows of the
// call (0 in a draw that is per step), element is the row-major index in the shape of one sample. Words w0, w1 of the
// result make
//   uniform f32  (w0 >> 8) * 2^-24                        uniform f64  ((w0 << 21) + (w1 >> 11)) * 2^-53
//   normal       sqrt(-2 log(u + 2^-b)) * cos(2 pi v)     (Box-Muller; u the uniform above of (w0, w2), v that of (w1,
//   w3), b = 24 or 53)
// Generated code emits the same integer operations; the floating-point ones agree to the bounds of vector_math.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ir/type.h"

namespace tarn {

using PhiloxWords = std::array<std::uint32_t, 4>;

// Philox-4x32-10 of the counter under the key.
PhiloxWords philox(PhiloxWords counter, std::uint64_t key);

// The finalizer of splitmix64: a bijection of 64 bits that mixes well.
std::uint64_t mix_bits(std::uint64_t value);

// FNV-1a of the text, mixed with the occurrence: the stream of a draw.
std::uint64_t stream_of(std::string_view path, std::uint64_t occurrence = 0);

struct DrawPosition {
  std::uint64_t seed = 0, stream = 0, step = 0;
  std::uint32_t sample = 0, element = 0;
};
// In [0, 1), with 24 (f32) or 53 (f64) random bits.
double draw_uniform(const DrawPosition& position, DType dtype);
// Normal, mean 0, variance 1.
double draw_normal(const DrawPosition& position, DType dtype);

enum class Distribution : std::uint8_t { uniform, normal };
std::string_view name_of(Distribution distribution);
double draw_number(Distribution distribution, const DrawPosition& position, DType dtype);

// The order in which an epoch visits `rows` rows: a permutation that depends on (seed, epoch) only.
std::vector<std::uint32_t> row_order(std::uint64_t seed, std::uint64_t epoch, std::uint32_t rows);

}  // namespace tarn
