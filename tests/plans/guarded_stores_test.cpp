// Guarded stores: where a new value of the state is NaN or infinite, the old one stays, whatever kernel stores it, on
// every width of vectors, alone and in parts; and what is finite has the bits that it has without a guard.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "passes/pipeline.h"
#include "passes/plan/guarded_stores.h"
#include "passes/plan/interpreter.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/plan_graphs.h"
#include "tests/support/compiler/planned.h"

namespace tarn::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kBad[] = {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};

void expect_same(const HostTensor& actual, const HostTensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(actual.data.size(), expected.data.size()) << what;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    ASSERT_TRUE(std::isfinite(actual.data[i])) << what << ": element " << i;
    ASSERT_NEAR(actual.data[i], expected.data[i], tolerance * (1 + std::fabs(expected.data[i])))
        << what << ": element " << i;
  }
}

// Runs the plan with guarded stores on every CPU, and compares with the interpreter, whose plan it is; with the bits of
// the plan without guards where all is finite. Whether an old value was kept.
bool check(HandPlan& hand, std::int64_t batch, double tolerance, const std::string& what, bool fast_math = false) {
  const HandPlan unguarded = hand;
  guard_stores(hand.plan, hand.program);
  EXPECT_TRUE(has_guarded_stores(hand.plan)) << what;
  EvaluationContext context = hand.context;
  context.batch = batch;
  const auto expected = interpret(hand.plan, hand.program, context);
  const auto backwards = interpret(hand.plan, hand.program, context, {.reversed = true});
  EXPECT_TRUE(expected.has_value() && backwards.has_value()) << what << ": " << expected.error().front().message;
  if (!expected || !backwards) return false;
  for (const std::string& cpu : cpus()) {
    CodegenOptions options = options_for(cpu);
    options.fast_math = fast_math;
    const NativeRun run = run_native(hand, options, batch);
    const std::string where = what + " on " + cpu;
    EXPECT_EQ(run.outcome, expected->kept_old ? Outcome::update_not_finite : Outcome::done) << where;
    for (const auto& [name, values] : expected->tensors) {
      expect_same(run.tensors.at(name), values, tolerance, where + ", " + name);
      expect_same(run.tensors.at(name), backwards->tensors.at(name), tolerance, where + ", " + name + " backwards");
      if (::testing::Test::HasFatalFailure()) return false;
    }
    if (expected->kept_old) continue;
    const NativeRun plain = run_native(unguarded, options, batch);
    for (const auto& [name, values] : plain.tensors) EXPECT_EQ(run.tensors.at(name).data, values.data) << where;
  }
  return expected->kept_old;
}

// An optimizer with one slot: v <- 0.5 v + g, w <- w - v; element by element.
void add_update(HandPlan& hand, std::int64_t count, DType dtype, BufferId gradient) {
  const BufferId w = hand.tensor("w", dtype, {count}, random_numbers(2, static_cast<std::size_t>(count), dtype));
  const BufferId v = hand.tensor("v", dtype, {count}, random_numbers(3, static_cast<std::size_t>(count), dtype));
  LoopKernel update;
  update.axes = {{count, false}};
  update.reduced = {false};
  update.body.values = {load(gradient, {1}, dtype),
                        load(v, {1}, dtype),
                        load(w, {1}, dtype),
                        number(0.5, dtype),
                        operation(Op::mul, dtype, {1, 3}),
                        operation(Op::add, dtype, {4, 0}),
                        operation(Op::sub, dtype, {2, 5})};
  update.body.stores = {{5, at(v, {1}), false}, {6, at(w, {1}), false}};
  hand.add(update);
}

// Every length around whole vectors of all widths, with nothing bad, with one element of each kind at the ends and in
// the middle, and with many.
TEST(GuardedStores, KeepTheOldElements) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const std::int64_t count : {1, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 100, 1000}) {
      const auto last = static_cast<std::size_t>(count - 1);
      const std::vector<std::vector<std::size_t>> places = {{}, {0}, {last}, {last / 2}, {0, last / 2, last}};
      for (std::size_t i = 0; i < places.size(); ++i) {
        HandPlan hand;
        std::vector<double> g = random_numbers(1, static_cast<std::size_t>(count), dtype);
        for (const std::size_t place : places[i]) g[place] = kBad[(i + place) % 3];
        add_update(hand, count, dtype, hand.constant(dtype, {count}, g));
        const std::string what =
            std::to_string(count) + " " + std::string(name_of(dtype)) + ", case " + std::to_string(i);
        EXPECT_EQ(check(hand, 1, 1e-6, what, i % 2 == 1), !places[i].empty()) << what;
        if (HasFatalFailure()) return;
      }
    }
  }
}

// 1e30 is finite, and its square is not: the slot keeps its old value, and the weight, which is finite, goes with it.
TEST(GuardedStores, WhatBelongsTogetherStaysTogether) {
  constexpr std::int64_t kCount = 37;
  HandPlan hand;
  std::vector<double> g = random_numbers(1, kCount, DType::f32);
  g[20] = 1e30;
  const BufferId gradient = hand.constant(DType::f32, {kCount}, g);
  const BufferId w = hand.tensor("w", DType::f32, {kCount}, random_numbers(2, kCount, DType::f32));
  const BufferId s = hand.tensor("s", DType::f32, {kCount}, random_numbers(3, kCount, DType::f32));
  LoopKernel update;
  update.axes = {{kCount, false}};
  update.reduced = {false};
  update.body.values = {load(gradient, {1}, DType::f32), operation(Op::mul, DType::f32, {0, 0}),
                        load(w, {1}, DType::f32), operation(Op::sub, DType::f32, {2, 0})};
  update.body.stores = {{1, at(s, {1}), false}, {3, at(w, {1}), false}};
  hand.add(update);
  const std::vector<double> before = hand.context.tensors.at("w").data;
  EXPECT_TRUE(check(hand, 1, 1e-6, "a square that overflows"));
  const NativeRun run = run_native(hand, options_for("native"), 1);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(run.tensors.at("w").data[i] == before[i], i == 20) << i;
}

// f32 and f64 in one body, and a store of integers, which has no guard.
TEST(GuardedStores, SeveralTypesInOneBody) {
  for (const bool bad : {false, true}) {
    constexpr std::int64_t kCount = 21;
    HandPlan hand;
    std::vector<double> g = random_numbers(1, kCount, DType::f32);
    if (bad) g[13] = kInfinity;
    const BufferId gradient = hand.constant(DType::f32, {kCount}, g);
    const BufferId a = hand.tensor("a", DType::f32, {kCount}, random_numbers(2, kCount, DType::f32));
    const BufferId b = hand.tensor("b", DType::f64, {kCount}, random_numbers(3, kCount, DType::f64));
    const BufferId n = hand.tensor("n", DType::i32, {kCount}, std::vector<double>(kCount, 3));
    LoopKernel update;
    update.axes = {{kCount, false}};
    update.reduced = {false};
    update.body.values = {load(gradient, {1}, DType::f32), operation(Op::convert, DType::f64, {0}),
                          load(n, {1}, DType::i32), operation(Op::add, DType::i32, {2, 2})};
    update.body.stores = {{0, at(a, {1}), false}, {1, at(b, {1}), false}, {3, at(n, {1}), false}};
    hand.add(update);
    EXPECT_EQ(check(hand, 1, 1e-6, "several types"), bad);
    EXPECT_EQ(run_native(hand, options_for("native"), 1).tensors.at("n").data, std::vector<double>(kCount, 6));
  }
}

struct Extents {
  std::int64_t rows, columns, inner;
  std::string text() const { return fmt::format("{}x{}x{}", rows, columns, inner); }
};
constexpr Extents kProducts[] = {{1, 1, 3}, {5, 3, 7}, {16, 16, 16}, {17, 33, 9}, {40, 70, 20}, {64, 10, 128}};

// The product a * b, whose left operand has `bad` in the middle, if that is not 0.
ContractionKernel product_of(HandPlan& hand, const Extents& e, double bad) {
  std::vector<double> left = random_numbers(1, static_cast<std::size_t>(e.rows * e.inner), DType::f32);
  if (bad != 0) left[left.size() / 2] = bad;
  const BufferId a = hand.constant(DType::f32, {e.rows * e.inner}, left);
  const BufferId b = hand.constant(DType::f32, {e.inner * e.columns},
                                   random_numbers(2, static_cast<std::size_t>(e.inner * e.columns), DType::f32));
  ContractionKernel product;
  product.rows = {{e.rows, false}};
  product.columns = {{e.columns, false}};
  product.inner = {{e.inner, false}};
  product.a = operand_of(at(a, {e.inner, 1}), product.dtype);
  product.b = operand_of(at(b, {e.columns, 1}), product.dtype);
  product.epilogue.values = {simple(Value::Kind::product, DType::f32)};
  return product;
}

// The update of the weights whose gradient a product is.
TEST(GuardedStores, EpiloguesOfProducts) {
  for (const Extents& e : kProducts) {
    for (const auto form : {CpuTactics::Form::columns, CpuTactics::Form::inner}) {
      for (const double bad : {0.0, kBad[0], kBad[2]}) {
        HandPlan hand;
        ContractionKernel product = product_of(hand, e, bad);
        if (form == CpuTactics::Form::inner) product.b.access().at.strides = {1, e.inner};
        const auto count = static_cast<std::size_t>(e.rows * e.columns);
        const BufferId w = hand.tensor("w", DType::f32, {e.rows, e.columns}, random_numbers(3, count, DType::f32));
        product.epilogue.values.push_back(load(w, {e.columns, 1}, DType::f32));
        product.epilogue.values.push_back(operation(Op::sub, DType::f32, {1, 0}));
        product.epilogue.stores = {{2, at(w, {e.columns, 1}), false}};
        hand.add(product, in_form(form));
        EXPECT_EQ(check(hand, 1, 1e-4, e.text()), bad != 0) << e.text();
        if (HasFatalFailure()) return;
      }
    }
  }
}

// The update of a bias, in the tail behind the sums of a product's columns.
TEST(GuardedStores, TailsOfProducts) {
  for (const Extents& e : kProducts) {
    if (e.columns == 1) continue;  // no columns to sum
    for (const double bad : {0.0, kBad[1], kBad[2]}) {
      HandPlan hand(e.rows);
      ContractionKernel product = product_of(hand, e, bad);
      product.rows = {{1, true}};
      const BufferId delta = hand.result(DType::f32, {kBatch, e.columns});
      const BufferId bias = hand.tensor("bias", DType::f32, {e.columns},
                                        random_numbers(4, static_cast<std::size_t>(e.columns), DType::f32));
      product.epilogue.stores = {{0, at(delta, {e.columns, 1}), false}};
      product.sums = {{Op::reduce_sum, 0, DType::f32}};
      product.tail.values = {simple(Value::Kind::reduced, DType::f32)};
      product.tail.stores = {{0, at(bias, {0, 1}), false}};
      hand.add(product);
      EXPECT_EQ(check(hand, e.rows, 1e-4, e.text()), bad != 0) << e.text();
      if (HasFatalFailure()) return;
    }
  }
}

// Rows of a few elements, which masks load and store together, with rows along the lanes.
TEST(GuardedStores, ShortRowsAndTransposedCopies) {
  for (const bool bad : {false, true}) {
    constexpr std::int64_t kRows = 45, kColumns = 3;
    HandPlan hand;
    std::vector<double> g = random_numbers(1, kRows * kColumns, DType::f32);
    if (bad) g[50] = kInfinity;
    const BufferId gradient = hand.constant(DType::f32, {kRows, kColumns}, g);
    const BufferId w = hand.tensor("w", DType::f32, {kRows, kColumns}, random_numbers(2, kRows * kColumns, DType::f32));
    LoopKernel rows;
    rows.axes = {{kRows, false}};
    rows.reduced = {false};
    for (std::int64_t i = 0; i < kColumns; ++i) {
      rows.body.values.push_back(load(gradient, {kColumns}, DType::f32, i));
      rows.body.stores.push_back({static_cast<ValueId>(i), at(w, {kColumns}, i), false});
    }
    hand.add(rows);
    // What goes to the state is looked at point by point, however long.
    constexpr std::int64_t kSide = 72;
    std::vector<double> square = random_numbers(3, kSide * kSide, DType::f32);
    if (bad) square[kSide * 5 + 60] = -kInfinity;
    const BufferId from = hand.constant(DType::f32, {kSide, kSide}, square);
    const BufferId to = hand.tensor("s", DType::f32, {kSide, kSide}, random_numbers(4, kSide * kSide, DType::f32));
    LoopKernel copy;
    copy.axes = {{kSide, false}, {kSide, false}};
    copy.reduced = {false, false};
    copy.body.values = {load(from, {1, kSide}, DType::f32)};
    copy.body.stores = {{0, at(to, {kSide, 1}), false}};
    hand.add(copy, along(1));
    EXPECT_EQ(check(hand, 1, 1e-6, "rows and copies"), bad);
  }
}

// Steps of gradient descent through random graphs, with one infinite number in a tensor: natively what the interpreter
// makes of the plan.
TEST(GuardedStores, RandomStepsAreThoseOfTheInterpreter) {
  int kept = 0, in_part = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    PlanCaseOptions how;
    how.nodes = 5 + static_cast<int>(seed % 25);
    how.descent = true;
    how.dtype = seed % 3 == 0 ? DType::f32 : DType::f64;
    if (seed % 4 == 0) {
      how.max_batch = 20;
      how.batch = 17;
    }
    PlanCase random = random_plan_case(20000 + seed, how);
    random.context.step = 0;
    HostTensor& spoiled = std::next(random.context.tensors.begin(), static_cast<std::ptrdiff_t>(seed % 3))->second;
    spoiled.data[seed % spoiled.data.size()] = kBad[seed % 2];
    PassContext context;
    const auto optimized = optimize(random.graph, context);
    ASSERT_TRUE(optimized.has_value());
    for (const std::string& cpu : cpus()) {
      PlanOptions options;
      options.target = *target_of(options_for(cpu));
      HandPlan hand(random.program.settings.batch);
      hand.plan = testing::planned(*optimized, random.program, options);
      std::erase_if(hand.plan.kernels, [](const Kernel& k) { return std::holds_alternative<FiniteGuard>(k.body); });
      hand.program = random.program;
      hand.context = random.context;
      guard_stores(hand.plan, hand.program);
      const auto expected = interpret(hand.plan, hand.program, hand.context);
      ASSERT_TRUE(expected.has_value()) << expected.error().front().message;
      const NativeRun run = run_native(hand, options_for(cpu), hand.context.batch);
      const std::string what = "seed " + std::to_string(seed) + " on " + cpu;
      if (has_guarded_stores(hand.plan)) {
        EXPECT_EQ(run.outcome, expected->kept_old ? Outcome::update_not_finite : Outcome::done) << what;
      }
      bool changed = false;
      for (const TensorInfo& tensor : hand.program.tensors) {
        const std::string& name = tensor.name;
        if (tensor.kind == TensorKind::metric || !is_floating(tensor.type.dtype)) continue;
        changed = changed || expected->tensors.at(name).data != hand.context.tensors.at(name).data;
        const double tolerance = how.dtype == DType::f32 ? 1e-3 : 1e-9;
        for (std::size_t i = 0; i < expected->tensors.at(name).data.size(); ++i) {
          const double is = run.tensors.at(name).data[i], wanted = expected->tensors.at(name).data[i];
          if (is == wanted) continue;
          ASSERT_NEAR(is, wanted, tolerance * (1 + std::fabs(wanted))) << what << ", " << name << "[" << i << "]";
        }
      }
      kept += expected->kept_old ? 1 : 0;
      in_part += expected->kept_old && changed ? 1 : 0;
    }
  }
  EXPECT_GT(kept, 20) << "too few steps are not finite";
  EXPECT_GT(in_part, 5) << "too few of them change anything";
}

// Every float that a plan of training or fitting stores in the state has a guard, and no other plan has any.
TEST(GuardedStores, AreThoseOfTrainingAndFitting) {
  const std::shared_ptr<Model> model = compiled_model(
      "model m {\n  input x[40]\n  output y = x |> normalization |> batch_norm |> dense(30, relu) |> dense(3)\n}\n"
      "train {\n  target t[3]\n  loss mse(y, t)\n  optimizer adam\n  ema(0.9)\n  accumulate 2\n  batch 20\n}\n");
  ASSERT_NE(model, nullptr);
  const Program& program = model->program();
  for (const auto& [name, plan] : model->plan().plans) {
    const bool stores = name == "train" || name == "adapt";
    EXPECT_EQ(has_guarded_stores(plan), stores) << name;
    for (const Kernel& kernel : plan.kernels) {
      for_each_body(kernel.body, [&](const Body& body) {
        for (const Store& store : body.stores) {
          const Buffer& buffer = plan.buffers[store.access.buffer];
          const bool in_state = buffer.space == Space::state && buffer.name != "step";
          EXPECT_EQ(store.guarded, stores && in_state) << name << ", " << buffer.name;
        }
      });
    }
  }
  EXPECT_NE(program.find_tensor("step"), nullptr);
}

}  // namespace
}  // namespace tarn::testing
