// The loop over the nodes. What each operation does is in ops.def and tensor_functions.cpp. See evaluator.h.
#include "ir/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/random.h"
#include "ir/tensor_functions.h"

namespace tarn {

namespace {

// float to i32 truncates and saturates, NaN becomes 0; anything to bool is x != 0; other conversions keep the value.
double convert_element(double value, DType from, DType to) {
  if (to == DType::boolean) return value != 0 ? 1 : 0;
  if (to != DType::i32 || !is_floating(from)) return value;
  if (std::isnan(value)) return 0;
  return std::clamp<double>(std::trunc(value), std::numeric_limits<std::int32_t>::min(),
                            std::numeric_limits<std::int32_t>::max());
}

HostTensor evaluate_elementwise(const Graph& graph, const Node& node, const EvaluationContext& context,
                                std::span<const HostTensor* const> operands) {
  HostTensor result{with_batch(node.type.shape, context.batch), {}};
  result.data.resize(static_cast<std::size_t>(element_count(result.shape)));
  const ScalarFunction function = info(node.op).scalar;
  const DType from = graph[node.inputs.front()].type.dtype;
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    const auto element = [&](std::size_t k) { return k < operands.size() ? operands[k]->data[i] : 0.0; };
    const double value = function(element(0), element(1), element(2));
    result.data[i] = node.op == Op::convert ? convert_element(value, from, node.type.dtype) : value;
  }
  return result;
}

// Inputs and tensors must be in the context, with the shape that the graph declares.
Status check_source(const Node& node, const EvaluationContext& context) {
  if (node.op != Op::input && node.op != Op::tensor) return Done{};
  const auto& table = node.op == Op::input ? context.inputs : context.tensors;
  const std::string& name = node.attributes.text(Key::name);
  const auto found = table.find(name);
  if (found == table.end()) return error(fmt::format("no value is given for {} '{}'", name_of(node.op), name));
  const Shape expected = with_batch(node.type.shape, context.batch);
  const HostTensor& value = found->second;
  if (value.shape != expected || static_cast<std::int64_t>(value.data.size()) != element_count(expected)) {
    return error(fmt::format("{} '{}' has the shape {}, not {}", name_of(node.op), name, to_string(value.shape),
                             to_string(expected)));
  }
  return Done{};
}

void round_to_single(std::vector<double>& values) {
  for (double& value : values) {
    const bool too_large = std::fabs(value) >= 0x1.ffffffp127;
    value = too_large ? std::copysign(std::numeric_limits<double>::infinity(), value) : static_cast<float>(value);
  }
}

// What is moved has its noise from where it was computed. Whole numbers, constants, uniform draws, and what is one of
// the operands, as the larger of two is, are exact.
void add_noise(const EvaluationContext& context, const Node& node, NodeId id,
               std::span<const HostTensor* const> operands, std::vector<double>& values) {
  const OpInfo& row = info(node.op);
  if (context.noise == 0 || !is_floating(node.type.dtype) || is_movement(row.op_class)) return;
  if (node.op == Op::constant || row.distribution == Distribution::uniform) return;
  const auto is_operand = [&](double value, std::size_t i) {
    return row.op_class == OpClass::elementwise && std::ranges::any_of(operands, [&](const HostTensor* operand) {
             return std::fabs(operand->data[i]) == std::fabs(value);
           });
  };
  const std::uint64_t key = mix_bits(context.noise_seed ^ mix_bits(id));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == std::floor(values[i]) || is_operand(values[i], i)) continue;
    const double share = static_cast<double>(mix_bits(key + i) >> 11) * 0x1p-52 - 1;
    values[i] *= 1 + context.noise * share;
  }
}

Status check_node(const Node& node, const EvaluationContext& context) {
  if (node.op == Op::grad) return error("gradients must be expanded before a graph is evaluated");
  const std::int64_t elements = element_count(with_batch(node.type.shape, context.batch));
  if (elements > kMaxElements) {
    return error(fmt::format("a value of {} elements is over the limit of {}", elements, kMaxElements));
  }
  return check_source(node, context);
}

// `keep_all`: otherwise values are freed after their last use, those of results excepted.
Result<std::vector<HostTensor>> run(const Graph& graph, const EvaluationContext& context, bool keep_all) {
  if (context.batch < 1) return error(fmt::format("a batch of {} samples", context.batch));
  std::vector<std::uint32_t> uses = graph.use_counts();
  std::vector<HostTensor> values(graph.size());
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (uses[id] == 0) continue;
    const Node& node = graph[id];
    if (Status status = check_node(node, context); !status) return std::move(status).error();
    std::vector<const HostTensor*> operands;
    operands.reserve(node.inputs.size());
    for (const NodeId input : node.inputs) operands.push_back(&values[input]);
    values[id] = evaluate_node(graph, node, context, operands);
    if (context.rounds && node.type.dtype == DType::f32) round_to_single(values[id].data);
    add_noise(context, node, id, operands, values[id].data);
    if (keep_all) continue;
    for (const NodeId input : node.inputs) {
      if (--uses[input] == 0) values[input] = {};
    }
  }
  return values;
}

}  // namespace

HostTensor evaluate_node(const Graph& graph, const Node& node, const EvaluationContext& context,
                         std::span<const HostTensor* const> operands) {
  const OpInfo& row = info(node.op);
  if (row.op_class == OpClass::elementwise) return evaluate_elementwise(graph, node, context, operands);
  if (row.tensor != nullptr) return row.tensor(context, node, operands);
  const std::optional<ViewMap> map = view_map(node, graph[node.inputs.front()].type.shape);
  return tensor_functions::view(*map, *operands.front(), with_batch(node.type.shape, context.batch));
}

Result<std::vector<HostTensor>> evaluate_nodes(const Graph& graph, const EvaluationContext& context) {
  return run(graph, context, true);
}

Result<std::vector<HostTensor>> evaluate(const Graph& graph, const EvaluationContext& context) {
  TARN_TRY(const std::vector<HostTensor> values, run(graph, context, false));
  std::vector<HostTensor> results;
  for (const GraphResult& result : graph.results()) results.push_back(values[result.node]);
  return results;
}

}  // namespace tarn
