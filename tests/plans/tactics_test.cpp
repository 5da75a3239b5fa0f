// Tactics: what is chosen for kernels that leave one choice, that reasons are given, and that verify() refuses what
// code generation could not do. That they change no result is for the tests of code generation to say.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "passes/plan/tactics_text.h"
#include "passes/planner/packed_weights.h"
#include "passes/tactics/choose.h"
#include "tests/support/compiler/hand_graph.h"
#include "tests/support/compiler/hand_plan.h"
#include "tests/support/compiler/plan_text_support.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Target target_of(std::int64_t vector_bytes) { return {vector_bytes, vector_bytes == 64 ? 32 : 16, vector_bytes > 16}; }

// y[j] = argmax over i of x[i, j], over two axes of which the first is contiguous.
HandPlan argmax_over_two_axes() {
  HandPlan hand;
  const BufferId x = hand.tensor("x", DType::f32, {3, 40, 50}, std::vector<double>(6000, 1));
  const BufferId y = hand.result(DType::i32, {3});
  LoopKernel kernel;
  kernel.axes = {{3, false}, {50, false}, {40, false}};
  kernel.reduced = {false, true, true};
  kernel.body.values = {load(x, {2000, 1, 50}, DType::f32)};
  kernel.reductions = {{Op::argmax, 0, DType::i32}};
  kernel.tail.values = {simple(Value::Kind::reduced, DType::i32)};
  kernel.tail.stores = {{0, at(y, {1, 0, 0}), false}};
  hand.add(kernel);
  return hand;
}

TEST(Tactics, LanesMeetThePointsOfAnArgmaxInTheirOrder) {
  HandPlan hand = argmax_over_two_axes();
  std::vector<TacticsReasons> reasons;
  choose_cpu_tactics(hand.plan, target_of(32), kCosts, &reasons);
  EXPECT_EQ(hand.plan.kernels[0].tactics.vector_axis, 2U);
  EXPECT_THAT(reasons[0].vectors, HasSubstr("in the order of their indices"));
  // A sum may go along the contiguous one.
  auto& kernel = std::get<LoopKernel>(hand.plan.kernels[0].body);
  kernel.reductions = {{Op::reduce_max, 0, DType::f32}};
  choose_cpu_tactics(hand.plan, target_of(32));
  EXPECT_EQ(hand.plan.kernels[0].tactics.vector_axis, 1U);
}

// A weight that is contracted over its first axis, [k, h, n], has the rows of a head far apart; [h, k, n] is a group a
// head, as packed weights have them.
TEST(Tactics, GroupsAreStretchesOfMemory) {
  for (const bool head_first : {false, true}) {
    HandGraph c(8, 5);
    const NodeId x = c.input("x", {64}, DType::f32);
    const NodeId w = c.tensor("w", head_first ? Shape{12, 64, 32} : Shape{64, 12, 32}, DType::f32);
    c.output("y", c.b.contract(x, w, head_first ? "bk,hkn->bhn" : "bk,khn->bhn"));
    PlanOptions options;
    options.target = target_of(64);
    const KernelPlan plan = c.plan(options);
    ASSERT_EQ(plan.kernels.size(), 1U) << print(plan);
    const auto& product = std::get<ContractionKernel>(plan.kernels[0].body);
    EXPECT_EQ(plan.kernels[0].tactics.weights_in_groups, head_first && product.batch.size() == 1) << print(plan);
    EXPECT_TRUE(plan.kernels[0].tactics.often_few_rows);
  }
}

TEST(Tactics, SumsOfProductsSaySoAndOthersDoNot) {
  HandGraph c(16, 5);
  const NodeId x = c.input("x", {48}, DType::f32);
  c.output("squares", c.b.sum(c.b.mul(x, x), {1}));
  c.output("exponentials", c.b.sum(c.b.unary(Op::exp, x), {1}));
  const std::string text = print(c.plan());
  EXPECT_THAT(text, HasSubstr("multiply_add of (x[i, j] * x[i, j])"));
  EXPECT_THAT(text, HasSubstr("reduce_sum of exp(x[i, j])"));
}

// Every choice is told with its reason, behind which the text reads back.
TEST(Tactics, TextHasReasonsAndReadsBack) {
  HandGraph c(256, 5);
  add_training_step(c, 300, 256, 3);
  PlanOptions options;
  options.target = target_of(32);
  KernelPlan plan = c.plan(options);
  const KernelPlan before = plan;
  std::vector<TacticsReasons> reasons;
  choose_cpu_tactics(plan, options.target, kCosts, &reasons);
  EXPECT_EQ(difference_of_plans(before, plan), "") << "tactics depend on those that were there before";
  const std::string text = print_tactics(plan, "step", reasons);
  EXPECT_THAT(text, HasSubstr("  threads share "));
  EXPECT_THAT(text, HasSubstr("  one thread   # "));
  EXPECT_THAT(text, HasSubstr("  vectors along n   # "));
  EXPECT_THAT(text, HasSubstr("  reads a in place   # samples of "));
  EXPECT_THAT(text, HasSubstr("  tiles of "));
  EXPECT_THAT(text, HasSubstr("  lanes 4, accumulators 4"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) {
      EXPECT_THAT(line, HasSubstr("   # "));
    }
  }
  KernelPlan read = plan;
  for (Kernel& kernel : read.kernels) kernel.tactics = {};
  Scanner scan(text, 0);
  ASSERT_TRUE(scan.accept_keyword("tactics"));
  const Status status = read_tactics(scan, read);
  ASSERT_TRUE(status.has_value()) << status.error().front().message;
  EXPECT_EQ(difference_of_plans(plan, read), "") << text;
}

TEST(Tactics, VerifyRefusesWhatNoCodeCanDo) {
  struct Row {
    const char* message;
    std::function<void(KernelPlan&)> damage;
  };
  const auto tactics = [](KernelPlan& plan) -> CpuTactics& { return plan.kernels[0].tactics; };
  const auto tiling = [](KernelPlan& plan) -> ContractionTiling& { return *plan.kernels[0].tactics.tiling; };
  const std::vector<Row> of_loop = {
      {"another order than that of their indices", [&](KernelPlan& p) { tactics(p).vector_axis = 1; }},
      {"none of the axes", [&](KernelPlan& p) { tactics(p).vector_axis = 3; }},
      {"a copy of samples", [&](KernelPlan& p) { tactics(p).copy = CpuTactics::Copy::of_samples; }},
      {"a copy by squares", [&](KernelPlan& p) { tactics(p).copy = CpuTactics::Copy::by_squares; }},
      {"cannot share", [&](KernelPlan& p) { tactics(p).split = Split{1, 1}; }},
      {"no power of two", [&](KernelPlan& p) { tactics(p).lanes = 3; }},
      {"accumulators of what is no sum", [&](KernelPlan& p) { tactics(p).accumulators = 2; }},
      {"has none", [&](KernelPlan& p) { std::get<LoopKernel>(p.kernels[0].body).reductions[0].multiply_add = true; }},
  };
  HandGraph c(4, 3);
  const NodeId x = c.input("x", {6}), w = c.tensor("w", {6, 9});
  c.output("y", c.b.contract(x, w, "nk,km->nm"));
  const std::vector<Row> of_product = {
      {"not contiguous along k", [&](KernelPlan& p) { tactics(p).form = CpuTactics::Form::inner; }},
      {"no groups of columns", [&](KernelPlan& p) { tactics(p).weights_in_groups = true; }},
      {"a block of rows is no whole tiles", [&](KernelPlan& p) { tiling(p).tile_rows = 2, tiling(p).row_block = 3; }},
      {"columns of a tile are no whole vectors", [&](KernelPlan& p) { tiling(p).tile_columns = tiling(p).lanes + 1; }},
      {"a panel is no whole tiles", [&](KernelPlan& p) { tiling(p).panel = tiling(p).tile_columns - 1; }},
      {"no rows, columns or lanes", [&](KernelPlan& p) { tiling(p).lanes = 0; }},
      {"inner axes that there are not", [&](KernelPlan& p) { tiling(p).tile_inner = 2; }},
      {"blocks of k are not those", [&](KernelPlan& p) { tiling(p).inner_block = 5; }},
      {"blocks of k are not those", [&](KernelPlan& p) { tiling(p).several_blocks = true, tiling(p).inner_block = 7; }},
      {"takes no steps along k", [&](KernelPlan& p) { tiling(p).inner_steps = 0; }},
      {"rows of a that do not lie across", [&](KernelPlan& p) { tiling(p).left_rows = 4; }},
      {"what is not computed lies along rows", [&](KernelPlan& p) { tiling(p).computes_along_rows = true; }},
      {"an operand has no lanes", [&](KernelPlan& p) { tiling(p).right_lanes = 0; }},
      {"rows are moved back", [&](KernelPlan& p) { tiling(p).moves_rows = true; }},
      {"rows are streamed",
       [&](KernelPlan& p) {
         tiling(p).streams = true;
         std::get<ContractionKernel>(p.kernels[0].body).b.access().at.strides = {1, 2};
         tiling(p).packing = ContractionTiling::Packing::always;
       }},
      {"b is not packed",
       [&](KernelPlan& p) { std::get<ContractionKernel>(p.kernels[0].body).b.access().at.strides = {1, 2}; }},
      {"tiles fetch without an epilogue", [&](KernelPlan& p) { tiling(p).fetches_panels = true; }},
      {"panels are fetched that nobody packs",
       [&](KernelPlan& p) { tiling(p).tile_epilogue = tiling(p).fetches_panels = true; }},
      {"groups are fetched that there are not",
       [&](KernelPlan& p) { tiling(p).tile_epilogue = tiling(p).fetches_groups = true; }},
      {"an epilogue follows tiles that are not complete",
       [&](KernelPlan& p) {
         tiling(p).several_blocks = tiling(p).tile_epilogue = true;
         tiling(p).inner_block = 4;
       }},
      {"share what they do not all read", [&](KernelPlan& p) { tiling(p).shared_inner = 1; }},
      {"panels are outside that cannot be", [&](KernelPlan& p) { tiling(p).panels_outside = true; }},
      {"rows that are left are others", [&](KernelPlan& p) { tiling(p).rest_rows = 2; }},
      {"have columns in common",
       [&](KernelPlan& p) {
         tiling(p).several_blocks = true;
         tiling(p).lanes = tiling(p).tile_columns = 4;
         tiling(p).panel = 9;
       }},
      {"rows in place",
       [&](KernelPlan& p) {
         tactics(p).rows_in_place = true;
         auto& product = std::get<ContractionKernel>(p.kernels[0].body);
         p.buffers[product.a.access().buffer].space = Space::state;
       }},
  };
  KernelPlan argmax = argmax_over_two_axes().plan;
  choose_cpu_tactics(argmax, target_of(32));
  for (const auto& [plan, rows] : {std::pair(argmax, of_loop), std::pair(c.plan(), of_product)}) {
    ASSERT_TRUE(verify(plan).has_value());
    for (const Row& row : rows) {
      KernelPlan damaged = plan;
      row.damage(damaged);
      const Status status = verify(damaged);
      ASSERT_FALSE(status.has_value()) << row.message;
      EXPECT_THAT(status.error().front().message, HasSubstr(row.message));
    }
  }
}

// So that nobody looks for a number elsewhere.
TEST(CostModel, PrintsEveryConstantWithUnitAndReason) {
  const std::string text = print(kCosts);
  std::size_t constants = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line); ++constants) {
    EXPECT_GT(line.size(), 60U) << line;
  }
#define CONSTANT(type, name, value, unit, reason) \
  --constants;                                    \
  EXPECT_THAT(text, HasSubstr(#name " "));        \
  EXPECT_GT(std::string_view(unit).size(), 0U) << #name;
#include "passes/tactics/cost_model.def"
#undef CONSTANT
  EXPECT_EQ(constants, 0U);
}

}  // namespace
}  // namespace tarn::testing
