// See body_lanes.h.
#include "passes/plan/body_lanes.h"

#include <algorithm>

namespace tarn {
namespace {

bool differs_between_lanes(const Value& value, int vector_axis, bool results_vary) {
  const auto along = [&](const Linear& linear) { return moves(linear, vector_axis); };
  switch (value.kind) {
    case Value::Kind::load:
      return along(value.access.at) || std::any_of(value.access.bounds.begin(), value.access.bounds.end(),
                                                   [&](const Bound& bound) { return along(bound.index); });
    case Value::Kind::index:
      return along(value.linear);
    case Value::Kind::draw:
      return along(value.linear) || along(value.sample);
    case Value::Kind::product:
    case Value::Kind::reduced:
      return results_vary;
    case Value::Kind::operation:
    case Value::Kind::constant:
    case Value::Kind::batch_size:
      return false;
  }
  return false;
}

}  // namespace

bool moves(const Linear& linear, int axis) {
  return axis >= 0 && static_cast<std::size_t>(axis) < linear.strides.size() &&
         linear.strides[static_cast<std::size_t>(axis)] != 0;
}

std::vector<ValueId> operands_of(const Value& value) {
  if (value.kind == Value::Kind::operation) return value.operands;
  if (value.kind == Value::Kind::load && value.access.row != kNoValue) return {value.access.row};
  return {};
}

std::vector<ValueId> values_of(const std::vector<Reduction>& reductions) {
  std::vector<ValueId> values;
  values.reserve(reductions.size());
  for (const Reduction& reduction : reductions) values.push_back(reduction.value);
  return values;
}

LaneValues lane_values(const Body& body, int vector_axis, const std::vector<ValueId>& extra, bool results_vary) {
  const std::size_t count = body.values.size();
  LaneValues values{std::vector<bool>(count), std::vector<bool>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    bool varying = differs_between_lanes(body.values[i], vector_axis, results_vary);
    for (const ValueId operand : operands_of(body.values[i])) varying = varying || values.varying[operand];
    values.varying[i] = varying;
  }
  for (const Store& store : body.stores) {
    values.needed[store.value] = true;
    if (store.access.row != kNoValue) values.needed[store.access.row] = true;
  }
  for (const ValueId id : extra) values.needed[id] = true;
  for (std::size_t i = count; i-- > 0;) {
    if (!values.needed[i]) continue;
    for (const ValueId operand : operands_of(body.values[i])) values.needed[operand] = true;
  }
  return values;
}

unsigned lanes_for(const std::vector<const Body*>& bodies, const std::vector<const LaneValues*>& values,
                   std::int64_t bytes) {
  bool f64 = false;
  for (std::size_t b = 0; b < bodies.size(); ++b) {
    for (std::size_t i = 0; i < bodies[b]->values.size(); ++i) {
      const bool counts = values[b]->needed[i] && values[b]->varying[i];
      f64 = f64 || (counts && bodies[b]->values[i].dtype == DType::f64);
    }
  }
  return static_cast<unsigned>(bytes / (f64 ? 8 : 4));
}

bool allows_lanes(const Body& body, const LaneValues& values, int vector_axis) {
  return std::all_of(body.stores.begin(), body.stores.end(), [&](const Store& store) {
    const bool row_varies = store.access.row != kNoValue && values.varying[store.access.row];
    return !row_varies && moves(store.access.at, vector_axis);
  });
}

bool has_long_chains(const Body& body) {
  return std::any_of(body.values.begin(), body.values.end(), [](const Value& value) {
    return value.kind == Value::Kind::operation && info(value.op).cost >= kLongCost;
  });
}

}  // namespace tarn
