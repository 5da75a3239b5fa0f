// Random graphs for tests of what comes after the graph: they hold every operation that a batched graph may hold.
#pragma once

#include <cstdint>

#include "ir/evaluator.h"
#include "ir/graph.h"
#include "ir/program.h"

namespace tarn {

struct PlanCase {
  Graph graph;
  Program program;  // tensors, inputs, outputs with offsets; settings.batch
  EvaluationContext context;
};

struct PlanCaseOptions {
  int nodes = 30;
  std::int64_t max_batch = 5;
  std::int64_t batch = 3;
  bool stores = true;  // some results are stores to tensors, which others read
  bool loss = false;   // a loss, so that stores are guarded
  // Training steps: the loss and, for every tensor, a step of gradient descent, with grad() still to be expanded.
  // Leaves out what jumps where a rounding error decides (comparisons, indices computed from values), and ties of
  // extremes.
  bool descent = false;
  DType dtype = DType::f64;
};

// The same graph and data for the same seed and options. Values stay within a few powers of ten, so that sums in
// another order agree to a few rounding errors.
PlanCase random_plan_case(std::uint64_t seed, const PlanCaseOptions& options);

}  // namespace tarn
