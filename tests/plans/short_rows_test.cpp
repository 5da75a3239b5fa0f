// Kernels whose points are rows: softmax with cross-entropy, its gradient and what counts right answers in one pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/builder.h"
#include "passes/pipeline.h"
#include "passes/plan/interpreter.h"
#include "passes/planner/short_rows.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/planned.h"

namespace tarn::testing {
namespace {

constexpr std::int64_t kMaxBatch = 40;

// An input of rows, and what it takes to plan a graph of it and to run the plan.
struct Case {
  Program program;
  Graph graph;
  EvaluationContext context;
  Builder b{graph};
  DType dtype;

  Case(DType dtype, std::int64_t batch) : dtype(dtype) {
    program.settings.batch = kMaxBatch;
    context.batch = batch;
  }
  NodeId input(const std::string& name, std::int64_t columns) {
    const auto seed = static_cast<std::uint64_t>(program.inputs.size() + 1);
    program.inputs.push_back({name, InputRole::input, {dtype, true, {columns}}, {}, {}});
    const Shape full = {context.batch, columns};
    context.inputs[name] = {full, random_numbers(seed, static_cast<std::size_t>(element_count(full)), dtype, 3)};
    return b.source(Op::input, {dtype, false, {kBatch, columns}}, {{Key::name, name}});
  }
  void output(const std::string& name, NodeId node) {
    program.outputs.push_back({name, {}, {}, {}});
    graph.add_result(ResultKind::output, name, node);
  }
  KernelPlan plan(std::int64_t vector_bytes, bool fuse = true) {
    assign_offsets(program);
    PlanOptions options;
    options.target.vector_bytes = vector_bytes;
    options.fuse = fuse;
    return planned(graph, program, options);
  }
};

// e = exp(x - max), y = e / sum of e, the mean of -sum of t log y, its gradient (y sum of t - t) / N, and how many rows
// have their largest y where t is largest.
Case softmax_case(DType dtype, std::int64_t columns, std::int64_t batch) {
  Case c(dtype, batch);
  Builder& b = c.b;
  const NodeId x = c.input("x", columns), t = c.input("t", columns);
  const Shape shape = {kBatch, columns};
  const auto across = [&](NodeId row) { return b.broadcast(row, shape, {0}); };
  const NodeId e = b.unary(Op::exp, b.sub(x, across(b.reduce(Op::reduce_max, x, {1}))));
  const NodeId sum = b.sum(e, {1});
  const NodeId y = b.div(e, across(sum));
  const NodeId log_y = b.sub(b.sub(x, across(b.reduce(Op::reduce_max, x, {1}))), across(b.unary(Op::log, sum)));
  c.output("loss", b.neg(b.sum(b.mul(t, log_y), {0, 1})));
  c.output("gradient", b.sub(b.mul(y, across(b.sum(t, {1}))), t));
  const NodeId right = b.binary(Op::equal, b.reduce(Op::argmax, y, {1}), b.reduce(Op::argmax, t, {1}));
  c.output("right", b.sum(b.convert(right, dtype), {0}));
  return c;
}

// f64: a few roundings of sums of a few hundred terms near 1; f32: 6e-8 a rounding.
double tolerance_of(DType dtype) { return dtype == DType::f64 ? 1e-12 : 2e-5; }

void expect_near(const HostTensor& actual, const HostTensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.shape, expected.shape) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    ASSERT_NEAR(actual.data[i], expected.data[i], tolerance * std::max(1.0, std::fabs(expected.data[i])))
        << what << " [" << i << "]";
  }
}

TEST(ShortRows, SoftmaxItsLossItsGradientAndItsAccuracyAreOneKernel) {
  for (const std::int64_t columns : {2, 3, 10, 16, 17}) {
    Case c = softmax_case(DType::f32, columns, 3);
    const KernelPlan plan = c.plan(64);
    if (columns <= ShortRows::kLongestRow) {
      EXPECT_EQ(plan.kernels.size(), 1U) << print(plan);
    } else {
      EXPECT_GT(plan.kernels.size(), 1U);
    }
    EXPECT_GT(c.plan(32).kernels.size(), 1U) << "rows can be transposed in registers of 64 bytes only";
  }
}

TEST(ShortRows, GiveWhatTheGraphGives) {
  for (const std::int64_t columns : {2, 3, 5, 10, 16, 17}) {
    Case c = softmax_case(DType::f64, columns, 5);
    const auto expected = evaluate(c.graph, c.context);
    ASSERT_TRUE(expected.has_value());
    for (const bool fuse : {false, true}) {
      for (const bool reversed : {false, true}) {
        const KernelPlan plan = c.plan(64, fuse);
        const auto actual = interpret(plan, c.program, c.context, {reversed});
        ASSERT_TRUE(actual.has_value()) << actual.error().front().message << print(plan);
        for (std::size_t i = 0; i < expected->size(); ++i) {
          expect_near(actual->results[i], (*expected)[i], tolerance_of(DType::f64), c.graph.results()[i].name);
        }
      }
    }
  }
}

// Natively: whole groups of rows and what is left of one, for every length of a row.
TEST(ShortRows, CompiledGiveWhatTheGraphGives) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (std::int64_t columns = 2; columns <= ShortRows::kLongestRow + 1; ++columns) {
      const std::int64_t some = std::vector<std::int64_t>{1, 7, 8, 16, 19, 40}[static_cast<std::size_t>(columns) % 6];
      Case c = softmax_case(dtype, columns, some);
      const auto expected = evaluate(c.graph, c.context);
      ASSERT_TRUE(expected.has_value());
      HandPlan hand(kMaxBatch);
      hand.plan = c.plan(target_of(options_for("native"))->vector_bytes);
      hand.program = c.program;
      hand.context = c.context;
      move_outputs_to_arena(hand.plan, kMaxBatch);
      const NativeRun run = run_native(hand, options_for("native"), some);
      ASSERT_EQ(run.outcome, Outcome::done);
      for (std::size_t i = 0; i < expected->size(); ++i) {
        expect_near(
            run.results[i], (*expected)[i], tolerance_of(dtype),
            std::to_string(columns) + " columns, N = " + std::to_string(some) + ", " + c.graph.results()[i].name);
      }
    }
  }
}

// Rows lie behind each other: what does not exist of a group of rows is not written.
TEST(ShortRows, NothingIsWrittenBehindTheLastRow) {
  constexpr std::int64_t kRows = 5;
  for (std::int64_t columns = 2; columns <= ShortRows::kLongestRow; ++columns) {
    Case c(DType::f32, 1);
    Builder& b = c.b;
    for (const char* name : {"v", "w", "z"}) {
      TensorInfo info;
      info.name = name;
      info.type = {DType::f32, false, {kRows, columns}};
      c.program.tensors.push_back(info);
      c.context.tensors[name] = {{kRows, columns}, std::vector<double>(static_cast<std::size_t>(kRows * columns), 0.5)};
    }
    const NodeId v = b.source(Op::tensor, c.program.tensors[0].type, {{Key::name, std::string("v")}});
    c.graph.add_result(ResultKind::store, "w", b.div(v, b.broadcast(b.sum(v, {1}), {kRows, columns}, {0})));
    HandPlan hand(kMaxBatch);
    hand.plan = c.plan(target_of(options_for("native"))->vector_bytes);
    hand.program = c.program;
    hand.context = c.context;
    const NativeRun run = run_native(hand, options_for("native"), 1);
    ASSERT_EQ(run.outcome, Outcome::done);
    EXPECT_EQ(run.tensors.at("z").data, c.context.tensors["z"].data) << columns << " columns";
    for (const double element : run.tensors.at("w").data) {
      EXPECT_NEAR(element, 1 / static_cast<double>(columns), 1e-7) << columns << " columns";
    }
  }
}

// A product that is added to normalized rows has the sum in its epilogue.
TEST(ShortRows, LeaveToProductsWhatBelongsIntoTheirEpilogues) {
  Case c(DType::f64, 3);
  Builder& b = c.b;
  const NodeId x = c.input("x", 4), z = c.input("z", 6);
  const NodeId w = b.broadcast(b.constant(0.25, DType::f64), {6, 4}, {});
  const NodeId normalized = b.div(x, b.broadcast(b.sum(b.mul(x, x), {1}), {kBatch, 4}, {0}));
  c.output("y", b.add(b.contract(z, w, "mk,kn->mn"), normalized));
  c.output("normalized", normalized);
  const KernelPlan plan = c.plan(64);
  const auto is_product = [](const Kernel& kernel) { return std::holds_alternative<ContractionKernel>(kernel.body); };
  const auto product = std::find_if(plan.kernels.begin(), plan.kernels.end(), is_product);
  ASSERT_NE(product, plan.kernels.end());
  EXPECT_EQ(product->name, "y") << print(plan);
}

}  // namespace
}  // namespace tarn::testing
