// The constants by which the planner and the tactics choose: cost_model.def lists them with units and reasons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tarn {

struct CostModel {
#define CONSTANT(type, name, value, unit, reason) type name = value;
#include "passes/tactics/cost_model.def"
#undef CONSTANT
};
// What is used but in tests.
inline constexpr CostModel kCosts;

// From how many samples on threads share a copy that moves so many bytes for each.
std::int64_t samples_worth_sharing(double bytes, const CostModel& costs = kCosts);

// A line a constant: name, value, unit and reason.
std::string print(const CostModel& costs);

}  // namespace tarn
