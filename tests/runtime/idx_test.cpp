// IDX files, spelled out byte by byte after the description of the format.
#include "runtime/files/idx.h"

#include <gtest/gtest.h>

#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::messages;
using namespace std::string_literals;

TEST(Idx, ElementTypes) {
  struct Case {
    std::string bytes;
    ArrayType type;
    std::vector<double> values;
  };
  const Case cases[] = {
      {"\0\0\x08\x01\0\0\0\x02\x07\xFF"s, ArrayType::u8, {7, 255}},
      {"\0\0\x09\x01\0\0\0\x02\x07\xFF"s, ArrayType::i8, {7, -1}},
      {"\0\0\x0B\x01\0\0\0\x02\x01\0\xFF\xFE"s, ArrayType::i16, {256, -2}},
      {"\0\0\x0C\x01\0\0\0\x01\0\x01\0\0"s, ArrayType::i32, {65536}},
      {"\0\0\x0D\x01\0\0\0\x01\xC0\x20\0\0"s, ArrayType::f32, {-2.5}},
      {"\0\0\x0E\x01\0\0\0\x01\x3F\xF8\0\0\0\0\0\0"s, ArrayType::f64, {1.5}},
  };
  for (const Case& c : cases) {
    const Result<Array> array = parse_idx(view_of(c.bytes));
    ASSERT_TRUE(array) << messages(array);
    EXPECT_EQ(array->type, c.type);
    EXPECT_EQ(array->to_doubles(), c.values);
  }
}

TEST(Idx, Shapes) {
  const Result<Array> array = parse_idx(view_of("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\x01\x02\x03\x04\x05\x06"s));
  ASSERT_TRUE(array) << messages(array);
  EXPECT_EQ(array->shape, (std::vector<std::int64_t>{2, 1, 3}));
  EXPECT_EQ(array->at(5), 6);
}

TEST(Idx, Damage) {
  struct Case {
    std::string bytes;
    std::string problem;
  };
  const Case cases[] = {
      {"", "is not an IDX file"},
      {"PK\x03\x04"s, "is not an IDX file"},
      {"\0\0\x0A\x01\0\0\0\x01\0"s, "unknown IDX element type 0x0a"},
      {"\0\0\x08\x02\0\0\0\x01"s, "cut off in the extents of its 2 dimensions"},
      {"\0\0\x08\x01\0\0\0\x03\x01\x02"s, "takes 3 bytes, but 2 bytes follow"},
      {"\0\0\x08\x01\0\0\0\x01\x01\x02"s, "takes 1 byte, but 2 bytes follow"},
      {"\0\0\x0E\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "is too large"},
  };
  for (const Case& c : cases) {
    const std::string message = messages(parse_idx(view_of(c.bytes), "x.idx"));
    EXPECT_NE(message.find(c.problem), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace tarn
