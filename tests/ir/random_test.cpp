// Random numbers: the known answers of Philox, draws against an implementation in Python written from random.h,
// moments, and the order of rows.
#include "ir/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace tarn {
namespace {

TEST(IrRandom, PhiloxKnownAnswers) {
  // From kat_vectors of the Random123 distribution, philox4x32 with 10 rounds. The key's first word is the low one.
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, ~0ULL), (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ULL),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(IrRandom, MixIsTheFinalizerOfSplitmix64) {
  // The first output of splitmix64 with seed 0 is the finalizer of its increment.
  EXPECT_EQ(mix_bits(0x9E3779B97F4A7C15ULL), 0xE220A8397B1DCDAFULL);
  EXPECT_EQ(mix_bits(0), 0U);
}

TEST(IrRandom, StreamsDiffer) {
  EXPECT_EQ(stream_of("dense_1.kernel", 0), 0x85b7dea5d2e6b0fbULL);
  EXPECT_EQ(stream_of("dense_1.kernel", 1), 0xa9dbd01581595407ULL);
  std::set<std::uint64_t> seen;
  for (int layer = 0; layer < 100; ++layer) {
    for (std::uint64_t occurrence = 0; occurrence < 10; ++occurrence) {
      seen.insert(stream_of("dense_" + std::to_string(layer), occurrence));
    }
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(IrRandom, DrawsMatchTheFormulas) {
  struct Case {
    DrawPosition position;
    double uniform_f32, uniform_f64, normal_f32, normal_f64;
  };
  const Case cases[] = {
      {{7, stream_of("dense_1.kernel"), 3, 2, 5},
       0.9057056307792664,
       0.9057056720859635,
       -0.37714291096203867,
       -0.3771429610838394},
      {{0, 0, 0, 0, 0}, 0.3990464210510254, 0.3990464708489645, 0.9911374751458971, 0.991137679998882},
      {{123456789012345, stream_of("x", 2), (5ULL << 32U) + 9, 4000000000U, 77},
       0.43523383140563965,
       0.43523385259929115,
       1.2726356275578756,
       1.2726356413932662},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(draw_uniform(c.position, DType::f32), c.uniform_f32);
    EXPECT_EQ(draw_uniform(c.position, DType::f64), c.uniform_f64);
    // log, cos and sqrt of two libraries may differ by an ulp each.
    EXPECT_NEAR(draw_normal(c.position, DType::f32), c.normal_f32, 1e-14);
    EXPECT_NEAR(draw_normal(c.position, DType::f64), c.normal_f64, 1e-14);
  }
}

TEST(IrRandom, MomentsOfDraws) {
  constexpr int kDraws = 200000;
  for (const DType dtype : {DType::f32, DType::f64}) {
    double uniform_sum = 0, uniform_squares = 0, normal_sum = 0, normal_squares = 0, normal_fourth = 0;
    for (int i = 0; i < kDraws; ++i) {
      const DrawPosition position{1, 2, 3, static_cast<std::uint32_t>(i / 100), static_cast<std::uint32_t>(i % 100)};
      const double u = draw_uniform(position, dtype);
      ASSERT_GE(u, 0);
      ASSERT_LT(u, 1);
      uniform_sum += u;
      uniform_squares += u * u;
      const double z = draw_normal(position, dtype);
      ASSERT_TRUE(std::isfinite(z));
      normal_sum += z;
      normal_squares += z * z;
      normal_fourth += z * z * z * z;
    }
    // Five standard deviations of each estimate: sqrt(variance of the summand / draws).
    const double n = kDraws;
    EXPECT_NEAR(uniform_sum / n, 0.5, 5 * std::sqrt(1 / 12.0 / n));
    EXPECT_NEAR(uniform_squares / n, 1 / 3.0, 5 * std::sqrt(4 / 45.0 / n));
    EXPECT_NEAR(normal_sum / n, 0, 5 * std::sqrt(1 / n));
    EXPECT_NEAR(normal_squares / n, 1, 5 * std::sqrt(2 / n));
    EXPECT_NEAR(normal_fourth / n, 3, 5 * std::sqrt(96 / n));
  }
}

TEST(IrRandom, RowOrderIsAPermutationThatDependsOnSeedAndEpoch) {
  for (const std::uint32_t rows : {0U, 1U, 2U, 7U, 1000U}) {
    std::vector<std::uint32_t> order = row_order(3, 5, rows);
    EXPECT_EQ(order, row_order(3, 5, rows));
    if (rows > 2) {
      EXPECT_NE(order, row_order(3, 6, rows));
      EXPECT_NE(order, row_order(4, 5, rows));
    }
    std::sort(order.begin(), order.end());
    std::vector<std::uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0U);
    EXPECT_EQ(order, all);
  }
}

// The definition: from the back, the element drawn by two words of a block changes places with the last that is left.
TEST(IrRandom, RowOrderIsThatOfTheBlocksOneByOne) {
  for (const std::uint32_t rows : {0U, 1U, 2U, 3U, 16U, 17U, 18U, 33U, 200U, 1001U}) {
    for (const std::uint64_t epoch : {std::uint64_t{0}, std::uint64_t{7} << 33U}) {
      std::vector<std::uint32_t> expected(rows);
      std::iota(expected.begin(), expected.end(), 0U);
      for (std::uint32_t drawn = 0; drawn + 1 < rows; ++drawn) {
        const PhiloxWords words =
            philox({drawn / 2, 0, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32U)},
                   mix_bits(21) ^ stream_of("row order"));
        const std::uint32_t left = rows - drawn;
        const long double fraction = std::ldexp(static_cast<long double>(words[drawn % 2 * 2]), -32) +
                                     std::ldexp(static_cast<long double>(words[drawn % 2 * 2 + 1]), -64);
        std::swap(expected[left - 1], expected[static_cast<std::size_t>(fraction * left)]);
      }
      EXPECT_EQ(row_order(21, epoch, rows), expected) << rows;
    }
  }
}

TEST(IrRandom, EveryRowGoesEverywhereEquallyOften) {
  constexpr std::uint32_t kRows = 5;
  constexpr int kEpochs = 20000;
  double counts[kRows][kRows] = {};
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<std::uint32_t> order = row_order(11, static_cast<std::uint64_t>(epoch), kRows);
    for (std::uint32_t i = 0; i < kRows; ++i) ++counts[i][order[i]];
  }
  const double expected = kEpochs / double{kRows};
  for (const auto& row : counts) {
    // Five standard deviations of a binomial count.
    for (const double count : row) EXPECT_NEAR(count, expected, 5 * std::sqrt(expected * (1 - 1 / double{kRows})));
  }
}

}  // namespace
}  // namespace tarn
