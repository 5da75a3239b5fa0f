// Names, sizes and printing of types and shapes. See type.h.
#include "ir/type.h"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace tarn {

namespace {

struct DTypeRow {
  std::string_view name;
  std::size_t size;
};
// In the order of DType.
constexpr std::array<DTypeRow, 4> kDTypes = {{{"f32", 4}, {"f64", 8}, {"i32", 4}, {"bool", 1}}};

std::string join_extents(const Shape& shape, std::string_view separator) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += separator;
    out += shape[i] == kBatch ? "N" : fmt::format("{}", shape[i]);
  }
  return out + "]";
}

}  // namespace

std::string_view name_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::size_t size_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].size; }

std::string to_string(const Shape& shape) { return join_extents(shape, ", "); }

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool saturated = false;
  for (const std::int64_t extent : shape) {
    if (extent == 0) return 0;
    if (extent > std::numeric_limits<std::int64_t>::max() / count) saturated = true;
    if (!saturated) count *= extent;
  }
  return saturated ? std::numeric_limits<std::int64_t>::max() : count;
}

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

Shape with_batch(const Shape& shape, std::int64_t batch) {
  Shape result = shape;
  if (has_batch(result)) result.front() = batch;
  return result;
}

std::string to_string(const Type& type) {
  return fmt::format("{}{}{}", type.per_sample ? "each " : "", name_of(type.dtype), join_extents(type.shape, ","));
}

}  // namespace tarn
