// Which units share a kernel. Sets of units come in an order of computation; each joins a kernel that stands behind all
// that it needs, or opens a new one at the end. So no cycle can arise, and the cost is linear in the number of units.
#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "passes/plan/access.h"
#include "passes/planner/planner.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

enum class Section : std::uint8_t { none, main, tail, reduction };

class Grouper {
 public:
  Grouper(Planning& planning, const Schedule& schedule) : p_(planning), schedule_(schedule) {}

  void group() {
    group_of_.assign(p_.units.size(), kNone);
    section_of_.assign(p_.units.size(), Section::none);
    apart_.assign(p_.units.size(), {});
    for (const std::vector<UnitId>& set : schedule_.sets) {
      if (schedule_.has_guard && guard_ == kNone && !schedule_.before_guard[set.front()]) add_guard();
      place(set);
    }
    if (schedule_.has_guard && guard_ == kNone) add_guard();
    say_why();
  }

 private:
  // The last kernel that a unit needs, and why it is not in that.
  struct Reason {
    std::uint32_t latest = kNone;
    std::string_view why;
  };

  void add_guard() {
    guard_ = static_cast<std::uint32_t>(p_.groups.size());
    p_.groups.emplace_back().is_guard = true;
  }

  void place(const std::vector<UnitId>& set) {
    // The last kernel that the set needs; nothing before it will do.
    std::uint32_t latest = 0;
    bool has_needs = false, stores_state = false;
    for (const UnitId id : set) {
      for (const Dependence& need : schedule_.needs[id]) {
        if (group_of_[need.before] == kNone) continue;
        latest = std::max(latest, group_of_[need.before]);
        has_needs = true;
      }
      for (const Destination& target : p_.units[id].targets) stores_state = stores_state || target.in_state;
    }
    const bool guarded = stores_state && guard_ != kNone;
    if (has_needs) {
      std::string_view why = !p_.options.fuse             ? "fusion is turned off"
                             : guarded && latest < guard_ ? "what changes the state waits for a finite loss"
                                                          : "";
      if (why.empty()) {
        const Section section = section_in(set, latest, why);
        if (section != Section::none) return join(set, latest, section);
      }
      for (const UnitId id : set) apart_[id] = {latest, why};
    }
    const std::uint32_t first = std::max(has_needs ? latest + 1 : 0, guarded ? guard_ + 1 : 0);
    if (p_.options.fuse) {
      const std::vector<std::uint32_t>& alike = alike_[key(p_.units[set.front()].axes)];
      for (std::size_t i = alike.size(); i > 0 && i + kCosts.join_candidates > alike.size(); --i) {
        if (alike[i - 1] < first) break;
        std::string_view why;
        if (!worth_joining(set, alike[i - 1])) continue;
        const Section section = section_in(set, alike[i - 1], why);
        if (section != Section::none && section != Section::tail) return join(set, alike[i - 1], section);
      }
    }
    open(set);
  }

  static std::vector<std::int64_t> key(const std::vector<Extent>& axes) {
    std::vector<std::int64_t> result;
    result.reserve(axes.size());
    for (const Extent& e : axes) result.push_back(e.times_batch ? -e.constant : e.constant);
    return result;
  }

  // Every pair of kernels of which one needs the other, with the reason of a unit that is not in the kernel it needs.
  void say_why() {
    std::vector<Apart>& pairs = p_.apart;
    for (UnitId id = 0; id < p_.units.size(); ++id) {
      if (group_of_[id] == kNone) continue;
      const Reason& own = apart_[id];
      for (const Dependence& need : schedule_.needs[id]) {
        const std::uint32_t before = group_of_[need.before];
        if (before == kNone || before == group_of_[id] || (need.anti && before != own.latest)) continue;
        pairs.push_back({before, group_of_[id], before == own.latest ? own.why : "it needs what comes later as well"});
      }
    }
    const auto key = [](const Apart& pair) { return std::tuple(pair.after, pair.before); };
    std::ranges::stable_sort(pairs, {}, key);
    const auto again = std::ranges::unique(pairs, {}, key);
    pairs.erase(again.begin(), again.end());
  }

  // Kernels that need nothing of each other share one if they are short, read the same memory, or fill one node.
  bool worth_joining(const std::vector<UnitId>& set, std::uint32_t group) const {
    const Group& g = p_.groups[group];
    std::size_t terms = g.terms;
    // What draws random numbers takes long at every point.
    bool is_short = points_of(g.axes, p_.max_batch) <= kCosts.few_points;
    for (const UnitId id : set) {
      terms += p_.units[id].terms;
      is_short = is_short && !p_.units[id].draws;
    }
    if (is_short && terms <= kCosts.most_unrelated_terms) return true;
    // The border before and behind.
    const Unit &first = p_.units[set.front()], &there = p_.units[g.units().front()];
    if (first.fill && there.fill && first.node == there.node) return true;
    for (const UnitId id : set) {
      for (const Read& read : p_.units[id].reads) {
        if (is_single(read.place)) continue;
        for (const UnitId other : g.units()) {
          const auto& reads = p_.units[other].reads;
          if (std::any_of(reads.begin(), reads.end(), [&](const Read& r) { return r.place == read.place; }))
            return true;
        }
      }
    }
    return false;
  }

  // One element: reading it again costs nothing.
  bool is_single(PlaceId place) const {
    const Shape& shape = p_.shape(p_.places[place].node);
    return std::all_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent == 1; });
  }

  // Where in the kernel the set can stand; none, and why it cannot.
  Section section_in(const std::vector<UnitId>& set, std::uint32_t group, std::string_view& why) const {
    const Group& g = p_.groups[group];
    const Unit& first = p_.units[set.front()];
    if (g.is_guard || first.kind == Unit::Kind::contraction) {
      why = "a product begins a kernel of its own";
      return Section::none;
    }
    std::size_t terms = g.terms;
    why = "scattered and delayed stores have kernels of their own";
    for (const UnitId id : set) {
      if (!is_simple(id)) return Section::none;
      terms += p_.units[id].terms;
    }
    for (const UnitId id : g.units()) {
      if (!is_simple(id)) return Section::none;
    }
    why = {};
    if (g.contraction && std::ranges::any_of(set, [&](UnitId id) { return p_.units[id].by_rows; })) {
      why = "a product delivers elements, not rows";
      return Section::none;
    }
    if (terms > kCosts.most_group_terms) {
      why = "the kernel would get too large";
      return Section::none;
    }
    Section section = Section::none;
    if (first.kind == Unit::Kind::reduction) {
      if (g.contraction && !adds_up(first, *g.contraction)) {
        why = "a product delivers elements and, where it has many columns, sums of these over the samples";
        return section;
      }
      if (first.axes == g.axes && (g.reductions.empty() || first.reduced == g.reduced)) {
        section = Section::reduction;
      }
    } else if (first.axes == g.axes && reads_from(set, group, Section::main)) {
      section = Section::main;
    } else if (!g.reductions.empty() && first.axes == kept_axes(g)) {
      section = Section::tail;
    } else if (first.axes == g.axes) {
      section = Section::main;
    }
    if (section == Section::none) {
      why = "their axes differ";
      return section;
    }
    if (!needs_allow(set, group, section, why)) return Section::none;
    if (section == Section::main && g.contraction && !fits_epilogue(set, *g.contraction)) {
      why = "its accesses do not follow the merged axes of the product";
      return Section::none;
    }
    return section;
  }

  bool is_simple(UnitId id) const { return p_.units[id].row_node == kNoNode && p_.units[id].copy_of == kNone; }

  std::vector<Extent> kept_axes(const Group& g) const {
    std::vector<Extent> result;
    for (std::size_t i = 0; i < g.axes.size(); ++i) {
      if (!g.reduced[i]) result.push_back(g.axes[i]);
    }
    return result;
  }

  bool reads_from(const std::vector<UnitId>& set, std::uint32_t group, Section section) const {
    for (const UnitId id : set) {
      for (const Dependence& need : schedule_.needs[id]) {
        if (group_of_[need.before] == group && section_of_[need.before] == section) return true;
      }
    }
    return false;
  }

  // Everything that the set needs of the kernel must be there, at the same point and in the right section.
  bool needs_allow(const std::vector<UnitId>& set, std::uint32_t group, Section section, std::string_view& why) const {
    bool in_tail = false;
    for (const UnitId id : set) {
      for (const Dependence& need : schedule_.needs[id]) {
        if (group_of_[need.before] != group) continue;
        const Section from = section_of_[need.before];
        if (!need.own_point) {
          why =
              need.anti ? "the kernel reads the old value elsewhere" : "it reads other elements than the one just made";
          return false;
        }
        const bool allowed = section == Section::main ? from == Section::main
                             : section == Section::reduction
                                 ? from == Section::main && !need.anti
                                 : from == Section::tail || (from == Section::reduction && !need.anti);
        if (!allowed) {
          why = "the sum is not complete at that point";
          return false;
        }
        in_tail = true;
      }
    }
    return section != Section::tail || in_tail;
  }

  // Sums, over all samples, of what the epilogue of a product has at hand. So many columns are enough for threads to
  // share, which could no longer share the samples.
  bool adds_up(const Unit& sum, UnitId contraction) const {
    const Unit& product = p_.units[contraction];
    const ContractionLayout& layout = *product.layout;
    const bool plain = layout.form == CpuTactics::Form::columns && layout.axes.size() == 2 &&
                       layout.axes[0].size() == 1 && layout.axes[1].size() == 1;
    if (!plain || sum.axes != product.axes || p_.graph[sum.node].op != Op::reduce_sum) return false;
    const std::size_t rows = layout.axes[0].front(), columns = layout.axes[1].front();
    return sum.reduced[rows] && !sum.reduced[columns] && layout.extents[0].times_batch &&
           !layout.extents[1].times_batch && layout.extents[1].constant >= kCosts.shared_columns &&
           p_.graph[sum.node].type.dtype == p_.graph[product.node].type.dtype;
  }

  bool fits_epilogue(const std::vector<UnitId>& set, UnitId contraction) const {
    const ContractionLayout& layout = *p_.units[contraction].layout;
    const bool merged =
        std::any_of(layout.axes.begin(), layout.axes.end(), [](const auto& axes) { return axes.size() > 1; });
    if (!merged) return true;
    for (const UnitId id : set) {
      const Unit& unit = p_.units[id];
      for (const Linear& linear : linears_of(p_, id)) {
        for (const std::vector<std::size_t>& axes : layout.axes) {
          for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
            if (linear.strides[axes[i]] != linear.strides[axes[i + 1]] * unit.axes[axes[i + 1]].constant) return false;
          }
        }
      }
    }
    return true;
  }

  void join(const std::vector<UnitId>& set, std::uint32_t group, Section section) {
    Group& g = p_.groups[group];
    for (const UnitId id : set) {
      group_of_[id] = group;
      section_of_[id] = section;
      g.terms += p_.units[id].terms;
      if (section == Section::main) g.main.push_back(id);
      if (section == Section::tail) g.tail.push_back(id);
      if (section == Section::reduction) {
        g.reductions.push_back(id);
        g.reduced = p_.units[id].reduced;
      }
    }
  }

  void open(const std::vector<UnitId>& set) {
    const auto group = static_cast<std::uint32_t>(p_.groups.size());
    const Unit& first = p_.units[set.front()];
    Group& g = p_.groups.emplace_back();
    g.axes = first.axes;
    g.reduced.assign(g.axes.size(), false);
    if (first.kind == Unit::Kind::contraction) {
      g.contraction = set.front();
      group_of_[set.front()] = group;
      section_of_[set.front()] = Section::main;
      return;
    }
    join(set, group, first.kind == Unit::Kind::reduction ? Section::reduction : Section::main);
    alike_[key(first.axes)].push_back(group);
  }

  Planning& p_;
  const Schedule& schedule_;
  std::uint32_t guard_ = kNone;
  std::vector<std::uint32_t> group_of_;  // by unit
  std::vector<Section> section_of_;      // a contraction stands in main, with its epilogue
  std::vector<Reason> apart_;            // by unit
  std::map<std::vector<std::int64_t>, std::vector<std::uint32_t>> alike_;  // loop kernels by their axes
};

}  // namespace

std::vector<UnitId> Group::units() const {
  std::vector<UnitId> result;
  if (contraction) result.push_back(*contraction);
  result.insert(result.end(), main.begin(), main.end());
  result.insert(result.end(), reductions.begin(), reductions.end());
  result.insert(result.end(), tail.begin(), tail.end());
  return result;
}

void group_units(Planning& planning, const Schedule& schedule) { Grouper(planning, schedule).group(); }

}  // namespace tarn
