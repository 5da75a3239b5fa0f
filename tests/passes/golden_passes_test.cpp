// tests/passes: graphs before and after passes, each named for what the passes do there. Both graphs are evaluated on
// drawn values before the second one is compared with its text; a graph of one sample for each sample of a batch, and
// gradients that a graph still asks for as central differences.
//
// Settings: `passes` (one or more, in the order in which they run), `fast` (rules that change rounding, too); for those
// that only a plan needs `batch` (the largest, 4), `vectors` (of 64 bytes), `unfused`.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "passes/pipeline.h"
#include "passes/rebuild.h"
#include "tests/support/compiler/golden_text.h"

namespace tarn {
namespace {

using testing::drawn_values;
using testing::Golden;

constexpr const char* kFolder = "passes";
const std::vector<std::string> kSettings = {"passes", "fast", "batch", "vectors", "unfused"};

// The graph with each gradient that is a result replaced by what it is the gradient of.
Graph without_gradients(const Graph& graph) {
  Graph plain(graph.locations());
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    for (const NodeId input : node.inputs) EXPECT_NE(graph[input].op, Op::grad) << "only results may be gradients";
    map[id] = node.op == Op::grad ? map[node.inputs[0]] : copy_node(plain, node, map);
  }
  copy_results(graph, plain, map);
  return plain;
}

// The gradient of a scalar result by every element of a tensor.
HostTensor differences(const Graph& graph, std::size_t result, const std::string& tensor, EvaluationContext context) {
  constexpr double kStep = 1e-5;
  HostTensor gradient = context.tensors[tensor];
  for (std::size_t i = 0; i < gradient.data.size(); ++i) {
    const double middle = context.tensors[tensor].data[i];
    double value[2];
    for (const int side : {0, 1}) {
      context.tensors[tensor].data[i] = middle + (side == 0 ? -kStep : kStep);
      const auto results = evaluate(graph, context);
      EXPECT_TRUE(results.has_value() && (*results)[result].data.size() == 1);
      value[side] = results ? (*results)[result].data[0] : 0;
    }
    context.tensors[tensor].data[i] = middle;
    gradient.data[i] = (value[1] - value[0]) / (2 * kStep);
  }
  return gradient;
}

struct Expected {
  HostTensor value;
  double tolerance;
};

// Evaluated where that can be, with the tolerance of sums in another order; differences have four digits less.
std::vector<Expected> results_before(const Graph& graph, const EvaluationContext& context) {
  const Graph plain = without_gradients(graph);
  const auto values = evaluate(plain, context);
  EXPECT_TRUE(values.has_value()) << (values ? "" : values.error().front().message);
  std::vector<Expected> expected;
  for (std::size_t i = 0; values && i < values->size(); ++i) {
    const Node& node = graph[graph.results()[i].node];
    if (node.op == Op::grad) {
      const std::string& name = graph[node.inputs[1]].attributes.text(Key::name);
      expected.push_back({differences(plain, i, name, context), 1e-8});
    } else {
      expected.push_back({(*values)[i], 1e-12});
    }
  }
  return expected;
}

bool is_per_sample(const Graph& graph) {
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].type.per_sample) return true;
  }
  return false;
}

// Sample number `sample` of values of a batch.
EvaluationContext sample_of(EvaluationContext context, std::int64_t sample) {
  for (auto& [name, value] : context.inputs) {
    value.shape.erase(value.shape.begin());
    const auto first = value.data.begin() + sample * element_count(value.shape);
    value.data = std::vector<double>(first, first + element_count(value.shape));
  }
  context.batch = 1;
  context.first_sample = static_cast<std::uint32_t>(sample);
  return context;
}

// Of a graph of one sample, whose results are values of a sample or sums over the samples: all samples one by one.
std::vector<Expected> results_of_samples(const Graph& graph, const EvaluationContext& context) {
  std::vector<Expected> expected;
  for (std::int64_t sample = 0; sample < context.batch; ++sample) {
    const std::vector<Expected> results = results_before(graph, sample_of(context, sample));
    expected.resize(results.size(), {{}, 1e-12});
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Node& node = graph[graph.results()[i].node];
      EXPECT_TRUE(node.type.per_sample || node.op == Op::batch_sum);
      std::vector<double>& all = expected[i].value.data;
      const std::vector<double>& data = results[i].value.data;
      if (node.type.per_sample) all.insert(all.end(), data.begin(), data.end());
      all.resize(std::max(all.size(), data.size()));
      for (std::size_t k = 0; k < data.size() && !node.type.per_sample; ++k) all[k] += data[k];
    }
  }
  return expected;
}

void expect_same_values(const Graph& before, const Graph& after, const EvaluationContext& context) {
  const std::vector<Expected> expected =
      is_per_sample(before) ? results_of_samples(before, context) : results_before(before, context);
  const auto actual = evaluate(after, context);
  ASSERT_TRUE(actual.has_value()) << actual.error().front().message;
  ASSERT_EQ(actual->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [value, tolerance] = expected[i];
    ASSERT_EQ((*actual)[i].data.size(), value.data.size());
    for (std::size_t k = 0; k < value.data.size(); ++k) {
      if (std::isnan(value.data[k]) && std::isnan((*actual)[i].data[k])) continue;
      ASSERT_NEAR((*actual)[i].data[k], value.data[k], tolerance * std::max(1.0, std::fabs(value.data[k])))
          << after.results()[i].name << " [" << k << "]";
    }
  }
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

class GoldenPasses : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPasses, KeepTheValuesAndReadAsExpected) {
  const Golden golden = testing::read_golden(kFolder, GetParam(), kSettings);
  if (HasFailure()) return;
  const std::vector<std::string> passes = words_of(golden.setting("passes", ""));
  ASSERT_FALSE(passes.empty());
  PassContext context;
  context.options.verify_each = true;
  context.options.allow_reassociation = golden.settings.contains("fast");
  PlannedFor& planned = context.planned_for.emplace();
  planned.options.target.vector_bytes = golden.number("vectors", 64);
  planned.options.fuse = !golden.settings.contains("unfused");
  planned.max_batch = golden.number("batch", 4);
  Graph after = golden.graph.graph;
  for (const std::string& pass : passes) {
    Result<Graph> made = run_pass(pass, after, context);
    ASSERT_TRUE(made.has_value()) << made.error().front().message;
    after = std::move(*made);
  }
  const std::string text = print(after, golden.graph.name, Sources(), {.locations = false});
  for (const std::int64_t batch : {1, 3}) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      expect_same_values(golden.graph.graph, after, drawn_values(golden.graph.graph, batch, seed));
      ASSERT_FALSE(HasFailure()) << batch << " samples, seed " << seed << "\n" << text;
    }
  }
  testing::expect_golden(golden, text);
}

// A pass without a golden is one whose work nobody has seen.
TEST(GoldenPassFiles, ShowEveryPass) {
  std::set<std::string> shown;
  for (const std::string& name : testing::golden_names(kFolder)) {
    const Golden golden = testing::read_golden(kFolder, name, kSettings);
    const std::vector<std::string> passes = words_of(golden.setting("passes", ""));
    if (passes.size() == 1) shown.insert(passes.front());
  }
  for (const Pass& pass : graph_passes()) EXPECT_TRUE(shown.contains(pass.name)) << pass.name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenPasses, ::testing::ValuesIn(testing::golden_names(kFolder)),
                         [](const ::testing::TestParamInfo<std::string>& name) { return name.param; });

}  // namespace
}  // namespace tarn
