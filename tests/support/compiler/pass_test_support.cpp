// Random graphs and comparisons. See pass_test_support.h.
#include "tests/support/compiler/pass_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "passes/rebuild.h"

namespace tarn::testing {

namespace {

using Integers = std::vector<std::int64_t>;

class GraphMaker {
 public:
  GraphMaker(std::uint64_t seed, const RandomGraphOptions& options)
      : random_(seed), options_(options), builder_(graph_) {}

  Graph make() {
    add_sources();
    for (int i = 0; i < options_.steps; ++i) values_.push_back(bounded(step()));
    if (options_.loss) {
      add_loss();
    } else {
      for (int i = 0; i < 3; ++i)
        graph_.add_result(ResultKind::output, "y" + std::to_string(i), values_[values_.size() - 1 - i]);
    }
    return std::move(graph_);
  }

 private:
  std::int64_t below(std::int64_t count) { return std::uniform_int_distribution<std::int64_t>(0, count - 1)(random_); }
  NodeId any() { return values_[static_cast<std::size_t>(below(static_cast<std::int64_t>(values_.size())))]; }
  Shape small_shape() {
    Shape shape;
    for (std::int64_t rank = below(4); rank > 0; --rank) shape.push_back(1 + below(3));
    return shape;
  }
  NodeId source(Op op, const std::string& name, Type type) {
    return builder_.source(op, std::move(type), {{Key::name, name}});
  }
  NodeId number(double value) { return builder_.constant(value, DType::f64); }

  void add_sources() {
    for (int i = 0; i < 3; ++i)
      values_.push_back(source(Op::input, "x" + std::to_string(i), {DType::f64, true, small_shape()}));
    for (int i = 0; i < 3; ++i)
      values_.push_back(source(Op::tensor, "w" + std::to_string(i), {DType::f64, false, small_shape()}));
    values_.push_back(source(Op::input, "m", {DType::f64, true, {2, 3}}));
    values_.push_back(source(Op::tensor, "k", {DType::f64, false, {3, 2}}));
    index_ = source(Op::input, "i", {DType::i32, true, {2}});
  }

  void add_loss() {
    NodeId total = number(0);
    for (std::size_t i = values_.size() - 4; i < values_.size(); ++i) {
      const NodeId scalar = builder_.sum(values_[i], all_axes(builder_.shape(values_[i]).size()));
      total = builder_.add(total, builder_.unary(Op::tanh, scalar));
    }
    if (builder_.type(total).per_sample) total = builder_.unary(Op::batch_sum, total);
    const NodeId samples = builder_.source(Op::batch_size, {DType::f64, false, {}}, {});
    graph_.add_result(ResultKind::loss, "loss", builder_.div(total, samples));
  }

  // Large values are pressed together, so that products of products stay moderate.
  NodeId bounded(NodeId x) {
    if (below(2) == 0) return x;
    return builder_.unary(Op::tanh, builder_.mul(x, number(0.5)));
  }
  // At least 0.2, smooth.
  NodeId positive(NodeId x) {
    return builder_.add(builder_.unary(Op::softplus, builder_.unary(Op::tanh, x)), number(0.2));
  }
  NodeId like(NodeId x, NodeId other) {
    // A value of the shape of x, made of another by repeating, or by taking its sum.
    const Shape shape = builder_.shape(x);
    if (builder_.shape(other) == shape) return other;
    return builder_.broadcast(builder_.sum(other, all_axes(builder_.shape(other).size())), shape, {});
  }

  NodeId step() {
    switch (below(options_.batch_sums ? 7 : 6)) {
      case 0:
        return unary_step();
      case 1:
        return binary_step();
      case 2:
        return reduction_step();
      case 3:
      case 4:
        return movement_step();
      case 5:
        return product_step();
      default:
        return batch_step();
    }
  }

  NodeId unary_step() {
    static constexpr std::array kAnywhere = {Op::neg,     Op::softplus, Op::sin,   Op::cos, Op::tanh,
                                             Op::sigmoid, Op::erf,      Op::abs,   Op::exp, Op::expm1,
                                             Op::sign,    Op::floor,    Op::round, Op::ceil};
    static constexpr std::array kPositive = {Op::log, Op::log1p, Op::sqrt, Op::rsqrt};
    const NodeId x = any();
    switch (below(4)) {
      case 0:
        return builder_.unary(kPositive[static_cast<std::size_t>(below(kPositive.size()))], positive(x));
      case 1:
        return builder_.mul(x, builder_.convert(builder_.binary(Op::less, x, number(0.3)), DType::f64));
      default:
        return builder_.unary(kAnywhere[static_cast<std::size_t>(below(kAnywhere.size()))],
                              builder_.unary(Op::tanh, x));
    }
  }

  NodeId binary_step() {
    const NodeId x = any();
    const NodeId y = like(x, any());
    static constexpr std::array kNumbers = {0.0, 1.0, 2.0, -1.0, 0.5, 3.0, -0.5};
    const NodeId k = number(kNumbers[static_cast<std::size_t>(below(kNumbers.size()))]);
    switch (below(12)) {
      case 0:
        return builder_.add(x, y);
      case 1:
        return builder_.sub(x, y);
      case 2:
        return builder_.mul(builder_.unary(Op::tanh, x), y);
      case 3:
        return builder_.div(x, positive(y));
      case 4:
        return builder_.binary(Op::minimum, x, y);
      case 5:
        return builder_.binary(Op::maximum, x, y);
      case 6:
        return builder_.binary(Op::pow, positive(x), builder_.unary(Op::tanh, y));
      case 7:
        return builder_.binary(Op::pow, positive(x), k);
      case 8:
        return builder_.where(builder_.binary(Op::less, x, y), y, builder_.mul(x, k));
      case 9:
        return builder_.where(builder_.unary(Op::logical_not, builder_.binary(Op::less_equal, x, y)), x, y);
      case 10:
        return builder_.binary(Op::mod, x, positive(y));
      default:
        return builder_.mul(builder_.add(x, k), k);
    }
  }

  NodeId reduction_step() {
    const NodeId x = builder_.unary(Op::tanh, any());
    Integers axes;
    for (const std::int64_t axis : all_axes(builder_.shape(x).size())) {
      if (below(2) == 0) axes.push_back(axis);
    }
    static constexpr std::array kReductions = {Op::reduce_sum, Op::reduce_prod, Op::reduce_max, Op::reduce_min};
    const NodeId reduced = builder_.reduce(kReductions[static_cast<std::size_t>(below(4))], x, axes);
    if (below(2) == 0) return reduced;
    // As softmax and its like do: the result meets what it was made of.
    const NodeId wide =
        builder_.broadcast(reduced, Shape(builder_.shape(x)), other_axes(builder_.shape(x).size(), axes));
    return below(2) == 0 ? builder_.sub(x, wide) : builder_.div(builder_.unary(Op::exp, x), positive(wide));
  }

  NodeId example_windows(NodeId x) {
    const Shape shape = builder_.shape(x);
    const std::int64_t size = 1 + below(std::min<std::int64_t>(shape[0], 3));
    const std::int64_t dilation = 2 * (size - 1) < shape[0] ? 1 + below(2) : 1;
    return builder_.windows(x, {0}, {size}, {1 + below(2)}, {dilation});
  }

  NodeId movement_step() {
    const NodeId x = any();
    const Shape shape = builder_.shape(x);
    const std::size_t rank = shape.size();
    Integers low(rank), high(rank), strides(rank), order = all_axes(rank);
    for (std::size_t i = 0; i < rank; ++i) {
      low[i] = below(2);
      high[i] = below(2);
      strides[i] = 1 + below(2);
    }
    std::shuffle(order.begin(), order.end(), random_);
    switch (below(11)) {
      case 9:
        return rank == 0 || rank > 2 ? x : example_windows(x);
      case 10:
        return rank < 2 || rank > 3 ? x
                                    : builder_.fold(x, {0}, {1 + below(4)}, {1 + below(3)}, {1 + below(2)}, {below(2)});
      case 0:
        return builder_.reshape(x, {element_count(shape)});
      case 1:
        return builder_.transpose(x, order);
      case 2:
        return builder_.reverse(x, rank == 0 ? Integers{} : Integers{below(static_cast<std::int64_t>(rank))});
      case 3:
        return rank < 3 ? builder_.pad(x, low, high, 0.5) : x;
      case 4:
        return builder_.slice(x, Integers(rank, 0), shape, strides);
      case 5:
        return rank == 0 ? x : builder_.concat({x, like(x, any())}, below(static_cast<std::int64_t>(rank)));
      case 6:
        return rank < 3 ? example_broadcast(x) : x;
      case 7:
        return builder_.gather(builder_.sum(table(), {}), index_, 0);
      default:
        return rank < 3 ? builder_.reshape(example_broadcast(x), {element_count(shape) * 2}) : x;
    }
  }

  // The table of a gather is the same for all samples.
  NodeId table() {
    for (const NodeId value : values_) {
      if (!builder_.type(value).per_sample && builder_.shape(value).size() > 1 && below(2) == 0) return value;
    }
    return values_[7];
  }

  NodeId example_broadcast(NodeId x) {
    Shape shape = builder_.shape(x);
    Integers axes = all_axes(shape.size());
    if (below(2) == 0) {
      shape.push_back(2);
    } else {
      shape.insert(shape.begin(), 2);
      for (std::int64_t& axis : axes) ++axis;
    }
    return builder_.broadcast(x, shape, axes);
  }

  // A product over the last axis of two values of which the second is made to fit.
  NodeId product_step() {
    const NodeId x = builder_.unary(Op::tanh, any());
    const Shape shape = builder_.shape(x);
    if (shape.empty()) return x;
    if (shape.size() == 2 && shape[1] == 3) {
      return below(2) == 0 ? builder_.contract(x, values_[7], "mk,kn->mn")
                           : builder_.contract(values_[7], x, "kn,mk->nm");
    }
    const std::string letters = std::string("abc").substr(0, shape.size());
    const NodeId y = like(x, any());
    const char last = letters.back();
    std::string kept = letters;
    kept.pop_back();
    const std::string other = std::string("xyz").substr(0, shape.size() - 1) + last;
    if (shape.size() < 3 && below(2) == 0)
      return builder_.contract(x, y, letters + "," + other + "->" + kept + other.substr(0, other.size() - 1));
    return builder_.contract(x, y, letters + "," + letters + "->" + kept);
  }

  NodeId batch_step() {
    const NodeId x = builder_.unary(Op::tanh, any());
    const NodeId samples = builder_.source(Op::batch_size, {DType::f64, false, {}}, {});
    return builder_.div(builder_.unary(Op::batch_sum, x), samples);
  }

  std::mt19937_64 random_;
  RandomGraphOptions options_;
  Graph graph_;
  Builder builder_;
  std::vector<NodeId> values_;
  NodeId index_ = kNoNode;
};

// The same value for the same name, seed, sample and element, in whatever form the graph asks for it.
double value_of(const std::string& name, std::uint64_t seed, std::int64_t sample, std::int64_t element, DType dtype,
                Ties ties) {
  std::seed_seq sequence{std::hash<std::string>{}(name), static_cast<std::size_t>(seed),
                         static_cast<std::size_t>(sample), static_cast<std::size_t>(element)};
  std::mt19937_64 random(sequence);
  if (dtype == DType::i32) return static_cast<double>(random() % 3);
  if (dtype == DType::boolean) return static_cast<double>(random() % 2);
  // Small whole numbers now and then: equal values, zeros and ones are where rules go wrong.
  if (ties == Ties::some && random() % 8 == 0) return static_cast<double>(random() % 3) - 1;
  return std::uniform_real_distribution<double>(-1.5, 1.5)(random);
}

}  // namespace

Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options) { return GraphMaker(seed, options).make(); }

EvaluationContext random_values(const Graph& graph, std::uint64_t seed, std::int64_t sample, Ties ties) {
  EvaluationContext context;
  context.seed = seed;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (has_batch(node.type.shape)) context.batch = kBatchInTests;
    if (node.op != Op::input && node.op != Op::tensor) continue;
    const std::string& name = node.attributes.text(Key::name);
    const std::int64_t samples = has_batch(node.type.shape) ? kBatchInTests : 1;
    HostTensor tensor{with_batch(node.type.shape, kBatchInTests), {}};
    const std::int64_t elements = element_count(tensor.shape) / samples;
    for (std::int64_t s = 0; s < samples; ++s) {
      for (std::int64_t e = 0; e < elements; ++e) {
        const std::int64_t of_sample = node.type.per_sample ? sample : s;
        tensor.data.push_back(value_of(name, seed, of_sample, e, node.type.dtype, ties));
      }
    }
    (node.op == Op::input ? context.inputs : context.tensors)[name] = std::move(tensor);
  }
  return context;
}

std::string difference(const HostTensor& a, const HostTensor& b, double tolerance) {
  if (a.shape != b.shape) return to_string(a.shape) + " and " + to_string(b.shape);
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    const double x = a.data[i], y = b.data[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::fabs(x - y) <= tolerance * (1 + std::max(std::fabs(x), std::fabs(y)))) continue;
    return fmt::format("element {}: {} and {}", i, x, y);
  }
  return "";
}

std::string difference_of_results(const Graph& a, const Graph& b, const EvaluationContext& context, double tolerance) {
  const Result<std::vector<HostTensor>> left = evaluate(a, context), right = evaluate(b, context);
  if (!left) return left.error().front().message;
  if (!right) return right.error().front().message;
  if (left->size() != right->size()) return "numbers of results";
  for (std::size_t i = 0; i < left->size(); ++i) {
    const std::string found = difference((*left)[i], (*right)[i], tolerance);
    if (!found.empty()) return a.results()[i].name + ", " + found;
  }
  return "";
}

Graph expect_graph(Result<Graph> result) {
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().front().message);
  return result ? std::move(result).value() : Graph();
}

Graph without_node(const Graph& graph, NodeId dropped, NodeId replacement) {
  Graph result(graph.locations());
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id)
    map[id] = id == dropped ? map[replacement] : copy_node(result, graph[id], map);
  copy_results(graph, result, map);
  return without_dead_nodes(result);
}

}  // namespace tarn::testing
