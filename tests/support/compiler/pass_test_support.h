// Helpers of the tests of passes: random per-sample graphs over the operation table, values for their inputs, and
// comparison of results.
#pragma once

#include <random>
#include <set>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "passes/pipeline.h"

namespace tarn::testing {

// Samples in every batch of these tests.
inline constexpr std::int64_t kBatchInTests = 3;

struct RandomGraphOptions {
  int steps = 12;  // expressions made on top of the inputs
  // Sums over the samples among them.
  bool batch_sums = true;
  // With tensors "w0", "w1", … that a loss depends on, and the loss: the mean over the samples of a sum of values of
  // each sample.
  bool loss = false;
};

// A per-sample f64 graph; its results are outputs "y0", "y1", …, or the loss. Values are kept moderate (no poles, no
// overflow), so that results compare and differences converge.
Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options);

// Uniform on [-1.5, 1.5) for every input and tensor of the graph, with -1, 0 and 1 now and then unless Ties::none asks
// for values without kinks; indices 0 … 2 for i32, 0 or 1 for bool. Per-sample inputs get the values of sample `sample`
// of a batch of kBatchInTests, batched ones the whole batch.
enum class Ties { some, none };
EvaluationContext random_values(const Graph& graph, std::uint64_t seed, std::int64_t sample = 0,
                                Ties ties = Ties::some);

// |a - b| <= tolerance * (1 + max(|a|, |b|)) for all elements, NaN and infinities alike; else what differs first.
std::string difference(const HostTensor& a, const HostTensor& b, double tolerance);
// The same for all results of two graphs under the same values.
std::string difference_of_results(const Graph& a, const Graph& b, const EvaluationContext& context, double tolerance);

// Drops nodes, putting an operand of the same type in the place of each, as long as `fails` holds: the smallest graph
// to look at.
template <class Predicate>
Graph shrink(Graph graph, Predicate fails);

inline std::string text_of(const Graph& graph) { return print(graph, "t", Sources(), {.locations = false}); }

// A context that verifies after every pass.
inline PassContext checked_context() {
  PassContext context;
  context.options.verify_each = true;
  return context;
}

// The value of a result; the message of the first error as a failure where there is none.
Graph expect_graph(Result<Graph> result);

Graph without_node(const Graph& graph, NodeId dropped, NodeId replacement);

template <class Predicate>
Graph shrink(Graph graph, Predicate fails) {
  for (NodeId id = graph.size(); id-- > 0;) {
    if (id >= graph.size()) continue;
    for (const NodeId input : std::vector<NodeId>(graph[id].inputs)) {
      if (graph[input].type != graph[id].type) continue;
      Graph smaller = without_node(graph, id, input);
      if (!fails(smaller)) continue;
      graph = std::move(smaller);
      break;
    }
  }
  return graph;
}

}  // namespace tarn::testing
