// Operations on constants are done while compiling: through the scalar functions and evaluations of the operation
// table, each result rounded to its type, as the compiled operation would be.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/evaluator.h"
#include "passes/graph_passes.h"
#include "passes/rebuild.h"
#include "passes/rules/rules.h"

namespace tarn {

namespace {

// Larger results stay operations: a table of theirs would cost more to load than they cost to compute.
constexpr std::int64_t kMaxFoldedElements = 4096;

// The value as the type holds it; nothing where it holds none (an i32 that overflows) or where a diagnosis is better
// left to the run (NaN, infinity).
std::optional<double> rounded(double value, DType dtype) {
  if (dtype == DType::f32) value = static_cast<double>(static_cast<float>(value));
  if (!std::isfinite(value)) return std::nullopt;
  const bool fits_i32 =
      value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max();
  if (dtype == DType::i32 && !(fits_i32 && value == std::trunc(value))) return std::nullopt;
  if (dtype == DType::boolean && value != 0 && value != 1) return std::nullopt;
  return value;
}

// Conversions to integers and booleans change the value beyond rounding: to i32 truncates, to bool is x != 0.
double converted(double value, DType dtype) {
  if (dtype == DType::i32) return std::trunc(value);
  if (dtype == DType::boolean) return value != 0 ? 1 : 0;
  return value;
}

std::optional<HostTensor> constant_tensor(const Node& node) {
  if (node.op != Op::constant || has_batch(node.type.shape) || element_count(node.type.shape) > kMaxFoldedElements)
    return std::nullopt;
  HostTensor tensor{node.type.shape, {}};
  if (node.attributes.has(Key::values)) {
    tensor.data = node.attributes.numbers(Key::values);
  } else {
    tensor.data.assign(static_cast<std::size_t>(element_count(node.type.shape)), node.attributes.number(Key::value));
  }
  for (double& value : tensor.data) {
    const std::optional<double> held = rounded(value, node.type.dtype);
    if (!held) return std::nullopt;
    value = *held;
  }
  return tensor;
}

// A small constant operand: a constant, or a broadcast of a scalar one.
std::optional<HostTensor> operand_tensor(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (node.op == Op::constant) return constant_tensor(node);
  const std::optional<double> value = uniform_value(graph, id);
  if (!value || has_batch(node.type.shape) || element_count(node.type.shape) > kMaxFoldedElements) return std::nullopt;
  const std::optional<double> held = rounded(*value, node.type.dtype);
  if (!held) return std::nullopt;
  return HostTensor{node.type.shape,
                    std::vector<double>(static_cast<std::size_t>(element_count(node.type.shape)), *held)};
}

HostTensor evaluate_operation(const Graph& graph, const Node& node, const std::vector<HostTensor>& operands) {
  const OpInfo& row = info(node.op);
  if (row.scalar == nullptr) {
    std::vector<const HostTensor*> pointers;
    pointers.reserve(operands.size());
    for (const HostTensor& operand : operands) pointers.push_back(&operand);
    return evaluate_node(graph, node, {}, pointers);
  }
  HostTensor result{node.type.shape, std::vector<double>(operands.front().data.size())};
  const auto element = [&](std::size_t which, std::size_t i) {
    return which < operands.size() ? operands[which].data[i] : 0.0;
  };
  for (std::size_t i = 0; i < result.data.size(); ++i)
    result.data[i] = row.scalar(element(0, i), element(1, i), element(2, i));
  return result;
}

NodeId make_constant(Builder& b, const Type& type, std::vector<double> values) {
  const bool uniform = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  if (uniform && !values.empty()) return b.broadcast(b.constant(values.front(), type.dtype), type.shape, {});
  return b.source(Op::constant, type, {{Key::values, std::move(values)}});
}

NodeId fold(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const Node& node = b.node(id);
  // A broadcast of a constant is the form of what repeats; a draw or an index is not a constant.
  if (node.inputs.empty() || node.op == Op::broadcast) return kNoNode;
  if (has_batch(node.type.shape) || node.type.per_sample || element_count(node.type.shape) > kMaxFoldedElements)
    return kNoNode;
  if (info(node.op).op_class == OpClass::control || node.op == Op::batch_sum) return kNoNode;
  std::vector<HostTensor> operands;
  for (const NodeId input : node.inputs) {
    std::optional<HostTensor> tensor = operand_tensor(b.graph(), input);
    if (!tensor) return kNoNode;
    operands.push_back(std::move(*tensor));
  }
  std::vector<double> values = evaluate_operation(b.graph(), node, operands).data;
  for (double& value : values) {
    const std::optional<double> held =
        rounded(node.op == Op::convert ? converted(value, node.type.dtype) : value, node.type.dtype);
    if (!held) return kNoNode;
    value = *held;
  }
  return make_constant(b, Type(node.type), std::move(values));
}

// Of what is one number everywhere, along the batch too, one element is computed.
NodeId fold_uniform(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const Node& node = b.node(id);
  const OpInfo& row = info(node.op);
  if (row.scalar == nullptr || node.inputs.empty()) return kNoNode;
  std::vector<HostTensor> operands;
  operands.reserve(node.inputs.size());
  for (const NodeId input : node.inputs) {
    std::optional<double> value = uniform_value(b.graph(), input);
    if (value) value = rounded(*value, b.type(input).dtype);
    if (!value) return kNoNode;
    operands.push_back({{}, {*value}});
  }
  const double raw = evaluate_operation(b.graph(), node, operands).data.front();
  const std::optional<double> value =
      rounded(node.op == Op::convert ? converted(raw, node.type.dtype) : raw, node.type.dtype);
  return value ? make_constant(b, Type(node.type), {*value}) : kNoNode;
}

// A constant with a list of equal values
NodeId uniform_list(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const Node& node = b.node(id);
  if (!node.attributes.has(Key::values)) return kNoNode;
  const std::vector<double>& values = node.attributes.numbers(Key::values);
  const bool uniform = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  return uniform && !values.empty() ? make_constant(b, Type(node.type), std::vector<double>(values)) : kNoNode;
}

std::vector<Op> operations_with_operands() {
  std::vector<Op> ops;
  for (const OpInfo& row : all_operations()) {
    if (row.arity != 0) ops.push_back(row.op);
  }
  return ops;
}

NodeId example_fold(ExampleMaker& m) {
  Builder& b = m.builder();
  const auto list = [&] {
    std::vector<double> values;
    values.reserve(6);
    for (int i = 0; i < 6; ++i) values.push_back(0.25 * static_cast<double>(m.below(9)) + 0.25);
    return b.source(Op::constant, {DType::f64, false, {2, 3}}, {{Key::values, values}});
  };
  switch (m.below(6)) {
    case 0:
      return b.mul(list(), list());
    case 1:
      return b.unary(Op::log, list());
    case 2:
      return b.sum(list(), {m.below(2)});
    case 3:
      return b.contract(list(), list(), "mk,nk->mn");
    case 4:
      return b.transpose(list(), {1, 0});
    default:
      return b.binary(Op::pow, list(), b.constant(2.5, DType::f64));
  }
}

}  // namespace

std::span<const Rule> folding_rules() {
  static const std::vector<Rule> rules = {
      {"fold", "f(constants) = constant", operations_with_operands(), fold, example_fold},
      {"fold_uniform", "f(broadcast(numbers)) = broadcast(number)", operations_with_operands(), fold_uniform,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId numbers = b.broadcast(b.constant(1.5, DType::f64), {kBatch, 3}, {});
         return b.binary(Op::div, b.broadcast(b.constant(1, DType::f64), {kBatch, 3}, {}), numbers);
       }},
      {"uniform_list",
       "constant with equal values = broadcast(constant with one value)",
       {Op::constant},
       uniform_list,
       [](ExampleMaker& m) {
         return m.builder().source(Op::constant, {DType::f64, false, {2, 3}},
                                   {{Key::values, std::vector<double>(6, 1.5)}});
       }},
  };
  return rules;
}

Result<Graph> fold_constants(const Graph& graph, PassContext& context) {
  return rewrite(graph, select_rules({folding_rules()}, false), context.rule_hits);
}

}  // namespace tarn
