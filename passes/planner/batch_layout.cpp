// Which temporaries of small layers lie with the batch innermost.
//
// Where a layer has fewer units than a vector has lanes, a row of [N, units] fills no vector, and a sum over the units
// has to add lanes up. With the samples side by side every vector is full, whatever the units, and all the weights are
// single numbers to it.
#include <algorithm>

#include "ir/type_rules.h"
#include "passes/planner/planner.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

class BatchLayout {
 public:
  BatchLayout(Planning& planning, const SmallLayers& small) : p_(planning), small_(small) {}

  void run() {
    copy_inputs();
    for (Place& place : p_.places) {
      if (p_.plan.buffers[place.buffer].space != Space::arena || !is_narrow(place)) continue;
      place.strides = {1, p_.max_batch};
      p_.plan.buffers[place.buffer].strides = place.strides;
    }
    for (Unit& unit : p_.units) {
      for (Destination& target : unit.targets) {
        if (target.place == kNone) continue;
        const Place& place = p_.places[target.place];
        if (place.node == unit.node) target.strides = place.strides;
      }
    }
  }

 private:
  // Inputs come with one sample behind the other.
  void copy_inputs() {
    const std::size_t count = p_.places.size();
    for (PlaceId id = 0; id < count; ++id) {
      const Place given = p_.places[id];
      if (p_.plan.buffers[given.buffer].space != Space::input || !is_narrow(given)) continue;
      const BufferId buffer = p_.add_arena_buffer(given.node, "samples of " + p_.plan.buffers[given.buffer].name);
      p_.places[id].buffer = buffer;
      const auto source = static_cast<PlaceId>(p_.places.size());
      p_.places.push_back(given);
      p_.add_copy(source, {buffer, given.strides, 0, id, kNone, false, false});
    }
  }

  bool is_narrow(const Place& place) const {
    const Node& node = p_.graph[place.node];
    return !place.read_flat && info(node.op).op_class != OpClass::assembly && small_.is_narrow(node.type) &&
           place.offset == 0 && p_.plan.buffers[place.buffer].shape == node.type.shape;
  }

  Planning& p_;
  const SmallLayers& small_;
};

}  // namespace

SmallLayers::SmallLayers(const Graph& graph, const Program& program, const PlanOptions& options)
    : vector_bytes_(options.target.vector_bytes), max_batch_(program.settings.batch) {
  // Prediction is asked for one sample as often as for many.
  has_any_ = std::any_of(graph.results().begin(), graph.results().end(),
                         [](const GraphResult& result) { return result.kind == ResultKind::store; });
  bool has_product = false;
  const std::vector<bool> reachable = graph.reachable();
  for (NodeId id = 0; id < graph.size() && has_any_; ++id) {
    if (!reachable[id] || graph[id].op != Op::contract) continue;
    has_product = true;
    has_any_ = is_small(graph, graph[id]);
  }
  has_any_ = has_any_ && has_product;
}

bool SmallLayers::is_narrow(const Type& type) const {
  if (!has_any_ || type.shape.size() != 2 || type.shape[0] != kBatch) return false;
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

void lay_batches_innermost(Planning& planning, const SmallLayers& small) { BatchLayout(planning, small).run(); }

}  // namespace tarn
