// See image_files.h.
#include "tests/support/compiler/image_files.h"

#include <zlib.h>

#include <bit>
#include <cstdlib>

namespace tarn::testing {

namespace {

std::string big_endian(std::uint32_t number, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i) & 0xFF);
  return text;
}

std::string deflated(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string result(size, '\0');
  compress(reinterpret_cast<Bytef*>(result.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  result.resize(size);
  return result;
}

// Bits of entropy-coded data: a byte of ones has a zero behind it (T.81, B.1.1.5).
class BitWriter {
 public:
  void put(unsigned bits, int count) {
    for (int i = count - 1; i >= 0; --i) {
      byte_ = byte_ << 1 | (bits >> i & 1U);
      if (++filled_ == 8) flush();
    }
  }
  std::string take() {
    while (filled_ != 0) put(1, 1);
    return bytes_;
  }

 private:
  void flush() {
    bytes_ += static_cast<char>(byte_);
    if (byte_ == 0xFF) bytes_ += '\0';
    byte_ = 0;
    filled_ = 0;
  }

  std::string bytes_;
  unsigned byte_ = 0;
  int filled_ = 0;
};

std::string jpeg_segment(int marker, const std::string& data) {
  return std::string("\xFF") + static_cast<char>(marker) + big_endian(static_cast<std::uint32_t>(data.size() + 2), 2) +
         data;
}

// The size of a number, and its bits: negative ones are one less (T.81, F.1.2.1).
int size_of_number(int number) { return std::bit_width(static_cast<unsigned>(std::abs(number))); }
unsigned bits_of_number(int number, int size) {
  return static_cast<unsigned>(number < 0 ? number + (1 << size) - 1 : number);
}

// Codes of 8 bits for runs of zeros and sizes, in this order.
std::string run_symbols() {
  std::string symbols("\x00\xF0", 2);
  for (int run = 0; run < 16; ++run) {
    for (int size = 1; size <= 10; ++size) symbols += static_cast<char>(run << 4 | size);
  }
  return symbols;
}

void put_block(BitWriter& bits, const JpegBlock& block) {
  static const std::string kSymbols = run_symbols();
  const int mean = size_of_number(block[0]);
  bits.put(static_cast<unsigned>(mean), 4);
  bits.put(bits_of_number(block[0], mean), mean);
  int run = 0;
  for (int k = 1; k < 64; ++k) {
    if (block[static_cast<std::size_t>(k)] == 0) {
      ++run;
      continue;
    }
    for (; run > 15; run -= 16) bits.put(1, 8);
    const int size = size_of_number(block[static_cast<std::size_t>(k)]);
    bits.put(static_cast<unsigned>(kSymbols.find(static_cast<char>(run << 4 | size), 2)), 8);
    bits.put(bits_of_number(block[static_cast<std::size_t>(k)], size), size);
    run = 0;
  }
  if (run > 0) bits.put(0, 8);
}

}  // namespace

std::string png_chunk(const std::string& name, const std::string& data) {
  const std::string named = name + data;
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(named.data()), static_cast<uInt>(named.size()));
  return big_endian(static_cast<std::uint32_t>(data.size()), 4) + named +
         big_endian(static_cast<std::uint32_t>(checksum), 4);
}

std::string bytes_of(const PngFile& file) {
  std::string header = big_endian(file.width, 4) + big_endian(file.height, 4);
  for (const int byte : {file.depth, file.colour_type, 0, 0, file.interlaced ? 1 : 0})
    header += static_cast<char>(byte);
  std::string pixels;
  for (const std::string& row : file.rows) pixels += '\0' + row;
  return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", header) + file.chunks + png_chunk("IDAT", deflated(pixels)) +
         png_chunk("IEND", "");
}

std::string png_of(int height, int width, int channels, const std::vector<int>& values) {
  PngFile file{static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), 8, channels == 1 ? 0 : 2, {}, ""};
  std::size_t next = 0;
  for (int row = 0; row < height; ++row) {
    std::string& bytes = file.rows.emplace_back();
    for (int i = 0; i < width * channels; ++i) bytes += static_cast<char>(values.at(next++));
  }
  return bytes_of(file);
}

std::string jpeg_of(const std::vector<JpegBlock>& components) {
  const int count = static_cast<int>(components.size());
  std::string steps(1, '\0');
  steps.append(64, '\1');
  std::string frame{8, 0, 8, 0, 8, static_cast<char>(count)}, scan{static_cast<char>(count)};
  for (int i = 1; i <= count; ++i) {
    frame += {static_cast<char>(i), 0x11, 0};
    scan += {static_cast<char>(i), 0};
  }
  scan += {0, 63, 0};
  // Twelve codes of 4 bits for the sizes of means; all others have 8 bits.
  std::string means(17, '\0'), runs(17, '\0');
  means[4] = 12;
  for (char size = 0; size < 12; ++size) means += size;
  runs[0] = 0x10;
  runs[8] = static_cast<char>(run_symbols().size());
  runs += run_symbols();
  BitWriter bits;
  for (const JpegBlock& block : components) put_block(bits, block);
  return "\xFF\xD8" + jpeg_segment(0xDB, steps) + jpeg_segment(0xC0, frame) + jpeg_segment(0xC4, means) +
         jpeg_segment(0xC4, runs) + jpeg_segment(0xDA, scan) + bits.take() + "\xFF\xD9";
}

}  // namespace tarn::testing
