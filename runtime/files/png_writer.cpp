// Writing PNG: a header, all rows without filters in one chunk that zlib has packed, an end. See png.h.
#include <zlib.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "runtime/files/file.h"
#include "runtime/files/image.h"
#include "runtime/files/png.h"

namespace tarn {

namespace {

std::string big_endian(std::uint64_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(number >> shift & 0xFF);
  return text;
}

// Its length, its name, what is in it, the checksum of the two.
std::string chunk_of(const std::string& name, const std::string& content) {
  const std::string named = name + content;
  const uLong checksum = crc32_z(0, reinterpret_cast<const Bytef*>(named.data()), named.size());
  return big_endian(content.size()) + named + big_endian(checksum);
}

}  // namespace

Result<std::string> png_of(const Array& image, std::string_view name) {
  const auto height = static_cast<std::uint64_t>(image.shape[0]), width = static_cast<std::uint64_t>(image.shape[1]);
  TARN_RETURN_IF_ERROR(check_extents(height, width, name));
  const std::size_t row_bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(image.shape[2]);
  const auto* const pixels = reinterpret_cast<const char*>(image.data.data());
  std::string rows;
  for (std::size_t row = 0; row < height; ++row) {
    rows += '\0';  // no filter
    rows.append(pixels + row * row_bytes, row_bytes);
  }
  uLongf packed_size = compressBound(rows.size());
  std::string packed(packed_size, '\0');
  TARN_CHECK(packed_size <= std::numeric_limits<std::uint32_t>::max(), "kMostPixels fit into a chunk");
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &packed_size, reinterpret_cast<const Bytef*>(rows.data()),
               rows.size()) != Z_OK)
    return error_in_file(name, "is not written: zlib has no memory");
  packed.resize(packed_size);
  std::string header = big_endian(width) + big_endian(height);
  // Bits of a sample; grey or colours; the only packing, the only filters, no interlacing.
  for (const int byte : {8, image.shape[2] == 3 ? 2 : 0, 0, 0, 0}) header += static_cast<char>(byte);
  return "\x89PNG\r\n\x1A\n" + chunk_of("IHDR", header) + chunk_of("IDAT", packed) + chunk_of("IEND", "");
}

Status write_png(const std::string& path, const Array& image) {
  TARN_TRY(const std::string bytes, png_of(image, path));
  return write_file(path, bytes);
}

}  // namespace tarn
