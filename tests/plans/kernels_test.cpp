// Plans of graphs made by hand: what is fused, what waits, what is guarded, what memory is shared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "ir/builder.h"
#include "passes/pipeline.h"
#include "passes/plan/interpreter.h"
#include "tests/support/compiler/hand_graph.h"
#include "tests/support/compiler/plan_graphs.h"
#include "tests/support/compiler/planned.h"

namespace tarn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PlanKernels, ATrainingStepIsFewKernels) {
  HandGraph c(32, 5);
  add_training_step(c, 7, 20, 3);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  // h; y and error; loss; guard; scalars; dz (and w2 transposed); four updates.
  EXPECT_LE(plan.kernels.size(), 11U) << print(plan);
  PlanOptions unfused;
  unfused.fuse = false;
  const KernelPlan baseline = c.plan(unfused);
  expect_right(c, baseline);
  EXPECT_GT(baseline.kernels.size(), 50U);
}

TEST(PlanKernels, StatesMaySwap) {
  HandGraph c;
  const NodeId a = c.tensor("a", {5}), b = c.tensor("b", {5});
  c.store("a", b);
  c.store("b", a);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(plan.kernels.size(), 1U) << print(plan);
  PlanOptions unfused;
  unfused.fuse = false;
  expect_right(c, c.plan(unfused));
}

TEST(PlanKernels, StatesMaySwapTransposed) {
  HandGraph c;
  const NodeId a = c.tensor("a", {4, 4}), b = c.tensor("b", {4, 4});
  c.store("a", c.b.transpose(b, {1, 0}));
  c.store("b", c.b.transpose(a, {1, 0}));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_GT(plan.arena_bytes, 0U);
}

TEST(PlanKernels, AStateMayBeReversedOntoItself) {
  HandGraph c;
  const NodeId a = c.tensor("a", {9});
  c.store("a", c.b.make(Op::reverse, {a}, {{Key::axes, std::vector<std::int64_t>{0}}}));
  expect_right(c, c.plan());
}

// As in FTRL: the new z needs old and new n at the same point, so both updates share a kernel.
TEST(PlanKernels, OldAndNewValueOfAStateMeetInOneKernel) {
  HandGraph c;
  Builder& b = c.b;
  const NodeId n = c.tensor("n", {6}), z = c.tensor("z", {6}), w = c.tensor("w", {6});
  const NodeId n_new = b.add(n, b.mul(w, w));
  const NodeId z_new = b.add(z, b.mul(b.sub(b.unary(Op::exp, n_new), b.unary(Op::exp, n)), w));
  c.store("n", n_new);
  c.store("z", z_new);
  c.store("w", b.unary(Op::tanh, z_new));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(plan.kernels.size(), 1U) << print(plan);
  EXPECT_EQ(plan.arena_bytes, 0U);
}

TEST(PlanKernels, TwoStatesMayNeedTheOldValuesOfEachOther) {
  HandGraph c;
  Builder& b = c.b;
  const NodeId v = c.tensor("v", {5, 5}), w = c.tensor("w", {5, 5});
  c.store("v", b.sub(v, b.contract(w, v, "ij,jk->ik")));
  c.store("w", b.sub(w, b.contract(v, w, "ij,jk->ik")));
  expect_right(c, c.plan());
}

TEST(PlanKernels, TheProductWithAWeightComesBeforeItsUpdate) {
  HandGraph c;
  Builder& b = c.b;
  const NodeId dy = c.input("dy", {4}), h = c.input("h", {6}), w = c.tensor("w", {6, 4});
  const NodeId update = b.sub(w, b.contract(h, dy, "nk,nm->km"));
  c.output("dh", b.contract(dy, w, "nm,km->nk"));
  c.store("w", update);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(stored_by(plan, plan.kernels.back()), std::set<std::string>{"w"}) << print(plan);
}

TEST(PlanKernels, NothingOfTheStateIsWrittenBeforeTheGuard) {
  HandGraph c;
  Builder& b = c.b;
  const NodeId x = c.input("x", {3}), s = c.tensor("s", {3}, DType::f64, TensorKind::state);
  // The new state is a part of the loss: it must wait.
  const NodeId mean = b.add(s, b.sum(x, {0}));
  c.loss(b.unary(Op::log, b.sum(mean, {0})));
  c.store("s", mean);
  for (double& value : c.context.inputs["x"].data) value = 1;
  for (double& value : c.context.tensors["s"].data) value = 2;
  const KernelPlan plan = c.plan();  // verify() looks at what is before the guard
  expect_right(c, plan);
  for (const double bad : {-100.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    c.context.inputs["x"].data[1] = bad;
    const auto outcome = interpret(plan, c.program, c.context);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->stopped);
    EXPECT_EQ(outcome->tensors.at("s").data, c.context.tensors["s"].data);
  }
}

TEST(PlanKernels, OnlyTrainingIsGuarded) {
  HandGraph c;
  const NodeId x = c.input("x", {3});
  const NodeId total = c.tensor("total", {}, DType::f64, TensorKind::metric);
  const NodeId loss = c.b.sum(x, {0, 1});
  c.loss(loss);
  c.store("total", c.b.add(total, loss));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  for (const Kernel& kernel : plan.kernels) EXPECT_FALSE(std::holds_alternative<FiniteGuard>(kernel.body));
}

// A draw depends on the step, so the step is counted up after it.
TEST(PlanKernels, DrawsComeBeforeTheStepIsCounted) {
  HandGraph c;
  Builder& b = c.b;
  const NodeId step = c.tensor("step", {}, DType::f64, TensorKind::counter);
  const NodeId noise = b.source(Op::random_uniform, {DType::f64, false, {kBatch, 3}},
                                {{Key::stream, std::int64_t{5}}, {Key::per_step, std::int64_t{0}}});
  c.store("step", b.add(step, b.constant(1, DType::f64)));
  c.output("y", noise);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(stored_by(plan, plan.kernels.back()), std::set<std::string>{"step"});
}

TEST(PlanKernels, LongChainsAreCut) {
  HandGraph c;
  NodeId y = c.input("x", {3});
  for (int i = 0; i < 10000; ++i) y = i % 2 == 0 ? c.b.unary(Op::tanh, y) : c.b.add(y, c.b.constant_like(0.01 * i, y));
  c.output("y", y);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_GT(plan.kernels.size(), 10U);
  for (const Kernel& kernel : plan.kernels) EXPECT_LT(std::get<LoopKernel>(kernel.body).body.values.size(), 1000U);
}

// What doubles at every step would be 2^200 terms without sharing.
TEST(PlanKernels, SharedExpressionsStaySmall) {
  HandGraph c;
  NodeId y = c.input("x", {3});
  for (int i = 0; i < 200; ++i) y = c.b.mul(c.b.add(y, y), c.b.constant_like(0.4, y));
  c.output("y", y);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(plan.kernels.size(), 1U) << plan.kernels.size();
}

TEST(PlanKernels, ResultsMayBeSourcesOrTheSameNode) {
  HandGraph c;
  const NodeId x = c.input("x", {3}), w = c.tensor("w", {2});
  c.tensor("v", {2});
  const NodeId y = c.b.unary(Op::exp, x);
  c.output("x", x);
  c.output("y", y);
  c.output("again", y);
  c.output("w", w);
  c.output("one", c.b.constant_like(1, y));
  c.store("w", w);
  c.store("v", w);
  expect_right(c, c.plan());
}

TEST(PlanKernels, NoElementsAreNoTrouble) {
  HandGraph c;
  const NodeId w = c.tensor("w", {0, 3}), v = c.tensor("v", {3, 0});
  c.output("product", c.b.contract(v, w, "ab,bc->ac"));
  c.output("sum", c.b.sum(w, {0}));
  c.output("none", c.b.unary(Op::exp, w));
  c.output("flat", c.b.reshape(c.b.unary(Op::tanh, w), {0}));
  expect_right(c, c.plan());
}

// Two layers of 6 and 3 units; with `trains`, a step on the weights of the second.
KernelPlan plan_of_small_layers(bool trains, std::int64_t units = 6) {
  HandGraph c(16, 11);
  const NodeId x = c.input("x", {5}), w1 = c.tensor("w1", {5, units}), w2 = c.tensor("w2", {units, 3});
  const NodeId h = c.b.unary(Op::tanh, c.b.contract(x, w1, "nk,km->nm"));
  const NodeId y = c.b.unary(Op::tanh, c.b.contract(h, w2, "nk,km->nm"));
  if (trains) {
    c.store("w2", c.b.sub(w2, c.b.contract(h, y, "nk,nm->km")));
  } else {
    c.output("y", y);
  }
  PlanOptions options;
  options.target.vector_bytes = 64;
  const KernelPlan plan = c.plan(options);
  expect_right(c, plan);
  return plan;
}

std::vector<std::vector<std::int64_t>> strides_of_temporaries(const KernelPlan& plan) {
  std::vector<std::vector<std::int64_t>> result;
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.space == Space::arena) result.push_back(buffer.strides);
  }
  return result;
}

TEST(PlanKernels, SmallLayersLieWithTheBatchInnermost) {
  using ::testing::Each;
  using Strides = std::vector<std::int64_t>;
  const KernelPlan trained = plan_of_small_layers(true);
  EXPECT_THAT(strides_of_temporaries(trained), Each(Strides{1, 16}));
  // The samples of x, h, y.
  EXPECT_EQ(strides_of_temporaries(trained).size(), 3U) << print(trained);
  EXPECT_EQ(std::count_if(trained.kernels.begin(), trained.kernels.end(),
                          [](const Kernel& kernel) { return kernel.tactics.copy == CpuTactics::Copy::of_samples; }),
            1);
  // One sample would be one lane, and 8 units fill a vector of 8 doubles as they are.
  EXPECT_THAT(strides_of_temporaries(plan_of_small_layers(false)), Each(Strides{6, 1}));
  EXPECT_THAT(strides_of_temporaries(plan_of_small_layers(true, 8)), ::testing::Contains(Strides{8, 1}));
}

// A sum over the batch for each of 6 units, and much to do with it.
TEST(PlanKernels, LongTailsOfShortSumsHaveVectors) {
  const auto kernels = [](std::int64_t max_batch) {
    HandGraph c(max_batch, 3);
    Builder& b = c.b;
    const NodeId x = c.input("x", {6}), w = c.tensor("w", {6}), v = c.tensor("v", {6}), wide = c.tensor("u", {6, 6});
    const NodeId gradient = b.sum(b.unary(Op::tanh, b.contract(x, wide, "nk,km->nm")), {0});
    const NodeId next = b.add(b.mul(v, v), b.mul(gradient, gradient));
    const NodeId root = b.add(b.unary(Op::sqrt, next), b.constant_like(1e-3, next));
    c.store("v", next);
    c.store("w", b.sub(w, b.div(b.mul(gradient, b.constant_like(0.1, gradient)), root)));
    PlanOptions options;
    options.target.vector_bytes = 64;
    const KernelPlan plan = c.plan(options);
    expect_right(c, plan);
    return print(plan);
  };
  EXPECT_THAT(kernels(16), HasSubstr("sums of v update"));
  // Where rows of units are vectors already, so are the tails.
  EXPECT_THAT(kernels(4), Not(HasSubstr("sums of v update")));
}

TEST(PlanKernels, BuffersOfAChainOfProductsShareTheArena) {
  const auto arena = [](bool in_place) {
    HandGraph c(8, 3);
    NodeId h = c.input("x", {16});
    for (int i = 0; i < 12; ++i) {
      const NodeId w = c.tensor("w" + std::to_string(i), {16, 16});
      h = c.b.unary(Op::tanh, c.b.contract(h, w, "nk,km->nm"));
    }
    c.output("y", h);
    PlanOptions options;
    options.in_place = in_place;
    const KernelPlan plan = c.plan(options);
    expect_right(c, plan);
    return plan.arena_bytes;
  };
  // 8 samples of 16 doubles; a product reads one buffer and writes another.
  EXPECT_EQ(arena(true), 2U * 8 * 16 * 8);
  EXPECT_EQ(arena(false), 11U * 8 * 16 * 8);
}

TEST(PlanKernels, AnElementwiseResultTakesThePlaceOfItsOperand) {
  HandGraph c(8, 3);
  Builder& b = c.b;
  const NodeId x = c.input("x", {16}), w = c.tensor("w", {16, 16});
  const NodeId h = b.contract(x, w, "nk,km->nm");
  // Row sums of h come between, so h is in memory; then h - sum takes its place.
  const NodeId centred = b.sub(h, b.broadcast(b.sum(h, {1}), {kBatch, 16}, {0}));
  c.output("y", b.contract(centred, w, "nk,km->nm"));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(plan.arena_bytes, 8U * 16 * 8 + 64) << print_memory(plan);
}

// Walks a plan with one owner a byte: what a kernel reads must be owned by the buffer it reads it from.
void expect_owned(const KernelPlan& plan, const std::string& what) {
  std::vector<BufferId> owner(plan.arena_bytes, 0xFFFF'FFFF);
  const auto bytes_of = [&](BufferId id) {
    const Buffer& buffer = plan.buffers[id];
    std::int64_t last = 0;
    for (std::size_t i = 0; i < buffer.shape.size(); ++i) {
      const std::int64_t extent = buffer.shape[i] == kBatch ? plan.max_batch : buffer.shape[i];
      if (extent == 0) return std::size_t{0};
      last += (extent - 1) * buffer.strides[i];
    }
    return static_cast<std::size_t>(last + 1) * size_of(buffer.dtype);
  };
  const auto check = [&](BufferId id) {
    if (plan.buffers[id].space != Space::arena) return;
    for (std::size_t i = 0; i < bytes_of(id); ++i) {
      ASSERT_EQ(owner[plan.buffers[id].offset + i], id) << what << ": " << plan.buffers[id].name << "\n" << print(plan);
    }
  };
  const auto own = [&](BufferId id) {
    if (plan.buffers[id].space != Space::arena) return;
    for (std::size_t i = 0; i < bytes_of(id); ++i) owner[plan.buffers[id].offset + i] = id;
  };
  const auto visit = [&](const Body& body, bool stores) {
    for (const Value& value : body.values) {
      if (!stores && value.kind == Value::Kind::load) check(value.access.buffer);
    }
    for (const Store& store : body.stores) {
      if (stores) own(store.access.buffer);
    }
  };
  for (const Kernel& kernel : plan.kernels) {
    for (const bool stores : {false, true}) {
      if (const auto* loop = std::get_if<LoopKernel>(&kernel.body)) {
        visit(loop->body, stores);
        visit(loop->tail, stores);
      } else if (const auto* product = std::get_if<ContractionKernel>(&kernel.body)) {
        visit(product->a.body, stores);
        visit(product->b.body, stores);
        visit(product->epilogue, stores);
      } else if (!stores) {
        check(std::get<FiniteGuard>(kernel.body).buffer);
      }
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  for (const PlanResult& result : plan.results) check(result.buffer);
}

TEST(PlanKernels, NoLivingBufferIsOverwritten) {
  for (std::uint64_t seed = 1000; seed < 1200; ++seed) {
    PlanCaseOptions how;
    how.nodes = 40;
    how.loss = seed % 2 == 0;
    const PlanCase random = random_plan_case(seed, how);
    expect_owned(testing::planned(random.graph, random.program, {}), "seed " + std::to_string(seed));
    if (HasFatalFailure()) return;
  }
}

TEST(PlanKernels, PlansAreTheSameEveryTime) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const auto text = [&] {
      const PlanCase random = random_plan_case(seed, {});
      const KernelPlan plan = testing::planned(random.graph, random.program, {});
      return print(plan) + print_memory(plan);
    };
    EXPECT_EQ(text(), text()) << "seed " << seed;
  }
}

TEST(PlanKernels, TheVectorAxisIsTheContiguousOne) {
  HandGraph c(64, 5);
  Builder& b = c.b;
  const NodeId x = c.input("x", {48}, DType::f32);
  c.output("by_column", b.sum(x, {0}));
  c.output("by_row", b.sum(b.mul(x, x), {1}));
  PlanOptions options;
  options.target.vector_bytes = 64;
  const KernelPlan plan = c.plan(options);
  ASSERT_EQ(plan.kernels.size(), 2U);
  for (const Kernel& kernel : plan.kernels) EXPECT_EQ(kernel.tactics.vector_axis, 1U) << print(plan);
}

TEST(PlanKernels, AxesAreMergedWhereAccessesAllow) {
  HandGraph c;
  const NodeId x = c.input("x", {4, 5, 6});
  c.output("y", c.b.unary(Op::exp, x));
  c.output("z", c.b.transpose(x, {0, 2, 1, 3}));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  ASSERT_EQ(plan.kernels.size(), 2U) << print(plan);
  EXPECT_EQ(std::get<LoopKernel>(plan.kernels[0].body).axes, (std::vector<Extent>{{120, true}}));
  EXPECT_EQ(std::get<LoopKernel>(plan.kernels[1].body).axes.size(), 4U);
}

TEST(PlanKernels, CostsAreCounted) {
  HandGraph c(10, 3);
  const NodeId x = c.input("x", {6}, DType::f32), w = c.tensor("w", {6, 9}, DType::f32);
  c.output("y", c.b.unary(Op::tanh, c.b.contract(x, w, "nk,km->nm")));
  const KernelPlan plan = c.plan();
  const KernelCost cost = cost_of(plan, plan.kernels[0]);
  EXPECT_EQ(cost.flops, 2 * 10 * 6 * 9 + 10 * 9);
  EXPECT_EQ(cost.bytes, 4 * (10 * 6 + 6 * 9 + 10 * 9));
}

TEST(PlanKernels, PrintsReadAsEquations) {
  HandGraph c(32, 5);
  add_training_step(c, 7, 20, 3);
  const KernelPlan plan = c.plan();
  const std::string text = print(plan);
  EXPECT_THAT(text, HasSubstr("the step ends here unless loss is finite"));
  EXPECT_THAT(text, HasSubstr("\"w1 update\""));
  EXPECT_THAT(text, HasSubstr("product = sum over k < 7 of x[m, k] * w1[k, n]"));
  EXPECT_THAT(text, HasSubstr("remark: "));
  EXPECT_THAT(text, Not(HasSubstr("kernel \"\"")));
  EXPECT_THAT(print_memory(plan), HasSubstr("f64[7, 20] w1\n"));
}

// Each row breaks an invariant of a good plan; verify() must say so.
TEST(PlanKernels, VerifyFindsBrokenPlans) {
  const auto good = [] {
    HandGraph c(4, 3);
    add_training_step(c, 3, 4, 2);
    return c.plan();
  };
  const auto product_of = [](KernelPlan& plan) -> ContractionKernel& {
    return std::get<ContractionKernel>(plan.kernels[0].body);
  };
  struct Row {
    const char* message;
    std::function<void(KernelPlan&)> damage;
  };
  const std::vector<Row> rows = {
      {"operand stands behind", [&](KernelPlan& p) { product_of(p).epilogue.values.back().operands[0] = 99; }},
      {"names no buffer", [&](KernelPlan& p) { product_of(p).a.access().buffer = 10'000; }},
      {"leaves it", [&](KernelPlan& p) { product_of(p).a.access().at.offset = 1; }},
      {"leaves it", [&](KernelPlan& p) { product_of(p).b.access().at.strides[0] = -1; }},
      {"one stride an axis", [&](KernelPlan& p) { product_of(p).b.access().at.strides.pop_back(); }},
      {"outside of the arena", [&](KernelPlan& p) { p.arena_bytes = 8; }},
      {"before it is written", [&](KernelPlan& p) { p.kernels.erase(p.kernels.begin()); }},
      {"before the guard",
       [&](KernelPlan& p) {
         const auto is_guard = [](const Kernel& k) { return std::holds_alternative<FiniteGuard>(k.body); };
         const auto guard = std::find_if(p.kernels.begin(), p.kernels.end(), is_guard);
         std::rotate(guard, guard + 1, p.kernels.end());
       }},
      {"has another type", [&](KernelPlan& p) { product_of(p).epilogue.values.back().dtype = DType::f32; }},
      {"no such reduction",
       [&](KernelPlan& p) {
         Value sum;
         sum.kind = Value::Kind::reduced;
         product_of(p).tail.values = {sum};
       }},
      {"has no value", [&](KernelPlan& p) { product_of(p).sums = {{Op::reduce_sum, 99, DType::f64}}; }},
      {"adds up, or nothing", [&](KernelPlan& p) { product_of(p).sums = {{Op::reduce_max, 0, DType::f64}}; }},
      {"no rows side by side",
       [&](KernelPlan& p) {
         product_of(p).sums = {{Op::reduce_sum, 0, DType::f64}};
         p.kernels[0].tactics.form = CpuTactics::Form::inner;
       }},
      {"no rows, columns or inner axes", [&](KernelPlan& p) { product_of(p).rows.clear(); }},
      {"no floating-point number", [&](KernelPlan& p) { product_of(p).dtype = DType::i32; }},
      {"stores something", [&](KernelPlan& p) { product_of(p).a.body.stores = product_of(p).epilogue.stores; }},
      {"no value of its type", [&](KernelPlan& p) { product_of(p).a.value = 7; }},
      {"not the type of its buffer", [&](KernelPlan& p) { product_of(p).a.body.values[0].dtype = DType::f32; }},
      {"a constant is no number of its type",
       [&](KernelPlan& p) {
         Value half;
         half.kind = Value::Kind::constant;
         half.dtype = DType::i32;
         half.number = 0.5;
         product_of(p).epilogue.values.push_back(half);
       }},
      {"outside of its bounds is no number of its type",
       [&](KernelPlan& p) {
         Access& access = product_of(p).a.access();
         product_of(p).a.body.values[0].dtype = p.buffers[access.buffer].dtype = DType::i32;
         access.bounds = {{access.at, 1, 1}};
         access.fill = 0.5;
       }},
      {"has bounds",
       [&](KernelPlan& p) {
         Access& access = product_of(p).epilogue.stores[0].access;
         access.bounds = {{access.at, 1, 1}};
       }},
      {"leaves nothing inside",
       [&](KernelPlan& p) {
         Access& access = product_of(p).a.access();
         access.bounds = {{access.at, 0, 1}};
       }},
      {"too far beyond its bounds",
       [&](KernelPlan& p) {
         Access& access = product_of(p).a.access();
         access.at = {{std::int64_t{1} << 59, 0}};
         access.bounds = {{access.at, 1, 1}};
       }},
      {"a bound does not fit 32 bits",
       [&](KernelPlan& p) {
         Access& access = product_of(p).a.access();
         access.bounds = {{access.at, (std::int64_t{1} << 31) + 1, 0}};
       }},
      {"an index with bounds does not fit 32 bits",
       [&](KernelPlan& p) { product_of(p).a.access().bounds = {{{{0, std::int64_t{1} << 30}}, 1, 0}}; }},
      {"cannot be written",
       [&](KernelPlan& p) { p.buffers[product_of(p).epilogue.stores[0].access.buffer].space = Space::input; }},
  };
  for (const Row& row : rows) {
    KernelPlan plan = good();
    row.damage(plan);
    const Status status = verify(plan);
    ASSERT_FALSE(status.has_value()) << row.message;
    std::string all;
    for (const Diagnostic& diagnostic : status.error()) all += diagnostic.message + "\n";
    EXPECT_THAT(all, HasSubstr(row.message));
  }
}

// The oracle itself: what it must refuse.
TEST(PlanInterpreter, RefusesWhatIsNotThere) {
  HandGraph c(4, 3);
  const NodeId x = c.input("x", {6}), w = c.tensor("w", {6, 9});
  c.output("y", c.b.unary(Op::tanh, c.b.contract(x, w, "nk,km->nm")));
  const KernelPlan plan = c.plan();
  ASSERT_TRUE(interpret(plan, c.program, c.context).has_value());
  EvaluationContext without = c.context;
  without.tensors.clear();
  EXPECT_FALSE(interpret(plan, c.program, without).has_value());
  EvaluationContext wrong = c.context;
  wrong.inputs["x"].data.pop_back();
  EXPECT_FALSE(interpret(plan, c.program, wrong).has_value());
  KernelPlan outside = plan;
  std::get<ContractionKernel>(outside.kernels[0].body).a.access().at.offset = 1;
  EXPECT_FALSE(interpret(outside, c.program, c.context).has_value());
}

// y[i] = y[i - 1] + 1 within one kernel is no valid plan: running it backwards shows it.
TEST(PlanInterpreter, RunningBackwardsShowsPointsThatDependOnEachOther) {
  HandGraph c;
  const NodeId a = c.tensor("a", {5});
  c.store("a", c.b.unary(Op::neg, a));
  KernelPlan plan = c.plan();
  auto& kernel = std::get<LoopKernel>(plan.kernels[0].body);
  kernel.axes[0].constant = 4;
  kernel.body.stores[0].access.at.offset = 1;
  EXPECT_FALSE(verify(plan).has_value());
  const auto forwards = interpret(plan, c.program, c.context, {false});
  const auto backwards = interpret(plan, c.program, c.context, {true});
  EXPECT_NE(forwards->results[0].data, backwards->results[0].data);
}

}  // namespace
}  // namespace tarn::testing
