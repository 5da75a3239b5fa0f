// Autodiff against central differences, of random graphs and of chosen ones; and what it says where there is no
// gradient.
#include <gmock/gmock.h>

#include <cmath>

#include "ir/gradient_rules.h"
#include "passes/graph_passes.h"
#include "passes/rebuild.h"
#include "tests/support/compiler/pass_test_support.h"

namespace tarn {
namespace {

using testing::expect_graph;
using testing::random_graph;
using testing::random_values;
using testing::text_of;

constexpr int kDifferentiatedGraphs = 500;

// The graph with the gradients of its loss by every tensor as values "w0", …, lowered.
Graph lowered_with_gradients(Graph graph) {
  Builder b(graph);
  const NodeId loss = graph.result(ResultKind::loss, "loss");
  const NodeId size = graph.size();
  for (NodeId id = 0; id < size; ++id) {
    if (graph[id].op != Op::tensor) continue;
    const std::string name = graph[id].attributes.text(Key::name);
    graph.add_result(ResultKind::value, name, b.make(Op::grad, {loss, id}));
  }
  PassContext context = testing::checked_context();
  return expect_graph(lower_meaning(graph, context));
}

double loss_with(const Graph& graph, EvaluationContext context, const std::string& name, std::size_t element,
                 double step) {
  context.tensors[name].data[element] += step;
  return evaluate(graph, context).value().front().data.front();
}

struct Comparison {
  int compared = 0, skipped = 0;
  std::string difference;  // "" where all agree
};

// Compares every derivative with central differences. Near a kink or a jump (differences over h and over h/4 disagree)
// there is nothing to compare with.
Comparison compare_with_differences(const Graph& lowered, const EvaluationContext& context) {
  constexpr double kStep = 1e-4;
  Comparison result;
  const std::vector<HostTensor> values = evaluate(lowered, context).value();
  Graph forward = lowered;
  forward.results().resize(1);
  forward = without_dead_nodes(forward);
  for (std::size_t r = 1; r < values.size(); ++r) {
    const std::string& name = lowered.results()[r].name;
    for (std::size_t e = 0; e < values[r].data.size(); ++e) {
      if (!context.tensors.contains(name)) {
        // The loss does not depend on it: lowering left nothing of the tensor but zeros.
        if (values[r].data[e] != 0) result.difference = name + " is not in the loss";
        continue;
      }
      const auto central = [&](double h) {
        return (loss_with(forward, context, name, e, h) - loss_with(forward, context, name, e, -h)) / (2 * h);
      };
      const double wide = central(kStep), narrow = central(kStep / 4);
      // Richardson: the error of each goes with h^2.
      const double expected = (16 * narrow - wide) / 15;
      const double found = values[r].data[e];
      const double scale = 1 + std::fabs(expected) + std::fabs(values[0].data[0]);
      if (std::fabs(wide - narrow) > 1e-5 * scale) {
        ++result.skipped;
        continue;
      }
      ++result.compared;
      if (!(std::fabs(found - expected) <= 1e-6 * scale) && result.difference.empty()) {
        result.difference = name + "[" + std::to_string(e) + "]: " + std::to_string(found) + ", by differences " +
                            std::to_string(expected);
      }
    }
  }
  return result;
}

TEST(Autodiff, AgreesWithCentralDifferencesOnRandomGraphs) {
  int compared = 0, skipped = 0;
  std::set<Op> seen;
  for (std::uint64_t seed = 1; seed <= kDifferentiatedGraphs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = random_graph(seed, {.steps = 10, .loss = true});
    for (NodeId id = 0; id < graph.size(); ++id) seen.insert(graph[id].op);
    const auto compare = [&](const Graph& forward) {
      const Graph lowered = lowered_with_gradients(forward);
      return compare_with_differences(lowered, random_values(lowered, seed, 0, testing::Ties::none));
    };
    const Comparison comparison = compare(graph);
    compared += comparison.compared;
    skipped += comparison.skipped;
    if (comparison.difference.empty()) continue;
    const Graph small =
        testing::shrink(graph, [&](const Graph& smaller) { return !compare(smaller).difference.empty(); });
    FAIL() << comparison.difference << "\n" << text_of(small);
  }
  EXPECT_GT(compared, 3000);
  EXPECT_LT(skipped * 50, compared) << "too many derivatives were near a kink";
  for (const OpInfo& row : all_operations()) {
    // spread and scatter_add are what gradients are made of, interleave what plans are made of; they have cases of
    // their own where gradients are differentiated again.
    const bool drawn = row.gradient != nullptr && row.gradient != gradient_rules::none && row.op != Op::spread &&
                       row.op != Op::scatter_add && row.op != Op::interleave;
    EXPECT_TRUE(!drawn || seen.contains(row.op)) << row.name << " was never drawn";
  }
}

Graph lowered_body(const std::string& body) {
  Sources sources;
  NamedGraph parsed = parse_graph("graph t {\n" + body + "\n}\n", "t.ir", sources).value();
  PassContext context = testing::checked_context();
  return expect_graph(lower_meaning(parsed.graph, context));
}

double value_at(const Graph& graph, double p) {
  EvaluationContext context;
  context.tensors["p"] = {{}, {p}};
  return evaluate(graph, context).value().front().data.front();
}

// d^3/dp^3 p^5 = 60 p^2
TEST(Autodiff, DifferentiatesGradientsAgain) {
  const Graph graph = lowered_body(R"(
    %p: f64[] = tensor() {name = "p"}
    %5: f64[] = constant() {value = 5}
    %1: f64[] = pow(%p, %5)
    %2: f64[] = grad(%1, %p)
    %3: f64[] = grad(%2, %p)
    %4: f64[] = grad(%3, %p)
    result value "v" = %4)");
  EXPECT_NEAR(value_at(graph, 1.5), 60 * 1.5 * 1.5, 1e-12 * 135);
}

// A gradient inside of a loss: d/dp (d/dp sin(p))^2 = -2 cos p sin p
TEST(Autodiff, DifferentiatesThroughGradients) {
  const Graph graph = lowered_body(R"(
    %p: f64[] = tensor() {name = "p"}
    %1: f64[] = sin(%p)
    %2: f64[] = grad(%1, %p)
    %3: f64[] = mul(%2, %2)
    %4: f64[] = grad(%3, %p)
    result value "v" = %4)");
  EXPECT_NEAR(value_at(graph, 0.7), -2 * std::cos(0.7) * std::sin(0.7), 1e-14);
}

// The gradient of a value of each sample by an input of each sample: x^3 -> 3 x^2, sample by sample.
TEST(Autodiff, GivesEverySampleItsGradient) {
  const Graph graph = lowered_body(R"(
    %x: each f64[] = input() {name = "x"}
    %1: each f64[] = mul(%x, %x)
    %2: each f64[] = mul(%1, %x)
    %3: each f64[] = grad(%2, %x)
    result output "y" = %3)");
  EvaluationContext context;
  context.batch = 3;
  context.inputs["x"] = {{3}, {1, 2, -3}};
  EXPECT_THAT(evaluate(graph, context).value().front().data, ::testing::ElementsAre(3, 12, 27));
}

TEST(Autodiff, StopsWhereAsked) {
  const Graph graph = lowered_body(R"(
    %p: f64[] = tensor() {name = "p"}
    %1: f64[] = stop_gradient(%p)
    %2: f64[] = mul(%1, %p)
    %3: f64[] = grad(%2, %p)
    result value "v" = %3)");
  EXPECT_EQ(value_at(graph, 4), 4);
  for (NodeId id = 0; id < graph.size(); ++id) EXPECT_NE(graph[id].op, Op::stop_gradient);
}

TEST(Autodiff, WarnsOfATensorWithoutInfluence) {
  Sources sources;
  const std::string text = R"(graph t {
    %x: each f32[2] = input() {name = "x"}
    %p: f32[3] = tensor() {name = "dense_3.kernel"} @ "m.tarn":7:3+2
    %q: f32[] = tensor() {name = "q"}
    %1: each f32[] = reduce_sum(%x) {axes = [0]}
    %2: f32[] = batch_sum(%1)
    %3: f32[] = mul(%2, %q)
    %4: f32[3] = grad(%3, %p)
    %5: f32[] = grad(%3, %q)
    result loss "loss" = %3
    result value "p" = %4
    result value "q" = %5
  })";
  NamedGraph parsed = parse_graph(text, "t.ir", sources).value();
  PassContext context = testing::checked_context();
  const Graph graph = expect_graph(lower_meaning(parsed.graph, context));
  ASSERT_EQ(context.warnings.size(), 1U);
  EXPECT_EQ(context.warnings[0].severity, Severity::warning);
  EXPECT_EQ(context.warnings[0].message, "'dense_3.kernel' does not influence the loss; its gradient is zero");
  EXPECT_EQ(context.warnings[0].span.line, 7U);
  EvaluationContext values;
  values.inputs["x"] = {{1, 2}, {3, 4}};
  values.tensors["dense_3.kernel"] = {{3}, {1, 1, 1}};
  values.tensors["q"] = {{}, {2}};
  const std::vector<HostTensor> results = evaluate(graph, values).value();
  EXPECT_THAT(results[1].data, ::testing::ElementsAre(0, 0, 0));
  EXPECT_EQ(results[2].data[0], 7);
}

// No gradient is defined for a batch_sum, which batching takes away: without it, it stands for any operation without
// one.
TEST(Autodiff, SaysWhereThereIsNoGradient) {
  Sources sources;
  const std::string text = R"(graph t {
    %p: f32[] = tensor() {name = "p"}
    %1: f32[] = batch_sum(%p) @ "lib.tarn":2:5+3 in "layer 'odd'" @ "m.tarn":9:1+4
    %2: f32[] = grad(%1, %p)
    result value "v" = %2
  })";
  NamedGraph parsed = parse_graph(text, "t.ir", sources).value();
  PassContext context;
  const Result<Graph> result = expand_gradients(parsed.graph, context);
  ASSERT_FALSE(result.has_value());
  const Diagnostic& diagnostic = result.error().front();
  EXPECT_EQ(diagnostic.message, "no gradient is defined for 'batch_sum'");
  EXPECT_EQ(diagnostic.span.line, 2U);
  ASSERT_EQ(diagnostic.notes.size(), 1U);
  EXPECT_EQ(diagnostic.notes[0].message, "in layer 'odd', called here");
}

// Gradients stand at the line of what they are the gradients of.
TEST(Autodiff, KeepsLocations) {
  Sources sources;
  const std::string text = R"(graph t {
    %p: f32[] = tensor() {name = "p"}
    %1: f32[] = sin(%p) @ "m.tarn":5:1+4
    %2: f32[] = grad(%1, %p) @ "m.tarn":8:1+4
    result value "v" = %2
  })";
  NamedGraph parsed = parse_graph(text, "t.ir", sources).value();
  PassContext context;
  const Graph graph = expect_graph(expand_gradients(parsed.graph, context));
  int found = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].op != Op::cos) continue;
    ++found;
    EXPECT_EQ((*graph.locations())[graph[id].location].span.line, 5U);
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace tarn
