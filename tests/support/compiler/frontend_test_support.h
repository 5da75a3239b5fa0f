// Compiling small texts and evaluating them with the reference evaluator, for tests of the frontend.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "ir/evaluator.h"

namespace tarn::frontend_test {

struct Compiled {
  Sources sources;
  FrontendResult result;

  const Program& program() const { return *result.program; }
  // All diagnostics as they are printed.
  std::string messages() const { return format(result.diagnostics, sources); }
};

// Options for numbers of type f64.
inline FrontendOptions double_precision() {
  FrontendOptions options;
  options.float_type = DType::f64;
  return options;
}

Compiled compile(const std::string& text, const FrontendOptions& options = {});

using Values = std::map<std::string, HostTensor, std::less<>>;

// Parameters, states, slots, hyper-parameters and counters as the init graph makes them, and metrics at their start.
Values initial_tensors(const Program& program, std::uint64_t seed = 0);

// Results of the prediction of one sample, by name.
Values predict(const Program& program, const Values& inputs, const Values& tensors);

// The stores of one training step, and "loss", by name; each input has the batch as first axis. The graph goes through
// batching and autodiff first.
Values train_step(const Program& program, const Values& inputs, const Values& tensors, std::int64_t batch);
Values evaluate_batch(const Program& program, const Values& inputs, const Values& tensors, std::int64_t batch);
// What the report graph says, by name.
Values report(const Program& program, const Values& tensors);

// The value of `expression` in a model with x = [1, 2, -3] and m = [[1, 2], [3, 4]], both f64.
HostTensor value_of(const std::string& expression, const std::string& declarations = "");

}  // namespace tarn::frontend_test
