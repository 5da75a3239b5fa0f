// Every reader on damaged files: whatever the bytes, it returns. What would be found here is a crash, a sanitizer's
// report, or a result that does not keep the contract of Array.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "runtime/csv.h"
#include "runtime/gzip.h"
#include "runtime/idx.h"
#include "runtime/npy.h"
#include "runtime/npz.h"
#include "runtime/safetensors.h"
#include "tests/unit/data_files.h"

namespace tarn {
namespace {

using testing::bytes_of;
using testing::data_folder;
using testing::load;

void expect_sound(const Array& array) {
  EXPECT_EQ(byte_count(array.type, array.shape), static_cast<std::int64_t>(array.data.size()));
}

void read_npy_bytes(ByteView bytes) {
  if (const auto array = parse_npy(bytes)) expect_sound(*array);
}
void read_idx_bytes(ByteView bytes) {
  if (const auto array = parse_idx(bytes)) expect_sound(*array);
}
void read_npz_bytes(ByteView bytes) {
  if (const auto arrays = parse_npz(bytes)) {
    for (const NamedArray& named : *arrays) expect_sound(named.array);
  }
}
void read_safetensors_bytes(ByteView bytes) {
  if (const auto file = parse_safetensors(bytes)) {
    for (const NamedArray& named : file->tensors) expect_sound(named.array);
  }
}
void read_gzip_bytes(ByteView bytes) {
  if (const auto inflated = inflate_gzip(bytes, "x.gz", 1 << 20)) {
    EXPECT_LE(inflated->size(), std::size_t{1} << 20);
  }
}
void read_csv_bytes(ByteView bytes) {
  const auto table = parse_csv(copy_of(bytes));
  if (!table) return;
  std::size_t characters = 0;
  std::vector<std::size_t> columns;
  for (std::size_t column = 0; column < table->columns(); ++column) columns.push_back(column);
  for (std::size_t row = 0; row < table->rows(); ++row) {
    for (const std::size_t column : columns) characters += table->cell(row, column).size();
  }
  EXPECT_LE(characters, bytes.size());
  if (const auto values = numbers(*table, columns)) expect_sound(values->values);
}

void damage(Bytes& bytes, std::mt19937& random) {
  // Bytes that mean something to one of the formats, besides any at all.
  static constexpr unsigned char kTelling[] = {0,    1,   0x7F, 0x80, 0xFF, '"', ',', '\n', '\r',
                                               '\'', '{', '}',  '[',  ']',  '(', '9', '-'};
  for (std::size_t edits = 1 + random() % 4; edits > 0; --edits) {
    if (bytes.empty()) return;
    const std::size_t position = random() % bytes.size();
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(position);
    switch (random() % 6) {
      case 0:
        bytes.resize(position);
        break;
      case 1:
        bytes[position] ^= std::byte(1u << random() % 8);
        break;
      case 2:
        bytes[position] = std::byte(random() % 256);
        break;
      case 3:
        bytes[position] = std::byte(kTelling[random() % std::size(kTelling)]);
        break;
      case 4:
        bytes.erase(at,
                    at + static_cast<std::ptrdiff_t>(std::min<std::size_t>(1 + random() % 4, bytes.size() - position)));
        break;
      default:
        bytes.insert(at, std::byte(kTelling[random() % std::size(kTelling)]));
        break;
    }
  }
}

struct Format {
  std::string name;
  std::function<void(ByteView)> read;
  std::vector<Bytes> examples;
};

std::vector<Bytes> files_in(const std::string& folder, const std::string& extension) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder(folder))) {
    if (entry.path().extension() == extension) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const std::string& path : paths) files.push_back(load(path));
  return files;
}

TEST(DataFilesFuzz, DamagedFilesAreRefusedOrRead) {
  using namespace std::string_literals;
  const unsigned seed = 20240612;
  const std::vector<Format> formats = {
      {"npy", read_npy_bytes, files_in("npy/written", ".npy")},
      {"npz", read_npz_bytes, files_in("npy/written", ".npz")},
      {"safetensors", read_safetensors_bytes, files_in("safetensors", ".safetensors")},
      {"csv", read_csv_bytes, files_in("csv-spectrum", ".csv")},
      {"idx", read_idx_bytes, {bytes_of("\0\0\x0B\x02\0\0\0\x02\0\0\0\x01\x01\0\xFF\xFE"s)}},
      {"gzip",
       read_gzip_bytes,
       {bytes_of("\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\x06\0\xc2\x41\x24\x35\x03\0\0\0"s)}},
  };
  ASSERT_TRUE(inflate_gzip(formats.back().examples[0], "x.gz")) << "the example is sound before it is damaged";
  for (const Format& format : formats) {
    ASSERT_FALSE(format.examples.empty()) << format.name;
    std::mt19937 random(seed);
    for (int trial = 0; trial < 5000; ++trial) {
      SCOPED_TRACE(format.name + " trial " + std::to_string(trial) + " of seed " + std::to_string(seed));
      Bytes bytes = format.examples[random() % format.examples.size()];
      damage(bytes, random);
      format.read(bytes);
    }
  }
}

// Cut at every place, which is where readers run over the end.
TEST(DataFilesFuzz, CutFilesAreRefused) {
  for (const std::string name : {"fortran.npy", "version_2.npy", "stored.npz", "deflated.npz"}) {
    const Bytes whole = load(data_folder("npy/written") / name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ByteView part = ByteView(whole).first(size);
      EXPECT_FALSE(name.ends_with(".npz") ? parse_npz(part).has_value() : parse_npy(part).has_value())
          << name << " " << size;
    }
  }
  const Bytes weights = load(data_folder("safetensors") / "ok_i32_2x2.safetensors");
  for (std::size_t size = 0; size < weights.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(ByteView(weights).first(size))) << size;
  }
}

}  // namespace
}  // namespace tarn
