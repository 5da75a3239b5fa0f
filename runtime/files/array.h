// A plain array on the host: what data and weight files are read into and written from.
//
// Contract: row-major, native byte order (little endian), one buffer aligned to a cache line. `data` holds exactly
// elements() · size_of(type) bytes and no extent is negative. Readers establish this for whatever a file claims; from
// there on a violation is a bug in Tarn.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/diagnostics.h"

namespace tarn {

static_assert(std::endian::native == std::endian::little,
              "the readers and writers of files assume a little-endian host");

// Memory aligned to a cache line, the alignment that vector loads like best. Large blocks ask for huge pages: faulting
// in small ones takes longer than parsing what they hold.
void* allocate_aligned(std::size_t bytes);
void release_aligned(void* block, std::size_t bytes);

// Leaves new elements unset: the buffers here are large and filled at once.
template <class T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <class U>
  explicit AlignedAllocator(const AlignedAllocator<U>&) {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(allocate_aligned(count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) { release_aligned(block, count * sizeof(T)); }
  template <class U>
  void construct(U* place) {
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

// Bytes of a file or an array. `resize` leaves new bytes unset.
using Bytes = std::vector<std::byte, AlignedAllocator<std::byte>>;
using ByteView = std::span<const std::byte>;

inline ByteView view_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes copy_of(ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); }

// Element types of files. f16 and bf16 are only read; Array::converted makes numbers of them that can be computed with.
enum class ArrayType : std::uint8_t { f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

// "f32", "i64", "bool".
std::string_view name_of(ArrayType type);
// Bytes of one element.
std::size_t size_of(ArrayType type);

// IEEE 754 binary16 and bfloat16 as they stand in a file.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};
// Exact: every value of either type is an f32.
float to_float(Float16 value);
float to_float(BFloat16 value);

// The product of the extents; nothing if an extent is negative or the product exceeds 2^63 − 1 on the way from left to
// right.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);
// element_count(shape) · size_of(type) under the same bound.
std::optional<std::int64_t> byte_count(ArrayType type, std::span<const std::int64_t> shape);

// An error unless an array of this type and shape takes exactly `available` bytes, those behind the header of the file
// `name`.
Status check_size(ArrayType type, std::span<const std::int64_t> shape, std::size_t available, std::string_view name);

// "[60000, 28, 28]", "[]" for a scalar.
std::string format_shape(std::span<const std::int64_t> shape);
// Element number `element` of an array of the shape as its indices: "[0, 3, 1]".
std::string format_place(std::int64_t element, std::span<const std::int64_t> shape);

// The ArrayType that a C++ type stands for; boolean has none, because a byte of a file need not be 0 or 1.
template <class T>
struct ArrayTypeOf;
template <>
struct ArrayTypeOf<Float16> {
  static constexpr ArrayType kType = ArrayType::f16;
};
template <>
struct ArrayTypeOf<BFloat16> {
  static constexpr ArrayType kType = ArrayType::bf16;
};
template <>
struct ArrayTypeOf<float> {
  static constexpr ArrayType kType = ArrayType::f32;
};
template <>
struct ArrayTypeOf<double> {
  static constexpr ArrayType kType = ArrayType::f64;
};
template <>
struct ArrayTypeOf<std::int8_t> {
  static constexpr ArrayType kType = ArrayType::i8;
};
template <>
struct ArrayTypeOf<std::int16_t> {
  static constexpr ArrayType kType = ArrayType::i16;
};
template <>
struct ArrayTypeOf<std::int32_t> {
  static constexpr ArrayType kType = ArrayType::i32;
};
template <>
struct ArrayTypeOf<std::int64_t> {
  static constexpr ArrayType kType = ArrayType::i64;
};
template <>
struct ArrayTypeOf<std::uint8_t> {
  static constexpr ArrayType kType = ArrayType::u8;
};
template <>
struct ArrayTypeOf<std::uint16_t> {
  static constexpr ArrayType kType = ArrayType::u16;
};
template <>
struct ArrayTypeOf<std::uint32_t> {
  static constexpr ArrayType kType = ArrayType::u32;
};
template <>
struct ArrayTypeOf<std::uint64_t> {
  static constexpr ArrayType kType = ArrayType::u64;
};

struct Array {
  ArrayType type = ArrayType::f32;
  std::vector<std::int64_t> shape;
  Bytes data;

  // Elements are not set. The shape must have an element_count.
  static Array unset(ArrayType type, std::vector<std::int64_t> shape);
  static Array zeros(ArrayType type, std::vector<std::int64_t> shape);
  // `values` in row-major order, as many as the shape has elements, converted as `converted` does; not to f16 or bf16.
  static Array from_doubles(ArrayType type, std::vector<std::int64_t> shape, std::span<const double> values);

  std::int64_t elements() const;

  // The elements as `T`, which must be the C++ type of `type` (bool: uint8_t).
  template <class T>
  std::span<T> values() {
    check_type(ArrayTypeOf<T>::kType);
    return {reinterpret_cast<T*>(data.data()), data.size() / sizeof(T)};
  }
  template <class T>
  std::span<const T> values() const {
    check_type(ArrayTypeOf<T>::kType);
    return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
  }

  // Element `index` of the flattened array; bool is 0 or 1, integers beyond 2^53 are rounded.
  double at(std::int64_t index) const;
  std::vector<double> to_doubles() const;

  // The same numbers as another type (not f16 or bf16), rounded to nearest for floats; towards integers cut towards
  // zero and held within the range of the type, NaN to 0; towards bool, whether it differs from 0.
  Array converted(ArrayType target) const;

  // An array of the bytes behind the first `skipped`, in place: large ones are not held twice. The shape must take all
  // of them.
  static Array of_bytes(ArrayType type, std::vector<std::int64_t> shape, Bytes bytes, std::size_t skipped);

  // Between big and little endian, in place.
  void swap_byte_order();

 private:
  void check_type(ArrayType expected) const;
};

// A member of an npz or safetensors file.
struct NamedArray {
  std::string name;
  Array array;
};

// The same to be written from where it is, without a copy; what the views are of must stay.
struct NamedView {
  std::string name;
  ArrayType type = ArrayType::f32;
  std::span<const std::int64_t> shape;
  ByteView data;
};
std::vector<NamedView> views_of(std::span<const NamedArray> arrays);

}  // namespace tarn
