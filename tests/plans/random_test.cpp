// Random graphs: the plan, run by the interpreter, gives what the evaluator gives for the graph.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "passes/pipeline.h"
#include "passes/plan/interpreter.h"
#include "tests/support/compiler/plan_graphs.h"
#include "tests/support/compiler/planned.h"

namespace tarn {
namespace {

// Both sides compute in double precision, 2^-53 = 1.1e-16 a rounding; they differ in the order of sums of at most a few
// thousand terms near 1.
constexpr double kTolerance = 1e-12;

void expect_near(const HostTensor& actual, const HostTensor& expected, const std::string& what) {
  ASSERT_EQ(actual.shape, expected.shape) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    if (std::isnan(expected.data[i]) && std::isnan(actual.data[i])) continue;
    if (expected.data[i] == actual.data[i]) continue;
    ASSERT_NEAR(actual.data[i], expected.data[i], kTolerance * std::max(1.0, std::fabs(expected.data[i])))
        << what << " [" << i << "]";
  }
}

// With the passes that a plan is better for, or without.
KernelPlan plan_of(const PlanCase& random, const PlanOptions& options, bool prepared) {
  if (prepared) return testing::planned(random.graph, random.program, options);
  return plan_kernels(testing::lowered(random.graph), random.program, options).value();
}

void check_plan(const PlanCase& random, const KernelPlan& plan, bool reversed, const std::string& what) {
  const auto expected = evaluate(random.graph, random.context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  const auto verified = verify(plan);
  ASSERT_TRUE(verified.has_value()) << what << ": " << verified.error().front().message << "\n" << print(plan);
  const auto actual = interpret(plan, random.program, random.context, {reversed});
  ASSERT_TRUE(actual.has_value()) << what << ": " << actual.error().front().message << "\n" << print(plan);
  ASSERT_FALSE(actual->stopped);
  ASSERT_EQ(actual->results.size(), expected->size());
  for (std::size_t i = 0; i < expected->size(); ++i) {
    expect_near(actual->results[i], (*expected)[i], what + " result " + random.graph.results()[i].name);
    if (::testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << print(random.graph, "random", Sources(), {false}) << print(plan);
      return;
    }
  }
}

class RandomPlans : public ::testing::TestWithParam<bool> {};

TEST_P(RandomPlans, GiveWhatTheGraphGives) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    for (const std::int64_t batch : {1, 3, 5, 19}) {
      // Long vectors and a batch that fills them change how small layers lie.
      const bool fills_vectors = batch == 19;
      if (fills_vectors && seed % 4 != 0) continue;
      PlanCaseOptions how;
      how.nodes = 5 + static_cast<int>(seed % 60);
      how.batch = batch;
      if (fills_vectors) how.max_batch = 20;
      how.loss = seed % 2 == 0;
      const PlanCase random = random_plan_case(seed, how);
      PlanOptions options;
      options.fuse = GetParam();
      if (fills_vectors) options.target.vector_bytes = 64;
      options.in_place = (seed / 2) % 4 != 0;
      // With long vectors short rows are computed at once.
      options.target.vector_bytes = seed % 3 == 0 ? 16 : 64;
      const KernelPlan plan = plan_of(random, options, seed % 5 != 0);
      for (const bool reversed : {false, true}) {
        check_plan(random, plan, reversed,
                   "seed " + std::to_string(seed) + ", N = " + std::to_string(batch) + (reversed ? ", reversed" : ""));
        if (HasFatalFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fusion, RandomPlans, ::testing::Bool(), [](const auto& i) { return i.param ? "On" : "Off"; });

}  // namespace
}  // namespace tarn
