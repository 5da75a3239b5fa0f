// Sums over whole arrays of short rows are taken along the rows first.
#include <algorithm>
#include <map>

#include "passes/graph_passes.h"
#include "passes/planner/short_rows.h"
#include "passes/rebuild.h"

namespace tarn {

Result<Graph> sum_rows_first(const Graph& graph, PassContext& context) {
  using Axes = std::vector<std::int64_t>;
  const ShortRows rows(graph, planned_for(context).options);
  const std::vector<bool> reachable = graph.reachable();
  std::map<NodeId, Axes> sums;  // the axes along the rows
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    Axes inner = rows.inner_axes(id);
    if (!inner.empty()) sums.emplace(id, std::move(inner));
  }
  if (sums.empty()) return graph;
  Graph result(graph.locations());
  Builder builder(result);
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    const Node& node = graph[id];
    const auto sum = sums.find(id);
    if (sum == sums.end()) {
      map[id] = copy_node(result, node, map);
      continue;
    }
    const Axes& first = sum->second;
    builder.set_location(node.location);
    Axes second;
    for (const std::int64_t axis : node.attributes.integers(Key::axes)) {
      if (std::find(first.begin(), first.end(), axis) != first.end()) continue;
      second.push_back(axis -
                       std::count_if(first.begin(), first.end(), [&](std::int64_t gone) { return gone < axis; }));
    }
    map[id] = builder.sum(builder.sum(map[node.inputs[0]], first), second);
  }
  copy_results(graph, result, map);
  return result;
}

}  // namespace tarn
