// From one optimized graph to its kernel plan; planner.h says how the steps hang together.
#include <algorithm>

#include "ir/builder.h"
#include "ir/type_rules.h"
#include "passes/pipeline.h"
#include "passes/planner.h"

namespace tarn {
namespace {

// Axes of the operand, by the letters, that are summed and that the other operand does not have.
std::vector<std::int64_t> axes_of_one(std::string_view own, std::string_view other, std::string_view result) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (other.find(own[i]) == std::string_view::npos && result.find(own[i]) == std::string_view::npos) {
      axes.push_back(static_cast<std::int64_t>(i));
    }
  }
  return axes;
}

std::string without(std::string_view letters, const std::vector<std::int64_t>& axes) {
  std::string result;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end()) result += letters[i];
  }
  return result;
}

bool sums_one_operand(const Node& node) {
  if (node.op != Op::contract) return false;
  const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
  return !axes_of_one(map.a, map.b, map.result).empty() || !axes_of_one(map.b, map.a, map.result).empty();
}

// sum over j, k of a[m, j, k] b[k, n] = sum over k of (sum over j of a[m, j, k]) b[k, n]: afterwards every letter that
// a contraction sums is in both operands.
Graph sum_operands_first(const Graph& graph) {
  Graph result(graph.locations());
  Builder builder(result);
  std::vector<NodeId> map(graph.size(), kNoNode);
  const std::vector<bool> reachable = graph.reachable();
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    Node node = graph[id];
    for (NodeId& input : node.inputs) input = map[input];
    if (!sums_one_operand(graph[id])) {
      map[id] = result.add(std::move(node));
      continue;
    }
    builder.set_location(node.location);
    const ContractionMap letters = parse_contraction_map(node.attributes.text(Key::map)).value();
    const auto a_axes = axes_of_one(letters.a, letters.b, letters.result);
    const auto b_axes = axes_of_one(letters.b, letters.a, letters.result);
    const NodeId a = builder.sum(node.inputs[0], a_axes);
    const NodeId b = builder.sum(node.inputs[1], b_axes);
    map[id] = builder.contract(
        a, b, without(letters.a, a_axes) + "," + without(letters.b, b_axes) + "->" + std::string(letters.result));
  }
  for (const GraphResult& r : graph.results()) result.add_result(r.kind, r.name, map[r.node]);
  return result;
}

// Buffers that no kernel and no result names are left out.
void drop_unused_buffers(KernelPlan& plan) {
  std::vector<BufferId> renamed(plan.buffers.size(), kNone);
  std::vector<Buffer> buffers;
  const auto rename = [&](BufferId& buffer) {
    if (renamed[buffer] == kNone) {
      renamed[buffer] = static_cast<BufferId>(buffers.size());
      buffers.push_back(plan.buffers[buffer]);
    }
    buffer = renamed[buffer];
  };
  const auto rename_body = [&](Body& body) {
    for (Value& value : body.values) {
      if (value.kind == Value::Kind::load) rename(value.access.buffer);
    }
    for (Store& store : body.stores) rename(store.access.buffer);
  };
  for (Kernel& kernel : plan.kernels) {
    if (auto* loop = std::get_if<LoopKernel>(&kernel.body)) {
      rename_body(loop->body);
      rename_body(loop->tail);
    } else if (auto* product = std::get_if<ContractionKernel>(&kernel.body)) {
      rename(product->a.buffer);
      rename(product->b.buffer);
      rename_body(product->epilogue);
    } else {
      rename(std::get<FiniteGuard>(kernel.body).buffer);
    }
  }
  for (PlanResult& result : plan.results) rename(result.buffer);
  plan.buffers = std::move(buffers);
}

}  // namespace

Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options) {
  bool needs_sums = false;
  for (NodeId id = 0; id < graph.size(); ++id) needs_sums = needs_sums || sums_one_operand(graph[id]);
  if (needs_sums) return plan_kernels(sum_operands_first(graph), program, options);
  Planning planning(graph, program, options);
  make_units(planning);
  group_units(planning, make_schedule(planning));
  emit_kernels(planning);
  KernelPlan plan = std::move(planning.plan);
  drop_unused_buffers(plan);
  plan.constants.resize((plan.constants.size() + 63) / 64 * 64);
  plan_memory(plan, options.in_place);
  return plan;
}

}  // namespace tarn
