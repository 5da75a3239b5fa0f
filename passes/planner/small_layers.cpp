// See small_layers.h.
#include "passes/planner/small_layers.h"

#include <algorithm>

#include "passes/tactics/cost_model.h"

namespace tarn {

bool SmallLayers::are_all_of(const Graph& graph) const {
  // Prediction is asked for one sample as often as for many.
  const bool stores = std::any_of(graph.results().begin(), graph.results().end(),
                                  [](const GraphResult& result) { return result.kind == ResultKind::store; });
  if (!stores) return false;
  bool has_product = false;
  const std::vector<bool> reachable = graph.reachable();
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id] || graph[id].op != Op::contract) continue;
    has_product = true;
    if (!is_small(graph, graph[id])) return false;
  }
  return has_product;
}

bool SmallLayers::is_narrow(const Type& type) const {
  if (type.shape.size() != 2 || type.shape[0] != kBatch) return false;
  const std::int64_t lanes = vector_bytes_ / static_cast<std::int64_t>(size_of(type.dtype)), units = type.shape[1];
  return lanes >= kCosts.many_lanes && units > 1 && units % lanes != 0 && units < kCosts.narrow_vectors * lanes &&
         max_batch_ >= lanes;
}

bool SmallLayers::is_small(const Graph& graph, const Node& contraction) const {
  bool narrow = false;
  for (const Type* type : {&contraction.type, &graph[contraction.inputs[0]].type, &graph[contraction.inputs[1]].type}) {
    const bool is_weights = type->shape.empty() || type->shape[0] != kBatch;
    if (is_weights && element_count(type->shape) > kCosts.few_weights) return false;
    narrow = narrow || is_narrow(*type);
  }
  return narrow;
}

}  // namespace tarn
