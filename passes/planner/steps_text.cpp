// See steps_text.h.
#include "passes/planner/steps_text.h"

#include <fmt/format.h>

#include "ir/counted.h"
#include "ir/joined.h"
#include "ir/text_parts.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

using Parts = std::vector<std::string>;

class StepsText {
 public:
  explicit StepsText(const Planning& planning) : p_(planning) {}

  std::string units() const {
    std::string text;
    for (UnitId id = 0; id < p_.units.size(); ++id) text += fmt::format("{}: {}", name(id), unit(p_.units[id]));
    return text;
  }

  std::string schedule(const Schedule& schedule) const {
    std::string text;
    for (std::size_t set = 0; set < schedule.sets.size(); ++set) {
      const std::vector<UnitId>& members = schedule.sets[set];
      const bool first = schedule.has_guard && schedule.before_guard[members.front()];
      text += fmt::format("set {}: {}{}\n", set, names(members), first ? "; the loss needs it" : "");
      for (const UnitId id : members) {
        for (const Dependence& need : schedule.needs[id]) text += fmt::format("  {}\n", dependence(need));
      }
    }
    return text;
  }

  std::string groups() const {
    std::string text;
    for (std::size_t i = 0; i < p_.groups.size(); ++i) text += fmt::format("group {}: {}\n", i, group(p_.groups[i]));
    for (const auto& [before, after, why] : p_.apart) {
      text += fmt::format("group {} is not fused with group {}: {}\n", after, before, why);
    }
    return text;
  }

 private:
  static std::string name(UnitId id) { return fmt::format("unit {}", id); }

  static std::string names(const std::vector<UnitId>& units) {
    Parts parts;
    for (const UnitId id : units) parts.push_back(name(id));
    return joined(parts, ", ");
  }

  static std::string extents(const std::vector<Extent>& axes) {
    Parts parts;
    for (const Extent& axis : axes) {
      const bool counts = axis.constant != 1 || !axis.times_batch;
      parts.push_back((counts ? fmt::format("{}", axis.constant) : "") + (axis.times_batch ? "N" : ""));
    }
    return "[" + joined(parts, ", ") + "]";
  }

  // "for [N] over [4]": in the words of plans, what is reduced stands behind `over`.
  static std::string loops(const std::vector<Extent>& axes, const std::vector<bool>& reduced) {
    std::vector<Extent> kept, summed;
    for (std::size_t i = 0; i < axes.size(); ++i) (reduced[i] ? summed : kept).push_back(axes[i]);
    return "for " + extents(kept) + (summed.empty() ? "" : " over " + extents(summed));
  }

  std::string buffer(BufferId id) const { return quoted(p_.plan.buffers[id].name); }
  std::string place(PlaceId id) const { return buffer(p_.places[id].buffer); }
  std::string node(NodeId id) const { return fmt::format("%{} {}", id, name_of(p_.graph[id].op)); }

  std::string work(const Unit& unit) const {
    if (unit.fill) return fmt::format("fills {} with {}", node(unit.node), *unit.fill);
    if (unit.copy_of != kNone) return "copies " + place(unit.copy_of);
    if (!unit.defines) return "moves " + node(unit.node);
    switch (unit.kind) {
      case Unit::Kind::loop:
        return "computes " + node(unit.node) + (unit.by_rows ? " by rows" : "");
      case Unit::Kind::reduction:
        return "reduces to " + node(unit.node);
      case Unit::Kind::contraction:
        return "sums products to " + node(unit.node);
    }
    return "";
  }

  std::string layout(const ContractionLayout& layout) const {
    const std::size_t batches = layout.extents.size() - 2;
    const std::vector<Extent> batch(layout.extents.begin(), layout.extents.end() - 2);
    std::string text = batches == 0 ? "" : "batch " + extents(batch) + ", ";
    text += fmt::format("rows {}, columns {}, inner {}", extents({layout.extents[batches]}),
                        extents({layout.extents[batches + 1]}), extents(layout.inner));
    return text + fmt::format(" of {} and {}, vectors along {}", place(layout.a), place(layout.b),
                              layout.form == CpuTactics::Form::columns ? "columns" : "inner");
  }

  std::string reads(const Unit& unit) const {
    Parts parts;
    for (const auto& [from, own_point] : unit.reads) parts.push_back(place(from) + same_iteration(own_point));
    return parts.empty() ? "" : "  reads " + joined(parts, ", ") + "\n";
  }
  static std::string same_iteration(bool own_point) { return own_point ? " at the same iteration" : ""; }

  std::string stores(const Unit& unit) const {
    Parts parts;
    for (const Destination& target : unit.targets) {
      const Space space = p_.plan.buffers[target.buffer].space;
      std::string text = fmt::format("{} in {}", buffer(target.buffer), plan_words::name_of(space));
      if (target.is_result) text += " as a result";
      if (target.whole != kNone) text += " as a part";
      parts.push_back(std::move(text));
    }
    return parts.empty() ? "" : "  stores " + joined(parts, ", ") + "\n";
  }

  std::string unit(const Unit& unit) const {
    if (unit.dropped) return "nothing any more\n";
    std::string text = work(unit) + " " + loops(unit.axes, unit.reduced);
    if (unit.terms > 0) text += ", " + counted(unit.terms, "term");
    if (unit.draws) text += ", draws";
    if (unit.row_node != kNoNode) text += ", added at rows " + node(unit.row_node);
    if (unit.after) text += ", behind " + name(*unit.after);
    text += "\n";
    if (unit.layout) text += "  " + layout(*unit.layout) + "\n";
    return text + reads(unit) + stores(unit);
  }

  static std::string dependence(const Dependence& need) {
    const std::string text = need.anti ? fmt::format("{} overwrites what {} reads", name(need.after), name(need.before))
                                       : fmt::format("{} needs {}", name(need.after), name(need.before));
    return text + same_iteration(need.own_point);
  }

  std::string group(const Group& group) const {
    if (group.is_guard) return "the guard";
    std::string text = loops(group.axes, group.reduced);
    if (group.contraction) text += "; product " + name(*group.contraction);
    if (!group.main.empty()) text += "; body " + names(group.main);
    if (!group.reductions.empty()) text += "; reductions " + names(group.reductions);
    if (!group.tail.empty()) text += "; behind them " + names(group.tail);
    return text + "; " + counted(group.terms, "term");
  }

  const Planning& p_;
};

}  // namespace

std::string units_text(const Planning& planning) { return StepsText(planning).units(); }

std::string schedule_text(const Planning& planning, const Schedule& schedule) {
  return StepsText(planning).units() + StepsText(planning).schedule(schedule);
}

std::string groups_text(const Planning& planning) { return StepsText(planning).groups(); }

}  // namespace tarn
