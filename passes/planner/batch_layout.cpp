// How the samples of temporaries lie. Those of small layers with the batch innermost; small_layers.h says why. Those
// that products read through windows, and that are a power of two or nearly that long, a little apart: tiles go over
// the same place of several samples, which would share one place in each cache.
#include <map>

#include "passes/planner/planner.h"
#include "passes/planner/small_layers.h"
#include "passes/tactics/cost_model.h"

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

class SamplesApart {
 public:
  explicit SamplesApart(Planning& planning) : p_(planning) {}

  void run() {
    for (const Unit& unit : p_.units) {
      if (unit.kind == Unit::Kind::contraction) find_windows(unit);
    }
    for (const Place& place : p_.places) {
      if (place.read_flat || !has_batch(p_.shape(place.node))) apart_.erase(place.buffer);
    }
    for (const auto& [buffer, stride] : apart_) p_.plan.buffers[buffer].strides[0] = stride;
    for (Place& place : p_.places) move(place.buffer, place.strides);
    for (Unit& unit : p_.units) {
      for (Destination& target : unit.targets) move(target.buffer, target.strides);
    }
  }

 private:
  void find_windows(const Unit& unit) {
    for (NodeId input : p_.graph[unit.node].inputs) {
      bool has_windows = false;
      while (!p_.leaves.contains(input)) {
        has_windows = has_windows || p_.graph[input].op == Op::windows;
        input = p_.graph[input].inputs[0];
      }
      const Buffer& buffer = p_.plan.buffers[p_.places[p_.place(input)].buffer];
      if (!has_windows || buffer.space != Space::arena || !has_batch(buffer.shape)) continue;
      const auto size = static_cast<std::int64_t>(size_of(buffer.dtype));
      const std::int64_t stride = buffer.strides[0];
      if (p_.max_batch == 1 || stride * size % kCosts.far_apart != 0) continue;
      apart_[p_.places[p_.place(input)].buffer] = stride + kCosts.samples_apart / size;
    }
  }

  void move(BufferId buffer, std::vector<std::int64_t>& strides) const {
    const auto found = apart_.find(buffer);
    if (found != apart_.end()) strides[0] = found->second;
  }

  Planning& p_;
  std::map<BufferId, std::int64_t> apart_;
};

}  // namespace

void lay_samples_apart(Planning& planning) { SamplesApart(planning).run(); }

void lay_batches_innermost(Planning& planning) {
  if (planning.options.has_small_layers) BatchLayout(planning).run();
}

}  // namespace tarn
