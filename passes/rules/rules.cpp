// The engine that applies rewrite rules, and the maker of their examples. See rules.h.
#include "passes/rules/rules.h"

#include <algorithm>
#include <array>

#include "passes/rebuild.h"

namespace tarn {

namespace {

// A rule that fits its own result would fire forever; far more firings at one node than any chain of rows needs.
constexpr int kMaxFiringsAtNode = 100;

class Engine {
 public:
  Engine(const std::vector<const Rule*>& rules, RuleHits& hits) : by_root_(all_operations().size()), hits_(hits) {
    for (const Rule* rule : rules) {
      for (const Op root : rule->roots) by_root_[static_cast<std::size_t>(root)].push_back(rule);
    }
  }

  // One pass over the graph, operands first. Sets `changed` where a rule fired.
  Graph round(const Graph& graph, bool& changed) {
    Graph result(graph.locations());
    Builder builder(result);
    RewriteSite site(builder);
    NodeMap map(graph.size(), kNoNode);
    const std::vector<bool> needed = graph.reachable();
    const std::vector<std::uint32_t> uses = graph.use_counts();
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (!needed[id]) continue;
      builder.set_location(graph[id].location);
      const NodeId copy = copy_node(result, graph[id], map);
      map[id] = rewrite_node(site, copy, changed);
      site.add_uses(map[id], uses[id]);
      // The copy counts too: rules that ask for a single use look at the node they are about to replace.
      if (map[id] != copy) site.add_uses(copy, uses[id]);
    }
    copy_results(graph, result, map);
    return result;
  }

 private:
  // Rules that undo each other end where they began: then nothing has changed.
  NodeId rewrite_node(RewriteSite& site, NodeId id, bool& changed) {
    const NodeId before = id;
    for (int firings = 0; firings < kMaxFiringsAtNode; ++firings) {
      const NodeId replacement = first_fit(site, id);
      if (replacement == kNoNode) break;
      id = replacement;
    }
    changed = changed || id != before;
    return id;
  }

  NodeId first_fit(RewriteSite& site, NodeId id) {
    const Type type = site.builder().type(id);
    for (const Rule* rule : by_root_[static_cast<std::size_t>(site.builder().node(id).op)]) {
      const NodeId replacement = rule->apply(site, id);
      if (replacement == kNoNode || replacement == id) continue;
      TARN_CHECK(site.builder().type(replacement) == type, "rule " + rule->name + " changes a type");
      ++hits_[rule->name];
      return replacement;
    }
    return kNoNode;
  }

  std::vector<std::vector<const Rule*>> by_root_;
  RuleHits& hits_;
};

}  // namespace

void RewriteSite::add_uses(NodeId id, std::uint32_t count) {
  if (id >= uses_.size()) uses_.resize(std::max<std::size_t>(id + 1, uses_.size() * 2));
  uses_[id] += count;
}

NodeId ExampleMaker::variable(const Shape& shape, DType dtype) {
  const std::string name = "v" + std::to_string(variables_++);
  return builder_.source(Op::input, {dtype, false, shape}, {{Key::name, name}});
}

Shape ExampleMaker::shape(std::size_t least_rank) {
  const std::size_t rank = least_rank + static_cast<std::size_t>(below(4 - static_cast<std::int64_t>(least_rank)));
  Shape result;
  for (std::size_t i = 0; i < rank; ++i) result.push_back(1 + below(4));
  if (rank > 0 && below(3) == 0) result.front() = kBatch;
  return result;
}

std::int64_t ExampleMaker::below(std::int64_t count) {
  return std::uniform_int_distribution<std::int64_t>(0, count - 1)(random_);
}

std::vector<std::int64_t> ExampleMaker::some_axes(std::size_t rank) {
  std::vector<std::int64_t> axes;
  for (const std::int64_t axis : all_axes(rank)) {
    if (below(2) == 0) axes.push_back(axis);
  }
  return axes;
}

std::vector<std::int64_t> ExampleMaker::order(const Shape& shape) {
  std::vector<std::int64_t> axes = all_axes(shape.size());
  std::shuffle(axes.begin() + (has_batch(shape) ? 1 : 0), axes.end(), random_);
  return axes;
}

Graph rewrite(const Graph& graph, const std::vector<const Rule*>& rules, RuleHits& hits) {
  Engine engine(rules, hits);
  bool changed = false;
  Graph result = engine.round(graph, changed);
  for (int rounds = 1; changed && rounds < kMaxRounds; ++rounds) {
    changed = false;
    result = engine.round(result, changed);
  }
  return changed ? without_dead_nodes(result) : result;
}

std::vector<const Rule*> select_rules(std::initializer_list<std::span<const Rule>> tables,
                                      bool allow_changes_of_rounding) {
  std::vector<const Rule*> rules;
  for (const std::span<const Rule> table : tables) {
    for (const Rule& rule : table) {
      if (allow_changes_of_rounding || !rule.changes_rounding) rules.push_back(&rule);
    }
  }
  return rules;
}

}  // namespace tarn
