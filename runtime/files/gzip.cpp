// zlib's inflate behind two functions. See gzip.h.
#include "runtime/files/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace tarn {
namespace {

// A z_stream that is set up for inflating and released at the end of its scope.
class Inflater {
 public:
  // `window_bits` as of inflateInit2: 15 + 16 for gzip, −15 for raw deflate.
  explicit Inflater(int window_bits) { ready_ = ::inflateInit2(&stream_, window_bits) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) ::inflateEnd(&stream_);
  }
  bool ready() const { return ready_; }
  void restart() { ::inflateReset(&stream_); }

  // One call of inflate over the front of `input` and `output`, which advance past what was used; zlib counts in 32
  // bits.
  int step(ByteView& input, std::span<std::byte>& output) {
    constexpr std::size_t kLargest = std::numeric_limits<uInt>::max();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
    stream_.avail_in = static_cast<uInt>(std::min(input.size(), kLargest));
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = static_cast<uInt>(std::min(output.size(), kLargest));
    const uInt input_offered = stream_.avail_in;
    const uInt output_offered = stream_.avail_out;
    const int code = ::inflate(&stream_, Z_NO_FLUSH);
    input = input.subspan(input_offered - stream_.avail_in);
    output = output.subspan(output_offered - stream_.avail_out);
    return code;
  }
  const char* message() const { return stream_.msg != nullptr ? stream_.msg : "damaged data"; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

Diagnostic out_of_memory(std::string_view name) {
  Diagnostic diagnostic = error_in_file(name, "not enough memory to inflate it");
  diagnostic.machine = true;
  return diagnostic;
}

}  // namespace

bool is_gzip(ByteView bytes) { return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}; }

Result<Bytes> inflate_gzip(ByteView bytes, std::string_view name, std::uint64_t limit) {
  Inflater inflater(15 + 16);
  if (!inflater.ready()) return out_of_memory(name);
  Bytes result(std::min<std::uint64_t>(std::max<std::size_t>(4096, 4 * bytes.size()), limit));
  std::size_t filled = 0;
  while (true) {
    // At the limit one spare byte is offered, to tell a stream that just ends from one that goes on.
    std::byte spare[1];
    const bool full = filled == limit;
    std::span<std::byte> output = full ? std::span<std::byte>(spare) : std::span(result).subspan(filled);
    const std::size_t offered = output.size();
    const int code = inflater.step(bytes, output);
    const std::size_t produced = offered - output.size();
    if (full && produced > 0) {
      return error_in_file(name, fmt::format("inflates to more than the {} bytes that are read", limit));
    }
    filled += produced;
    if (code == Z_STREAM_END) {
      if (!is_gzip(bytes)) break;
      inflater.restart();
    } else if (code == Z_MEM_ERROR) {
      return out_of_memory(name);
    } else if (code == Z_BUF_ERROR || (code == Z_OK && bytes.empty() && !output.empty())) {
      if (!output.empty()) return error_in_file(name, "the gzip file ends early");
    } else if (code != Z_OK) {
      return error_in_file(name, fmt::format("the gzip file is damaged: {}", inflater.message()));
    }
    if (filled == result.size() && filled < limit) result.resize(std::min<std::uint64_t>(2 * filled, limit));
  }
  // RFC 1952 allows nothing behind the members, but tapes and uploads pad with zeros, which gzip itself lets pass.
  if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
    return error_in_file(name, "the gzip file has other data behind its end");
  }
  result.resize(filled);
  return result;
}

std::optional<Bytes> inflate_raw(ByteView bytes, std::uint64_t size) {
  Inflater inflater(-15);
  if (!inflater.ready()) return std::nullopt;
  Bytes result(static_cast<std::size_t>(size));
  std::span<std::byte> output = result;
  std::byte spare[1];
  int code = Z_OK;
  while (code == Z_OK) {
    const bool full = output.empty();
    std::span<std::byte> beyond = spare;
    code = inflater.step(bytes, full ? beyond : output);
    if (full && beyond.empty()) return std::nullopt;
  }
  if (code != Z_STREAM_END || !output.empty() || !bytes.empty()) return std::nullopt;
  return result;
}

Result<Bytes> read_data_file(const std::string& path, std::uint64_t limit) {
  TARN_TRY(Bytes bytes, read_file(path, limit));
  if (!is_gzip(bytes)) return bytes;
  return inflate_gzip(bytes, path, limit);
}

}  // namespace tarn
