// Bodies of kernels: a list of scalar values computed at every point of an iteration space, stores, and reductions. All
// addresses are affine in the indices of the kernel's axes and in the rounds of the repeats around it.
//
// Invariants (verify(KernelPlan)): a value's operands come before it; strides stand for every axis of the kernel; a
// load touches its buffer only, within its bounds where it has any.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"
#include "ir/random.h"

namespace tarn {

using BufferId = std::uint32_t;  // index into KernelPlan::buffers

// constant, or constant * N.
struct Extent {
  std::int64_t constant = 1;
  bool times_batch = false;
  friend bool operator==(const Extent&, const Extent&) = default;
};

// offset + sum of strides[i] * index of axis i + sum of repeat_strides[d] * round of repeat d: of elements in a
// buffer, or a number in its own right. Repeats around a kernel count from the outermost; strides that are left out at
// the end are 0, and the last that is there is not.
struct Linear {
  std::vector<std::int64_t> strides;
  std::int64_t offset = 0;
  std::vector<std::int64_t> repeat_strides = {};
  friend bool operator==(const Linear&, const Linear&) = default;
};

using ValueId = std::uint32_t;  // index into the values of the same body
inline constexpr ValueId kNoValue = 0xFFFF'FFFF;

// An index that may leave what it counts: elements of a buffer that are `stride` apart, from 0 to limit - 1.
struct Bound {
  Linear index;
  std::int64_t limit = 0, stride = 0;
  friend bool operator==(const Bound&, const Bound&) = default;
};

struct Access {
  BufferId buffer = 0;
  Linear at;
  // gather and scatter: `row`, an i32 value of the body, clamped to [0, row_limit), times row_stride is added.
  // kNoValue: none.
  ValueId row = kNoValue;
  std::int64_t row_stride = 0, row_limit = 0;
  // Of loads: where any of these indices is outside of its limits, the value is `fill`, and no memory is touched. What
  // they contribute, index * stride, is part of `at`.
  std::vector<Bound> bounds = {};
  double fill = 0;
};

struct Value {
  enum class Kind : std::uint8_t {
    operation,   // an elementwise `op` of `operands`
    constant,    // `number`
    load,        // the element at `access`
    index,       // `linear` as a number of type dtype
    batch_size,  // N
    // Element `linear`, sample `sample` of `stream`, of the `distribution`; see ir/random.h. Where `sample` has a
    // stride, the number of the call's first sample is added to it; without strides the draw is the same for all
    // samples.
    draw,
    product,  // contraction epilogue: the sum of products at this point
    reduced,  // tail: the result of reduction number `reduction`
  };
  Kind kind = Kind::operation;
  Op op = Op::add;
  DType dtype = DType::f32;
  std::vector<ValueId> operands;
  double number = 0;
  Access access;
  Linear linear;
  Linear sample;
  std::uint64_t stream = 0;
  Distribution distribution = Distribution::uniform;
  std::uint32_t reduction = 0;
};

struct Store {
  ValueId value = 0;
  Access access;
  // Adds to what is there instead of replacing it (scatter_add); points run in order of their indices.
  bool accumulate = false;
  // Keeps what is there where a value that one of the body's guarded stores has for this point is NaN or infinite, and
  // says so: guarded_stores.h.
  bool guarded = false;
};

struct Body {
  std::vector<Value> values;
  std::vector<Store> stores;
};

struct Reduction {
  Op op = Op::reduce_sum;    // reduce_sum, reduce_prod, reduce_max, reduce_min, argmax, argmin
  ValueId value = 0;         // of the body
  DType dtype = DType::f32;  // of the result; argmax, argmin: i32
  // Of loops, a sum of products in floats: `value` is a `mul`, which is not rounded before it is added where the
  // machine has fused multiply-adds, as in a contraction.
  bool multiply_add = false;
};
// Whether a sum of this value can be one of products.
bool is_product_of_floats(const Value& value);

// What a product multiplies: a value of a body that stores nothing.
struct Operand {
  Body body;
  ValueId value = 0;

  // Whether it is an element as it stands in memory; only then is there an access to that.
  bool is_load() const {
    if (body.values.size() != 1 || body.values.front().kind != Value::Kind::load) return false;
    return body.values.front().access.row == kNoValue && body.values.front().access.bounds.empty();
  }
  Access& access() { return body.values.front().access; }
  const Access& access() const { return body.values.front().access; }
};
Operand operand_of(const Access& access, DType dtype);

// Calls visit(Linear&) for every affine function of the axes in a body.
template <class BodyType, class Visit>
void for_each_linear(BodyType& body, Visit visit) {
  for (auto& value : body.values) {
    switch (value.kind) {
      case Value::Kind::load:
        visit(value.access.at);
        for (auto& bound : value.access.bounds) visit(bound.index);
        break;
      case Value::Kind::index:
        visit(value.linear);
        break;
      case Value::Kind::draw:
        visit(value.linear);
        visit(value.sample);
        break;
      case Value::Kind::operation:
      case Value::Kind::constant:
      case Value::Kind::batch_size:
      case Value::Kind::product:
      case Value::Kind::reduced:
        break;
    }
  }
  for (auto& store : body.stores) visit(store.access.at);
}

}  // namespace tarn
