// See tensorboard.h.
#include "tools/driver/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "ir/metric_values.h"
#include "runtime/files/file.h"
#include "tools/driver/history.h"

namespace tarn {

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

// The wire types of protocol buffers.
enum class Wire : std::uint32_t { varint = 0, bits64 = 1, bytes = 2, bits32 = 5 };
std::string key(std::uint32_t field, Wire wire) { return varint(field << 3 | static_cast<std::uint32_t>(wire)); }
std::string text_field(std::uint32_t field, std::string_view text) {
  return key(field, Wire::bytes) + varint(text.size()) + std::string(text);
}

// TFRecord rotates and shifts checksums, so that a checksum of data with checksums in it is as good as any.
std::uint32_t masked(std::uint32_t checksum) { return ((checksum >> 15) | (checksum << 17)) + 0xa282ead8U; }

std::string event_at(double time) { return key(1, Wire::bits64) + little_endian(std::bit_cast<std::uint64_t>(time)); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t value = 0xffffffffU;
  for (const char c : bytes) value = (value >> 8) ^ kTable[(value ^ static_cast<unsigned char>(c)) & 0xff];
  return value ^ 0xffffffffU;
}

std::string tensorboard_record(std::string_view event) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event.size()));
  return length + little_endian(masked(crc32c(length))) + std::string(event) + little_endian(masked(crc32c(event)));
}

std::string tensorboard_scalar(double time, std::int64_t step, std::string_view tag, float value) {
  const std::string scalar =
      text_field(1, tag) + key(2, Wire::bits32) + little_endian(std::bit_cast<std::uint32_t>(value));
  return event_at(time) + key(2, Wire::varint) + varint(static_cast<std::uint64_t>(step)) +
         text_field(5, text_field(1, scalar));
}

Status TensorBoardLog::append(const std::string& part, const Program& program, const MetricValues& values,
                              std::int64_t epoch) {
  const std::filesystem::path folder = std::filesystem::path(folder_) / part;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return system_error("create", folder.string(), failed.value());
  const std::string path = (folder / file_name_).string();
  const bool is_new = !std::filesystem::exists(path);
  std::string records;
  if (is_new) records = tensorboard_record(event_at(now()) + text_field(3, "brain.Event:2"));
  for (std::size_t i = 0; i < program.metrics.size(); ++i) {
    if (element_count(program.metrics[i].shape) > History::kMostCurves) continue;
    for (std::size_t k = 0; k < values.values[i].size(); ++k) {
      // Keras counts steps from 0.
      records += tensorboard_record(tensorboard_scalar(
          now(), epoch - 1, "epoch_" + name_of_value(program.metrics[i], k), static_cast<float>(values.values[i][k])));
    }
  }
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(records.data(), static_cast<std::streamsize>(records.size()));
  file.close();
  return file ? Status(Done{}) : Status(system_error("write", path, errno));
}

Status TensorBoardLog::add(const Program& program, const EpochReport& report) {
  if (file_name_.empty()) {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) std::strcpy(host.data(), "localhost");
    file_name_ = fmt::format("events.out.tfevents.{}.{}.{}", static_cast<std::int64_t>(now()), host.data(), ::getpid());
  }
  TARN_RETURN_IF_ERROR(append("train", program, report.training, report.epoch));
  return report.validation ? append("validation", program, *report.validation, report.epoch) : Status(Done{});
}

}  // namespace tarn
