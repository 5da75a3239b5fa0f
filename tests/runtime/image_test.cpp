// PNG and JPEG files written byte by byte, and the values that the descriptions of their formats give them; resizing
// against its equation.
#include "runtime/files/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

#include "tests/support/compiler/data_files.h"
#include "tests/support/compiler/image_files.h"

namespace tarn {
namespace {

using testing::jpeg_of;
using testing::JpegBlock;
using testing::messages;
using testing::png_chunk;
using testing::png_of;
using testing::PngFile;
using namespace std::string_literals;

std::vector<double> read(const std::string& file, std::int64_t channels) {
  const Result<Array> image = parse_image(view_of(file), channels);
  EXPECT_TRUE(image.has_value()) << messages(image);
  return image ? image->to_doubles() : std::vector<double>();
}

std::vector<double> read(const PngFile& file, std::int64_t channels) { return read(testing::bytes_of(file), channels); }

TEST(Image, PngOfEveryKind) {
  struct Case {
    const char* what;
    PngFile file;
    std::int64_t channels;
    std::vector<double> values;
  };
  const std::string palette = png_chunk("PLTE", "\x01\x02\x03\xFA\xFB\xFC"s);
  const Case cases[] = {
      {"grey", {3, 1, 8, 0, {"\x00\x07\xFF"s}, ""}, 1, {0, 7, 255}},
      // Sample depth scaling (13.12): v (2^8 - 1) / (2^depth - 1).
      {"1 bit", {4, 1, 1, 0, {"\xA0"s}, ""}, 1, {255, 0, 255, 0}},
      {"2 bits", {4, 1, 2, 0, {"\x1B"s}, ""}, 1, {0, 85, 170, 255}},
      {"4 bits", {2, 2, 4, 0, {"\x0F"s, "\x51"s}, ""}, 1, {0, 255, 85, 17}},
      {"16 bits", {3, 1, 16, 0, {"\x12\x34\xFF\xFF\x00\x81"s}, ""}, 1, {18, 255, 1}},
      {"colours", {2, 1, 8, 2, {"\x01\x02\x03\xFF\x80\x00"s}, ""}, 3, {1, 2, 3, 255, 128, 0}},
      {"palette", {3, 1, 1, 3, {"\x40"s}, palette}, 3, {1, 2, 3, 250, 251, 252, 1, 2, 3}},
      {"transparent palette", {1, 1, 8, 3, {"\x01"s}, palette + png_chunk("tRNS", "\x00\x10"s)}, 3, {250, 251, 252}},
      {"a transparent grey", {2, 1, 8, 0, {"\x05\x06"s}, png_chunk("tRNS", "\x00\x05"s)}, 1, {5, 6}},
      {"alpha is dropped", {2, 1, 8, 4, {"\x05\x00\x06\x80"s}, ""}, 1, {5, 6}},
      {"of colours, too", {1, 1, 8, 6, {"\x05\x06\x07\x00"s}, ""}, 3, {5, 6, 7}},
      {"gamma is not applied", {1, 1, 8, 0, {"\x64"s}, png_chunk("gAMA", "\x00\x01\x86\xA0"s)}, 1, {100}},
      {"grey as colours", {2, 1, 8, 0, {"\x05\x06"s}, ""}, 3, {5, 5, 5, 6, 6, 6}},
      {"no filter", {2, 2, 8, 0, {"\x05\x06"s, "\x07\x08"s}, ""}, 1, {5, 6, 7, 8}},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.file, c.channels), c.values) << c.what;
}

TEST(Image, SixteenBitsAreRounded) {
  PngFile file{256, 256, 16, 0, {}, ""};
  for (int high = 0; high < 256; ++high) {
    std::string& row = file.rows.emplace_back();
    for (int low = 0; low < 256; ++low) row += {static_cast<char>(high), static_cast<char>(low)};
  }
  const std::vector<double> values = read(file, 1);
  ASSERT_EQ(values.size(), 65536U);
  for (std::size_t v = 0; v < values.size(); ++v) ASSERT_EQ(values[v], std::round(static_cast<double>(v) / 257)) << v;
}

// Adam7 (8.1): pass by pass, pixels that lie so far apart.
TEST(Image, InterlacedPng) {
  constexpr int kFirstRow[] = {0, 0, 4, 0, 2, 0, 1}, kRowStep[] = {8, 8, 8, 4, 4, 2, 2};
  constexpr int kFirstColumn[] = {0, 4, 0, 2, 0, 1, 0}, kColumnStep[] = {8, 8, 4, 4, 2, 2, 1};
  PngFile file{8, 8, 8, 0, {}, "", true};
  for (int pass = 0; pass < 7; ++pass) {
    for (int row = kFirstRow[pass]; row < 8; row += kRowStep[pass]) {
      std::string& bytes = file.rows.emplace_back();
      for (int column = kFirstColumn[pass]; column < 8; column += kColumnStep[pass])
        bytes += static_cast<char>(8 * row + column);
    }
  }
  std::vector<double> expected(64);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(read(file, 1), expected);
}

TEST(Image, GreyOfColours) {
  std::mt19937 random(7);
  std::vector<int> colours(3000);
  for (int& value : colours) value = static_cast<int>(random() % 256);
  const std::vector<double> grey = read(png_of(10, 100, 3, colours), 1);
  ASSERT_EQ(grey.size(), 1000U);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const double exact = 0.299 * colours[3 * i] + 0.587 * colours[3 * i + 1] + 0.114 * colours[3 * i + 2];
    EXPECT_NEAR(grey[i], exact, 0.501) << i;
  }
}

JpegBlock flat(int value) {
  JpegBlock block{};
  block[0] = 8 * (value - 128);
  return block;
}

TEST(Image, FlatJpeg) {
  EXPECT_EQ(read(jpeg_of({flat(77)}), 1), std::vector<double>(64, 77));
  EXPECT_EQ(read(jpeg_of({flat(77)}), 3), std::vector<double>(192, 77));
  // Grey of colours is the luminance that the file has.
  EXPECT_EQ(read(jpeg_of({flat(77), flat(10), flat(200)}), 1), std::vector<double>(64, 77));
  // T.871, 7.
  const int cases[][3] = {{120, 100, 150}, {50, 128, 128}, {200, 140, 120}, {90, 60, 128}};
  for (const auto& [luminance, blue, red] : cases) {
    const std::vector<double> values = read(jpeg_of({flat(luminance), flat(blue), flat(red)}), 3);
    ASSERT_EQ(values.size(), 192U);
    const double expected[] = {luminance + 1.402 * (red - 128),
                               luminance - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
                               luminance + 1.772 * (blue - 128)};
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], std::clamp(expected[i % 3], 0.0, 255.0), 0.75) << i;
  }
}

// T.81, A.3.3: the inverse transform of the coefficients, in doubles. Decoders may be off by one (T.83).
TEST(Image, JpegOfCosines) {
  JpegBlock block{};
  // Zigzag order: 1 is one wave along the rows, 2 along the columns, 4 both.
  block[0] = 40;
  block[1] = 300;
  block[2] = -200;
  block[4] = 120;
  const std::vector<double> values = read(jpeg_of({block}), 1);
  ASSERT_EQ(values.size(), 64U);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const double along = std::cos((2 * x + 1) * std::numbers::pi / 16),
                   across = std::cos((2 * y + 1) * std::numbers::pi / 16);
      const double exact =
          128 + (40.0 / 2 + (300 * along - 200 * across) / std::numbers::sqrt2 + 120 * along * across) / 4;
      EXPECT_NEAR(values[static_cast<std::size_t>(8 * y + x)], exact, 1) << y << " " << x;
    }
  }
}

// Made and read by another program: tests/data/images/README.md.
TEST(Image, FilesOfOthers) {
  const std::filesystem::path folder = testing::data_folder("images");
  const auto expected = testing::load_json(folder / "values.json");
  ASSERT_GE(expected.size(), 3U);
  for (const auto& [name, wanted] : expected.items()) {
    const Result<Array> image = read_image((folder / name).string(), wanted["channels"].get<std::int64_t>());
    ASSERT_TRUE(image) << messages(image);
    EXPECT_EQ(image->shape, wanted["shape"].get<std::vector<std::int64_t>>()) << name;
    const std::vector<double> values = image->to_doubles(), others = wanted["values"].get<std::vector<double>>();
    ASSERT_EQ(values.size(), others.size()) << name;
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], others[i], 1) << name << " " << i;
  }
}

std::vector<float> resized(int height, int width, int channels, const std::vector<int>& values, int to_height,
                           int to_width) {
  Array image = Array::unset(ArrayType::u8, {height, width, channels});
  for (std::size_t i = 0; i < values.size(); ++i)
    image.values<std::uint8_t>()[i] = static_cast<std::uint8_t>(values[i]);
  std::vector<float> result(static_cast<std::size_t>(to_height * to_width * channels));
  resize_image(image, to_height, to_width, result.data());
  return result;
}

TEST(Image, ResizedByHand) {
  // Places along an axis of 2, of 4: -1/4, 1/4, 3/4, 5/4.
  EXPECT_EQ(resized(2, 2, 1, {0, 100, 200, 100}, 4, 4), (std::vector<float>{0, 25, 75, 100,          //
                                                                            50, 62.5, 87.5, 100,     //
                                                                            150, 137.5, 112.5, 100,  //
                                                                            200, 175, 125, 100}));
  EXPECT_EQ(resized(2, 2, 1, {0, 100, 200, 100}, 1, 1), (std::vector<float>{100}));
  EXPECT_EQ(resized(1, 1, 3, {1, 2, 3}, 1, 2), (std::vector<float>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(resized(1, 4, 1, {10, 20, 30, 40}, 1, 2), (std::vector<float>{15, 35}));
  EXPECT_EQ(resized(2, 3, 1, {1, 2, 3, 4, 5, 6}, 2, 3), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(Image, ResizedAsTheEquationSays) {
  std::mt19937 random(11);
  for (int trial = 0; trial < 40; ++trial) {
    const int from_height = 1 + static_cast<int>(random() % 9), from_width = 1 + static_cast<int>(random() % 9);
    const int height = 1 + static_cast<int>(random() % 12), width = 1 + static_cast<int>(random() % 12);
    const int channels = trial % 2 == 0 ? 1 : 3;
    std::vector<int> values(static_cast<std::size_t>(from_height * from_width * channels));
    for (int& value : values) value = static_cast<int>(random() % 256);
    const std::vector<float> result = resized(from_height, from_width, channels, values, height, width);
    // Every pixel has the weight max(0, 1 - |distance|) along either axis; those outside are the outermost.
    const auto weight = [](int o, int outputs, int pixel, int pixels) {
      const double q = (o + 0.5) * pixels / outputs - 0.5;
      return std::max(0.0, 1 - std::fabs(std::clamp(q, 0.0, pixels - 1.0) - pixel));
    };
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < channels; ++c) {
          double exact = 0;
          for (int v = 0; v < from_height; ++v) {
            for (int u = 0; u < from_width; ++u) {
              exact += weight(y, height, v, from_height) * weight(x, width, u, from_width) *
                       values.at(static_cast<std::size_t>(v * from_width + u) * static_cast<std::size_t>(channels) +
                                 static_cast<std::size_t>(c));
            }
          }
          EXPECT_NEAR(result[static_cast<std::size_t>((y * width + x) * channels + c)], exact, 1e-4);
        }
      }
    }
  }
}

TEST(Image, DamageIsNamed) {
  const std::string png = png_of(2, 2, 1, {1, 2, 3, 4}), jpeg = jpeg_of({flat(77)});
  const auto with_byte = [](std::string text, std::size_t at, char byte) {
    text[at] = byte;
    return text;
  };
  const auto of_size = [](std::uint32_t height, std::uint32_t width) {
    return testing::bytes_of({width, height, 8, 0, {"\x01"s}, ""});
  };
  // Where the pixels of either begin.
  const std::size_t pixels = png.find("IDAT") + 6, frame = jpeg.find("\xFF\xC0"s);
  struct Case {
    std::string file, problem;
  };
  const Case cases[] = {
      {"", "x: is empty"},
      {"GIF89a, which is another format", "x: is neither a PNG nor a JPEG file"},
      {png.substr(0, 20), "x: is a broken PNG file: it does not begin with its size"},
      {png.substr(0, png.size() - 20), "x: is a broken PNG file: it is cut off"},
      {with_byte(png, pixels, '\x55'), "x: is a broken PNG file: IDAT: invalid"},
      // The end has twelve bytes, and the checksum stands before it.
      {with_byte(png, png.size() - 13, '\x55'), "x: is a broken PNG file: IDAT: CRC error"},
      {with_byte(png, png.find("IHDR") + 4, '\x01'), "x: is a broken PNG file: "},
      {of_size(0, 5), "x: is an image without pixels: 0 x 5"},
      {of_size(1 << 30, 1 << 30), "x: is an image of 1073741824 x 1073741824 pixels; at most 134217728 are read"},
      {of_size(10000, 10000), "x: is a broken PNG file: 10000 x 10000 pixels are not in"},
      {of_size(2, 1), "x: is a broken PNG file: Not enough image data"},
      {testing::bytes_of({1, 1, 8, 3, {"\x00"s}, ""}), "x: is a broken PNG file: "},
      {jpeg.substr(0, 10), "x: is a broken JPEG file: it is cut off"},
      {jpeg.substr(0, jpeg.size() - 3), "x: is a broken JPEG file: it is cut off"},
      {with_byte(jpeg, frame + 6, '\0'), "x: is a broken JPEG file: "},
      {with_byte(with_byte(jpeg, frame + 5, '\xFF'), frame + 7, '\xFF'),
       "x: is an image of 65288 x 65288 pixels; at most 134217728 are read"},
      {jpeg_of({flat(1), flat(2), flat(3), flat(4)}), "x: is a JPEG file of four inks (CMYK)"},
      {jpeg_of({flat(1), flat(2)}), "x: is a broken JPEG file: "},
      {"\xFF\xD8\xFF\xE0 but nothing else", "x: is a broken JPEG file: "},
  };
  for (const Case& c : cases) {
    const Result<Array> image = parse_image(view_of(c.file), 3, "x");
    EXPECT_FALSE(image.has_value()) << c.problem;
    EXPECT_NE(messages(image).find(c.problem), std::string::npos) << messages(image) << c.problem;
  }
}

TEST(Image, CutFilesAreRefused) {
  for (const std::string& file : {png_of(2, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), jpeg_of({flat(77)})}) {
    for (std::size_t size = 0; size < file.size(); ++size)
      EXPECT_FALSE(parse_image(view_of(file.substr(0, size)), 1)) << size;
  }
}

// What stands behind the image, or is odd and harmless, is passed over.
TEST(Image, OddFilesAreRead) {
  const std::string jpeg = jpeg_of({flat(77)});
  EXPECT_EQ(read(jpeg + "more", 1), std::vector<double>(64, 77));
  EXPECT_EQ(read(png_of(1, 1, 1, {9}) + "more", 1), std::vector<double>({9}));
  EXPECT_EQ(read(jpeg.substr(0, 2) + "\xFF" + jpeg.substr(2), 1), std::vector<double>(64, 77));
}

}  // namespace
}  // namespace tarn
