// Which temporaries of small layers lie with the batch innermost; small_layers.h says why.
#include "passes/planner/planner.h"
#include "passes/planner/small_layers.h"

namespace tarn {
namespace {

class BatchLayout {
 public:
  explicit BatchLayout(Planning& planning) : p_(planning), small_(planning.options.target, planning.max_batch) {}

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
  SmallLayers small_;
};

}  // namespace

void lay_batches_innermost(Planning& planning) {
  if (planning.options.has_small_layers) BatchLayout(planning).run();
}

}  // namespace tarn
