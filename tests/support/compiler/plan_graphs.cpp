// See plan_graphs.h.
#include "tests/support/compiler/plan_graphs.h"

#include <algorithm>
#include <random>
#include <string>

#include "ir/builder.h"

namespace tarn {
namespace {

class Maker {
 public:
  Maker(std::uint64_t seed, const PlanCaseOptions& options) : random_(seed), options_(options), b_(made_.graph) {}

  PlanCase make() {
    made_.program.settings.batch = options_.max_batch;
    made_.context.batch = options_.batch;
    made_.context.seed = random_();
    made_.context.step = below(1000);
    made_.context.first_sample = static_cast<std::uint32_t>(below(100));
    for (int i = 0; i < 2; ++i) add_input("x" + std::to_string(i));
    for (int i = 0; i < 3; ++i) add_tensor("w" + std::to_string(i), options_.dtype);
    if (!options_.descent) add_tensor("step", options_.dtype, Shape{});
    for (int i = 0; i < options_.nodes; ++i) add_node();
    if (options_.descent) add_descent();
    if (!options_.descent) add_results();
    assign_offsets(made_.program);
    return std::move(made_);
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }
  double number() { return std::uniform_real_distribution<double>(-1, 1)(random_); }

  Shape sample_shape() {
    Shape shape(below(4));
    for (std::int64_t& extent : shape) extent = static_cast<std::int64_t>(1 + below(4));
    return shape;
  }
  HostTensor numbers(const Shape& shape) {
    HostTensor tensor{shape, {}};
    tensor.data.resize(static_cast<std::size_t>(element_count(shape)));
    for (double& x : tensor.data) x = options_.dtype == DType::f32 ? static_cast<float>(number()) : number();
    return tensor;
  }

  void add_input(const std::string& name) {
    const Shape shape = sample_shape();
    made_.program.inputs.push_back({name, InputRole::input, {options_.dtype, true, shape}, {}, {}});
    Shape batched = shape;
    batched.insert(batched.begin(), kBatch);
    made_.context.inputs[name] = numbers(with_batch(batched, options_.batch));
    keep(b_.source(Op::input, {options_.dtype, false, batched}, {{Key::name, name}}));
  }
  void add_tensor(const std::string& name, DType dtype, std::optional<Shape> shape = {}) {
    TensorInfo tensor;
    tensor.name = name;
    tensor.type = {dtype, false, shape ? *shape : sample_shape()};
    made_.program.tensors.push_back(tensor);
    made_.context.tensors[name] = numbers(tensor.type.shape);
    const NodeId node = b_.source(Op::tensor, tensor.type, {{Key::name, name}});
    tensors_.push_back(node);
    keep(node);
  }

  void keep(NodeId node) {
    if (b_.type(node).dtype == options_.dtype && element_count(with_batch(b_.shape(node), 8)) <= 4000)
      nodes_.push_back(node);
  }
  // Recent nodes are likelier, so that graphs get deep.
  NodeId pick() {
    const std::uint64_t back = std::min(below(nodes_.size()), below(nodes_.size()));
    return nodes_[nodes_.size() - 1 - back];
  }
  // Keeps values near 1, where the next operation is well conditioned.
  NodeId tame(NodeId a) { return b_.unary(Op::tanh, a); }

  void add_node() {
    switch (below(15)) {
      case 0:
      case 1:
      case 2:
        return add_elementwise();
      case 3:
        return add_reduction();
      case 4:
        return add_contraction();
      case 5:
        return add_reshape();
      case 6:
        return add_transpose();
      case 7:
        return add_slice();
      case 8:
        return add_pad();
      case 9:
        return add_concat();
      case 10:
        return add_gather();
      case 11:
        return add_scatter();
      case 12:
        return add_source();
      case 13:
        return add_windows();
      default:
        return add_broadcast();
    }
  }

  // Another node, brought to the shape of `a` by reductions and broadcasts.
  NodeId in_shape_of(NodeId a) {
    NodeId other = pick();
    for (int tries = 0; tries < 8 && b_.shape(other) != b_.shape(a); ++tries) other = pick();
    if (b_.shape(other) == b_.shape(a)) return other;
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < b_.shape(other).size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
    return b_.broadcast(tame(b_.sum(other, axes)), b_.shape(a), {});
  }

  void add_elementwise() {
    const NodeId a = pick();
    switch (options_.descent ? below(5) : below(8)) {
      case 0:
        return keep(b_.unary(Op::tanh, a));
      case 1:
        return keep(b_.unary(Op::exp, tame(a)));
      case 2:
        return keep(b_.unary(Op::sigmoid, a));
      case 3:
        return keep(b_.add(a, in_shape_of(a)));
      case 4:
        return keep(b_.mul(tame(a), in_shape_of(a)));
      case 5:
        return keep(b_.where(b_.binary(Op::less, a, in_shape_of(a)), a, b_.neg(a)));
      case 6:
        return keep(b_.binary(Op::maximum, a, in_shape_of(a)));
      default:
        return keep(b_.sub(a, b_.unary(Op::stop_gradient, in_shape_of(a))));
    }
  }

  void add_reduction() {
    const NodeId a = pick();
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < b_.shape(a).size(); ++i) {
      if (chance(50)) axes.push_back(static_cast<std::int64_t>(i));
    }
    if (axes.empty()) return;
    const Op ops[] = {Op::reduce_sum, Op::reduce_sum, Op::reduce_max, Op::reduce_min, Op::reduce_prod};
    if (!options_.descent && chance(20)) {
      const NodeId place = b_.reduce(chance(50) ? Op::argmax : Op::argmin, a, {axes[0]});
      indices_.push_back(place);
      return keep(b_.convert(place, options_.dtype));
    }
    const Op op = ops[below(5)];
    if (options_.descent && (op == Op::reduce_max || op == Op::reduce_min)) return keep(b_.sum(a, axes));
    keep(b_.reduce(op, tame(a), axes));
  }

  // Letters are given to the axes of two nodes; equal extents may share one.
  void add_contraction() {
    const NodeId a = tame(pick()), b = tame(pick());
    std::string a_letters, b_letters, result;
    Shape by_letter;
    const auto letter = [](std::size_t i) { return static_cast<char>('a' + i); };
    for (const std::int64_t extent : b_.shape(a)) {
      a_letters += letter(by_letter.size());
      by_letter.push_back(extent);
    }
    for (const std::int64_t extent : b_.shape(b)) {
      char chosen = 0;
      for (std::size_t i = 0; i < a_letters.size(); ++i) {
        const bool free = b_letters.find(a_letters[i]) == std::string::npos;
        if (free && by_letter[i] == extent && (extent == kBatch || chance(70))) chosen = a_letters[i];
      }
      if (chosen == 0) {
        chosen = letter(by_letter.size());
        by_letter.push_back(extent);
      }
      b_letters += chosen;
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < by_letter.size(); ++i) {
      if (chance(55)) order.push_back(i);
    }
    std::shuffle(order.begin(), order.end(), random_);
    const auto batch = std::find_if(order.begin(), order.end(), [&](std::size_t i) { return by_letter[i] == kBatch; });
    if (batch != order.end()) std::rotate(order.begin(), batch, batch + 1);
    if (order.size() > 5) return;
    for (const std::size_t i : order) result += letter(i);
    keep(b_.contract(a, b, a_letters + "," + b_letters + "->" + result));
  }

  void add_reshape() {
    const NodeId a = pick();
    const Shape& shape = b_.shape(a);
    Shape flat;
    std::int64_t rest = 1;
    for (const std::int64_t extent : shape) {
      if (extent == kBatch) flat.push_back(kBatch);
      if (extent != kBatch) rest *= extent;
    }
    for (const std::int64_t factor : {2, 3, 4}) {
      if (chance(50) && rest % factor == 0) {
        flat.push_back(factor);
        rest /= factor;
      }
    }
    if (chance(80) || rest != 1) flat.push_back(rest);
    if (flat.size() < 6) keep(b_.reshape(a, flat));
  }

  void add_transpose() {
    const NodeId a = pick();
    std::vector<std::int64_t> axes(b_.shape(a).size());
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
    std::shuffle(axes.begin() + (has_batch(b_.shape(a)) ? 1 : 0), axes.end(), random_);
    keep(b_.transpose(a, axes));
  }

  void add_slice() {
    const NodeId a = pick();
    std::vector<std::int64_t> starts, limits, strides, reversed;
    for (std::size_t i = 0; i < b_.shape(a).size(); ++i) {
      const std::int64_t extent = b_.shape(a)[i];
      const bool whole = extent == kBatch;
      starts.push_back(whole ? 0 : static_cast<std::int64_t>(below(static_cast<std::uint64_t>(extent))));
      limits.push_back(
          whole ? kBatch : extent - static_cast<std::int64_t>(below(static_cast<std::uint64_t>(extent - starts[i]))));
      strides.push_back(whole ? 1 : static_cast<std::int64_t>(1 + below(2)));
      if (!whole && chance(40)) reversed.push_back(static_cast<std::int64_t>(i));
    }
    if (chance(50)) return keep(b_.make(Op::reverse, {a}, {{Key::axes, reversed}}));
    keep(b_.slice(a, starts, limits, strides));
  }

  void add_pad() {
    const NodeId a = pick();
    std::vector<std::int64_t> low, high, strides;
    for (const std::int64_t extent : b_.shape(a)) {
      low.push_back(extent == kBatch ? 0 : static_cast<std::int64_t>(below(3)));
      high.push_back(extent == kBatch ? 0 : static_cast<std::int64_t>(below(3)));
      strides.push_back(extent == kBatch ? 1 : static_cast<std::int64_t>(1 + below(3)));
    }
    if (chance(40)) return keep(b_.make(Op::spread, {a}, {{Key::strides, strides}}));
    keep(b_.make(Op::pad, {a}, {{Key::low, low}, {Key::high, high}, {Key::value, number()}}));
  }

  // Along one or two adjacent axes of what is there; or what is there as windows, added up.
  void add_windows() {
    const NodeId a = pick();
    const Shape shape = b_.shape(a);
    const std::size_t first = (has_batch(shape) ? 1 : 0) + (chance(30) ? 1 : 0);
    if (shape.size() <= first) return;
    const std::size_t count = shape.size() > first + 1 && chance(50) ? 2 : 1;
    if (shape.size() + count > 6) return add_fold(a, first);
    std::vector<std::int64_t> axes, sizes, steps, dilations;
    for (std::size_t i = first; i < first + count; ++i) {
      axes.push_back(static_cast<std::int64_t>(i));
      sizes.push_back(
          static_cast<std::int64_t>(1 + below(static_cast<std::uint64_t>(std::min<std::int64_t>(shape[i], 3)))));
      steps.push_back(static_cast<std::int64_t>(1 + below(3)));
      const std::int64_t most = sizes.back() == 1 ? 2 : (shape[i] - 1) / (sizes.back() - 1);
      dilations.push_back(
          static_cast<std::int64_t>(1 + below(static_cast<std::uint64_t>(std::min<std::int64_t>(most, 3)))));
    }
    const NodeId shown = b_.windows(a, axes, sizes, steps, dilations);
    if (chance(40)) return add_fold(shown, first);
    keep(shown);
  }

  void add_fold(NodeId a, std::size_t first) {
    const Shape shape = b_.shape(a);
    if (shape.size() < first + 2 || b_.type(a).dtype == DType::boolean) return;
    const std::size_t count = shape.size() >= first + 4 && chance(60) ? 2 : 1;
    std::vector<std::int64_t> axes, extents, steps, dilations, before;
    for (std::size_t i = first; i < first + count; ++i) {
      axes.push_back(static_cast<std::int64_t>(i));
      extents.push_back(static_cast<std::int64_t>(1 + below(6)));
      steps.push_back(static_cast<std::int64_t>(1 + below(3)));
      dilations.push_back(static_cast<std::int64_t>(1 + below(3)));
      before.push_back(static_cast<std::int64_t>(below(3)));
    }
    keep(b_.fold(a, axes, extents, steps, dilations, before));
  }

  void add_concat() {
    const NodeId a = pick();
    const std::size_t first = has_batch(b_.shape(a)) ? 1 : 0;
    if (b_.shape(a).size() <= first) return;
    const auto axis = static_cast<std::int64_t>(first + below(b_.shape(a).size() - first));
    std::vector<NodeId> parts{a};
    for (int tries = 0; tries < 12 && parts.size() < 3; ++tries) {
      const NodeId other = pick();
      Shape shape = b_.shape(other);
      if (shape.size() != b_.shape(a).size() || has_batch(shape) != (first == 1)) continue;
      shape[axis] = b_.shape(a)[axis];
      if (shape == b_.shape(a)) parts.push_back(other);
    }
    if (parts.size() == 1) parts.push_back(b_.neg(a));
    keep(b_.make(Op::concat, parts, {{Key::axis, axis}}));
  }

  NodeId some_indices() {
    if (options_.descent) {
      const Shape shape = sample_shape();
      std::vector<double> indices(static_cast<std::size_t>(element_count(shape)));
      for (double& index : indices) index = static_cast<double>(below(7)) - 1;
      return b_.source(Op::constant, {DType::i32, false, shape}, {{Key::values, indices}});
    }
    if (!indices_.empty() && chance(50)) return indices_[below(indices_.size())];
    // Some lie outside of every table.
    return b_.convert(b_.mul(pick(), b_.constant(5, options_.dtype)), DType::i32);
  }

  void add_gather() {
    const NodeId table = pick(), indices = some_indices();
    if (has_batch(b_.shape(table)) || b_.shape(table).empty()) return;
    auto axis = static_cast<std::int64_t>(below(b_.shape(table).size()));
    if (has_batch(b_.shape(indices))) axis = 0;
    if (b_.shape(table).size() + b_.shape(indices).size() > 6) return;
    keep(b_.make(Op::gather, {table, indices}, {{Key::axis, axis}}));
  }

  void add_scatter() {
    const NodeId indices = some_indices();
    Shape table = sample_shape();
    if (table.empty() || table.size() + b_.shape(indices).size() > 6) return;
    auto axis = static_cast<std::int64_t>(below(table.size()));
    if (has_batch(b_.shape(indices))) axis = 0;
    Shape updates(table.begin(), table.begin() + axis);
    updates.insert(updates.end(), b_.shape(indices).begin(), b_.shape(indices).end());
    updates.insert(updates.end(), table.begin() + axis + 1, table.end());
    const NodeId source = b_.source(Op::random_uniform, {options_.dtype, false, updates}, stream());
    const Type type{options_.dtype, false, table};
    keep(b_.make(Op::scatter_add, {source, indices}, {{Key::axis, axis}}, &type));
  }

  Attributes stream() {
    return {{Key::stream, static_cast<std::int64_t>(random_())}, {Key::per_step, static_cast<std::int64_t>(0)}};
  }

  void add_source() {
    Shape shape = sample_shape();
    if (chance(50)) shape.insert(shape.begin(), kBatch);
    switch (below(5)) {
      case 0:
        return keep(b_.source(Op::random_uniform, {options_.dtype, false, shape}, stream()));
      case 1:
        return keep(b_.source(Op::random_normal, {options_.dtype, false, shape}, stream()));
      case 2:
        if (shape.empty()) return;
        return keep(tame(b_.source(Op::iota, {options_.dtype, false, shape},
                                   {{Key::axis, static_cast<std::int64_t>(below(shape.size()))}})));
      case 3:
        return keep(b_.source(Op::batch_size, {options_.dtype, false, {}}, {}));
      default:
        if (has_batch(shape)) shape.erase(shape.begin());
        return keep(b_.source(Op::constant, {options_.dtype, false, shape}, {{Key::values, numbers(shape).data}}));
    }
  }

  void add_broadcast() {
    const NodeId a = pick();
    Shape shape = b_.shape(a);
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
    if (shape.size() > 3) return;
    const std::size_t at = has_batch(shape) ? 1 + below(shape.size()) : below(shape.size() + 1);
    const bool batch = !has_batch(shape) && at == 0 && chance(50);
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(at),
                 batch ? kBatch : static_cast<std::int64_t>(1 + below(3)));
    for (std::size_t i = at; i < axes.size(); ++i) ++axes[i];
    keep(b_.broadcast(a, shape, axes));
  }

  // `node` summed to one number, which neither under- nor overflows.
  NodeId summary(NodeId node) {
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < b_.shape(node).size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
    return b_.sum(tame(node), axes);
  }

  void add_descent() {
    NodeId loss = b_.constant(0, options_.dtype);
    for (int i = 0; i < 4; ++i) {
      const NodeId node = pick();
      const auto count = static_cast<double>(element_count(with_batch(b_.shape(node), options_.batch)));
      loss = b_.add(loss, b_.mul(summary(node), b_.constant(1 / count, options_.dtype)));
    }
    made_.graph.add_result(ResultKind::loss, "loss", loss);
    for (const NodeId tensor : tensors_) {
      const NodeId gradient = b_.make(Op::grad, {loss, tensor});
      const NodeId moved = b_.sub(tensor, b_.mul(b_.constant(0.1, options_.dtype), gradient));
      made_.graph.add_result(ResultKind::store, b_.node(tensor).attributes.text(Key::name), moved);
    }
  }

  void add_results() {
    // Values and outputs never stand in one graph: they are written to the same memory.
    const bool values = chance(30);
    for (int i = 0; i < 3; ++i) {
      const NodeId node = pick();
      const std::string name = "y" + std::to_string(i);
      if (values) {
        if (!has_batch(b_.shape(node))) made_.graph.add_result(ResultKind::value, name, node);
        continue;
      }
      made_.graph.add_result(ResultKind::output, name, node);
      made_.program.outputs.push_back({name, {}, {}, {}});
    }
    if (options_.stores) {
      for (const NodeId tensor : tensors_) {
        if (!chance(75)) continue;
        NodeId value = pick();
        for (int tries = 0; tries < 10 && b_.shape(value) != b_.shape(tensor); ++tries) value = pick();
        if (b_.shape(value) != b_.shape(tensor) || chance(30)) {
          const NodeId change = b_.broadcast(summary(pick()), b_.shape(tensor), {});
          value = b_.add(chance(50) ? tensor : change, b_.mul(change, in_shape_of(tensor)));
        }
        made_.graph.add_result(ResultKind::store, b_.node(tensor).attributes.text(Key::name), value);
      }
    }
    if (options_.loss) made_.graph.add_result(ResultKind::loss, "loss", summary(pick()));
  }

  std::mt19937_64 random_;
  PlanCaseOptions options_;
  PlanCase made_;
  Builder b_;
  std::vector<NodeId> nodes_, tensors_, indices_;
};

}  // namespace

PlanCase random_plan_case(std::uint64_t seed, const PlanCaseOptions& options) { return Maker(seed, options).make(); }

}  // namespace tarn
