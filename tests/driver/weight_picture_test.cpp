// `tarn weights --picture`: what is written is read back, pixel by pixel.
#include <gmock/gmock.h>

#include "runtime/files/image.h"
#include "runtime/files/npz.h"
#include "tests/support/driver_fixture.h"

namespace tarn::driver_test {
namespace {

using ::testing::HasSubstr;

class WeightPictures : public Driver {
 protected:
  void write_weights(const std::vector<std::int64_t>& shape, const std::vector<double>& values) const {
    const std::vector<NamedArray> arrays = {{"k", Array::from_doubles(ArrayType::f32, shape, values)}};
    ASSERT_TRUE(write_npz((folder_ / "w.npz").string(), views_of(arrays)));
  }
  Array picture(std::int64_t channels) const {
    const Outcome drawn = tarn("weights w.npz --print k --picture k.png");
    EXPECT_EQ(drawn.status, 0) << drawn.err;
    EXPECT_EQ(drawn.out, "");
    Result<Array> read = read_image((folder_ / "k.png").string(), channels);
    EXPECT_TRUE(read.has_value());
    return read ? *std::move(read) : Array();
  }
  void expect_error(const std::string& arguments, const std::string& message) const {
    const Outcome outcome = tarn("weights w.npz " + arguments);
    EXPECT_EQ(outcome.status, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_FALSE(exists("k.png"));
  }
};

TEST_F(WeightPictures, AMatrixIsOneTile) {
  write_weights({2, 3}, {-1, 0, 1, 0.5, -0.5, 0.2});
  const Array read = picture(1);
  EXPECT_EQ(read.shape, (std::vector<std::int64_t>{2, 3, 1}));
  EXPECT_EQ(read.to_doubles(), (std::vector<double>{0, 128, 255, 191, 64, 153}));
}

// Three filters of one channel in a grid of two by two, each over its own range.
TEST_F(WeightPictures, FiltersOfOneChannelAreAGrid) {
  write_weights({1, 2, 1, 3}, {0, 10, 5, 1, 20, 5});
  const Array read = picture(1);
  EXPECT_EQ(read.shape, (std::vector<std::int64_t>{5, 7, 1}));
  EXPECT_EQ(read.to_doubles(), (std::vector<double>{0, 0,   0,   0, 0, 0,   0,  //
                                                    0, 0,   255, 0, 0, 255, 0,  //
                                                    0, 0,   0,   0, 0, 0,   0,  //
                                                    0, 128, 128, 0, 0, 0,   0,  //
                                                    0, 0,   0,   0, 0, 0,   0}));
}

TEST_F(WeightPictures, ThreeChannelsAreColours) {
  write_weights({1, 1, 3, 2}, {0, 1, 1, 2, 2, 3});
  const Array read = picture(3);
  EXPECT_EQ(read.shape, (std::vector<std::int64_t>{3, 5, 3}));
  std::vector<double> expected(45);
  for (const std::size_t at : {18, 24}) {
    expected[at + 1] = 128;
    expected[at + 2] = 255;
  }
  EXPECT_EQ(read.to_doubles(), expected);
}

// Two channels downwards, three filters along.
TEST_F(WeightPictures, OtherChannelsHaveTilesOfTheirOwn) {
  std::vector<double> values(12);
  for (std::size_t i = 0; i < 12; ++i) values[i] = i < 6 ? 0 : static_cast<double>(i);
  values[1] = 9;  // channel 0, filter 1: 9 above 7
  write_weights({2, 1, 2, 3}, values);
  const Array read = picture(1);
  EXPECT_EQ(read.shape, (std::vector<std::int64_t>{7, 7, 1}));
  EXPECT_EQ(read.to_doubles(), (std::vector<double>{0, 0,   0, 0,   0, 0,   0,  //
                                                    0, 0,   0, 255, 0, 0,   0,  //
                                                    0, 255, 0, 0,   0, 255, 0,  //
                                                    0, 0,   0, 0,   0, 0,   0,  //
                                                    0, 0,   0, 0,   0, 0,   0,  //
                                                    0, 255, 0, 255, 0, 255, 0,  //
                                                    0, 0,   0, 0,   0, 0,   0}));
}

TEST_F(WeightPictures, WhatIsNoPicture) {
  write_weights({2, 2, 2}, std::vector<double>(8));
  expect_error("--print k --picture k.png",
               "--picture shows matrices and kernels [height, width, channels, filters], not [2, 2, 2]");
  write_weights({2, 2}, std::vector<double>(4));
  expect_error("--print k --picture k.jpg", "--picture k.jpg: the name must end in .png");
  expect_error("--picture k.png", "--picture is of the tensor that --print names");
  expect_error("--print l --picture k.png", "'w.npz' has no tensor 'l'");
}

}  // namespace
}  // namespace tarn::driver_test
