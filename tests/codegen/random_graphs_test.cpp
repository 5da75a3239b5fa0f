// Random graphs, planned and compiled, give what the evaluator gives for the graph: fused and not, for every CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "passes/pipeline.h"
#include "passes/plan/interpreter.h"
#include "passes/plan/text.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/plan_graphs.h"
#include "tests/support/compiler/planned.h"

namespace tarn::testing {
namespace {

// Now and then a batch fills vectors, which changes how small layers lie.
void choose_batch(PlanCaseOptions& how, std::uint64_t seed) {
  how.batch = std::int64_t{1} + 2 * static_cast<std::int64_t>(seed % 3);
  if (seed / 4 % 3 != 0) return;
  how.max_batch = 20;
  how.batch = 20 - how.batch;
}

// Relative to the terms of the sums, which are near 1. f64 against double: 2^-53 = 1.1e-16 a rounding; the order of
// sums of at most a few thousand terms, fused multiply-adds and the ulps of the vector maths differ. f32: 6e-8 a
// rounding.
constexpr double kTolerance = 1e-12, kSingleTolerance = 1e-4;

void expect_near(const HostTensor& actual, const HostTensor& expected, const std::string& what,
                 double tolerance = kTolerance) {
  ASSERT_EQ(actual.shape, expected.shape) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double a = actual.data[i], e = expected.data[i];
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    ASSERT_NEAR(a, e, tolerance * std::max(1.0, std::fabs(e))) << what << " [" << i << "]";
  }
}

// The first kernel of which a buffer in the arena has other numbers from code than from the interpreter.
std::string first_difference(HandPlan hand, const CodegenOptions& options, std::int64_t batch, double tolerance) {
  const std::vector<Kernel> kernels = hand.plan.kernels;
  hand.context.batch = batch;
  for (std::size_t count = 1; count <= kernels.size(); ++count) {
    hand.plan.kernels.assign(kernels.begin(), kernels.begin() + static_cast<std::ptrdiff_t>(count));
    hand.plan.results.clear();
    for_each_body(hand.plan.kernels.back().body, [&](const Body& body) {
      for (const Store& store : body.stores) {
        const Buffer& buffer = hand.plan.buffers[store.access.buffer];
        if (buffer.space == Space::arena)
          hand.plan.results.push_back({ResultKind::value, buffer.name, store.access.buffer});
      }
    });
    const auto expected = interpret(hand.plan, hand.program, hand.context);
    if (!expected) return "kernel " + std::to_string(count - 1) + ": " + expected.error().front().message;
    const NativeRun run = NativePlan(hand, options).run(hand.context, batch);
    for (std::size_t i = 0; i < run.results.size(); ++i) {
      for (std::size_t k = 0; k < run.results[i].data.size(); ++k) {
        const double found = run.results[i].data[k], wanted = expected->results[i].data[k];
        if (std::fabs(found - wanted) <= tolerance * (1 + std::fabs(wanted)) ||
            (std::isnan(found) && std::isnan(wanted)))
          continue;
        return "kernel " + std::to_string(count - 1) + ": " + hand.plan.results[i].name + "[" + std::to_string(k) +
               "] is " + std::to_string(found) + ", not " + std::to_string(wanted);
      }
    }
  }
  return "no kernel differs by itself";
}

void check_graph(const PlanCase& random, const PlanOptions& options, const std::string& cpu, const std::string& what) {
  const auto expected = evaluate(random.graph, random.context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  HandPlan hand(random.program.settings.batch);
  hand.plan = planned(random.graph, random.program, options);
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
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    PlanCaseOptions how;
    how.nodes = 5 + static_cast<int>(seed % 60);
    choose_batch(how, seed);
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

// Three steps of gradient descent: forward and backward through random graphs, optimized, planned and compiled, each
// step on what the one before left; the evaluator goes its own way on the graph before optimization.
// Counts in `moved` the tensors that a step changed.
void check_steps(std::uint64_t seed, DType dtype, int& moved) {
  PlanCaseOptions how;
  how.nodes = 5 + static_cast<int>(seed % 30);
  choose_batch(how, seed);
  how.descent = true;
  how.dtype = dtype;
  PlanCase random = random_plan_case(seed, how);
  random.context.step = 0;
  const std::string& cpu = cpus()[seed % cpus().size()];
  const std::string what = std::string(name_of(dtype)) + ", seed " + std::to_string(seed) + " on " + cpu;

  PassContext pass_context;
  const auto meant = lower_meaning(random.graph, pass_context);
  const auto optimized = optimize(random.graph, pass_context);
  ASSERT_TRUE(meant.has_value() && optimized.has_value()) << what;
  PlanOptions options;
  options.target = *target_of(options_for(cpu));
  HandPlan hand(random.program.settings.batch);
  hand.plan = planned(*optimized, random.program, options);
  hand.program = random.program;
  const NativePlan native(hand, options_for(cpu));

  EvaluationContext expected = random.context, actual = random.context;
  for (int step = 0; step < 3; ++step) {
    const auto results = evaluate(*meant, expected);
    ASSERT_TRUE(results.has_value()) << what << ": " << results.error().front().message;
    const NativeRun run = native.run(actual, how.batch);
    ASSERT_EQ(run.outcome, Outcome::done) << what;
    for (std::size_t i = 0; i < results->size(); ++i) {
      const GraphResult& result = meant->results()[i];
      if (result.kind != ResultKind::store) continue;
      if (expected.tensors[result.name].data != (*results)[i].data) ++moved;
      expected.tensors[result.name] = (*results)[i];
      actual.tensors[result.name] = run.tensors.at(result.name);
      expect_near(run.tensors.at(result.name), (*results)[i],
                  what + ", " + result.name + " after step " + std::to_string(step),
                  dtype == DType::f32 ? kSingleTolerance : kTolerance);
      if (::testing::Test::HasFatalFailure()) {
        hand.context = random.context;
        ADD_FAILURE() << tarn::print(random.graph, "random", Sources(), {false}) << print_whole(hand.plan, "random")
                      << first_difference(hand, options_for(cpu), how.batch, kSingleTolerance);
        return;
      }
    }
  }
}

// In parts, which run side by side.
class RandomSteps : public ::testing::TestWithParam<int> {};

TEST_P(RandomSteps, AreThoseOfTheEvaluator) {
  int moved = 0;  // of 50 graphs with 3 tensors, 3 steps, 2 dtypes: 900
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::uint64_t seed = 10000 + 50 * static_cast<std::uint64_t>(GetParam()) + i;
    check_steps(seed, DType::f64, moved);
    check_steps(seed, DType::f32, moved);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(moved, 300) << "too few losses depend on the tensors";
}

INSTANTIATE_TEST_SUITE_P(Parts, RandomSteps, ::testing::Range(0, 10));

}  // namespace
}  // namespace tarn::testing
