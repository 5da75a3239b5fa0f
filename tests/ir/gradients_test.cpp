// Gradient rules against central differences in double precision. Every row of the operation table that has a gradient
// is tested: the elementwise ones by themselves, all others by a case below (a row without one fails). Each case is
// checked twice: the gradient, and the gradient of a weighted sum of the gradients, which runs the rules of what the
// rules are made of.
#include <cmath>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "ir/gradient_rules.h"
#include "tests/ir/ir_test_support.h"

namespace tarn {
namespace {

using testing::message_of;
using Integers = std::vector<std::int64_t>;

constexpr std::int64_t kSamples = 3;

struct GradientCase {
  Op op;
  std::vector<Type> operands;
  Attributes attributes = {};
  Type requested = {};
};

Type doubles(Shape shape) { return {DType::f64, false, std::move(shape)}; }
Type index(Shape shape) { return {DType::i32, false, std::move(shape)}; }

Attributes axes(Integers list) { return {{Key::axes, std::move(list)}}; }
Attributes map(std::string text) { return {{Key::map, std::move(text)}}; }
Attributes axis(std::int64_t number) { return {{Key::axis, number}}; }
Attributes window(Integers starts, Integers limits, Integers strides) {
  return {{Key::starts, std::move(starts)}, {Key::limits, std::move(limits)}, {Key::strides, std::move(strides)}};
}
Attributes padding(Integers low, Integers high) {
  return {{Key::low, std::move(low)}, {Key::high, std::move(high)}, {Key::value, 1.5}};
}

Attributes windows(Integers axes, Integers sizes, Integers steps, Integers dilations) {
  return {{Key::axes, std::move(axes)},
          {Key::sizes, std::move(sizes)},
          {Key::steps, std::move(steps)},
          {Key::dilations, std::move(dilations)}};
}
Attributes folded(Integers axes, Integers extents, Integers steps, Integers dilations, Integers before) {
  return {{Key::axes, std::move(axes)},
          {Key::steps, std::move(steps)},
          {Key::dilations, std::move(dilations)},
          {Key::extents, std::move(extents)},
          {Key::before, std::move(before)}};
}
Attributes first_of(Integers list) { return {{Key::axes, std::move(list)}, {Key::first, std::int64_t{1}}}; }

const GradientCase kGradientCases[] = {
    {Op::reduce_max, {doubles({2, 3, 2})}, first_of({0, 1})},
    {Op::reduce_max, {doubles({kBatch, 3, 2})}, first_of({2})},
    {Op::reduce_min, {doubles({kBatch, 3})}, first_of({0, 1})},
    {Op::windows, {doubles({7, 3})}, windows({0}, {3}, {2}, {1})},
    {Op::windows, {doubles({kBatch, 5, 6, 2})}, windows({1, 2}, {2, 3}, {1, 2}, {2, 1})},
    {Op::fold, {doubles({3, 3, 2})}, folded({0}, {7}, {2}, {1}, {0})},
    {Op::fold, {doubles({3, 2, 2})}, folded({0}, {9}, {3}, {2}, {1})},
    {Op::fold, {doubles({kBatch, 2, 3, 2, 2})}, folded({1, 2}, {2, 5}, {1, 2}, {1, 3}, {1, 2})},
    {Op::interleave,
     {doubles({2, 2}), doubles({2, 2}), doubles({2, 1}), doubles({2, 1})},
     {{Key::axes, Integers{1}}, {Key::sizes, Integers{4}}}},
    {Op::interleave,
     {doubles({kBatch, 2}), doubles({kBatch, 1})},
     {{Key::axes, Integers{1}}, {Key::sizes, Integers{2}}}},
    {Op::reduce_sum, {doubles({2, 3, 4})}, axes({0, 2})},
    {Op::reduce_sum, {doubles({kBatch, 3})}, axes({0})},
    {Op::reduce_sum, {doubles({kBatch, 3})}, axes({1})},
    {Op::reduce_prod, {doubles({2, 3, 2})}, axes({1})},
    {Op::reduce_prod, {doubles({kBatch, 3})}, axes({0, 1})},
    {Op::reduce_max, {doubles({2, 3, 2})}, axes({0, 1})},
    {Op::reduce_max, {doubles({kBatch, 3})}, axes({1})},
    {Op::reduce_min, {doubles({kBatch, 3})}, axes({0})},
    {Op::reduce_min, {doubles({4})}, axes({0})},
    {Op::contract, {doubles({3, 4}), doubles({4, 2})}, map("mk,kn->mn")},
    {Op::contract, {doubles({kBatch, 4}), doubles({4, 2})}, map("nk,km->nm")},
    {Op::contract, {doubles({kBatch, 2}), doubles({kBatch, 3})}, map("na,nb->ab")},
    {Op::contract, {doubles({kBatch, 2, 3}), doubles({kBatch, 3, 4})}, map("nij,njk->nki")},
    {Op::contract, {doubles({2, 3}), doubles({3, 4})}, map("ab,bc->a")},
    {Op::contract, {doubles({2, 3}), doubles({4, 2})}, map("ab,cd->")},
    {Op::contract, {doubles({kBatch, 3}), doubles({2})}, map("na,b->b")},
    {Op::contract, {doubles({3}), doubles({4})}, map("a,b->ba")},
    {Op::contract, {doubles({5}), doubles({5})}, map("A,A->")},
    {Op::reshape, {doubles({2, 6})}, {}, doubles({3, 4})},
    {Op::reshape, {doubles({kBatch, 6})}, {}, doubles({kBatch, 2, 3})},
    {Op::broadcast, {doubles({3})}, axes({1}), doubles({2, 3, 4})},
    {Op::broadcast, {doubles({})}, axes({}), doubles({kBatch, 2})},
    {Op::broadcast, {doubles({3})}, axes({1}), doubles({kBatch, 3})},
    {Op::broadcast, {doubles({kBatch})}, axes({0}), doubles({kBatch, 3})},
    {Op::transpose, {doubles({2, 3, 4})}, axes({2, 0, 1})},
    {Op::transpose, {doubles({kBatch, 3, 4})}, axes({0, 2, 1})},
    {Op::slice, {doubles({5, 7})}, window({1, 0}, {5, 6}, {2, 3})},
    {Op::slice, {doubles({5})}, window({2}, {2}, {1})},
    {Op::slice, {doubles({kBatch, 5})}, window({0, 1}, {kBatch, 4}, {1, 2})},
    {Op::pad, {doubles({2, 3})}, padding({1, 0}, {0, 2})},
    {Op::pad, {doubles({kBatch, 3})}, padding({0, 1}, {0, 2})},
    {Op::spread, {doubles({2, 3})}, {{Key::strides, Integers{3, 2}}}},
    {Op::spread, {doubles({kBatch, 3})}, {{Key::strides, Integers{1, 2}}}},
    {Op::reverse, {doubles({2, 3})}, axes({0, 1})},
    {Op::reverse, {doubles({kBatch, 3})}, axes({1})},
    {Op::concat, {doubles({2, 1}), doubles({2, 3}), doubles({2, 2})}, axis(1)},
    {Op::concat, {doubles({kBatch, 3}), doubles({kBatch, 2})}, axis(1)},
    {Op::gather, {doubles({3, 2}), index({4})}, axis(0)},
    {Op::gather, {doubles({2, 3}), index({2, 2})}, axis(1)},
    {Op::gather, {doubles({3, 2}), index({kBatch, 2})}, axis(0)},
    {Op::scatter_add, {doubles({4, 2}), index({4})}, axis(0), doubles({3, 2})},
    {Op::scatter_add, {doubles({kBatch, 2}), index({kBatch})}, axis(0), doubles({3, 2})},
};

// Where the operands of an elementwise operation come from: away from kinks and poles, other operands than these from
// +-[0.15, 0.85].
struct Interval {
  double low, high;
  bool either_sign;
};
constexpr Interval kDefaultInterval{0.15, 0.85, true};
const std::map<std::pair<Op, std::size_t>, Interval> kIntervals = {
    {{Op::log, 0}, {0.2, 2, false}}, {{Op::sqrt, 0}, {0.2, 2, false}},        {{Op::rsqrt, 0}, {0.2, 2, false}},
    {{Op::pow, 0}, {0.2, 2, false}}, {{Op::floor_div, 1}, {1.1, 1.9, false}}, {{Op::mod, 1}, {1.1, 1.9, false}},
};

// The graph of one case: operands as inputs (batched) or tensors, the operation, and the sum of its elements times
// random weights.
class Experiment {
 public:
  Experiment(const GradientCase& c, unsigned seed) : case_(c), random_(seed) {
    for (std::size_t i = 0; i < c.operands.size(); ++i) operands_.push_back(add_source(c.operands[i], i));
    node_ = builder_.make(c.op, operands_, c.attributes, &case_.requested);
    objective_ = weighted_sum({node_});
  }

  // Compares the gradient of the objective by every operand with differences.
  void check(double tolerance) {
    const std::vector<NodeId> gradients = sweep(objective_);
    check_against_differences(objective_, gradients, tolerance);
    std::vector<NodeId> found;
    for (const NodeId gradient : gradients) {
      if (gradient != kNoNode) found.push_back(gradient);
    }
    if (found.empty()) return;
    const NodeId second = weighted_sum(found);
    check_against_differences(second, sweep(second), tolerance);
  }

  // All gradients are nothing, and the differences of the operation agree.
  void check_constant() {
    for (const NodeId gradient : sweep(objective_)) EXPECT_EQ(gradient, kNoNode);
    check_against_differences(objective_, std::vector<NodeId>(operands_.size(), kNoNode), 1e-9);
  }

 private:
  double draw(const Interval& interval) {
    const double value = std::uniform_real_distribution<double>(interval.low, interval.high)(random_);
    return interval.either_sign && random_() % 2 == 0 ? -value : value;
  }

  NodeId add_source(const Type& type, std::size_t number) {
    const auto found = kIntervals.find({case_.op, number});
    const Interval interval = found == kIntervals.end() ? kDefaultInterval : found->second;
    HostTensor value{with_batch(type.shape, kSamples), {}};
    for (std::int64_t i = 0; i < element_count(value.shape); ++i) {
      value.data.push_back(is_floating(type.dtype)
                               ? draw(interval)
                               : static_cast<double>(random_() % (type.dtype == DType::i32 ? 3 : 2)));
    }
    const std::string name = "x" + std::to_string(number);
    context_.batch = kSamples;
    const Op op = has_batch(type.shape) ? Op::input : Op::tensor;
    (op == Op::input ? context_.inputs : context_.tensors)[name] = value;
    return builder_.source(op, type, {{Key::name, name}});
  }

  NodeId weighted_sum(const std::vector<NodeId>& nodes) {
    NodeId total = builder_.constant(0, DType::f64);
    for (const NodeId node : nodes) {
      // Weights of one sample, repeated, times a different factor for each: no two elements weigh the same.
      const Shape shape = builder_.shape(node);
      const Shape sample = has_batch(shape) ? Shape(shape.begin() + 1, shape.end()) : shape;
      std::vector<double> values(static_cast<std::size_t>(element_count(sample)));
      for (double& value : values) value = draw({0.3, 1.3, true});
      NodeId weights = builder_.source(Op::constant, doubles(sample), {{Key::values, values}});
      if (has_batch(shape)) {
        const NodeId row = builder_.add(builder_.source(Op::iota, doubles({kBatch}), {{Key::axis, std::int64_t{0}}}),
                                        builder_.constant(0.7, DType::f64));
        Integers last(sample.size());
        for (std::size_t i = 0; i < last.size(); ++i) last[i] = static_cast<std::int64_t>(i + 1);
        weights = builder_.mul(builder_.broadcast(weights, shape, last), builder_.broadcast(row, shape, {0}));
      }
      Integers all(shape.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
      const NodeId value = builder_.type(node).dtype == DType::f64 ? node : builder_.convert(node, DType::f64);
      total = builder_.add(total, builder_.sum(builder_.mul(value, weights), all));
    }
    return total;
  }

  // Reverse accumulation: the gradient of a scalar by each operand.
  std::vector<NodeId> sweep(NodeId scalar) {
    std::vector<NodeId> gradients(scalar + 1, kNoNode);
    gradients[scalar] = builder_.constant(1, DType::f64);
    for (NodeId id = scalar + 1; id-- > 0;) {
      if (gradients[id] == kNoNode) continue;
      const Node node = graph_[id];
      if (node.inputs.empty()) continue;
      const GradientRule rule = info(node.op).gradient;
      if (rule == nullptr) {
        ADD_FAILURE() << "no gradient of " << name_of(node.op);
        continue;
      }
      const std::vector<NodeId> by_input = rule(builder_, id, gradients[id]);
      EXPECT_EQ(by_input.size(), node.inputs.size()) << name_of(node.op);
      for (std::size_t i = 0; i < by_input.size(); ++i) {
        if (by_input[i] == kNoNode) continue;
        EXPECT_TRUE(is_floating(graph_[node.inputs[i]].type.dtype))
            << name_of(node.op) << " sends a gradient to operand " << i;
        EXPECT_EQ(graph_[by_input[i]].type, graph_[node.inputs[i]].type) << name_of(node.op) << " operand " << i;
        NodeId& sum = gradients[node.inputs[i]];
        sum = sum == kNoNode ? by_input[i] : builder_.add(sum, by_input[i]);
      }
    }
    std::vector<NodeId> wanted;
    for (const NodeId operand : operands_) wanted.push_back(gradients[operand]);
    return wanted;
  }

  HostTensor value_of(NodeId node) {
    graph_.results().clear();
    graph_.add_result(ResultKind::value, "v", node);
    const auto values = evaluate(graph_, context_);
    EXPECT_EQ(message_of(values), "");
    return values ? values->front() : HostTensor{{}, {0}};
  }

  void check_against_differences(NodeId scalar, const std::vector<NodeId>& gradients, double tolerance) {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Node source = graph_[operands_[i]];
      if (!is_floating(source.type.dtype)) continue;
      auto& table = source.op == Op::input ? context_.inputs : context_.tensors;
      HostTensor& tensor = table[source.attributes.text(Key::name)];
      const HostTensor gradient = gradients[i] == kNoNode
                                      ? HostTensor{tensor.shape, std::vector<double>(tensor.data.size())}
                                      : value_of(gradients[i]);
      ASSERT_EQ(gradient.shape, tensor.shape);
      for (std::size_t k = 0; k < tensor.data.size(); ++k) {
        const double x = tensor.data[k];
        const double h = 1e-5;
        tensor.data[k] = x + h;
        const double above = value_of(scalar).data[0];
        tensor.data[k] = x - h;
        const double below = value_of(scalar).data[0];
        tensor.data[k] = x;
        const double difference = (above - below) / (2 * h);
        EXPECT_NEAR(gradient.data[k], difference, tolerance * (1 + std::fabs(difference)))
            << "operand " << i << " element " << k;
      }
    }
    EXPECT_EQ(message_of(verify(graph_)), "");
  }

  GradientCase case_;
  std::mt19937 random_;
  Graph graph_;
  Builder builder_{graph_};
  EvaluationContext context_;
  std::vector<NodeId> operands_;
  NodeId node_ = kNoNode, objective_ = kNoNode;
};

// The difference quotient is off by h^2 f'''/6 and by rounding over h, both near 1e-10 times numbers of order 100.
constexpr double kTolerance = 1e-7;

bool stops_gradients(const OpInfo& row) { return row.gradient == gradient_rules::none; }

// Operand types that the operation takes: f64 throughout, else a condition first, else bool throughout.
GradientCase elementwise_case(const OpInfo& row, const Shape& shape) {
  const Type number = doubles(shape);
  const Type truth{DType::boolean, false, shape};
  GradientCase result{row.op, std::vector<Type>(static_cast<std::size_t>(row.arity), number), {}, number};
  if (infer_type(row.op, result.operands, {}, &number)) return result;
  result.operands.front() = truth;
  if (infer_type(row.op, result.operands, {}, &number)) return result;
  result.operands.assign(result.operands.size(), truth);
  return result;
}

TEST(IrGradients, ElementwiseOperationsAgreeWithDifferences) {
  for (const OpInfo& row : all_operations()) {
    if (row.op_class != OpClass::elementwise || row.op == Op::stop_gradient) continue;
    ASSERT_NE(row.gradient, nullptr) << row.name;
    for (const Shape& shape : {Shape{2, 4}, Shape{kBatch, 3}}) {
      for (unsigned seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(std::string(row.name) + " " + to_string(shape) + " seed " + std::to_string(seed));
        Experiment experiment(elementwise_case(row, shape), seed);
        if (stops_gradients(row)) {
          experiment.check_constant();
        } else {
          experiment.check(kTolerance);
        }
      }
    }
  }
}

TEST(IrGradients, OtherOperationsAgreeWithDifferences) {
  for (const GradientCase& c : kGradientCases) {
    for (unsigned seed = 1; seed <= 2; ++seed) {
      SCOPED_TRACE(std::string(name_of(c.op)) + " of " + to_string(c.operands[0]) + " seed " + std::to_string(seed));
      Experiment(c, seed).check(kTolerance);
    }
  }
}

TEST(IrGradients, EveryDifferentiableRowHasACase) {
  std::set<Op> covered;
  for (const GradientCase& c : kGradientCases) covered.insert(c.op);
  for (const OpInfo& row : all_operations()) {
    if (row.op_class == OpClass::elementwise || row.gradient == nullptr || stops_gradients(row)) continue;
    EXPECT_TRUE(covered.count(row.op)) << row.name << " has no case in this file";
  }
}

// The gradient of sum(op(operands) * g) at given values: what happens at kinks.
std::vector<HostTensor> gradients_at(Op op, const std::vector<HostTensor>& operands, const Attributes& attributes,
                                     HostTensor g) {
  Graph graph;
  Builder builder(graph);
  std::vector<NodeId> inputs;
  EvaluationContext context;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const std::string name = "x" + std::to_string(i);
    context.tensors[name] = operands[i];
    inputs.push_back(builder.source(Op::tensor, doubles(operands[i].shape), {{Key::name, name}}));
  }
  const NodeId node = builder.make(op, inputs, attributes);
  context.tensors["g"] = g;
  const NodeId gradient = builder.source(Op::tensor, doubles(g.shape), {{Key::name, "g"}});
  for (const NodeId by : info(op).gradient(builder, node, gradient)) graph.add_result(ResultKind::value, "v", by);
  const auto values = evaluate(graph, context);
  EXPECT_EQ(message_of(values), "");
  return values ? *values : std::vector<HostTensor>();
}

TEST(IrGradients, ConventionsAtKinks) {
  struct Case {
    Op op;
    std::vector<std::vector<double>> operands;
    Attributes attributes;
    std::vector<double> g;
    std::vector<std::vector<double>> expected;
  };
  const Case cases[] = {
      // Both ways round, and equal: then the first takes it all.
      {Op::maximum, {{1, 2, 2}, {2, 1, 2}}, {}, {1, 1, 1}, {{0, 1, 1}, {1, 0, 0}}},
      {Op::minimum, {{1, 2, 2}, {2, 1, 2}}, {}, {1, 1, 1}, {{1, 0, 1}, {0, 1, 0}}},
      {Op::abs, {{-2, 0, 3}}, {}, {1, 1, 1}, {{-1, 0, 1}}},
      // x^0 has the gradient 0 even at 0; 0^p by p counts as 0.
      {Op::pow, {{0, 2, 0, 0}, {0, 0, 2, 1}}, {}, {1, 1, 1, 1}, {{0, 0, 0, 1}, {0, std::log(2.0), 0, 0}}},
      {Op::mod, {{7, -7}, {3, 3}}, {}, {1, 1}, {{1, 1}, {-2, 3}}},
      {Op::reduce_max, {{3, 1, 3, 3}}, axes({0}), {6}, {{2, 0, 2, 2}}},
      {Op::reduce_min, {{1, 3, 1}}, axes({0}), {1}, {{0.5, 0, 0.5}}},
      {Op::reduce_max, {{1, 3, 3}}, first_of({0}), {6}, {{0, 6, 0}}},
      {Op::reduce_min, {{1, 3, 1}}, first_of({0}), {1}, {{1, 0, 0}}},
      {Op::reduce_prod, {{2, 3, 4}}, axes({0}), {1}, {{12, 8, 6}}},
      {Op::reduce_prod, {{2, 0, 4}}, axes({0}), {1}, {{0, 8, 0}}},
      {Op::reduce_prod, {{0, 0, 4}}, axes({0}), {1}, {{0, 0, 0}}},
  };
  for (const Case& c : cases) {
    std::vector<HostTensor> operands;
    for (const auto& data : c.operands) operands.push_back({{static_cast<std::int64_t>(data.size())}, data});
    const bool scalar = info(c.op).op_class == OpClass::reduction;
    const HostTensor g{scalar ? Shape{} : operands[0].shape, c.g};
    const std::vector<HostTensor> found = gradients_at(c.op, operands, c.attributes, g);
    ASSERT_EQ(found.size(), c.expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_THAT(found[i].data, ::testing::Pointwise(::testing::DoubleEq(), c.expected[i]))
          << name_of(c.op) << " operand " << i;
    }
  }
}

TEST(IrGradients, PowerWithAConstantExponent) {
  for (const double p : {2.0, 0.5, -1.0, 0.0}) {
    Graph graph;
    Builder b(graph);
    const NodeId x = b.source(Op::tensor, doubles({2}), {{Key::name, "x"}});
    const NodeId y = b.binary(Op::pow, x, b.constant(p, DType::f64));
    const std::vector<NodeId> gradients = info(Op::pow).gradient(b, y, b.constant_like(1, y));
    EXPECT_EQ(gradients[1], kNoNode) << "a constant needs no gradient";
    if (p == 0) {
      EXPECT_EQ(gradients[0], kNoNode);
      continue;
    }
    graph.add_result(ResultKind::value, "v", gradients[0]);
    EvaluationContext context;
    context.tensors["x"] = {{2}, {0.25, 4}};
    const auto values = evaluate(graph, context);
    ASSERT_EQ(message_of(values), "");
    for (std::size_t i = 0; i < 2; ++i) {
      const double base = i == 0 ? 0.25 : 4;
      EXPECT_DOUBLE_EQ(values->at(0).data[i], p * std::pow(base, p - 1)) << p;
    }
  }
}

TEST(IrGradients, ConvertSendsAGradientToFloatsOnly) {
  Graph graph;
  Builder b(graph);
  const Type wanted = doubles({2});
  for (const DType from : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
    const NodeId x = b.source(Op::tensor, {from, false, {2}}, {{Key::name, std::string(name_of(from))}});
    const NodeId y = b.make(Op::convert, {x}, {}, &wanted);
    const NodeId by_x = info(Op::convert).gradient(b, y, b.constant_like(1, y)).front();
    if (is_floating(from)) {
      EXPECT_EQ(b.type(by_x), b.type(x));
    } else {
      EXPECT_EQ(by_x, kNoNode);
    }
  }
}

}  // namespace
}  // namespace tarn
