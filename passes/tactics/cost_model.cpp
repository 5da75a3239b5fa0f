// See cost_model.h.
#include "passes/tactics/cost_model.h"

#include <fmt/format.h>

#include <cmath>

namespace tarn {

std::int64_t samples_worth_sharing(double bytes, const CostModel& costs) {
  return static_cast<std::int64_t>(std::ceil(costs.shared_time * costs.bytes_per_nanosecond / bytes));
}

std::string print(const CostModel& costs) {
  std::string text;
#define CONSTANT(type, name, value, unit, reason) \
  text += fmt::format("{:<24}{:>8} {:<18}{}\n", #name, costs.name, unit, reason);
#include "passes/tactics/cost_model.def"
#undef CONSTANT
  return text;
}

}  // namespace tarn
