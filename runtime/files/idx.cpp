// The IDX header: two zero bytes, a type code, the number of dimensions, the extents. See idx.h.
#include "runtime/files/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/files/file.h"
#include "runtime/files/gzip.h"

namespace tarn {
namespace {

std::optional<ArrayType> element_type(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return ArrayType::u8;
    case 0x09:
      return ArrayType::i8;
    case 0x0B:
      return ArrayType::i16;
    case 0x0C:
      return ArrayType::i32;
    case 0x0D:
      return ArrayType::f32;
    case 0x0E:
      return ArrayType::f64;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<Array> parse_idx(Bytes content, std::string_view name) {
  ByteView bytes = content;
  if (bytes.size() < 4 || bytes[0] != std::byte{0} || bytes[1] != std::byte{0}) {
    return error_in_file(name, "is not an IDX file: it does not start with two zero bytes, a type and a rank");
  }
  const auto code = std::to_integer<std::uint8_t>(bytes[2]);
  const std::optional<ArrayType> type = element_type(code);
  if (!type) return error_in_file(name, fmt::format("has the unknown IDX element type 0x{:02x}", code));
  const auto rank = std::to_integer<std::size_t>(bytes[3]);
  bytes = bytes.subspan(4);
  if (bytes.size() < 4 * rank)
    return error_in_file(name, fmt::format("is cut off in the extents of its {} dimensions", rank));
  std::vector<std::int64_t> shape;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::uint32_t extent = 0;
    for (std::size_t i = 0; i < 4; ++i) extent = extent << 8 | std::to_integer<std::uint32_t>(bytes[4 * axis + i]);
    shape.push_back(extent);
  }
  bytes = bytes.subspan(4 * rank);
  TARN_RETURN_IF_ERROR(check_size(*type, shape, bytes.size(), name));
  const std::size_t header = content.size() - bytes.size();
  Array array = Array::of_bytes(*type, std::move(shape), std::move(content), header);
  array.swap_byte_order();
  return array;
}

Result<Array> parse_idx(ByteView bytes, std::string_view name) { return parse_idx(copy_of(bytes), name); }

Result<Array> read_idx(const std::string& path) {
  TARN_TRY(Bytes bytes, read_data_file(path));
  return parse_idx(std::move(bytes), path);
}

}  // namespace tarn
