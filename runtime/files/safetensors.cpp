// The JSON header of safetensors, read as a stream so that no tree of a hostile one is built, and the checks of the
// layout it states. See safetensors.h.
#include "runtime/files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_set>

#include "ir/counted.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"

namespace tarn {
namespace {

constexpr std::size_t kLargestSafetensorsHeader = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

struct SafetensorsType {
  std::string_view code;
  ArrayType type;
};
constexpr std::array<SafetensorsType, 13> kSafetensorsTypes = {{{"F16", ArrayType::f16},
                                                                {"BF16", ArrayType::bf16},
                                                                {"F32", ArrayType::f32},
                                                                {"F64", ArrayType::f64},
                                                                {"I8", ArrayType::i8},
                                                                {"I16", ArrayType::i16},
                                                                {"I32", ArrayType::i32},
                                                                {"I64", ArrayType::i64},
                                                                {"U8", ArrayType::u8},
                                                                {"U16", ArrayType::u16},
                                                                {"U32", ArrayType::u32},
                                                                {"U64", ArrayType::u64},
                                                                {"BOOL", ArrayType::boolean}}};

// One tensor as the header states it.
struct TensorEntry {
  std::string name;
  std::string type_code;
  std::vector<std::int64_t> shape;
  std::vector<std::uint64_t> offsets;
  bool has_type = false;
  bool has_shape = false;
  bool has_offsets = false;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

// Takes the events of the JSON parser for
//   {"__metadata__": {text: text, …}, name: {"dtype": text, "shape": [n, …], "data_offsets": [begin, end]}, …}
// and stops at the first that does not belong there.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(SafetensorsHeader& header) : header_(header) {}
  const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::outside:
        place_ = Place::top;
        return true;
      case Place::top_value:
        place_ = in_metadata_ ? Place::metadata : Place::tensor;
        return true;
      default:
        return misplaced("an object");
    }
  }
  bool key(std::string& key) override {
    key_ = key;
    if (place_ == Place::top) {
      if (!names_.insert(key).second) return fail(fmt::format("has '{}' twice", excerpt(key)));
      in_metadata_ = key == kMetadataKey;
      if (!in_metadata_) header_.tensors.emplace_back().name = key;
      place_ = Place::top_value;
      return true;
    }
    if (place_ == Place::metadata) {
      if (header_.metadata.contains(key)) return fail(fmt::format("has the metadata '{}' twice", excerpt(key)));
      place_ = Place::metadata_value;
      return true;
    }
    return tensor_key(key);
  }
  bool end_object() override {
    if (place_ == Place::tensor && !complete(header_.tensors.back())) return false;
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }
  bool string(std::string& value) override {
    if (place_ == Place::metadata_value) {
      header_.metadata.emplace(key_, value);
      place_ = Place::metadata;
      return true;
    }
    if (place_ != Place::type) return misplaced("text");
    header_.tensors.back().type_code = value;
    place_ = Place::tensor;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::shape) {
      place_ = Place::shape_items;
    } else if (place_ == Place::offsets) {
      place_ = Place::offset_items;
    } else {
      return misplaced("a list");
    }
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::shape_items && place_ != Place::offset_items) return misplaced("a number");
    TensorEntry& tensor = header_.tensors.back();
    if (place_ == Place::offset_items) {
      tensor.offsets.push_back(value);
      return tensor.offsets.size() <= 2 || misplaced("a third offset");
    }
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return fail(fmt::format("gives tensor '{}' the extent {}, which is too large", excerpt(tensor.name), value));
    }
    tensor.shape.push_back(static_cast<std::int64_t>(value));
    return true;
  }
  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }
  bool null() override { return misplaced("null"); }
  bool boolean(bool) override { return misplaced("a truth value"); }
  bool number_integer(std::int64_t) override { return misplaced("a negative number"); }
  bool number_float(double, const std::string&) override { return misplaced("a number that is not an integer"); }
  bool binary(nlohmann::json::binary_t&) override { return misplaced("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& exception) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong"
    const std::string_view text = exception.what();
    const std::size_t colon = text.find(": ");
    return fail(fmt::format("is not JSON at byte {}: {}", position,
                            colon == std::string_view::npos ? text : text.substr(colon + 2)));
  }

 private:
  // What may come next.
  enum class Place {
    outside,
    top,
    top_value,
    metadata,
    metadata_value,
    tensor,
    type,
    shape,
    shape_items,
    offsets,
    offset_items
  };

  static std::string excerpt(const std::string& text) { return text.substr(0, 100); }
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool misplaced(std::string_view what) {
    return fail(place_ == Place::outside
                    ? fmt::format("is {}, not an object", what)
                    : fmt::format("has {} where it does not belong, at '{}'", what, excerpt(key_)));
  }
  bool tensor_key(const std::string& key) {
    TensorEntry& tensor = header_.tensors.back();
    const auto first = [&](bool& seen, Place next) {
      if (std::exchange(seen, true))
        return fail(fmt::format("gives tensor '{}' its '{}' twice", excerpt(tensor.name), key));
      place_ = next;
      return true;
    };
    if (key == "dtype") return first(tensor.has_type, Place::type);
    if (key == "shape") return first(tensor.has_shape, Place::shape);
    if (key == "data_offsets") return first(tensor.has_offsets, Place::offsets);
    return fail(fmt::format("gives tensor '{}' the unknown key '{}'", excerpt(tensor.name), excerpt(key)));
  }
  bool complete(const TensorEntry& tensor) {
    if (tensor.has_type && tensor.has_shape && tensor.offsets.size() == 2) return true;
    return fail(fmt::format("lacks dtype, shape or data_offsets of tensor '{}'", excerpt(tensor.name)));
  }

  SafetensorsHeader& header_;
  Place place_ = Place::outside;
  bool in_metadata_ = false;
  std::string key_;
  std::set<std::string> names_;
  std::string problem_;
};

// The header and, behind it, the data.
struct Parts {
  std::string_view header;
  ByteView data;
};

Result<Parts> split(ByteView bytes, std::string_view name) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return error_in_file(name, fmt::format("is not a safetensors file: it has {}, fewer than the 8 of its first number",
                                           counted(bytes.size(), "byte")));
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  const ByteView rest = bytes.subspan(sizeof(length));
  if (length > kLargestSafetensorsHeader) {
    return error_in_file(name, fmt::format("is not a safetensors file: its first 8 bytes state a header of {}",
                                           counted(length, "byte")));
  }
  if (length > rest.size()) {
    return error_in_file(name, fmt::format("is cut off: its header should have {}, {} {} there",
                                           counted(length, "byte"), rest.size(), agreeing(rest.size(), "is", "are")));
  }
  return Parts{text_of(rest.first(length)), rest.subspan(length)};
}

// The element type and whether the offsets fit type and shape.
Result<ArrayType> check_tensor(const TensorEntry& tensor, std::string_view name) {
  const auto fail = [&](std::string_view problem) {
    return error_in_file(name, fmt::format("tensor '{}' {}", tensor.name, problem));
  };
  const auto* const row = std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                                       [&](const SafetensorsType& r) { return r.code == tensor.type_code; });
  if (row == kSafetensorsTypes.end()) {
    return fail(fmt::format("has elements of type '{}', which is not read", tensor.type_code.substr(0, 40)));
  }
  const std::uint64_t begin = tensor.offsets[0];
  const std::uint64_t end = tensor.offsets[1];
  if (begin > end) return fail(fmt::format("ends at byte {}, before its begin at {}", end, begin));
  const std::optional<std::int64_t> size = byte_count(row->type, tensor.shape);
  if (!size) return fail(fmt::format("has the shape {}, which is too large", format_shape(tensor.shape)));
  if (std::cmp_not_equal(*size, end - begin)) {
    return fail(fmt::format("of shape {} and type {} takes {} bytes, but its offsets span {}",
                            format_shape(tensor.shape), tensor.type_code, *size, end - begin));
  }
  return row->type;
}

// Whether the tensors, in the order of their offsets, fill the data without holes or overlaps.
Status check_coverage(const SafetensorsHeader& header, std::size_t available, std::string_view name) {
  std::vector<const TensorEntry*> ordered;
  ordered.reserve(header.tensors.size());
  for (const TensorEntry& tensor : header.tensors) ordered.push_back(&tensor);
  std::sort(ordered.begin(), ordered.end(),
            [](const TensorEntry* a, const TensorEntry* b) { return a->offsets < b->offsets; });
  std::uint64_t expected = 0;
  for (const TensorEntry* tensor : ordered) {
    if (tensor->offsets[0] != expected) {
      return error_in_file(
          name, fmt::format("tensor '{}' begins at byte {} of the data, where {} is the end of the one before it",
                            tensor->name, tensor->offsets[0], expected));
    }
    expected = tensor->offsets[1];
  }
  if (expected != available) {
    return error_in_file(
        name, fmt::format("has {} of data where its header states {}", counted(available, "byte"), expected));
  }
  return Done{};
}

}  // namespace

Result<Safetensors> parse_safetensors(ByteView bytes, std::string_view name) {
  TARN_TRY(const Parts parts, split(bytes, name));
  SafetensorsHeader header;
  HeaderReader reader(header);
  if (!read_json_parts(parts.header, reader)) {
    return error_in_file(name, "its header " + reader.problem());
  }
  std::vector<ArrayType> types;
  for (const TensorEntry& tensor : header.tensors) {
    TARN_TRY(const ArrayType type, check_tensor(tensor, name));
    types.push_back(type);
  }
  TARN_RETURN_IF_ERROR(check_coverage(header, parts.data.size(), name));

  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (std::size_t i = 0; i < types.size(); ++i) {
    TensorEntry& tensor = header.tensors[i];
    const ByteView data = parts.data.subspan(tensor.offsets[0], tensor.offsets[1] - tensor.offsets[0]);
    result.tensors.push_back({std::move(tensor.name), {types[i], std::move(tensor.shape), copy_of(data)}});
  }
  return result;
}

Result<Safetensors> read_safetensors(const std::string& path) {
  TARN_TRY(const Bytes bytes, read_file(path));
  return parse_safetensors(bytes, path);
}

Status write_safetensors(const std::string& path, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata) {
  // Wider elements first, otherwise as given.
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const std::size_t width_a = size_of(tensors[a].type);
    const std::size_t width_b = size_of(tensors[b].type);
    return width_a != width_b ? width_a > width_b : a < b;
  });
  std::vector<std::size_t> begins(tensors.size());
  std::vector<ByteView> parts(2);  // the length and the header come first
  std::size_t offset = 0;
  for (const std::size_t i : order) {
    begins[i] = offset;
    offset += tensors[i].data.size();
    parts.push_back(tensors[i].data);
  }

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  // Appended, since finding a key in an ordered object is a search from its begin.
  auto& entries = header.get_ref<nlohmann::ordered_json::object_t&>();
  std::unordered_set<std::string_view> names = {kMetadataKey};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const NamedView& tensor = tensors[i];
    TARN_CHECK(names.insert(tensor.name).second, "name of a tensor: " + tensor.name);
    entries.push_back({tensor.name,
                       {{"dtype", kSafetensorsTypes[static_cast<std::size_t>(tensor.type)].code},
                        {"shape", tensor.shape},
                        {"data_offsets", {begins[i], begins[i] + tensor.data.size()}}}});
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  parts[0] = std::as_bytes(std::span(&length, 1));
  parts[1] = view_of(text);
  return write_file(path, parts);
}

}  // namespace tarn
