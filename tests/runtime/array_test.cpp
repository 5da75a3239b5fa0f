// Conversions and shapes of host arrays.
#include "runtime/files/array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

// The memory of arrays as it is outside of this program, where guarded_arrays.h has its names.
#define allocate_aligned allocate_as_usual
#define release_aligned release_as_usual
#include "runtime/files/aligned_memory.cpp"  // NOLINT(bugprone-suspicious-include)
#undef allocate_aligned
#undef release_aligned

namespace tarn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Array, BFloat16IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(to_float(BFloat16{0x3F80}), 1.0f);
  EXPECT_EQ(to_float(BFloat16{0xC020}), -2.5f);
  EXPECT_EQ(to_float(BFloat16{0x7F80}), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(to_float(BFloat16{0x7FC0})));
}

// IEEE 754-2019, 3.6: binary16 has 5 bits of exponent with bias 15 and 10 bits of fraction.
TEST(Array, Float16) {
  EXPECT_EQ(to_float(Float16{0x0001}), 0x1p-24f);
  EXPECT_EQ(to_float(Float16{0x03FF}), 1023 * 0x1p-24f);
  EXPECT_EQ(to_float(Float16{0x0400}), 0x1p-14f);
  EXPECT_EQ(to_float(Float16{0x3C01}), 1 + 0x1p-10f);
  EXPECT_EQ(to_float(Float16{0x7BFF}), 65504.0f);
  EXPECT_EQ(to_float(Float16{0xFC00}), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(to_float(Float16{0x8000})));
  EXPECT_TRUE(std::isnan(to_float(Float16{0x7E00})));
}

TEST(Array, ConversionToIntegersCutsAndHoldsTheRange) {
  const std::vector<double> values = {-2.9, 2.9, 300, -300, std::nan(""), kInfinity, -kInfinity, 1e30};
  struct Case {
    ArrayType type;
    std::vector<double> expected;
  };
  const Case cases[] = {
      {ArrayType::i8, {-2, 2, 127, -128, 0, 127, -128, 127}},
      {ArrayType::u8, {0, 2, 255, 0, 0, 255, 0, 255}},
      {ArrayType::i32, {-2, 2, 300, -300, 0, 2147483647, -2147483648.0, 2147483647}},
      {ArrayType::boolean, {1, 1, 1, 1, 1, 1, 1, 1}},
  };
  for (const Case& c : cases) {
    const Array array = Array::from_doubles(c.type, {8}, values);
    EXPECT_EQ(array.to_doubles(), c.expected) << name_of(c.type);
  }
  const Array large = Array::from_doubles(ArrayType::i64, {2}, std::vector<double>{1e30, -1e30});
  EXPECT_EQ(large.values<std::int64_t>()[0], std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(large.values<std::int64_t>()[1], std::numeric_limits<std::int64_t>::min());
  Array negative = Array::zeros(ArrayType::i64, {1});
  negative.values<std::int64_t>()[0] = -1;
  EXPECT_EQ(negative.converted(ArrayType::u64).values<std::uint64_t>()[0], 0u);
  // 2^53 + 1 lies between two doubles but must survive a conversion between integers.
  negative.values<std::int64_t>()[0] = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(negative.converted(ArrayType::u64).values<std::uint64_t>()[0], (std::uint64_t{1} << 53) + 1);
}

TEST(Array, AnyByteButZeroIsTrue) {
  Array array = Array::zeros(ArrayType::boolean, {2});
  array.data[1] = std::byte{2};
  EXPECT_EQ(array.to_doubles(), (std::vector<double>{0, 1}));
}

TEST(Array, CountsOfShapes) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{2, 0, 3}), 0);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{2, -1}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{kHuge, 2}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{kHuge}), kHuge);
  EXPECT_EQ(byte_count(ArrayType::u8, std::vector<std::int64_t>{kHuge}), kHuge);
  EXPECT_EQ(byte_count(ArrayType::u16, std::vector<std::int64_t>{kHuge}), std::nullopt);
}

TEST(Array, DataIsAlignedToCacheLines) {
  for (const std::size_t bytes : {1, 100, 5'000'000}) {
    void* const block = allocate_as_usual(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u) << bytes;
    release_as_usual(block, bytes);
  }
}

}  // namespace
}  // namespace tarn
