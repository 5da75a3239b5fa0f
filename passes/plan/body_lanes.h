// What the lanes of vectors mean to a body: which of its values differ between them, how many lanes there may be, and
// what its values cost. For those who choose lanes, and for code generation, which obeys.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

struct LaneValues {
  std::vector<bool> varying;  // differs between the lanes
  std::vector<bool> needed;   // by a store, a reduction or a needed value
};
// Where vectors lie along the axis; -1: there are none. `extra` values are needed, too; `product` and `reduced` values
// vary if results_vary.
LaneValues lane_values(const Body& body, int vector_axis, const std::vector<ValueId>& extra, bool results_vary);

// The values that a value is made of.
std::vector<ValueId> operands_of(const Value& value);
// What reductions need of a body.
std::vector<ValueId> values_of(const std::vector<Reduction>& reductions);

// Lanes for bodies in vectors of `bytes` bytes: by the widest float among what varies, else by 4-byte values.
unsigned lanes_for(const std::vector<const Body*>& bodies, const std::vector<const LaneValues*>& values,
                   std::int64_t bytes);
// Whether stores of the body allow lanes side by side: no two lanes may write one element.
bool allows_lanes(const Body& body, const LaneValues& values, int vector_axis);
// Whether values are made by chains of dozens of instructions, each of which waits for the one before.
bool has_long_chains(const Body& body);

// Whether a coordinate changes along the axis.
bool moves(const Linear& linear, int axis);

}  // namespace tarn
