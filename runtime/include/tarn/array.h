// Arrays of the C++ API: tensors that own their memory, views and destinations that are the caller's. See tarn/tarn.h.
#pragma once

#include <tarn/c.h>
#include <tarn/error.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tarn {
inline namespace v0 {

enum class DType : std::int32_t { f32 = TARN_F32, f64 = TARN_F64, i32 = TARN_I32, boolean = TARN_BOOL };

// The DType of a C++ type.
template <class T>
constexpr DType dtype_of() {
  using Plain = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<Plain, float>) {
    return DType::f32;
  } else if constexpr (std::is_same_v<Plain, double>) {
    return DType::f64;
  } else if constexpr (std::is_same_v<Plain, std::int32_t>) {
    return DType::i32;
  } else {
    static_assert(std::is_same_v<Plain, bool> && sizeof(bool) == 1,
                  "arrays are of float, double, std::int32_t or bool");
    return DType::boolean;
  }
}

constexpr std::size_t size_of(DType dtype) { return dtype == DType::f64 ? 8 : dtype == DType::boolean ? 1 : 4; }

// Elements with a shape, row-major; owns its memory.
class Tensor {
 public:
  Tensor() = default;
  // Zeros.
  Tensor(DType dtype, std::vector<std::int64_t> shape) : dtype_(dtype), shape_(std::move(shape)) {
    std::size_t bytes = size_of(dtype);
    for (const std::int64_t extent : shape_) {
      const auto factor = static_cast<std::size_t>(extent);
      if (extent < 0 || (extent > 0 && bytes > kMostBytes / factor))
        detail::throw_argument_error("no tensor can have the extent " + std::to_string(extent));
      bytes *= factor;
    }
    memory_.resize(bytes);
  }

  DType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::size_t size() const { return bytes() / size_of(dtype_); }
  std::size_t bytes() const { return memory_.size(); }
  void* data() { return memory_.data(); }
  const void* data() const { return memory_.data(); }

  // The elements as T, which must be the type that they have.
  template <class T>
  std::span<T> values() & {
    check_type(dtype_of<T>());
    return {static_cast<T*>(data()), size()};
  }
  template <class T>
  std::span<const T> values() const& {
    check_type(dtype_of<T>());
    return {static_cast<const T*>(data()), size()};
  }
  template <class T>
  std::span<const T> values() const&& = delete;  // it would outlive the memory

  // Element `index` of the flattened tensor.
  double operator[](std::size_t index) const {
    if (index >= size()) detail::throw_argument_error("there is no element " + std::to_string(index));
    switch (dtype_) {
      case DType::f32:
        return static_cast<double>(values<float>()[index]);
      case DType::f64:
        return values<double>()[index];
      case DType::i32:
        return values<std::int32_t>()[index];
      case DType::boolean:
        break;
    }
    return values<bool>()[index] ? 1 : 0;
  }

 private:
  void check_type(DType wanted) const {
    if (wanted != dtype_) detail::throw_argument_error("the tensor has elements of another type");
  }

  static constexpr std::size_t kMostBytes = std::size_t{1} << 62;

  DType dtype_ = DType::f32;
  std::vector<std::int64_t> shape_;
  std::vector<std::byte> memory_;  // as operator new aligns it: enough for every type
};

// An array of the caller's: a pointer, a type, a shape and, where elements do not lie densely in row-major order, the
// distances between them. Nothing is copied, so the array must live as long as the view is used.
class View {
 public:
  static constexpr std::size_t kMaxRank = 9;  // samples, and the axes of one

  template <class T>
  View(const T* data, std::initializer_list<std::int64_t> shape)
      : View(data, dtype_of<T>(), std::span(shape.begin(), shape.size())) {}
  // Distances in bytes, one an axis.
  template <class T>
  View(const T* data, std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides)
      : View(data, dtype_of<T>(), std::span(shape.begin(), shape.size()), std::span(strides.begin(), strides.size())) {}
  View(const void* data, DType dtype, std::span<const std::int64_t> shape, std::span<const std::int64_t> strides = {})
      : data_(data), dtype_(dtype), rank_(shape.size()), is_strided_(!strides.empty()) {
    if (shape.size() > kMaxRank) detail::throw_argument_error("a view has at most 9 axes");
    if (is_strided_ && strides.size() != shape.size())
      detail::throw_argument_error("a view has as many strides as axes");
    for (std::size_t i = 0; i < rank_; ++i) {
      shape_[i] = shape[i];
      strides_[i] = is_strided_ ? strides[i] : 0;
    }
  }
  // A vector, span or array: flat, which is enough where a model says what one sample is.
  template <std::ranges::contiguous_range Range>
    requires(std::ranges::sized_range<Range> && !std::is_same_v<std::remove_cvref_t<Range>, Tensor> &&
             std::is_arithmetic_v<std::ranges::range_value_t<Range>>)
  View(const Range& range) : View(std::ranges::data(range), {static_cast<std::int64_t>(std::ranges::size(range))}) {}
  View(const Tensor& tensor) : View(tensor.data(), tensor.dtype(), tensor.shape()) {}

  // Valid as long as this view is.
  tarn_view c_view() const {
    return {data_, shape_, is_strided_ ? strides_ : nullptr, rank_, static_cast<tarn_dtype>(dtype_)};
  }

 private:
  const void* data_;
  DType dtype_;
  std::int64_t shape_[kMaxRank] = {}, strides_[kMaxRank] = {};
  std::size_t rank_;
  bool is_strided_;
};

// {{"x", x}, {"t", t}}: views by the names of inputs and targets.
struct Argument {
  std::string name;
  View view;
};
using Arguments = std::vector<Argument>;

// Memory of the caller's for an output.
struct Destination {
  std::string name;
  void* data;
  std::size_t bytes;
  DType dtype;

  template <class T>
  Destination(std::string output, std::span<T> memory)
      : name(std::move(output)), data(memory.data()), bytes(memory.size_bytes()), dtype(dtype_of<T>()) {}
  template <class T>
  Destination(std::string output, std::vector<T>& memory) : Destination(std::move(output), std::span<T>(memory)) {}
  Destination(std::string output, Tensor& tensor)
      : name(std::move(output)), data(tensor.data()), bytes(tensor.bytes()), dtype(tensor.dtype()) {}
};

// Numbers in nested braces, or one number for all elements: what a weight is set to.
class Values {
 public:
  Values(double number) : number_(number) {}
  Values(std::initializer_list<Values> list) : list_(list), is_list_(true) {}

  // Row-major, with the shape that the braces make; all lists of a level must have the same length.
  std::vector<double> flat(std::vector<std::int64_t>& shape) const {
    shape.clear();
    for (const Values* at = this; at->is_list_; at = &at->list_.front()) {
      shape.push_back(static_cast<std::int64_t>(at->list_.size()));
      if (at->list_.empty()) break;
    }
    std::vector<double> numbers;
    append(shape, 0, numbers);
    return numbers;
  }
  bool is_number() const { return !is_list_; }

 private:
  void append(const std::vector<std::int64_t>& shape, std::size_t axis, std::vector<double>& numbers) const {
    const bool is_leaf = axis == shape.size();
    if (is_leaf == is_list_ || (is_list_ && static_cast<std::int64_t>(list_.size()) != shape[axis]))
      detail::throw_argument_error("the braces of the values do not make a tensor");
    if (is_leaf) numbers.push_back(number_);
    for (const Values& item : list_) item.append(shape, axis + 1, numbers);
  }

  double number_ = 0;
  std::vector<Values> list_;
  bool is_list_ = false;
};

}  // namespace v0
}  // namespace tarn
