// Programs of one graph, their values, and a training step. See hand_graph.h.
#include "tests/support/compiler/hand_graph.h"

#include <gtest/gtest.h>

#include <utility>

#include "passes/plan/interpreter.h"
#include "tests/support/compiler/plan_text_support.h"
#include "tests/support/compiler/planned.h"

namespace tarn::testing {

NodeId HandGraph::tensor(const std::string& name, const Shape& shape, DType dtype, TensorKind kind) {
  TensorInfo info;
  info.name = name;
  info.kind = kind;
  info.type = {dtype, false, shape};
  program.tensors.push_back(info);
  context.tensors[name] = {shape, numbers(element_count(shape), static_cast<double>(program.tensors.size()))};
  return b.source(Op::tensor, info.type, {{Key::name, name}});
}

NodeId HandGraph::input(const std::string& name, const Shape& sample, DType dtype) {
  program.inputs.push_back({name, InputRole::input, {dtype, true, sample}, {}, {}});
  Shape shape = sample;
  shape.insert(shape.begin(), kBatch);
  const Shape full = with_batch(shape, context.batch);
  context.inputs[name] = {full, numbers(element_count(full), 0.3)};
  return b.source(Op::input, {dtype, false, shape}, {{Key::name, name}});
}

KernelPlan HandGraph::plan(PlanOptions options) {
  assign_offsets(program);
  KernelPlan plan = planned(graph, program, options);
  expect_reads_back(plan);
  return plan;
}

void expect_right(HandGraph& c, const KernelPlan& plan) {
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

std::set<std::string> stored_by(const KernelPlan& plan, const Kernel& kernel) {
  std::set<std::string> names;
  for_each_body(kernel.body, [&](const Body& body) {
    for (const Store& store : body.stores) names.insert(plan.buffers[store.access.buffer].name);
  });
  return names;
}

void add_adam(HandGraph& c, const std::string& name, NodeId w, NodeId gradient, NodeId rate) {
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

void add_training_step(HandGraph& c, std::int64_t in, std::int64_t hidden, std::int64_t out) {
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

}  // namespace tarn::testing
