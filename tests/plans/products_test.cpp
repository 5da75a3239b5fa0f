// Plans of products: what stands in their epilogues, how they read their operands, and what threads share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "passes/tactics/threads.h"
#include "tests/support/compiler/hand_graph.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;

TEST(PlanProducts, TheOptimizerRunsInTheEpilogueOfTheGradient) {
  HandGraph c(32, 5);
  add_training_step(c, 7, 20, 3);
  const KernelPlan plan = c.plan();
  for (const std::string name : {"w1", "w2"}) {
    const std::set<std::string> expected{name, name + ".m", name + ".v"};
    const auto is_update = [&](const Kernel& kernel) {
      return std::holds_alternative<ContractionKernel>(kernel.body) && stored_by(plan, kernel) == expected;
    };
    EXPECT_EQ(std::count_if(plan.kernels.begin(), plan.kernels.end(), is_update), 1) << print(plan);
  }
}

// Where there are columns enough for threads to share: those who share samples could not add up over all of them.
TEST(PlanProducts, TheGradientOfABiasIsSummedWhereAProductMakesItsTerms) {
  for (const std::int64_t hidden : {64, 128}) {
    HandGraph c(32, 5);
    add_training_step(c, 7, hidden, 3);
    const KernelPlan plan = c.plan();
    expect_right(c, plan);
    const auto updates = [&](const Kernel& kernel) { return stored_by(plan, kernel).contains("b1"); };
    const auto update = std::find_if(plan.kernels.begin(), plan.kernels.end(), updates);
    ASSERT_NE(update, plan.kernels.end()) << print(plan);
    const auto* const product = std::get_if<ContractionKernel>(&update->body);
    EXPECT_EQ(product != nullptr, hidden == 128) << print(plan);
    if (product == nullptr) continue;
    EXPECT_EQ(product->sums.size(), 1U);
    EXPECT_THAT(print(plan), HasSubstr("r0 = reduce_sum over m of "));
  }
}

TEST(PlanProducts, ThreadsAskForSmallWeightsThatChangeAsIfToWriteThem) {
  for (const std::int64_t hidden : {128, 32768}) {
    HandGraph c(32, 5);
    add_training_step(c, 5, hidden, 3);
    KernelPlan plan = c.plan();
    CostModel costs;
    costs.shared_time = 0;
    costs.shared_points = costs.shared_rows = costs.shared_columns = 1;
    split_among_threads(plan, Target{}, costs);
    std::size_t found = 0;
    for (const Kernel& kernel : plan.kernels) {
      const auto* const product = std::get_if<ContractionKernel>(&kernel.body);
      if (product == nullptr) continue;
      // Gradients are products with what lies in the arena.
      const bool expected = hidden == 128 && plan.buffers[product->b.access().buffer].space == Space::state;
      EXPECT_EQ(kernel.tactics.b_for_writing, expected) << kernel.name;
      found += expected;
    }
    EXPECT_EQ(found, hidden == 128 ? 2 : 0) << print(plan);
  }
}

TEST(PlanProducts, BiasAndActivationAreFusedIntoTheProduct) {
  HandGraph c;
  const NodeId x = c.input("x", {6}), w = c.tensor("w", {6, 9}), bias = c.tensor("b", {9});
  const NodeId product = c.b.contract(x, w, "nk,km->nm");
  c.output("y", c.b.unary(Op::tanh, c.b.add(product, c.b.broadcast(bias, {kBatch, 9}, {1}))));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  ASSERT_EQ(plan.kernels.size(), 1U) << print(plan);
  EXPECT_EQ(stored_by(plan, plan.kernels[0]), std::set<std::string>{"y"});
  EXPECT_EQ(plan.arena_bytes, 0U);
}

TEST(PlanProducts, MergedAxesOfAProductTakeAnEpilogueThatFollowsThem) {
  HandGraph c;
  const NodeId x = c.input("x", {4, 5, 6}), w = c.tensor("w", {6, 9});
  const NodeId product = c.b.contract(x, w, "nhwk,km->nhwm");
  c.output("y", c.b.unary(Op::tanh, product));
  const NodeId columns = c.b.broadcast(c.tensor("b", {5}), {kBatch, 4, 5, 9}, {2});
  c.output("z", c.b.mul(product, columns));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  const auto& kernel = std::get<ContractionKernel>(plan.kernels[0].body);
  EXPECT_TRUE(kernel.batch.empty());
  EXPECT_EQ(kernel.rows, (std::vector<Extent>{{20, true}}));
  // b varies along a part of the merged rows: that product needs a kernel of its own.
  EXPECT_EQ(plan.kernels.size(), 2U) << print(plan);
}

// Kernels beyond the first are copies of operands. What only has to be put in order is left to the product, which
// packs.
TEST(PlanProducts, ProductsReadTransposedOperandsInPlaceOrCopyThem) {
  struct Row {
    const char* map;
    Shape a, b;
    std::size_t kernels;
  };
  const std::vector<Row> rows = {
      {"nk,km->nm", {kBatch, 6}, {6, 8}, 1},      {"nk,nm->km", {kBatch, 6}, {kBatch, 8}, 1},
      {"nk,nm->mk", {kBatch, 6}, {kBatch, 8}, 1},  // the larger axis stays contiguous
      {"ab,bc->ca", {5, 6}, {6, 8}, 1},           {"bhk,bmk->bhm", {3, 5, 7}, {3, 6, 7}, 2},
      {"ahb,cha->bc", {3, 4, 5}, {6, 4, 3}, 1},  // two summed axes in different orders: two inner axes
      {"nk,mk->nm", {kBatch, 40}, {300, 40}, 1},
  };
  for (const Row& row : rows) {
    HandGraph c(64, 5);
    const auto source = [&](const std::string& name, Shape shape) {
      if (!has_batch(shape)) return c.tensor(name, shape);
      shape.erase(shape.begin());
      return c.input(name, shape);
    };
    const NodeId a = source("a", row.a), b = source("b", row.b);
    c.output("y", c.b.contract(a, b, row.map));
    const KernelPlan plan = c.plan();
    expect_right(c, plan);
    EXPECT_EQ(plan.kernels.size(), row.kernels) << row.map << "\n" << print(plan);
  }
}

}  // namespace
}  // namespace tarn::testing
