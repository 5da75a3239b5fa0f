// The self-test of a compiled model as a program, to be run where the model is to run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/model/interface.h"

namespace tarn {

// Calls in their order, with what they give in double precision.
struct SelfTest {
  struct Call {
    enum class Function : std::uint8_t { predict, evaluate, train_step } function = Function::predict;
    std::string when;                               // "before training"
    std::vector<std::vector<double>> outputs = {};  // of a prediction; empty where not all numbers are finite
    double loss = 0;                                // of the others
    // What each output, or the loss, is computed in: f32 where anything on the way to it is.
    std::vector<DType> precisions = {};
  };
  std::uint64_t seed = 0;
  std::int64_t samples = 1;
  std::map<std::string, std::vector<double>, std::less<>> arrays;  // inputs and targets, by name
  std::vector<Call> calls;
};

// Sums of the model's length, rounded to this type, differ by less than this, times 1 + |x|, from the same in double
// precision.
inline double tolerance_of(DType precision) { return precision == DType::f64 ? 1e-9 : 1e-4; }

// C99 text that includes `header` and needs no library but <stdio.h>, and a module for Node that imports `module`. The
// exit status is 0 where all results agree.
std::string c_program_of(const SelfTest& test, const ModelInterface& interface, const std::string& header);
std::string js_program_of(const SelfTest& test, const ModelInterface& interface, const std::string& module);

}  // namespace tarn
