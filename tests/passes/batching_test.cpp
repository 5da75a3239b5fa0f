// Batching: a batched graph gives, row by row, what the per-sample graph gives for each sample.
#include <gmock/gmock.h>

#include "passes/graph_passes.h"
#include "tests/support/compiler/pass_test_support.h"

namespace tarn {
namespace {

using testing::expect_graph;
using testing::kBatchInTests;
using testing::random_graph;
using testing::random_values;
using testing::text_of;

NamedGraph parsed(const std::string& body) {
  Sources sources;
  Result<NamedGraph> result = parse_graph("graph t {\n" + body + "\n}\n", "t.ir", sources);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().front().message);
  return std::move(result).value();
}

HostTensor row(const HostTensor& batched, std::int64_t sample) {
  HostTensor result{Shape(batched.shape.begin() + 1, batched.shape.end()), {}};
  const std::int64_t elements = element_count(result.shape);
  result.data.assign(batched.data.begin() + sample * elements, batched.data.begin() + (sample + 1) * elements);
  return result;
}

TEST(Batching, GivesEveryRowTheValuesOfItsSample) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph each = random_graph(seed, {.steps = 12, .batch_sums = false});
    PassContext context;
    const Graph batched = expect_graph(add_batch_axis(each, context));
    ASSERT_TRUE(verify(batched).has_value()) << verify(batched).error().front().message;
    const std::vector<HostTensor> together = evaluate(batched, random_values(batched, seed)).value();
    for (std::int64_t sample = 0; sample < kBatchInTests; ++sample) {
      const std::vector<HostTensor> alone = evaluate(each, random_values(each, seed, sample)).value();
      for (std::size_t i = 0; i < alone.size(); ++i) {
        // The same operations in the same order; contractions may add in another one.
        ASSERT_EQ(testing::difference(alone[i], row(together[i], sample), 1e-13), "")
            << text_of(each) << text_of(batched);
      }
    }
  }
}

TEST(Batching, DrawsForEverySample) {
  const NamedGraph each = parsed(R"(
    %x: each f64[2] = input() {name = "x"}
    %1: each f64[2] = random_uniform() {stream = 7}
    %2: f64[2] = random_normal() {stream = 8, per_step = 1}
    %3: each f64[2] = add(%1, %2)
    result output "y" = %3)");
  PassContext context;
  const Graph batched = expect_graph(add_batch_axis(each.graph, context));
  EvaluationContext values;
  values.batch = 3;
  values.seed = 5;
  const HostTensor together = evaluate(batched, values).value().front();
  for (std::uint32_t sample = 0; sample < 3; ++sample) {
    EvaluationContext one;
    one.seed = 5;
    one.first_sample = sample;
    EXPECT_EQ(testing::difference(evaluate(each.graph, one).value().front(), row(together, sample), 0), "") << sample;
  }
}

TEST(Batching, SumsOverTheSamples) {
  const NamedGraph each = parsed(R"(
    %x: each f64[2] = input() {name = "x"}
    %1: f64[2] = batch_sum(%x)
    %2: f64[] = constant() {value = 1}
    %3: f64[] = batch_sum(%2)
    result value "sum" = %1
    result value "count" = %3)");
  PassContext context;
  const Graph batched = expect_graph(add_batch_axis(each.graph, context));
  EvaluationContext values;
  values.batch = 3;
  values.inputs["x"] = {{3, 2}, {1, 2, 10, 20, 100, 200}};
  const std::vector<HostTensor> results = evaluate(batched, values).value();
  EXPECT_THAT(results[0].data, ::testing::ElementsAre(111, 222));
  EXPECT_THAT(results[1].data, ::testing::ElementsAre(3));
  for (NodeId id = 0; id < batched.size(); ++id) EXPECT_NE(batched[id].op, Op::batch_sum);
}

TEST(Batching, RepeatsAnOutputThatNoSampleInfluences) {
  const NamedGraph each = parsed(R"(
    %p: f64[2] = tensor() {name = "p"}
    result output "y" = %p)");
  PassContext context;
  const Graph batched = expect_graph(add_batch_axis(each.graph, context));
  EXPECT_EQ(batched[batched.results()[0].node].type.shape, (Shape{kBatch, 2}));
}

TEST(Batching, LeavesABatchedGraphAsItIs) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    PassContext context;
    const Graph once = expect_graph(add_batch_axis(random_graph(seed, {}), context));
    EXPECT_EQ(text_of(expect_graph(add_batch_axis(once, context))), text_of(once));
  }
}

TEST(Batching, RefusesALossOfOneSample) {
  const NamedGraph each = parsed(R"(
    %x: each f64[] = input() {name = "x"} @ "m.tarn":3:5+1
    result loss "loss" = %x)");
  PassContext context;
  const Result<Graph> result = add_batch_axis(each.graph, context);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().front().message,
            "'loss' must not depend on one sample: batch_sum or batch_mean first (with the axis of the samples, N)");
}

// One sample may have kMaxRank - 1 axes; the samples add the last one.
TEST(Batching, CountsTheBatchAxisAgainstTheLimitOfAxes) {
  for (const std::size_t rank : {kMaxRank - 1, kMaxRank}) {
    Graph graph;
    Builder b(graph);
    const NodeId x = b.source(Op::input, {DType::f32, true, Shape(rank, 1)}, {{Key::name, std::string("x")}});
    graph.add_result(ResultKind::output, "y", b.unary(Op::exp, x));
    PassContext context;
    const Result<Graph> result = add_batch_axis(graph, context);
    EXPECT_EQ(result.has_value(), rank < kMaxRank);
    const std::string message = result ? "" : result.error().front().message;
    EXPECT_EQ(message,
              rank < kMaxRank ? "" : "a value of 9 axes is over the limit of 8 (with the axis of the samples, N)");
  }
}

}  // namespace
}  // namespace tarn
