// How products are cut, as a table: what each decision is for, a product and a kind of CPU that show it, and what must
// come of it. That no bit depends on any of it, contraction_shapes_test.cpp shows.
#include "passes/tactics/tiling.h"

#include <gtest/gtest.h>

#include <vector>

#include "codegen/contraction/scratch.h"
#include "tests/support/compiler/hand_plan.h"

namespace tarn {
namespace {

constexpr Target kSse{16, 16, false}, kAvx2{32, 16, true}, kAvx512{64, 32, true};

struct TiledProduct {
  std::int64_t rows, columns, inner;
  bool a_transposed = false;
};

ContractionKernel kernel_of(const TiledProduct& p) {
  ContractionKernel kernel;
  kernel.rows = {{p.rows, false}};
  kernel.columns = {{p.columns, false}};
  kernel.inner = {{p.inner, false}};
  kernel.a = operand_of(p.a_transposed ? testing::at(0, {1, p.rows}) : testing::at(0, {p.inner, 1}), kernel.dtype);
  kernel.b = operand_of(testing::at(0, {p.columns, 1}), kernel.dtype);
  return kernel;
}

ContractionTiling tiling(const TiledProduct& p, const Target& target) { return tiling_of(kernel_of(p), {}, 1, target); }

// A panel and what else tiles touch are in the second-level cache together: 512 KiB on many CPUs whose vectors have 32
// bytes, 1 MiB where they have 64.
TEST(ContractionTiling, APanelIsHalfOfTheSecondLevelCache) {
  struct Case {
    TiledProduct product;
    Target target;
    std::int64_t panel;
  };
  const std::vector<Case> cases = {
      {{256, 2048, 1024}, kAvx2, 64},    {{256, 2048, 2048}, kAvx2, 32}, {{2048, 2048, 256, true}, kAvx2, 256},
      {{256, 2048, 1024}, kAvx512, 128}, {{256, 2048, 1024}, kSse, 64},  {{2048, 2048, 256, true}, kAvx512, 512},
      {{256, 60, 1024}, kAvx2, 60},
  };
  for (const Case& c : cases) {
    const ContractionTiling s = tiling(c.product, c.target);
    EXPECT_NEAR(s.panel, c.panel, s.tile_columns) << c.product.columns << " columns of " << c.product.inner
                                                  << ", vectors of " << c.target.vector_bytes << " bytes";
    const std::int64_t cache = (c.target.vector_bytes == 64 ? 1024 : 512) * 1024;
    EXPECT_LE((s.panel - s.tile_columns) * c.product.inner * 4, cache / 2);
  }
}

// What tiles read of a with every k is a part of a line of its own: copied where the other part is more, or where all
// these lines fall on a few places in a cache, and where tiles enough read the copy.
TEST(ContractionTiling, RowsThatLieAcrossAreCopied) {
  struct Case {
    const char* why;
    TiledProduct product;
    Target target;
    bool copied;
  };
  const std::vector<Case> cases = {
      {"whole pages from k to k", {2048, 2048, 256, true}, kAvx2, true},
      {"whole pages from k to k", {2048, 2048, 256, true}, kAvx512, true},
      {"six rows of sixteen in a line", {2064, 2048, 256, true}, kAvx2, true},
      {"most of a line is read", {2064, 2048, 256, true}, kAvx512, false},
      {"too few tiles for a copy", {2048, 24, 256, true}, kAvx2, false},
      {"rows that lie along k", {2048, 2048, 256}, kAvx2, false},
  };
  for (const Case& c : cases) {
    const ContractionTiling s = tiling(c.product, c.target);
    EXPECT_EQ(s.left_rows > 0, c.copied) << c.why << ", vectors of " << c.target.vector_bytes << " bytes";
    // The copy, if any, fits: every part with a line behind it.
    const std::int64_t part = c.product.inner * s.tile_rows * 4 + kLineBytes;
    CpuTactics tactics;
    tactics.tiling = s;
    EXPECT_GE(scratch_of(kernel_of(c.product), tactics, 1, c.target).left_bytes, s.left_rows / s.tile_rows * part);
  }
}

TEST(ContractionTiling, TilesTakeSeveralStepsAJumpWhereInstructionsAreScarce) {
  const TiledProduct large{256, 2048, 1024}, tiny{32, 20, 5};
  EXPECT_GT(tiling(large, kAvx2).inner_steps, 1U);
  EXPECT_EQ(tiling(large, kAvx512).inner_steps, 1U);
  // Code costs more than it gains.
  EXPECT_EQ(tiling(tiny, kAvx2).inner_steps, 1U);
}

TEST(ContractionTiling, RowsForTheNextTilesAreAskedForWhereNoCacheKeepsThem) {
  EXPECT_TRUE(tiling({256, 2048, 1024}, kAvx2).fetches_rows);
  EXPECT_FALSE(tiling({32, 2048, 128}, kAvx2).fetches_rows);
  EXPECT_FALSE(tiling({2048, 2048, 256, true}, kAvx2).fetches_rows);
  EXPECT_FALSE(tiling({256, 2048, 1024}, kAvx512).fetches_rows);
}

}  // namespace
}  // namespace tarn
