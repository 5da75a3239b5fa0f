// Philox, the draws, and the order of rows. See random.h for the formulas.
#include "ir/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tarn {

namespace {

struct Product {
  std::uint32_t high, low;
};
Product multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = static_cast<std::uint64_t>(a) * b;
  return {static_cast<std::uint32_t>(product >> 32U), static_cast<std::uint32_t>(product)};
}

PhiloxWords words_at(const DrawPosition& p) {
  return philox({p.element, p.sample, static_cast<std::uint32_t>(p.step), static_cast<std::uint32_t>(p.step >> 32U)},
                mix_bits(p.seed) ^ p.stream);
}

double uniform_of(std::uint32_t high, std::uint32_t low, DType dtype) {
  if (dtype == DType::f64)
    return std::ldexp(static_cast<double>((static_cast<std::uint64_t>(high) << 21U) + (low >> 11U)), -53);
  return std::ldexp(static_cast<double>(high >> 8U), -24);
}

}  // namespace

PhiloxWords philox(PhiloxWords c, std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key);
  std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    const Product p = multiply(0xD2511F53U, c[0]);
    const Product q = multiply(0xCD9E8D57U, c[2]);
    c = {q.high ^ c[1] ^ k0, q.low, p.high ^ c[3] ^ k1, p.low};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

namespace {

// Philox of kBlocks counters whose first words count on: word w of block i is the lower half of words[w][i]. A small
// model spends a tenth of its training on the order of rows, so two blocks share a register where there are some.
constexpr std::uint32_t kBlocks = 8;
struct Blocks {
  alignas(16) std::uint64_t words[4][kBlocks];
};

#if defined(__SSE2__)
// Four blocks, as two independent chains. A product of lower halves has the next words as its halves; what else is in
// upper halves is never looked at.
void philox_four(const PhiloxWords& counter, std::uint64_t key, std::uint32_t at, Blocks& blocks) {
  struct Pair {
    __m128i word[4];
  };
  const auto start = [&](std::uint32_t first) {
    return Pair{_mm_set_epi64x(first + 1, first), _mm_set1_epi64x(counter[1]), _mm_set1_epi64x(counter[2]),
                _mm_set1_epi64x(counter[3])};
  };
  Pair pairs[2] = {start(counter[0] + at), start(counter[0] + at + 2)};
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    for (Pair& pair : pairs) {
      const __m128i p = _mm_mul_epu32(pair.word[0], _mm_set1_epi64x(0xD2511F53U));
      const __m128i q = _mm_mul_epu32(pair.word[2], _mm_set1_epi64x(0xCD9E8D57U));
      const auto mixed = [](__m128i product, __m128i word, std::uint32_t k) {
        return _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64(product, 32), word), _mm_set1_epi64x(k));
      };
      pair = {mixed(q, pair.word[1], k0), q, mixed(p, pair.word[3], k1), p};
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  for (std::uint32_t i = 0; i < 2; ++i) {
    for (std::uint32_t word = 0; word < 4; ++word) {
      _mm_store_si128(reinterpret_cast<__m128i*>(&blocks.words[word][at + 2 * i]), pairs[i].word[word]);
    }
  }
}
#else
void philox_four(PhiloxWords counter, std::uint64_t key, std::uint32_t at, Blocks& blocks) {
  counter[0] += at;
  for (std::uint32_t i = at; i < at + 4; ++i, ++counter[0]) {
    const PhiloxWords words = philox(counter, key);
    for (std::uint32_t word = 0; word < 4; ++word) blocks.words[word][i] = words[word];
  }
}
#endif

}  // namespace

std::uint64_t mix_bits(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

std::uint64_t stream_of(std::string_view path, std::uint64_t occurrence) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return mix_bits(hash ^ mix_bits(occurrence));
}

double draw_uniform(const DrawPosition& position, DType dtype) {
  const PhiloxWords w = words_at(position);
  return uniform_of(w[0], w[1], dtype);
}

double draw_normal(const DrawPosition& position, DType dtype) {
  const PhiloxWords w = words_at(position);
  const double u = uniform_of(w[0], w[2], dtype) + std::ldexp(1.0, dtype == DType::f64 ? -53 : -24);
  const double v = uniform_of(w[1], w[3], dtype);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::acos(-1.0) * v);
}

std::string_view name_of(Distribution distribution) {
  return distribution == Distribution::uniform ? "uniform" : "normal";
}

double draw_number(Distribution distribution, const DrawPosition& position, DType dtype) {
  return distribution == Distribution::uniform ? draw_uniform(position, dtype) : draw_normal(position, dtype);
}

std::vector<std::uint32_t> row_order(std::uint64_t seed, std::uint64_t epoch, std::uint32_t rows) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0U);
  const std::uint64_t key = mix_bits(seed) ^ stream_of("row order");
  PhiloxWords counter{0, 0, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32U)};
  Blocks blocks;
  // Fisher-Yates, from the back; one Philox block serves two exchanges.
  for (std::uint32_t drawn = 0; drawn + 1 < rows; counter[0] += kBlocks) {
    for (std::uint32_t at = 0; at < kBlocks; at += 4) philox_four(counter, key, at, blocks);
    const std::uint32_t end = std::min(drawn + 2 * kBlocks, rows - 1);
    for (std::size_t i = 0; drawn < end; ++i, ++drawn) {
      const std::uint32_t left = rows - drawn;
      const std::uint64_t high = static_cast<std::uint32_t>(blocks.words[i % 2 * 2][i / 2]);
      const std::uint64_t low = static_cast<std::uint32_t>(blocks.words[i % 2 * 2 + 1][i / 2]);
      // floor(left * (high, low) / 2^64), in 64 bits
      const std::uint64_t chosen = (high * left + ((low * left) >> 32U)) >> 32U;
      std::swap(order[left - 1], order[chosen]);
    }
  }
  return order;
}

}  // namespace tarn
