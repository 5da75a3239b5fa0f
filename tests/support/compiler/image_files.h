// Images written byte by byte after the descriptions of their formats, for tests of whoever reads them: neither libpng
// nor libjpeg has a part in it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tarn::testing {

// A chunk of a PNG file, with its length and checksum.
std::string png_chunk(const std::string& name, const std::string& data);

// A PNG file after https://www.w3.org/TR/png-3/. Rows are as they lie in the file, packed, without filters.
struct PngFile {
  std::uint32_t width = 1, height = 1;
  int depth = 8;
  int colour_type = 0;  // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
  std::vector<std::string> rows;
  std::string chunks;       // between header and pixels
  bool interlaced = false;  // rows are those of the seven passes, one behind the other
};
std::string bytes_of(const PngFile& file);
// 8 bits a sample: grey, or RGB, of height x width x channels numbers.
std::string png_of(int height, int width, int channels, const std::vector<int>& values);

// The coefficients of a block of 8 x 8 pixels, before quantization, in the order of the file (zigzag): 0 is the mean
// times 8.
using JpegBlock = std::array<int, 64>;
// The baseline JPEG of one block for each component, after ITU-T T.81; all steps of quantization are 1. One component
// is grey; three are Y, Cb, Cr; four are inks.
std::string jpeg_of(const std::vector<JpegBlock>& components);

}  // namespace tarn::testing
