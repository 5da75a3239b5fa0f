// Reading PNG by libpng. See png.h.
//
// Errors of libpng leave it by longjmp, from a callback to `setjmp` in PngReader::read. Between the two are frames of
// libpng and callbacks that own nothing, and `read` itself owns nothing: whatever has a destructor lives around it.
#include "runtime/files/png.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "runtime/files/file.h"
#include "runtime/files/image.h"

#if TARN_HAS_PNG
#include <png.h>

#include <csetjmp>
#endif

namespace tarn {

namespace {

constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

}  // namespace

bool is_png(ByteView bytes) {
  return bytes.size() >= kSignature.size() && std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0;
}

#if TARN_HAS_PNG

namespace {

// What the first chunk says.
struct PngHeader {
  std::uint64_t width = 0, height = 0;
  unsigned depth = 0, colour_type = 0;

  // Of the array that is made of it: a palette has colours.
  std::int64_t channels() const { return (colour_type & 2U) != 0 ? 3 : 1; }
  std::uint64_t bits_of_pixel() const {
    const unsigned colours = colour_type == 2 || colour_type == 6 ? 3 : 1;
    return std::uint64_t{depth} * (colours + (colour_type >> 2U & 1U));
  }
};

Result<PngHeader> read_header(ByteView bytes, std::string_view name) {
  constexpr std::size_t kName = 12, kWidth = 16, kHeight = 20, kDepth = 24, kColour = 25, kEnd = 26;
  if (bytes.size() < kEnd || std::memcmp(bytes.data() + kName, "IHDR", 4) != 0)
    return error_in_file(name, "is a broken PNG file: it does not begin with its size");
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(bytes[at]); };
  const auto number = [&](std::size_t at) {
    return std::uint64_t{byte(at)} << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
  };
  return PngHeader{number(kWidth), number(kHeight), byte(kDepth), byte(kColour)};
}

// What deflate makes of a byte at most.
constexpr std::uint64_t kMostInflation = 1032;

Status check_header(const PngHeader& header, ByteView bytes, std::string_view name) {
  TARN_RETURN_IF_ERROR(check_extents(header.height, header.width, name));
  if (header.height * header.width * header.bits_of_pixel() / 8 <= bytes.size() * kMostInflation) return Done{};
  return error_in_file(name, fmt::format("is a broken PNG file: {} x {} pixels are not in {} bytes", header.height,
                                         header.width, bytes.size()));
}

class PngReader {
 public:
  explicit PngReader(ByteView bytes) : left_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::fail, &PngReader::pass_over);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  bool is_ready() const { return info_ != nullptr; }
  const char* message() const { return message_.data(); }

  // The pixels, in rows of so many bytes; false: message() says what is wrong.
  bool read(std::uint8_t* rows, std::size_t height, std::size_t row_bytes) {
    if (setjmp(failed_) != 0) return false;
    png_set_read_fn(png_, this, &PngReader::take);
    // The extents are known to be within our own limits.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes || png_get_image_height(png_, info_) != height)
      png_error(png_, "its header is there twice");
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t row = 0; row < height; ++row) png_read_row(png_, rows + row * row_bytes, nullptr);
    }
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  static void take(png_structp png, png_bytep to, std::size_t count) {
    auto* const self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->left_.size()) png_error(png, "it is cut off");
    std::memcpy(to, self->left_.data(), count);
    self->left_ = self->left_.subspan(count);
  }
  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    auto* const self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    std::longjmp(self->failed_, 1);
  }
  static void pass_over(png_structp, png_const_charp) {}

  ByteView left_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf failed_{};
  std::array<char, 128> message_{};
};

}  // namespace

Result<Array> parse_png(ByteView bytes, std::string_view name) {
  TARN_TRY(const PngHeader header, read_header(bytes, name));
  TARN_RETURN_IF_ERROR(check_header(header, bytes, name));
  Array image = Array::unset(ArrayType::u8, {static_cast<std::int64_t>(header.height),
                                             static_cast<std::int64_t>(header.width), header.channels()});
  PngReader reader(bytes);
  if (!reader.is_ready())
    return error_in_file(name, "libpng does not start: there is no memory, or it is of another version");
  const std::size_t row_bytes = header.width * static_cast<std::size_t>(header.channels());
  if (!reader.read(image.values<std::uint8_t>().data(), header.height, row_bytes))
    return error_in_file(name, fmt::format("is a broken PNG file: {}", reader.message()));
  return image;
}

#else

Result<Array> parse_png(ByteView, std::string_view name) {
  Diagnostic missing =
      error_in_file(name, "is a PNG file, which this build of Tarn cannot read: it was made without libpng-dev");
  missing.machine = true;
  return missing;
}

#endif

}  // namespace tarn
