// What comes before what: reads after writes, writes to the state after reads of the old value, and the guard.
#include "passes/planner/planner.h"

#include <algorithm>
#include <queue>
#include <set>

#include "passes/plan/access.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

using UnitSet = std::vector<UnitId>;

class Scheduler {
 public:
  explicit Scheduler(Planning& planning) : p_(planning) {}

  Schedule make() {
    while (true) {
      find_dependences();
      find_guarded();
      if (!make_way_for_stores()) break;
    }
    lay_out_contractions(p_);
    find_dependences();
    find_guarded();
    find_cycles();
    order();
    return std::move(schedule_);
  }

 private:
  void depend(UnitId before, UnitId after, bool own_point, bool anti) {
    if (before == after) return;
    for (Dependence& known : schedule_.needs[after]) {
      if (known.before != before || known.anti != anti) continue;
      known.own_point = known.own_point && own_point;
      return;
    }
    schedule_.needs[after].push_back({before, after, own_point, anti});
  }

  void find_dependences() {
    schedule_.needs.assign(p_.units.size(), {});
    writers_.assign(p_.places.size(), {});
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      if (p_.units[id].dropped) continue;
      for (const Destination& target : p_.units[id].targets) {
        if (target.place != kNone) writers_[target.place].push_back(id);
        if (target.whole != kNone) writers_[target.whole].push_back(id);
      }
    }
    // Readers of the old value of a tensor, by its buffer.
    std::map<BufferId, std::vector<std::pair<UnitId, bool>>> old_readers;
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      const Unit& unit = p_.units[id];
      if (unit.dropped) continue;
      if (unit.after) depend(*unit.after, id, false, false);
      for (const Read& read : unit.reads) {
        const Place& place = p_.places[read.place];
        for (const UnitId writer : writers_[read.place]) {
          const Unit& w = p_.units[writer];
          const bool own = read.own_point && writers_[read.place].size() == 1 && w.defines && w.node == place.node;
          depend(writer, id, own, false);
        }
        if (p_.graph[place.node].op == Op::tensor && writers_[read.place].empty()) {
          old_readers[place.buffer].push_back({id, read.own_point && unit.kind == Unit::Kind::loop});
        }
      }
      const auto step = p_.tensor_buffers.find("step");
      if (unit.draws && step != p_.tensor_buffers.end()) old_readers[step->second].push_back({id, false});
    }
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      for (const Destination& target : p_.units[id].targets) {
        if (!target.in_state || p_.units[id].dropped) continue;
        for (const auto& [reader, own] : old_readers[target.buffer]) depend(reader, id, own, true);
      }
    }
    reads_itself_.assign(p_.units.size(), false);
    for (const auto& [buffer, readers] : old_readers) {
      for (const auto& [reader, own] : readers) {
        for (const Destination& target : p_.units[reader].targets) {
          if (target.in_state && target.buffer == buffer && !own) reads_itself_[reader] = true;
        }
      }
    }
  }

  void find_guarded() {
    schedule_.before_guard.assign(p_.units.size(), false);
    bool stores_state = false;
    for (const PlanResult& result : p_.plan.results) {
      stores_state =
          stores_state || (result.kind == ResultKind::store && p_.plan.buffers[result.buffer].space == Space::state);
    }
    schedule_.has_guard = stores_state && p_.loss_buffer != kNone;
    if (!schedule_.has_guard) return;
    std::vector<UnitId> left;
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      for (const Destination& target : p_.units[id].targets) {
        if (target.buffer == p_.loss_buffer && !p_.units[id].dropped) left.push_back(id);
      }
    }
    while (!left.empty()) {
      const UnitId id = left.back();
      left.pop_back();
      if (schedule_.before_guard[id]) continue;
      schedule_.before_guard[id] = true;
      for (const Dependence& need : schedule_.needs[id]) left.push_back(need.before);
    }
  }

  // Units whose stores to the state come too early store to the arena, and a copy follows. Whether there were any.
  bool make_way_for_stores() {
    std::set<UnitId> early;
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      if (!p_.units[id].dropped && (schedule_.before_guard[id] || reads_itself_[id])) early.insert(id);
    }
    find_cycles();
    for (const UnitSet& set : schedule_.sets) {
      if (set.size() > 1 && !can_share_kernel(set)) early.insert(set.begin(), set.end());
    }
    bool changed = false;
    for (const UnitId id : early) {
      while (store_later(id)) changed = true;
    }
    return changed;
  }

  // Moves one store of the unit to a copy of its own.
  bool store_later(UnitId id) {
    auto& targets = p_.units[id].targets;
    const auto found = std::find_if(targets.begin(), targets.end(), [](const Destination& t) { return t.in_state; });
    if (found == targets.end()) return false;
    Destination later = *found;
    const NodeId node = p_.units[id].node;
    PlaceId place = later.place;
    if (place == kNone) place = temporary_place(id, node);
    if (later.place != kNone) {
      found->buffer = p_.add_arena_buffer(node, p_.plan.buffers[later.buffer].name + " (new)");
      found->in_state = found->is_result = false;
      p_.places[place].buffer = found->buffer;
    } else {
      targets.erase(std::find_if(targets.begin(), targets.end(), [](const Destination& t) { return t.in_state; }));
    }
    later.place = kNone;
    p_.add_copy(place, std::move(later));
    return true;
  }

  // The place of the unit's value; one of its own if the unit copies or computes a node on the side.
  PlaceId temporary_place(UnitId id, NodeId node) {
    if (p_.units[id].defines) return p_.place(node);
    for (const Destination& target : p_.units[id].targets) {
      if (target.place != kNone) return target.place;
    }
    const BufferId buffer = p_.add_arena_buffer(node, "new value");
    const auto place = static_cast<PlaceId>(p_.places.size());
    const std::vector<std::int64_t> strides = row_major_strides(p_.shape(node));
    p_.places.push_back({node, buffer, strides, 0, false});
    p_.units[id].targets.push_back({buffer, strides, 0, place, kNone, false, false});
    return place;
  }

  bool can_share_kernel(const UnitSet& set) const {
    const std::set<UnitId> members(set.begin(), set.end());
    for (const UnitId id : set) {
      const Unit& unit = p_.units[id];
      if (unit.kind != Unit::Kind::loop || unit.row_node != kNoNode || unit.copy_of != kNone) return false;
      if (unit.axes != p_.units[set.front()].axes || !p_.options.fuse) return false;
      for (const Dependence& need : schedule_.needs[id]) {
        if (members.contains(need.before) && !need.own_point) return false;
      }
    }
    return true;
  }

  // Strongly connected components (Tarjan, with the recursion written out): what must share a kernel because it depends
  // on each other. They come in topological order.
  void find_cycles() {
    const std::size_t count = p_.units.size();
    schedule_.sets.clear();
    std::vector<std::uint32_t> number(count, kNone), low(count, 0);
    std::vector<bool> on_stack(count, false);
    std::vector<UnitId> stack;
    std::uint32_t next = 0;
    struct Frame {
      UnitId unit;
      std::size_t edge;
    };
    for (UnitId start = 0; start < count; ++start) {
      if (number[start] != kNone || p_.units[start].dropped) continue;
      std::vector<Frame> frames{{start, 0}};
      while (!frames.empty()) {
        auto& [id, edge] = frames.back();
        if (edge == 0 && number[id] == kNone) {
          number[id] = low[id] = next++;
          stack.push_back(id);
          on_stack[id] = true;
        }
        if (edge < schedule_.needs[id].size()) {
          const UnitId before = schedule_.needs[id][edge++].before;
          if (number[before] == kNone) {
            frames.push_back({before, 0});
          } else if (on_stack[before]) {
            low[id] = std::min(low[id], number[before]);
          }
          continue;
        }
        const UnitId done = id;
        frames.pop_back();
        if (!frames.empty()) low[frames.back().unit] = std::min(low[frames.back().unit], low[done]);
        if (low[done] == number[done]) add_set(done, stack, on_stack);
      }
    }
  }

  void add_set(UnitId root, std::vector<UnitId>& stack, std::vector<bool>& on_stack) {
    UnitSet set;
    while (set.empty() || set.back() != root) {
      set.push_back(stack.back());
      on_stack[stack.back()] = false;
      stack.pop_back();
    }
    std::sort(set.begin(), set.end());
    schedule_.sets.push_back(std::move(set));
  }

  // What is short and depends on nothing but the state, which it leaves as it is. `sets` are in topological order.
  std::vector<bool> sets_without_data(const std::vector<UnitSet>& sets) const {
    std::vector<bool> early(sets.size()), unit_is_early(p_.units.size());
    for (std::size_t s = 0; s < sets.size(); ++s) {
      early[s] = std::ranges::all_of(sets[s], [&](UnitId id) {
        const Unit& unit = p_.units[id];
        const bool needs_early = std::ranges::all_of(
            schedule_.needs[id], [&](const Dependence& need) { return unit_is_early[need.before]; });
        const bool reads_data = std::ranges::any_of(
            unit.reads, [&](const Read& read) { return p_.graph[p_.places[read.place].node].op == Op::input; });
        const bool stores_state =
            std::ranges::any_of(unit.targets, [](const Destination& target) { return target.in_state; });
        const bool is_short = points_of(unit.axes, p_.max_batch) <= kCosts.few_points;
        return needs_early && !reads_data && !stores_state && !unit.draws && is_short;
      });
      for (const UnitId id : sets[s]) unit_is_early[id] = early[s];
    }
    return early;
  }

  // The sets by need: what the loss needs first; scalars as soon as can be, since everything may wait for them, and
  // what is short and needs no data, so that what follows a product can stand in its kernel; then what has the longest
  // way to go behind it.
  void order() {
    const std::vector<UnitSet> sets = std::move(schedule_.sets);
    const std::size_t count = sets.size();
    std::vector<std::size_t> set_of(p_.units.size(), 0);
    for (std::size_t s = 0; s < count; ++s) {
      for (const UnitId id : sets[s]) set_of[id] = s;
    }
    std::vector<std::vector<std::size_t>> users(count);
    std::vector<std::size_t> waits(count, 0);
    for (std::size_t s = 0; s < count; ++s) {
      std::set<std::size_t> needs;
      for (const UnitId id : sets[s]) {
        for (const Dependence& need : schedule_.needs[id]) needs.insert(set_of[need.before]);
      }
      needs.erase(s);
      waits[s] = needs.size();
      for (const std::size_t need : needs) users[need].push_back(s);
    }
    std::vector<std::size_t> height(count, 0);
    for (std::size_t s = count; s-- > 0;) {
      for (const std::size_t user : users[s]) height[s] = std::max(height[s], height[user] + 1);
    }
    const std::vector<bool> early = sets_without_data(sets);
    const auto key = [&](std::size_t s) {
      const Unit& first = p_.units[sets[s].front()];
      const bool late = schedule_.has_guard && !schedule_.before_guard[sets[s].front()];
      return std::tuple(late, !first.axes.empty() && !early[s], ~height[s], s);
    };
    std::set<decltype(key(0))> ready;
    for (std::size_t s = 0; s < count; ++s) {
      if (waits[s] == 0) ready.insert(key(s));
    }
    while (!ready.empty()) {
      const std::size_t s = std::get<3>(*ready.begin());
      ready.erase(ready.begin());
      schedule_.sets.push_back(sets[s]);
      for (const std::size_t user : users[s]) {
        if (--waits[user] == 0) ready.insert(key(user));
      }
    }
    TARN_CHECK(schedule_.sets.size() == count, "the units of a plan wait for each other");
  }

  Planning& p_;
  Schedule schedule_;
  std::vector<std::vector<UnitId>> writers_;  // by place
  std::vector<bool> reads_itself_;            // by unit: reads, elsewhere, the tensor that it stores
};

}  // namespace

Schedule make_schedule(Planning& planning) { return Scheduler(planning).make(); }

}  // namespace tarn
