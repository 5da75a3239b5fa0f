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
#include "passes/plan_interpreter.h"
#include "tests/unit/plan_graphs.h"

namespace tarn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A program under construction, with the values that it is run on.
struct Case {
  Program program;
  Graph graph;
  EvaluationContext context;
  Builder b{graph};

  explicit Case(std::int64_t max_batch = 4, std::int64_t batch = 3) {
    program.settings.batch = max_batch;
    context.batch = batch;
    context.seed = 17;
  }
  // Numbers in [-1, 1) that differ from each other.
  static std::vector<double> numbers(std::int64_t count, double start) {
    std::vector<double> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(std::sin(start + 1.7 * static_cast<double>(i)));
    return result;
  }
  NodeId tensor(const std::string& name, const Shape& shape, DType dtype = DType::f64,
                TensorKind kind = TensorKind::parameter) {
    TensorInfo info;
    info.name = name;
    info.kind = kind;
    info.type = {dtype, false, shape};
    program.tensors.push_back(info);
    context.tensors[name] = {shape, numbers(element_count(shape), static_cast<double>(program.tensors.size()))};
    return b.source(Op::tensor, info.type, {{Key::name, name}});
  }
  NodeId input(const std::string& name, const Shape& sample, DType dtype = DType::f64) {
    program.inputs.push_back({name, InputRole::input, {dtype, true, sample}, 0, {}});
    Shape shape = sample;
    shape.insert(shape.begin(), kBatch);
    const Shape full = with_batch(shape, context.batch);
    context.inputs[name] = {full, numbers(element_count(full), 0.3)};
    return b.source(Op::input, {dtype, false, shape}, {{Key::name, name}});
  }
  void output(const std::string& name, NodeId node) {
    program.outputs.push_back({name, {}, {}});
    graph.add_result(ResultKind::output, name, node);
  }
  void store(const std::string& name, NodeId node) { graph.add_result(ResultKind::store, name, node); }
  void loss(NodeId node) { graph.add_result(ResultKind::loss, "loss", node); }

  KernelPlan plan(PlanOptions options = {}) {
    assign_offsets(program);
    auto plan = plan_kernels(graph, program, options);
    EXPECT_TRUE(plan.has_value());
    const Status status = verify(*plan);
    EXPECT_TRUE(status.has_value()) << status.error().front().message << "\n" << print(*plan);
    return std::move(*plan);
  }
};

// The plan gives what the evaluator gives, with points run in both directions.
void expect_right(Case& c, const KernelPlan& plan) {
  const auto expected = evaluate(c.graph, c.context);
  ASSERT_TRUE(expected.has_value()) << expected.error().front().message;
  for (const bool reversed : {false, true}) {
    const auto actual = interpret(plan, c.program, c.context, {reversed});
    ASSERT_TRUE(actual.has_value()) << actual.error().front().message << "\n" << print(plan);
    for (std::size_t i = 0; i < expected->size(); ++i) {
      for (std::size_t k = 0; k < (*expected)[i].data.size(); ++k) {
        // Sums of at most a few hundred terms near 1, in another order.
        EXPECT_NEAR(actual->results[i].data[k], (*expected)[i].data[k], 1e-12)
            << c.graph.results()[i].name << "[" << k << "]\n"
            << print(plan);
      }
    }
  }
}

// Names of the buffers that a kernel stores to.
std::set<std::string> stored_by(const KernelPlan& plan, const Kernel& kernel) {
  std::set<std::string> names;
  for_each_body(kernel.body, [&](const Body& body) {
    for (const Store& store : body.stores) names.insert(plan.buffers[store.access.buffer].name);
  });
  return names;
}

// w <- w - rate * m' / (sqrt(v') + epsilon) with m' = 0.9 m + 0.1 g, v' = 0.99 v + 0.01 g^2.
void add_adam(Case& c, const std::string& name, NodeId w, NodeId gradient, NodeId rate) {
  Builder& b = c.b;
  const Shape shape = b.shape(w);
  const NodeId m = c.tensor(name + ".m", shape, b.type(w).dtype, TensorKind::slot);
  const NodeId v = c.tensor(name + ".v", shape, b.type(w).dtype, TensorKind::slot);
  for (double& x : c.context.tensors[name + ".v"].data) x = std::fabs(x);
  const auto scaled = [&](double factor, NodeId a) { return b.mul(b.constant_like(factor, a), a); };
  const NodeId m_new = b.add(scaled(0.9, m), scaled(0.1, gradient));
  const NodeId v_new = b.add(scaled(0.99, v), scaled(0.01, b.mul(gradient, gradient)));
  const NodeId step = b.div(m_new, b.add(b.unary(Op::sqrt, v_new), b.constant_like(1e-7, v_new)));
  c.store(name, b.sub(w, b.mul(b.broadcast(rate, shape, {}), step)));
  c.store(name + ".m", m_new);
  c.store(name + ".v", v_new);
}

// One training step of in-hidden-out with tanh, mean square loss and Adam, its gradient written by hand.
void add_training_step(Case& c, std::int64_t in, std::int64_t hidden, std::int64_t out) {
  Builder& b = c.b;
  const NodeId x = c.input("x", {in}), t = c.input("t", {out});
  const NodeId w1 = c.tensor("w1", {in, hidden}), b1 = c.tensor("b1", {hidden});
  const NodeId w2 = c.tensor("w2", {hidden, out}), b2 = c.tensor("b2", {out});
  const NodeId lr = c.tensor("lr", {}, DType::f64, TensorKind::hyper);
  const NodeId h = b.unary(Op::tanh, b.add(b.contract(x, w1, "nk,km->nm"), b.broadcast(b1, {kBatch, hidden}, {1})));
  const NodeId y = b.add(b.contract(h, w2, "nk,km->nm"), b.broadcast(b2, {kBatch, out}, {1}));
  const NodeId error = b.sub(y, t);
  const NodeId count = b.source(Op::batch_size, {DType::f64, false, {}}, {});
  c.loss(b.div(b.sum(b.mul(error, error), {0, 1}), count));
  const NodeId dy = b.mul(error, b.broadcast(b.div(b.constant(2, DType::f64), count), {kBatch, out}, {}));
  const NodeId dh = b.contract(dy, w2, "nm,km->nk");
  const NodeId dz = b.mul(dh, b.sub(b.constant_like(1, h), b.mul(h, h)));
  const NodeId rate = b.mul(lr, b.constant(0.5, DType::f64));
  add_adam(c, "w1", w1, b.contract(x, dz, "nk,nm->km"), rate);
  add_adam(c, "b1", b1, b.sum(dz, {0}), rate);
  add_adam(c, "w2", w2, b.contract(h, dy, "nk,nm->km"), rate);
  add_adam(c, "b2", b2, b.sum(dy, {0}), rate);
}

TEST(PlanKernels, ATrainingStepIsFewKernels) {
  Case c(32, 5);
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

TEST(PlanKernels, TheOptimizerRunsInTheEpilogueOfTheGradient) {
  Case c(32, 5);
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

TEST(PlanKernels, BiasAndActivationAreFusedIntoTheProduct) {
  Case c;
  const NodeId x = c.input("x", {6}), w = c.tensor("w", {6, 9}), bias = c.tensor("b", {9});
  const NodeId product = c.b.contract(x, w, "nk,km->nm");
  c.output("y", c.b.unary(Op::tanh, c.b.add(product, c.b.broadcast(bias, {kBatch, 9}, {1}))));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  ASSERT_EQ(plan.kernels.size(), 1U) << print(plan);
  EXPECT_EQ(stored_by(plan, plan.kernels[0]), std::set<std::string>{"y"});
  EXPECT_EQ(plan.arena_bytes, 0U);
}

TEST(PlanKernels, MergedAxesOfAProductTakeAnEpilogueThatFollowsThem) {
  Case c;
  const NodeId x = c.input("x", {4, 5, 6}), w = c.tensor("w", {6, 9});
  const NodeId product = c.b.contract(x, w, "nhwk,km->nhwm");
  c.output("y", c.b.unary(Op::tanh, product));
  const NodeId columns = c.b.broadcast(c.tensor("b", {5}), {kBatch, 4, 5, 9}, {2});
  c.output("z", c.b.mul(product, columns));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  const auto& kernel = std::get<ContractionKernel>(plan.kernels[0].body);
  EXPECT_TRUE(kernel.batch.empty());
  EXPECT_EQ(kernel.rows, (Extent{20, true}));
  // b varies along a part of the merged rows: that product needs a kernel of its own.
  EXPECT_EQ(plan.kernels.size(), 2U) << print(plan);
}

// Kernels beyond the first are copies of operands. What only has to be put in order is left to the product, which
// packs.
TEST(PlanKernels, ProductsReadTransposedOperandsInPlaceOrCopyThem) {
  struct Row {
    const char* map;
    Shape a, b;
    std::size_t kernels;
  };
  const std::vector<Row> rows = {
      {"nk,km->nm", {kBatch, 6}, {6, 8}, 1},      {"nk,nm->km", {kBatch, 6}, {kBatch, 8}, 1},
      {"nk,nm->mk", {kBatch, 6}, {kBatch, 8}, 1},  // the larger axis stays contiguous
      {"ab,bc->ca", {5, 6}, {6, 8}, 1},           {"bhk,bmk->bhm", {3, 5, 7}, {3, 6, 7}, 2},
      {"ahb,cha->bc", {3, 4, 5}, {6, 4, 3}, 3},  // two summed axes in different orders
      {"nk,mk->nm", {kBatch, 40}, {300, 40}, 1},
  };
  for (const Row& row : rows) {
    Case c(64, 5);
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

TEST(PlanKernels, StatesMaySwap) {
  Case c;
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
  Case c;
  const NodeId a = c.tensor("a", {4, 4}), b = c.tensor("b", {4, 4});
  c.store("a", c.b.transpose(b, {1, 0}));
  c.store("b", c.b.transpose(a, {1, 0}));
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_GT(plan.arena_bytes, 0U);
}

TEST(PlanKernels, AStateMayBeReversedOntoItself) {
  Case c;
  const NodeId a = c.tensor("a", {9});
  c.store("a", c.b.make(Op::reverse, {a}, {{Key::axes, std::vector<std::int64_t>{0}}}));
  expect_right(c, c.plan());
}

// As in FTRL: the new z needs old and new n at the same point, so both updates share a kernel.
TEST(PlanKernels, OldAndNewValueOfAStateMeetInOneKernel) {
  Case c;
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
  Case c;
  Builder& b = c.b;
  const NodeId v = c.tensor("v", {5, 5}), w = c.tensor("w", {5, 5});
  c.store("v", b.sub(v, b.contract(w, v, "ij,jk->ik")));
  c.store("w", b.sub(w, b.contract(v, w, "ij,jk->ik")));
  expect_right(c, c.plan());
}

TEST(PlanKernels, TheProductWithAWeightComesBeforeItsUpdate) {
  Case c;
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
  Case c;
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
  Case c;
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
  Case c;
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
  Case c;
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
  Case c;
  NodeId y = c.input("x", {3});
  for (int i = 0; i < 200; ++i) y = c.b.mul(c.b.add(y, y), c.b.constant_like(0.4, y));
  c.output("y", y);
  const KernelPlan plan = c.plan();
  expect_right(c, plan);
  EXPECT_EQ(plan.kernels.size(), 1U) << plan.kernels.size();
}

TEST(PlanKernels, ResultsMayBeSourcesOrTheSameNode) {
  Case c;
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
  Case c;
  const NodeId w = c.tensor("w", {0, 3}), v = c.tensor("v", {3, 0});
  c.output("product", c.b.contract(v, w, "ab,bc->ac"));
  c.output("sum", c.b.sum(w, {0}));
  c.output("none", c.b.unary(Op::exp, w));
  c.output("flat", c.b.reshape(c.b.unary(Op::tanh, w), {0}));
  expect_right(c, c.plan());
}

// Two layers of 6 and 3 units; with `trains`, a step on the weights of the second.
KernelPlan plan_of_small_layers(bool trains, std::int64_t units = 6) {
  Case c(16, 11);
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
                          [](const Kernel& kernel) {
                            const auto* const loop = std::get_if<LoopKernel>(&kernel.body);
                            return loop != nullptr && loop->copies_samples;
                          }),
            1);
  // One sample would be one lane, and 8 units fill a vector of 8 doubles as they are.
  EXPECT_THAT(strides_of_temporaries(plan_of_small_layers(false)), Each(Strides{6, 1}));
  EXPECT_THAT(strides_of_temporaries(plan_of_small_layers(true, 8)), ::testing::Contains(Strides{8, 1}));
}

// A sum over the batch for each of 6 units, and much to do with it.
TEST(PlanKernels, LongTailsOfShortSumsHaveVectors) {
  const auto kernels = [](std::int64_t max_batch) {
    Case c(max_batch, 3);
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
    Case c(8, 3);
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
  Case c(8, 3);
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
        if (!stores) check(product->a.buffer);
        if (!stores) check(product->b.buffer);
        visit(product->epilogue, stores);
      } else if (!stores) {
        check(std::get<FiniteGuard>(kernel.body).buffer);
      }
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  for (const PlanResult& result : plan.results) check(result.buffer);
}

TEST(PlanKernels, NoLivingBufferIsOverwritten) {
  for (std::uint64_t seed = 1000; seed < 1200; ++seed) {
    PlanCaseOptions how;
    how.nodes = 40;
    how.loss = seed % 2 == 0;
    const PlanCase random = random_plan_case(seed, how);
    const auto plan = plan_kernels(random.graph, random.program, {});
    ASSERT_TRUE(plan.has_value());
    expect_owned(*plan, "seed " + std::to_string(seed));
    if (HasFatalFailure()) return;
  }
}

TEST(PlanKernels, PlansAreTheSameEveryTime) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const auto text = [&] {
      const PlanCase random = random_plan_case(seed, {});
      const auto plan = plan_kernels(random.graph, random.program, {});
      return print(*plan) + print_memory(*plan);
    };
    EXPECT_EQ(text(), text()) << "seed " << seed;
  }
}

TEST(PlanKernels, TheVectorAxisIsTheContiguousOne) {
  Case c(64, 5);
  Builder& b = c.b;
  const NodeId x = c.input("x", {48}, DType::f32);
  c.output("by_column", b.sum(x, {0}));
  c.output("by_row", b.sum(b.mul(x, x), {1}));
  PlanOptions options;
  options.target.vector_bytes = 64;
  const KernelPlan plan = c.plan(options);
  ASSERT_EQ(plan.kernels.size(), 2U);
  for (const Kernel& kernel : plan.kernels) EXPECT_EQ(std::get<LoopKernel>(kernel.body).vector_axis, 1U) << print(plan);
}

TEST(PlanKernels, AxesAreMergedWhereAccessesAllow) {
  Case c;
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
  Case c(10, 3);
  const NodeId x = c.input("x", {6}, DType::f32), w = c.tensor("w", {6, 9}, DType::f32);
  c.output("y", c.b.unary(Op::tanh, c.b.contract(x, w, "nk,km->nm")));
  const KernelPlan plan = c.plan();
  const KernelCost cost = cost_of(plan, plan.kernels[0]);
  EXPECT_EQ(cost.flops, 2 * 10 * 6 * 9 + 10 * 9);
  EXPECT_EQ(cost.bytes, 4 * (10 * 6 + 6 * 9 + 10 * 9));
}

TEST(PlanKernels, PrintsReadAsEquations) {
  Case c(32, 5);
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
    Case c(4, 3);
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
      {"names no buffer", [&](KernelPlan& p) { product_of(p).a.buffer = 10'000; }},
      {"leaves it", [&](KernelPlan& p) { product_of(p).a.at.offset = 1; }},
      {"leaves it", [&](KernelPlan& p) { product_of(p).b.at.strides[0] = -1; }},
      {"one stride an axis", [&](KernelPlan& p) { product_of(p).b.at.strides.pop_back(); }},
      {"outside of the arena", [&](KernelPlan& p) { p.arena_bytes = 8; }},
      {"before it is written", [&](KernelPlan& p) { p.kernels.erase(p.kernels.begin()); }},
      {"before the guard",
       [&](KernelPlan& p) {
         const auto is_guard = [](const Kernel& k) { return std::holds_alternative<FiniteGuard>(k.body); };
         const auto guard = std::find_if(p.kernels.begin(), p.kernels.end(), is_guard);
         std::rotate(guard, guard + 1, p.kernels.end());
       }},
      {"has another type", [&](KernelPlan& p) { product_of(p).epilogue.values.back().dtype = DType::f32; }},
      {"cannot be written",
       [&](KernelPlan& p) { p.buffers[product_of(p).epilogue.stores[0].access.buffer].space = Space::constants; }},
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
  Case c(4, 3);
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
  std::get<ContractionKernel>(outside.kernels[0].body).a.at.offset = 1;
  EXPECT_FALSE(interpret(outside, c.program, c.context).has_value());
}

// y[i] = y[i - 1] + 1 within one kernel is no valid plan: running it backwards shows it.
TEST(PlanInterpreter, RunningBackwardsShowsPointsThatDependOnEachOther) {
  Case c;
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
}  // namespace tarn
