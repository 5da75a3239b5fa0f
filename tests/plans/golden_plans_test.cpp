// tests/plans: graphs with the plans that they give, each named for a decision of the planner. A plan is run by the
// interpreter before it is compared with its text, so that none can be wrong and agreed upon.
//
// Settings: batch (the largest, 4), vectors (of 64, 32 or 16 bytes: registers and multiply-adds are those of AVX-512,
// AVX2 and SSE2), `unfused`, `apart` (no buffer takes the place of another), `memory` (buffers are printed, too),
// `packed` (the plan that predicts from packed weights), `steps` (what fusion makes on its way is printed first). Plans
// of graphs called train and adapt have guarded stores.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>

#include "passes/lone_program.h"
#include "passes/pipeline.h"
#include "passes/plan/guarded_stores.h"
#include "passes/plan/interpreter.h"
#include "passes/plan/tactics_text.h"
#include "passes/planner/packed_weights.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/golden_text.h"
#include "tests/support/compiler/hand_plan.h"
#include "tests/support/compiler/plan_text_support.h"
#include "tests/support/compiler/planned.h"

namespace tarn {
namespace {

using testing::drawn_values;
using testing::Golden;

constexpr const char* kGoldenFolder = "plans";

Target target_of(std::int64_t vector_bytes) {
  EXPECT_TRUE(vector_bytes == 64 || vector_bytes == 32 || vector_bytes == 16);
  return {vector_bytes, vector_bytes == 64 ? 32 : 16, vector_bytes > 16};
}

void expect_near(const std::vector<HostTensor>& actual, const std::vector<HostTensor>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(actual[i].data.size(), expected[i].data.size());
    for (std::size_t k = 0; k < expected[i].data.size(); ++k) {
      const double wanted = expected[i].data[k], found = actual[i].data[k];
      if (std::isnan(wanted) && std::isnan(found)) continue;
      // Both sides compute in double precision, with sums of at most a few thousand terms near 1.
      ASSERT_NEAR(found, wanted, 1e-12 * std::max(1.0, std::fabs(wanted))) << "result " << i << " [" << k << "]";
    }
  }
}

// The program whose state is the packed weights, and their values: what packing makes of a state.
void pack(const PackedWeights& packed, Program& program, EvaluationContext& context) {
  std::vector<std::byte> state(state_bytes(program)), weights(packed.bytes);
  for (const TensorInfo& tensor : program.tensors) {
    std::byte* to = state.data() + tensor.offset;
    for (const double value : context.tensors[tensor.name].data) {
      testing::write_element(to, tensor.type.dtype, value);
      to += size_of(tensor.type.dtype);
    }
  }
  copy_packed(packed, state, weights);
  std::vector<TensorInfo> tensors;
  for (const PackedWeights::Tensor& entry : packed.tensors) {
    for (TensorInfo tensor : program.tensors) {
      if (tensor.offset != entry.from) continue;
      tensor.offset = entry.to;
      const std::byte* from = weights.data() + entry.to;
      for (double& value : context.tensors[tensor.name].data) {
        value = testing::read_element(from, tensor.type.dtype);
        from += size_of(tensor.type.dtype);
      }
      tensors.push_back(std::move(tensor));
    }
  }
  program.tensors = std::move(tensors);
}

class GoldenPlans : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPlans, GiveWhatTheirGraphsGiveAndReadAsExpected) {
  const Golden golden = testing::read_golden(kGoldenFolder, GetParam(),
                                             {"batch", "vectors", "unfused", "apart", "memory", "packed", "steps"});
  if (HasFailure()) return;
  const Graph& graph = golden.graph.graph;
  const std::int64_t max_batch = golden.number("batch", 4);
  const Program program = program_of(graph, max_batch);
  const PlanOptions options{target_of(golden.number("vectors", 64)), !golden.settings.contains("unfused"),
                            !golden.settings.contains("apart")};
  std::string steps;
  PlanWatch watch;
  if (golden.settings.contains("steps")) {
    watch.in_fusion = [&](std::string_view step, const std::string& made) {
      steps += fmt::format("# {}\n{}", step, made);
    };
  }
  KernelPlan plan = testing::planned(graph, program, options, watch);
  if (golden.graph.name == "train" || golden.graph.name == "adapt") {
    guard_stores(plan, program);
    choose_tilings(plan, options.target);
  }
  PackedWeights packed;
  if (golden.settings.contains("packed")) packed = pack_weights(program, plan, options.target);
  const std::string text = steps + print(plan) + (golden.settings.contains("memory") ? print_memory(plan) : "") +
                           print_tactics(plan, golden.graph.name);
  testing::expect_reads_back(plan);
  const Status verified = verify(plan);
  ASSERT_TRUE(verified.has_value()) << verified.error().front().message << "\n" << text;
  for (const std::int64_t batch : {std::int64_t{1}, (max_batch + 1) / 2, max_batch}) {
    EvaluationContext context = drawn_values(graph, batch, static_cast<std::uint64_t>(20 + batch));
    const auto expected = evaluate(graph, context);
    ASSERT_TRUE(expected.has_value()) << expected.error().front().message;
    Program stored = program;
    if (golden.settings.contains("packed")) pack(packed, stored, context);
    for (const bool reversed : {false, true}) {
      const auto outcome = interpret(plan, stored, context, {reversed});
      ASSERT_TRUE(outcome.has_value()) << outcome.error().front().message << "\n" << text;
      expect_near(outcome->results, *expected);
      ASSERT_FALSE(HasFailure()) << batch << " samples" << (reversed ? ", the last first\n" : "\n") << text;
    }
  }
  testing::expect_golden(golden, text);
}

TEST(GoldenPlanFiles, AreFortyOrMore) { EXPECT_GE(testing::golden_names(kGoldenFolder).size(), 40U); }

INSTANTIATE_TEST_SUITE_P(All, GoldenPlans, ::testing::ValuesIn(testing::golden_names(kGoldenFolder)),
                         [](const ::testing::TestParamInfo<std::string>& name) { return name.param; });

}  // namespace
}  // namespace tarn
