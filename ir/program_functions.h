// The table of program functions: what program_functions.def lists, as a row of facts for each.
//
// A program has a graph for each of its functions (predict_packed is a second plan of one). Whoever treats one
// otherwise than another asks for a fact; names stand only where one function is meant.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tarn {

enum FunctionFact : std::uint16_t {
  kRunsOnce = 1,        // on no samples
  kTakesOrder = 2,      // goes over rows of the data, in an order that it is given
  kPredicts = 4,        // goes over samples as they lie, and gives outputs for each
  kCountsSteps = 8,     // each batch is a step: what the language calls training
  kGuards = 16,         // stores only what is finite
  kHasTargets = 32,     // and so a loss
  kAcrossSamples = 64,  // values may depend on all samples of a batch
};

struct FunctionInfo {
  std::string_view name;
  std::uint16_t facts;
  std::string_view documentation;

  constexpr bool has(FunctionFact fact) const { return (facts & fact) != 0; }
};

std::span<const FunctionInfo> all_functions();
const FunctionInfo* find_function(std::string_view name);   // nullptr: there is none
const FunctionInfo& function_named(std::string_view name);  // there is one

}  // namespace tarn
