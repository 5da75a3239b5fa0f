// The reference evaluator: what every operation means, in double precision, as simply as it can be said. It is the
// oracle for passes and generated code, and shares nothing with them but the operation table.
//
// It runs a batched graph on N samples, or a per-sample graph on a single sample (there N = 1, and batch_sum is the
// identity).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace tarn {

// A host array in row-major order. Integers and booleans are held as doubles, exactly.
struct HostTensor {
  Shape shape;
  std::vector<double> data;
};

struct EvaluationContext {
  std::map<std::string, HostTensor, std::less<>>
      inputs;  // by name; per-sample graphs: one sample, batched ones: [N, …]
  std::map<std::string, HostTensor, std::less<>> tensors;  // by name
  std::int64_t batch = 1;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t first_sample = 0;  // sample number of the first row, for random draws
  // Every value is rounded to its type, as where a model runs: what is beyond f32 is infinite.
  bool rounds = false;
  // Every floating value that may have been rounded is multiplied by 1 + noise r, r drawn between -1 and 1 for each
  // element from noise_seed: what roundings do to the results is seen in how these scatter (Monte Carlo arithmetic:
  // Parker, Pierce, Eggert 2000).
  double noise = 0;
  std::uint64_t noise_seed = 0;
};

// The value of one node from those of its operands.
HostTensor evaluate_node(const Graph& graph, const Node& node, const EvaluationContext& context,
                         std::span<const HostTensor* const> operands);

// Values of every node that a result needs (others are left empty). An input or tensor that the context does not hold,
// or holds with another shape, is an error.
Result<std::vector<HostTensor>> evaluate_nodes(const Graph& graph, const EvaluationContext& context);

// Values of the results, in their order.
Result<std::vector<HostTensor>> evaluate(const Graph& graph, const EvaluationContext& context);

}  // namespace tarn
