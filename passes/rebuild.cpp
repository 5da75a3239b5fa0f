// Copying graphs. See rebuild.h.
#include "passes/rebuild.h"

#include <algorithm>
#include <numeric>

namespace tarn {

NodeId copy_node(Graph& to, const Node& node, const NodeMap& map) {
  Node copy = node;
  for (NodeId& input : copy.inputs) {
    input = map[input];
    TARN_CHECK(input != kNoNode, "operand of " + std::string(name_of(node.op)) + " was not copied");
  }
  return to.add(std::move(copy));
}

void copy_results(const Graph& from, Graph& to, const NodeMap& map) {
  for (const GraphResult& result : from.results()) {
    TARN_CHECK(map[result.node] != kNoNode, "result " + result.name + " was not copied");
    to.add_result(result.kind, result.name, map[result.node]);
  }
}

Graph without_dead_nodes(const Graph& graph) {
  Graph result(graph.locations());
  NodeMap map(graph.size(), kNoNode);
  const std::vector<bool> needed = graph.reachable();
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (needed[id]) map[id] = copy_node(result, graph[id], map);
  }
  copy_results(graph, result, map);
  return result;
}

std::optional<double> uniform_value(const Graph& graph, NodeId id) {
  if (graph[id].op == Op::broadcast) id = graph[id].inputs.front();
  const Node& node = graph[id];
  if (node.op != Op::constant || !node.attributes.has(Key::value)) return std::nullopt;
  return node.attributes.number(Key::value);
}

std::vector<std::int64_t> all_axes(std::size_t rank) {
  std::vector<std::int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

std::vector<std::int64_t> other_axes(std::size_t rank, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> others;
  for (const std::int64_t axis : all_axes(rank)) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) others.push_back(axis);
  }
  return others;
}

Shape without_units(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result), [](std::int64_t extent) { return extent != 1; });
  return result;
}

}  // namespace tarn
