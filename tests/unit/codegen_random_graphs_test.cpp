// Random graphs, planned and compiled, give what the evaluator gives for the graph: fused and not, for every CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "passes/pipeline.h"
#include "tests/unit/codegen_test_support.h"
#include "tests/unit/plan_graphs.h"

namespace tarn::testing {
namespace {

// f64 against double: the order of sums of at most a few thousand terms near 1, fused multiply-adds, and the ulps of
// the vector maths differ; what follows magnifies that by a small factor.
constexpr double kTolerance = 1e-10;

// Functions of a program have outputs or stores; this gives a plan with both what it takes to run as one that stores.
void move_outputs_to_arena(KernelPlan& plan, std::int64_t max_batch) {
  std::vector<std::uint64_t> sizes;
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    sizes.resize(std::max<std::size_t>(sizes.size(), buffer.index + 1));
    const auto elements = static_cast<std::uint64_t>(element_count(with_batch(buffer.shape, max_batch)));
    sizes[buffer.index] = std::max(sizes[buffer.index], buffer.offset + elements * size_of(buffer.dtype));
  }
  std::vector<std::uint64_t> starts;
  for (const std::uint64_t size : sizes) {
    starts.push_back(plan.arena_bytes);
    plan.arena_bytes += (size + 63) / 64 * 64;
  }
  for (Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::output) continue;
    buffer.space = Space::arena;
    buffer.offset += starts[buffer.index];
  }
}

void expect_near(const HostTensor& actual, const HostTensor& expected, const std::string& what) {
  ASSERT_EQ(actual.shape, expected.shape) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i], e = expected.data[i];
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    ASSERT_NEAR(a, e, kTolerance * std::max(1.0, std::fabs(e))) << what << " [" << i << "]";
  }
}

void check_graph(const PlanCase& random, const PlanOptions& options, const std::string& cpu, const std::string& what) {
  auto plan = plan_kernels(random.graph, random.program, options);
  ASSERT_TRUE(plan.has_value()) << what;
  const auto expected = evaluate(random.graph, random.context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  HandPlan hand(random.program.settings.batch);
  hand.plan = std::move(*plan);
  hand.program = random.program;
  hand.context = random.context;
  const std::string text = print(hand.plan);
  move_outputs_to_arena(hand.plan, random.program.settings.batch);
  const NativeRun run = run_native(hand, options_for(cpu), random.context.batch);
  ASSERT_EQ(run.outcome, Outcome::done) << what;
  ASSERT_EQ(run.results.size(), expected->size());
  for (std::size_t i = 0; i < expected->size(); ++i) {
    expect_near(run.results[i], (*expected)[i], what + ", result " + random.graph.results()[i].name);
    if (::testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << tarn::print(random.graph, "random", Sources(), {false}) << text;
      return;
    }
  }
}

TEST(CodegenRandomGraphs, GiveWhatTheGraphGives) {
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    PlanCaseOptions how;
    how.nodes = 5 + static_cast<int>(seed % 60);
    how.batch = std::int64_t{1} + 2 * static_cast<std::int64_t>(seed % 3);
    how.loss = seed % 2 == 0;
    PlanCase random = random_plan_case(seed + 1000, how);
    random.context.step = 0;  // what draws count outside of training
    const std::string& cpu = cpus()[seed % cpus().size()];
    PlanOptions options;
    options.target = *target_of(options_for(cpu));
    options.fuse = seed % 5 != 0;
    options.in_place = seed % 7 != 0;
    check_graph(random, options, cpu,
                "seed " + std::to_string(seed + 1000) + " on " + cpu + ", N = " + std::to_string(how.batch));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tarn::testing
