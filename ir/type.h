// Element types, shapes and the type of a node.
//
// Invariants: extents are >= 0 or kBatch; kBatch stands at most once in a shape, always first, and never in a type that
// is per_sample (a shape either names the batch axis or leaves it out, never both).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

enum class DType : std::uint8_t { f32, f64, i32, boolean };

// "f32", "f64", "i32", "bool": the names of the language.
std::string_view name_of(DType dtype);
std::optional<DType> dtype_named(std::string_view name);
// Bytes of one element in memory: 4, 8, 4, 1.
std::size_t size_of(DType dtype);
inline bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

// The symbolic extent of the batch axis: some N with 1 <= N <= the batch size of the model.
inline constexpr std::int64_t kBatch = -1;

// Limits on what a model may ask for; each is tested at N and N + 1.
inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;
inline constexpr std::size_t kMaxNodes = 4'000'000;

using Shape = std::vector<std::int64_t>;

// "[4, 6]", "[N, 6]", "[]" for a scalar.
std::string to_string(const Shape& shape);
// Product of the extents; the shape holds no kBatch. Saturates at INT64_MAX.
std::int64_t element_count(const Shape& shape);
// Row-major strides in elements; kBatch may stand first (its extent never enters).
std::vector<std::int64_t> row_major_strides(const Shape& shape);
// The shape with kBatch replaced by `batch`.
Shape with_batch(const Shape& shape, std::int64_t batch);
inline bool has_batch(const Shape& shape) { return !shape.empty() && shape.front() == kBatch; }

struct Type {
  DType dtype = DType::f32;
  // Before batching: there is one such value for each sample, and `shape` is that of one sample. After batching: always
  // false, and what depends on the sample has kBatch as its first extent.
  bool per_sample = false;
  Shape shape;

  friend bool operator==(const Type&, const Type&) = default;
};

// "f32[4,6]", "f32[N,6]" or, per sample, "each f32[6]".
std::string to_string(const Type& type);
// Whether the value depends on the sample, in either form.
inline bool depends_on_sample(const Type& type) { return type.per_sample || has_batch(type.shape); }

}  // namespace tarn
