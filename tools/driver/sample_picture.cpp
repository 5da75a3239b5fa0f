// See sample_picture.h.
#include "tools/driver/sample_picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "runtime/files/array_values.h"
#include "runtime/files/image.h"
#include "runtime/files/png.h"

namespace tarn {

namespace {

constexpr std::int64_t kLeastSideOfMatrix = 8;

bool is_image(const Shape& shape) {
  if (element_count(shape) == 0) return false;
  if (shape.size() == 2) return shape[0] >= kLeastSideOfMatrix && shape[1] >= kLeastSideOfMatrix;
  return shape.size() == 3 && (shape[2] == 1 || shape[2] == 3);
}

// RFC 4648, section 4.
std::string base64(const std::string& bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * j) & 63];
  }
  return text;
}

Array image_of(const std::vector<double>& values, const Shape& shape, double least, double largest) {
  Array image = Array::unset(ArrayType::u8, {shape[0], shape[1], shape.size() == 3 ? shape[2] : 1});
  const std::span<std::uint8_t> pixels = image.values<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double share = largest > least ? (values[i] - least) / (largest - least) : 0.5;
    pixels[i] = static_cast<std::uint8_t>(std::isfinite(share) ? std::lround(255 * share) : 0);
  }
  return image;
}

// Not larger than kMostSide, with the same proportions.
Array small(Array image) {
  const std::int64_t side = std::max(image.shape[0], image.shape[1]);
  if (side <= kMostSide) return image;
  const auto scaled = [&](std::int64_t extent) { return std::max<std::int64_t>(1, extent * kMostSide / side); };
  Array result = Array::unset(ArrayType::u8, {scaled(image.shape[0]), scaled(image.shape[1]), image.shape[2]});
  std::vector<float> values(static_cast<std::size_t>(result.elements()));
  resize_image(image, result.shape[0], result.shape[1], values.data());
  std::ranges::transform(values, result.values<std::uint8_t>().begin(),
                         [](float value) { return static_cast<std::uint8_t>(std::lround(value)); });
  return result;
}

}  // namespace

std::optional<std::size_t> image_input(const Program& program) {
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    if (program.inputs[i].role == InputRole::input && is_image(program.inputs[i].type.shape)) return i;
  }
  return std::nullopt;
}

std::vector<std::string> sample_pictures(const Program& program, std::size_t input, const Rows& rows,
                                         const std::vector<std::uint64_t>& shown) {
  const Type& type = program.inputs[input].type;
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  std::vector<std::vector<double>> samples;
  for (const std::uint64_t row : shown) {
    Array sample = Array::unset(array_type_of(type.dtype), type.shape);
    std::memcpy(sample.data.data(), rows.slice(program, row, row + 1).arrays[input], sample.data.size());
    samples.push_back(sample.to_doubles());
    for (const double value : samples.back()) {
      if (!std::isfinite(value)) continue;
      least = std::min(least, value);
      largest = std::max(largest, value);
    }
  }
  std::vector<std::string> pictures;
  for (const std::vector<double>& sample : samples) {
    const Result<std::string> png = png_of(small(image_of(sample, type.shape, least, largest)), "picture");
    pictures.push_back(png ? "data:image/png;base64," + base64(*png) : std::string());
  }
  return pictures;
}

}  // namespace tarn
