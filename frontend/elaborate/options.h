// What callers of the frontend may choose, and what bounds the work of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ir/setting.h"

namespace tarn {

inline constexpr std::size_t kMaxReportedErrors = 50;

// What unrolling a model may cost; the type system's own limits (rank, elements) are in ir/type.h.
struct ElaborationLimits {
  std::uint64_t steps = 10'000'000;     // expressions evaluated, list elements made
  std::size_t list_length = 1'000'000;  // of one list, or numbers of one literal array
  int call_depth = 200;                 // calls inside calls
  int nesting = 2'500;                  // expressions inside expressions, through all calls: bounds the stack
  std::size_t nodes = kMaxNodes;        // of one graph
};

struct FrontendOptions {
  DType float_type = DType::f32;      // of inputs, parameters and literals without a type
  std::vector<Setting> overrides;     // in order: the last one of a key wins
  std::optional<std::uint64_t> seed;  // in place of the train block's
  ElaborationLimits limits;
};

}  // namespace tarn
