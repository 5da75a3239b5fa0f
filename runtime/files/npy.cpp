// The .npy header, a Python dict literal, and the layouts that data can have behind it. See npy.h.
#include "runtime/files/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "ir/counted.h"
#include "runtime/files/file.h"
#include "runtime/files/gzip.h"

namespace tarn {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
// NumPy's own bounds: max_header_size of numpy.lib.format, NPY_MAXDIMS.
constexpr std::size_t kLargestNpyHeader = 10000;
constexpr std::size_t kMostDimensions = 64;

struct NpyHeader {
  std::string description;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// Parser of {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }. Python's grammar for literals is cut down to
// what describes a plain array, so nothing nests. Every function returns false after setting `problem`.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  bool parse(NpyHeader& header) {
    if (!expect('{')) return false;
    while (!accept('}')) {
      std::string key;
      if (!string(key) || !expect(':') || !value(key, header)) return false;
      if (accept(',')) continue;
      if (!expect('}')) return false;
      break;
    }
    skip_blanks();
    if (position_ != text_.size()) return fail("has text behind the dict");
    if (!has_description_ || !has_order_ || !has_shape_) {
      return fail("lacks one of the keys 'descr', 'fortran_order' and 'shape'");
    }
    return true;
  }
  const std::string& problem() const { return problem_; }

 private:
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  void skip_blanks() {
    while (position_ < text_.size() && std::string_view(" \t\n\r").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }
  bool accept(char c) {
    skip_blanks();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  bool expect(char c) { return accept(c) || fail(fmt::format("lacks a '{}' at byte {}", c, position_)); }
  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }

  bool string(std::string& result) {
    skip_blanks();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') return fail(fmt::format("lacks a string at byte {}", position_));
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return fail("has a string without an end");
    result = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return true;
  }

  bool value(const std::string& key, NpyHeader& header) {
    if (key == "descr") return once(key, has_description_) && description(header.description);
    if (key == "fortran_order") return once(key, has_order_) && boolean(header.fortran_order);
    if (key == "shape") return once(key, has_shape_) && shape(header.shape);
    return fail("has a key that is not 'descr', 'fortran_order' or 'shape'");
  }
  bool once(const std::string& key, bool& seen) {
    if (seen) return fail(fmt::format("has '{}' twice", key));
    seen = true;
    return true;
  }

  bool description(std::string& result) {
    if (accept('[') || accept('('))
      return fail("describes a structured type, which is not read: save its fields one by one");
    return string(result);
  }
  bool boolean(bool& result) {
    if (accept_word("True")) {
      result = true;
      return true;
    }
    result = false;
    return accept_word("False") || fail("has a 'fortran_order' that is neither True nor False");
  }
  bool shape(std::vector<std::int64_t>& result) {
    if (!expect('(')) return false;
    while (!accept(')')) {
      skip_blanks();
      std::int64_t extent = 0;
      const char* begin = text_.data() + position_;
      const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (code != std::errc() || extent < 0) return fail("has a shape that is not a tuple of extents");
      position_ += static_cast<std::size_t>(end - begin);
      accept('L');  // Python 2 wrote long integers so
      if (result.size() == kMostDimensions) return fail(fmt::format("has more than {} dimensions", kMostDimensions));
      result.push_back(extent);
      if (accept(',')) continue;
      // (3) is a number in Python, not a tuple.
      if (result.size() == 1) return fail("has a shape that is not a tuple");
      if (!expect(')')) return false;
      break;
    }
    return true;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  bool has_description_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
  std::string problem_;
};

struct NpyType {
  std::string_view code;
  ArrayType type;
};
constexpr std::array<NpyType, 12> kNpyTypes = {{{"f2", ArrayType::f16},
                                                {"f4", ArrayType::f32},
                                                {"f8", ArrayType::f64},
                                                {"i1", ArrayType::i8},
                                                {"i2", ArrayType::i16},
                                                {"i4", ArrayType::i32},
                                                {"i8", ArrayType::i64},
                                                {"u1", ArrayType::u8},
                                                {"u2", ArrayType::u16},
                                                {"u4", ArrayType::u32},
                                                {"u8", ArrayType::u64},
                                                {"b1", ArrayType::boolean}}};

struct ElementFormat {
  ArrayType type;
  bool big_endian;
};

// '<f4', '>i8', '|u1', '=f8'.
std::optional<ElementFormat> element_format(std::string_view description) {
  if (description.empty() || std::string_view("<>|=").find(description[0]) == std::string_view::npos)
    return std::nullopt;
  for (const NpyType& row : kNpyTypes) {
    if (row.code == description.substr(1)) return ElementFormat{row.type, description[0] == '>'};
  }
  return std::nullopt;
}

// Copies from Fortran order, where the first index runs fastest, to C order, where the last one does.
void copy_transposed(const std::byte* source, Array& array) {
  const std::size_t element = size_of(array.type);
  const std::size_t rank = array.shape.size();
  std::array<std::size_t, kMostDimensions> strides{};  // of the source, in bytes
  std::size_t stride = element;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(array.shape[axis]);
  }
  std::array<std::int64_t, kMostDimensions> index{};
  std::size_t offset = 0;
  for (std::size_t written = 0; written < array.data.size(); written += element) {
    std::memcpy(array.data.data() + written, source + offset, element);
    for (std::size_t axis = rank; axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < array.shape[axis]) break;
      offset -= strides[axis] * static_cast<std::size_t>(array.shape[axis]);
      index[axis] = 0;
    }
  }
}

// Where the dict starts and ends, for the three versions.
struct HeaderBounds {
  std::size_t begin;
  std::size_t end;
};

Result<HeaderBounds> find_header(ByteView bytes, std::string_view name) {
  if (!is_npy(bytes)) return error_in_file(name, "is not a .npy file: it does not start with \\x93NUMPY");
  if (bytes.size() < 8) return error_in_file(name, "is cut off in its first bytes");
  const auto byte_at = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
  const std::size_t major = byte_at(6);
  if (major < 1 || major > 3 || byte_at(7) != 0) {
    return error_in_file(
        name, fmt::format("has version {}.{} of the .npy format; 1.0, 2.0 and 3.0 are read", major, byte_at(7)));
  }
  const std::size_t begin = major == 1 ? 10 : 12;
  if (bytes.size() < begin) return error_in_file(name, "is cut off in its first bytes");
  std::size_t length = byte_at(8) | byte_at(9) << 8;
  if (major > 1) length |= byte_at(10) << 16 | byte_at(11) << 24;
  if (length > bytes.size() - begin) {
    return error_in_file(name,
                         fmt::format("is cut off: its header should have {}, {} {} there", counted(length, "byte"),
                                     bytes.size() - begin, agreeing(bytes.size() - begin, "is", "are")));
  }
  if (length > kLargestNpyHeader) {
    return error_in_file(
        name, fmt::format("has a header of {} bytes; that of a plain array has at most {}", length, kLargestNpyHeader));
  }
  return HeaderBounds{begin, begin + length};
}

Diagnostic unsupported_type(std::string_view name, const std::string& description) {
  if (description.find('O') != std::string::npos) {
    return error_in_file(
        name, "holds Python objects (a pickle), which are not read: save numbers, or text as classes 0, 1, …");
  }
  return error_in_file(
      name,
      fmt::format("has elements of type '{}', which is not read: floats of 2, 4 and 8 bytes, integers and bool are",
                  description.substr(0, 40)));
}

}  // namespace

bool is_npy(ByteView bytes) {
  return bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

Result<Array> parse_npy(Bytes bytes, std::string_view name) {
  TARN_TRY(const HeaderBounds bounds, find_header(bytes, name));
  NpyHeader header;
  HeaderParser parser(text_of(bytes).substr(bounds.begin, bounds.end - bounds.begin));
  if (!parser.parse(header)) return error_in_file(name, "its .npy header " + parser.problem());
  const std::optional<ElementFormat> format = element_format(header.description);
  if (!format) return unsupported_type(name, header.description);

  const ByteView data = ByteView(bytes).subspan(bounds.end);
  TARN_RETURN_IF_ERROR(check_size(format->type, header.shape, data.size(), name));
  const bool transposed = header.fortran_order && header.shape.size() > 1;
  Array array = transposed ? Array::unset(format->type, std::move(header.shape))
                           : Array::of_bytes(format->type, std::move(header.shape), std::move(bytes), bounds.end);
  if (transposed) copy_transposed(data.data(), array);
  if (format->big_endian) array.swap_byte_order();
  return array;
}

Result<Array> parse_npy(ByteView bytes, std::string_view name) { return parse_npy(copy_of(bytes), name); }

Result<Array> read_npy(const std::string& path) {
  TARN_TRY(Bytes bytes, read_data_file(path));
  return parse_npy(std::move(bytes), path);
}

std::string npy_header(ArrayType type, std::span<const std::int64_t> extents) {
  const auto* const row =
      std::find_if(kNpyTypes.begin(), kNpyTypes.end(), [&](const NpyType& r) { return r.type == type; });
  TARN_CHECK(row != kNpyTypes.end(), ".npy has no type for " + std::string(name_of(type)));
  std::string shape;
  for (const std::int64_t extent : extents) shape += fmt::format("{}, ", extent);
  if (extents.size() > 1) shape.resize(shape.size() - 2);
  if (extents.size() == 1) shape.pop_back();
  std::string dict = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 size_of(type) == 1 ? '|' : '<', row->code, shape);
  // Padded so that the data starts at a multiple of 64, as the format asks; the last byte is a line feed.
  const std::size_t prefix = kMagic.size() + 4;
  dict.append(63 - (prefix + dict.size()) % 64, ' ');
  dict += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

Status write_npy(const std::string& path, const Array& array) {
  const std::string header = npy_header(array.type, array.shape);
  const std::array<ByteView, 2> parts = {view_of(header), array.data};
  return write_file(path, parts);
}

}  // namespace tarn
