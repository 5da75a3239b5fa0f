// See program_functions.h.
#include "ir/program_functions.h"

#include <algorithm>
#include <array>
#include <string>

#include "ir/diagnostics.h"

namespace tarn {

namespace {

constexpr std::array kFunctions = {
#define FUNCTION(name, facts, documentation) FunctionInfo{#name, facts, documentation},
#include "ir/program_functions.def"
};

}  // namespace

std::span<const FunctionInfo> all_functions() { return kFunctions; }

const FunctionInfo* find_function(std::string_view name) {
  const auto* const row = std::ranges::find(kFunctions, name, &FunctionInfo::name);
  return row == kFunctions.end() ? nullptr : row;
}

const FunctionInfo& function_named(std::string_view name) {
  const FunctionInfo* const row = find_function(name);
  TARN_CHECK(row != nullptr, std::string(name));
  return *row;
}

}  // namespace tarn
