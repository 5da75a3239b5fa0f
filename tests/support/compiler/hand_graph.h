// For tests of the planner: programs of one graph made by hand, and what is expected of their plans.
#pragma once

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/evaluator.h"
#include "passes/pipeline.h"

namespace tarn::testing {

// A program under construction, with the values that it is run on.
struct HandGraph {
  Program program;
  Graph graph;
  EvaluationContext context;
  Builder b{graph};

  explicit HandGraph(std::int64_t max_batch = 4, std::int64_t batch = 3) {
    program.settings.batch = max_batch;
    context.batch = batch;
    context.seed = 17;
  }
  // Numbers in [-1, 1) that differ from each other.
  static std::vector<double> numbers(std::int64_t count, double start) {
    std::vector<double> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(std::sin(start + 1.7 * static_cast<double>(i)));
    return result;
  }
  NodeId tensor(const std::string& name, const Shape& shape, DType dtype = DType::f64,
                TensorKind kind = TensorKind::parameter);
  NodeId input(const std::string& name, const Shape& sample, DType dtype = DType::f64);
  void output(const std::string& name, NodeId node) {
    program.outputs.push_back({name, {}, {}, {}});
    graph.add_result(ResultKind::output, name, node);
  }
  void store(const std::string& name, NodeId node) { graph.add_result(ResultKind::store, name, node); }
  void loss(NodeId node) { graph.add_result(ResultKind::loss, "loss", node); }

  // The plan of the graph; a failed expectation where verify() finds fault with it.
  KernelPlan plan(PlanOptions options = {});
};

// The plan gives what the evaluator gives, with points run in both directions.
void expect_right(HandGraph& c, const KernelPlan& plan);

// Names of the buffers that a kernel stores to.
std::set<std::string> stored_by(const KernelPlan& plan, const Kernel& kernel);

// w <- w - rate * m' / (sqrt(v') + epsilon) with m' = 0.9 m + 0.1 g, v' = 0.99 v + 0.01 g^2.
void add_adam(HandGraph& c, const std::string& name, NodeId w, NodeId gradient, NodeId rate);

// One training step of in-hidden-out with tanh, mean square loss and Adam, its gradient written by hand.
void add_training_step(HandGraph& c, std::int64_t in, std::int64_t hidden, std::int64_t out);

}  // namespace tarn::testing
