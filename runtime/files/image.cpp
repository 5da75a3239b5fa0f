// See image.h.
#include "runtime/files/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "runtime/files/file.h"
#include "runtime/files/gzip.h"
#include "runtime/files/jpeg.h"
#include "runtime/files/png.h"

namespace tarn {

namespace {

std::uint8_t grey_of(const std::uint8_t* colour) {
  // Weights of ITU-R BT.601 times 2^16, as libjpeg rounds them; their sum is 2^16.
  constexpr std::uint32_t kRed = 19595, kGreen = 38470, kBlue = 7471, kHalf = 1U << 15;
  return static_cast<std::uint8_t>((kRed * colour[0] + kGreen * colour[1] + kBlue * colour[2] + kHalf) >> 16);
}

Array with_channels(Array image, std::int64_t channels) {
  if (image.shape.back() == channels) return image;
  Array result = Array::unset(ArrayType::u8, {image.shape[0], image.shape[1], channels});
  const std::uint8_t* from = image.values<std::uint8_t>().data();
  std::uint8_t* to = result.values<std::uint8_t>().data();
  const std::int64_t pixels = image.shape[0] * image.shape[1];
  if (channels == 1) {
    for (std::int64_t i = 0; i < pixels; ++i) to[i] = grey_of(from + 3 * i);
  } else {
    for (std::int64_t i = 0; i < pixels; ++i) std::fill_n(to + 3 * i, 3, from[i]);
  }
  return result;
}

// Where the outputs of one axis lie between its pixels.
struct Between {
  std::size_t first, second;
  double share;  // of the second
};

std::vector<Between> places(std::int64_t pixels, std::int64_t outputs) {
  std::vector<Between> places;
  const double scale = static_cast<double>(pixels) / static_cast<double>(outputs);
  const auto last = static_cast<double>(pixels - 1);
  for (std::int64_t o = 0; o < outputs; ++o) {
    const double at = (static_cast<double>(o) + 0.5) * scale - 0.5, below = std::floor(at);
    places.push_back({static_cast<std::size_t>(std::clamp(below, 0.0, last)),
                      static_cast<std::size_t>(std::clamp(below + 1, 0.0, last)), at - below});
  }
  return places;
}

}  // namespace

Status check_extents(std::uint64_t height, std::uint64_t width, std::string_view name) {
  if (height == 0 || width == 0)
    return error_in_file(name, fmt::format("is an image without pixels: {} x {}", height, width));
  if (height <= static_cast<std::uint64_t>(kMostPixels) / width) return Done{};
  return error_in_file(name,
                       fmt::format("is an image of {} x {} pixels; at most {} are read", height, width, kMostPixels));
}

Result<Array> parse_image(ByteView bytes, std::int64_t channels, std::string_view name) {
  if (bytes.empty()) return error_in_file(name, "is empty");
  if (is_jpeg(bytes)) return parse_jpeg(bytes, channels, name);
  if (!is_png(bytes)) return error_in_file(name, "is neither a PNG nor a JPEG file: its first bytes say so");
  TARN_TRY(Array image, parse_png(bytes, name));
  return with_channels(std::move(image), channels);
}

Result<Array> read_image(const std::string& path, std::int64_t channels) {
  TARN_TRY(const Bytes bytes, read_data_file(path, kMostImageBytes));
  return parse_image(bytes, channels, path);
}

void resize_image(const Array& image, std::int64_t height, std::int64_t width, float* to) {
  const std::vector<Between> rows = places(image.shape[0], height), columns = places(image.shape[1], width);
  const auto channels = static_cast<std::size_t>(image.shape[2]);
  const std::size_t stride = static_cast<std::size_t>(image.shape[1]) * channels;
  const std::uint8_t* const pixels = image.values<std::uint8_t>().data();
  for (const Between& row : rows) {
    const std::uint8_t* const upper = pixels + row.first * stride;
    const std::uint8_t* const lower = pixels + row.second * stride;
    for (const Between& column : columns) {
      for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t left = column.first * channels + c, right = column.second * channels + c;
        const double above = upper[left] + column.share * (upper[right] - upper[left]);
        const double below = lower[left] + column.share * (lower[right] - lower[left]);
        *to++ = static_cast<float>(above + row.share * (below - above));
      }
    }
  }
}

}  // namespace tarn
