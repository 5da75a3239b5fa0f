// See verify_bodies.h.
#include "passes/plan/verify_bodies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/plan/verify_accesses.h"

namespace tarn {
namespace {

bool is_of_type(double number, DType dtype) {
  if (is_floating(dtype)) return true;
  if (dtype == DType::boolean) return number == 0 || number == 1;
  return number == std::trunc(number) &&
         std::fabs(number) <= -static_cast<double>(std::numeric_limits<std::int32_t>::min());
}

// `values` are those of the body before the one that reads.
void check_row(Verification& verification, const Access& access, const Body& body, std::size_t values) {
  verification.require(access.row == kNoValue || (access.row < values && body.values[access.row].dtype == DType::i32),
                       "a row is no i32 value of the body");
}

void check_read(Verification& verification, const Access& access, const std::vector<Extent>& axes) {
  check_access(verification, access, axes);
  if (!verification.is_good()) return;
  const Buffer& buffer = verification.plan.buffers[access.buffer];
  verification.require(
      buffer.space != Space::arena || verification.written[access.buffer],
      fmt::format("'{}' is read before it is written, or after its place has been taken", buffer.name));
}

}  // namespace

void check_values(Verification& verification, const Body& body, const std::vector<Extent>& axes, std::size_t reductions,
                  bool has_product) {
  for (ValueId id = 0; id < body.values.size() && verification.is_good(); ++id) {
    const Value& value = body.values[id];
    switch (value.kind) {
      case Value::Kind::operation:
        verification.require(info(value.op).op_class == OpClass::elementwise, "an operation is not one on elements");
        verification.require(value.operands.size() == static_cast<std::size_t>(std::max(info(value.op).arity, 0)),
                             "an operation has not as many operands as it needs");
        for (const ValueId operand : value.operands)
          verification.require(operand < id, "an operand stands behind its user");
        break;
      case Value::Kind::load:
        check_row(verification, value.access, body, id);
        check_read(verification, value.access, axes);
        if (!verification.is_good()) return;
        verification.require(verification.plan.buffers[value.access.buffer].dtype == value.dtype,
                             "a load has not the type of its buffer");
        verification.require(value.access.bounds.empty() || is_of_type(value.access.fill, value.dtype),
                             "what a load gives outside of its bounds is no number of its type");
        break;
      case Value::Kind::index:
        verification.require(value.linear.strides.size() == axes.size(), "an index lacks strides");
        check_repeat_strides(verification, value.linear);
        break;
      case Value::Kind::draw:
        verification.require(value.linear.strides.size() == axes.size() && value.sample.strides.size() == axes.size(),
                             "a draw lacks strides");
        check_repeat_strides(verification, value.linear);
        check_repeat_strides(verification, value.sample);
        break;
      case Value::Kind::product:
        verification.require(has_product, "there is no product here");
        break;
      case Value::Kind::reduced:
        verification.require(value.reduction < reductions, "there is no such reduction");
        break;
      case Value::Kind::constant:
        verification.require(is_of_type(value.number, value.dtype), "a constant is no number of its type");
        break;
      case Value::Kind::batch_size:
        break;
    }
  }
}

void check_stores(Verification& verification, const Body& body, const std::vector<Extent>& axes) {
  for (const Store& store : body.stores) {
    verification.require(store.value < body.values.size(), "a store has no value");
    if (!verification.is_good()) return;
    check_row(verification, store.access, body, body.values.size());
    check_access(verification, store.access, axes);
    if (!verification.is_good()) return;
    const Buffer& buffer = verification.plan.buffers[store.access.buffer];
    verification.require(store.access.bounds.empty(), fmt::format("a store to '{}' has bounds", buffer.name));
    verification.require(buffer.space != Space::input && buffer.space != Space::constants,
                         fmt::format("'{}' cannot be written", buffer.name));
    verification.require(buffer.dtype == body.values[store.value].dtype,
                         fmt::format("'{}' has another type", buffer.name));
    verification.require(
        !store.guarded || (buffer.space == Space::state && is_floating(buffer.dtype) && !store.accumulate),
        fmt::format("what '{}' gets cannot be guarded", buffer.name));
  }
}

void check_reductions(Verification& verification, const Body& body, const std::vector<Reduction>& reductions,
                      const Body& tail, const std::vector<Extent>& axes) {
  for (const Reduction& r : reductions) {
    verification.require(r.value < body.values.size(), "a reduction has no value");
    verification.require(info(r.op).reduction.has_value(), "a reduction reduces nothing");
    if (!verification.is_good()) return;
    verification.require(r.dtype == (gives_index(r.op) ? DType::i32 : body.values[r.value].dtype),
                         "a reduction has another type");
    verification.require(!r.multiply_add || (r.op == Op::reduce_sum && is_product_of_floats(body.values[r.value])),
                         "a sum of products has none");
  }
  check_values(verification, tail, axes, reductions.size(), false);
}

void check_kept(Verification& verification, const Body& tail, const std::vector<bool>& reduced) {
  for_each_linear(tail, [&](const Linear& linear) {
    for (std::size_t i = 0; i < reduced.size(); ++i) {
      verification.require(!reduced[i] || linear.strides[i] == 0, "the tail has a stride on a reduced axis");
    }
  });
}

void mark_written(Verification& verification, const Body& body) {
  for (const Store& store : body.stores) {
    const Buffer& buffer = verification.plan.buffers[store.access.buffer];
    if (buffer.space == Space::arena) {
      for (BufferId id = 0; id < verification.plan.buffers.size(); ++id) {
        const Buffer& other = verification.plan.buffers[id];
        const bool is_other = id != store.access.buffer;
        if (verification.written[id] && is_other && share_bytes(buffer, other, verification.plan.max_batch))
          verification.written[id] = false;
      }
    }
  }
  for (const Store& store : body.stores) verification.written[store.access.buffer] = true;
}

}  // namespace tarn
