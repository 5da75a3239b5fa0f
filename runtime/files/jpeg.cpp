// Reading JPEG by libjpeg-turbo. See jpeg.h.
//
// Errors of libjpeg leave it by longjmp, from a callback to `setjmp` in a function of JpegReader. Between the two are
// frames of libjpeg and callbacks that own nothing, and those functions own nothing: whatever has a destructor lives
// around them.
#include "runtime/files/jpeg.h"

#include <fmt/format.h>

#include "runtime/files/file.h"
#include "runtime/files/image.h"

#if TARN_HAS_JPEG
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

// Needs what <cstdio> declares.
#include <jerror.h>
#include <jpeglib.h>
#endif

namespace tarn {

bool is_jpeg(ByteView bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte{0xFF} && bytes[1] == std::byte{0xD8} && bytes[2] == std::byte{0xFF};
}

#if TARN_HAS_JPEG

namespace {

// A file of a thousand scans over the whole image takes minutes.
constexpr int kMostScans = 500;

// What is odd about a file, and yet leaves all pixels as they are.
constexpr std::array kHarmless = {JWRN_EXTRANEOUS_DATA, JWRN_JFIF_MAJOR, JWRN_ADOBE_XFORM, JWRN_TOO_MUCH_DATA};

class JpegReader {
 public:
  explicit JpegReader(ByteView bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = &JpegReader::fail;
    errors_.emit_message = &JpegReader::judge;
    progress_.progress_monitor = &JpegReader::count_scans;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  const char* message() const { return message_; }
  std::uint64_t height() const { return info_.image_height; }
  std::uint64_t width() const { return info_.image_width; }
  bool has_four_inks() const { return info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK; }

  // What stands before the pixels; false: message() says what is wrong.
  bool read_header() {
    if (setjmp(failed_) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  // The pixels, one row behind the other.
  bool read_pixels(std::uint8_t* to, std::int64_t channels) {
    if (setjmp(failed_) != 0) return false;
    info_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&info_);
    const std::size_t row_bytes = static_cast<std::size_t>(info_.output_width) * static_cast<std::size_t>(channels);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = to + info_.output_scanline * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

 private:
  [[noreturn]] void leave(const char* message) {
    if (message != message_) std::snprintf(message_, sizeof message_, "%s", message);
    std::longjmp(failed_, 1);
  }
  static JpegReader& reader_of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

  [[noreturn]] static void fail(j_common_ptr info) {
    info->err->format_message(info, reader_of(info).message_);
    reader_of(info).leave(reader_of(info).message_);
  }
  // Levels from 0 on are for those who look for faults in libjpeg.
  static void judge(j_common_ptr info, int level) {
    if (level >= 0 || std::ranges::find(kHarmless, info->err->msg_code) != kHarmless.end()) return;
    if (info->err->msg_code == JWRN_JPEG_EOF) reader_of(info).leave("it is cut off");
    fail(info);
  }
  static void count_scans(j_common_ptr info) {
    if (reader_of(info).info_.input_scan_number > kMostScans) reader_of(info).leave("it has too many scans");
  }

  ByteView bytes_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf failed_{};
  char message_[JMSG_LENGTH_MAX] = {};
};

Diagnostic broken(std::string_view name, const char* message) {
  return error_in_file(name, fmt::format("is a broken JPEG file: {}", message));
}

}  // namespace

Result<Array> parse_jpeg(ByteView bytes, std::int64_t channels, std::string_view name) {
  JpegReader reader(bytes);
  if (!reader.read_header()) return broken(name, reader.message());
  TARN_RETURN_IF_ERROR(check_extents(reader.height(), reader.width(), name));
  if (reader.has_four_inks())
    return error_in_file(name, "is a JPEG file of four inks (CMYK), and models take grey or RGB: convert it");
  Array image = Array::unset(
      ArrayType::u8, {static_cast<std::int64_t>(reader.height()), static_cast<std::int64_t>(reader.width()), channels});
  if (!reader.read_pixels(image.values<std::uint8_t>().data(), channels)) return broken(name, reader.message());
  return image;
}

#else

Result<Array> parse_jpeg(ByteView, std::int64_t, std::string_view name) {
  Diagnostic missing = error_in_file(
      name, "is a JPEG file, which this build of Tarn cannot read: it was made without libjpeg62-turbo-dev");
  missing.machine = true;
  return missing;
}

#endif

}  // namespace tarn
