// Checks the invariants of a graph. Order and uniqueness of nodes hold by construction (Graph::add checks the one and
// keeps the other).
#include <fmt/format.h>

#include "ir/graph.h"
#include "ir/type_rules.h"

namespace tarn {

namespace {

// "%12 = contract: …" at the place of the node, with the calls that led there.
Diagnostic at_node(const Graph& graph, NodeId id, std::string_view message) {
  const Node& node = graph[id];
  const Locations& locations = *graph.locations();
  return error_at(locations[node.location].span, fmt::format("%{} = {}: {}", id, name_of(node.op), message),
                  locations.backtrace(node.location));
}

Status verify_node(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (const Status well_formed = check_type(node.type); !well_formed) {
    return at_node(graph, id, well_formed.error().front().message);
  }
  std::vector<Type> operands;
  operands.reserve(node.inputs.size());
  for (const NodeId input : node.inputs) operands.push_back(graph[input].type);
  const Result<Type> inferred = infer_type(node.op, operands, node.attributes, &node.type);
  if (!inferred) return at_node(graph, id, inferred.error().front().message);
  if (*inferred == node.type) return Done{};
  return at_node(graph, id, fmt::format("the type is {}, but must be {}", to_string(node.type), to_string(*inferred)));
}

}  // namespace

Status verify(const Graph& graph) {
  Diagnostics errors;
  NodeId per_sample = kNoNode;
  NodeId batched = kNoNode;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (Status status = verify_node(graph, id); !status) errors.push_back(std::move(status).error().front());
    if (graph[id].type.per_sample) per_sample = id;
    if (has_batch(graph[id].type.shape)) batched = id;
  }
  if (per_sample != kNoNode && batched != kNoNode) {
    errors.push_back(
        at_node(graph, batched, fmt::format("has a batch axis, but %{} is a value of one sample", per_sample)));
  }
  for (const GraphResult& result : graph.results()) {
    if (result.node < graph.size()) continue;
    errors.push_back(error(
        fmt::format("result {} \"{}\" is %{}, which does not exist", name_of(result.kind), result.name, result.node)));
  }
  if (!errors.empty()) return errors;
  return Done{};
}

}  // namespace tarn
