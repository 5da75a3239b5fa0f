// See materialize.h.
#include "passes/planner/materialize.h"

#include <algorithm>

#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

constexpr NodeId kMany = kNoNode - 1;

class Chooser {
 public:
  Chooser(const Graph& graph, const PlanOptions& options, std::int64_t max_batch)
      : graph_(graph), options_(options), max_batch_(max_batch), leaves_{graph, std::vector<bool>(graph.size())} {}

  Leaves choose() {
    find_borders();
    weigh();
    force();
    const std::vector<bool> reachable = graph_.reachable();
    for (NodeId id = graph_.size(); id-- > 0;) {
      if (!reachable[id]) continue;
      if (wants_memory(id)) leaves_.materialized[id] = true;
      const NodeId owner = leaves_.materialized[id] ? id : owner_[id];
      for (const NodeId input : graph_[id].inputs) {
        owner_[input] = owner_[input] == kNoNode || owner_[input] == owner ? owner : kMany;
      }
    }
    // What cannot be reached is materialized in turn; it has smaller ids than what reads it.
    for (NodeId id = graph_.size(); id-- > 0;) {
      if (reachable[id] && leaves_.materialized[id]) reach_operands(id);
    }
    return std::move(leaves_);
  }

 private:
  // Whose border is read where the value is used: a bounded load costs less than a copy with the border around it.
  // There must be elements in memory then, or what computes them; a few numbers that are the same everywhere are not
  // worth that. In prediction products have places as rows, for which bounds differ: there, what is padded for windows
  // has the border in memory.
  void find_borders() {
    has_border_.assign(graph_.size(), false);
    const std::vector<bool> of_windows = padded_for_windows();
    for (NodeId id = 0; id < graph_.size() && options_.fuse; ++id) {
      const OpInfo& row = info(graph_[id].op);
      if (row.view_rule == nullptr || row.op_class != OpClass::assembly) continue;
      const NodeId from = origin(graph_[id].inputs[0]);
      const Op op = graph_[from].op;
      const bool is_source = info(op).op_class == OpClass::source && !leaves_.is_source(from);
      has_border_[id] = !is_source && !of_windows[id] && element_count(with_batch(graph_[from].type.shape, 1)) > 0;
    }
  }

  // Of graphs that store nothing: what only windows of products read.
  std::vector<bool> padded_for_windows() const {
    std::vector<bool> is_padded(graph_.size(), false);
    if (std::ranges::any_of(graph_.results(), [](const GraphResult& r) { return r.kind == ResultKind::store; })) {
      return is_padded;
    }
    std::vector<std::uint32_t> in_products(graph_.size(), 0), in_windows(graph_.size(), 0);
    const std::vector<std::uint32_t> uses = graph_.use_counts();
    for (NodeId id = 0; id < graph_.size(); ++id) {
      for (const NodeId input : graph_[id].inputs) in_products[input] += graph_[id].op == Op::contract ? 1U : 0U;
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& node = graph_[id];
      if (node.op == Op::windows && in_products[id] == uses[id]) ++in_windows[node.inputs[0]];
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      is_padded[id] = graph_[id].op == Op::pad && uses[id] > 0 && in_windows[id] == uses[id];
    }
    return is_padded;
  }

  // From the sources up: cost of computing an element, and whether it continues the result of one kernel alone.
  void weigh() {
    uses_ = graph_.use_counts();
    cost_.assign(graph_.size(), 0);
    continues_.assign(graph_.size(), false);
    owner_.assign(graph_.size(), kNoNode);
    forced_.assign(graph_.size(), false);
    is_of_batch_.assign(graph_.size(), false);
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& node = graph_[id];
      const OpClass op_class = info(node.op).op_class;
      if (op_class == OpClass::contraction || (op_class == OpClass::reduction && !reduces_nothing(graph_, id)) ||
          (op_class == OpClass::assembly && !has_border_[id])) {
        continue;
      }
      cost_[id] = info(node.op).cost;
      is_of_batch_[id] = node.op == Op::batch_size || node.op == Op::constant || op_class == OpClass::elementwise;
      for (const NodeId input : node.inputs) {
        cost_[id] = std::min(cost_[id] + cost_[input], 1000);
        is_of_batch_[id] = is_of_batch_[id] && is_of_batch_[input];
        const OpClass input_class = info(graph_[input].op).op_class;
        const bool heavy = input_class == OpClass::contraction || input_class == OpClass::reduction;
        if (op_class == OpClass::elementwise && uses_[input] == 1 && (heavy || continues_[input])) {
          continues_[id] = true;
        }
      }
    }
  }

  // Below views, the node whose value `id` shows.
  NodeId origin(NodeId id) const {
    while (!graph_[id].inputs.empty() &&
           (info(graph_[id].op).op_class == OpClass::view || has_border_[id] || graph_[id].op == Op::stop_gradient)) {
      id = graph_[id].inputs[0];
    }
    return id;
  }

  void force() {
    for (const GraphResult& result : graph_.results()) forced_[result.node] = true;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const Node& node = graph_[id];
      if (node.op == Op::contract) {
        for (const NodeId input : node.inputs) forced_[origin(input)] = true;
      } else if (node.op == Op::gather) {
        forced_[origin(node.inputs[0])] = true;
      } else if (has_border_[id] && !is_cheap(origin(id))) {
        forced_[origin(id)] = true;
      } else if (node.op == Op::broadcast && repeats(node) && cost_[node.inputs[0]] > 0 &&
                 !is_of_batch_[node.inputs[0]]) {
        forced_[origin(node.inputs[0])] = true;
      }
    }
  }

  // Computed again rather than loaded, within an edge as anywhere.
  bool is_cheap(NodeId id) const {
    return info(graph_[id].op).op_class == OpClass::elementwise && cost_[id] < kCosts.load_from_cache;
  }

  bool repeats(const Node& node) const {
    return element_count(with_batch(node.type.shape, 2)) >
           element_count(with_batch(graph_[node.inputs[0]].type.shape, 2));
  }

  bool wants_memory(NodeId id) const {
    const Node& node = graph_[id];
    if (leaves_.is_source(id)) return false;
    const OpClass op_class = info(node.op).op_class;
    const bool free = node.op == Op::constant || node.op == Op::batch_size;
    if (forced_[id] || op_class == OpClass::contraction) return true;
    if (op_class == OpClass::assembly) return !has_border_[id];
    if (op_class == OpClass::reduction) return !reduces_nothing(graph_, id) || !options_.fuse;
    if (!options_.fuse) return !free;
    if (owner_[id] != kMany) return false;
    return op_class == OpClass::draw ||
           (op_class == OpClass::elementwise && (cost_[id] >= kCosts.load_from_cache || continues_[id]));
  }

  void need(NodeId id) { leaves_.materialized[id] = true; }

  void need_view(NodeId id) {
    View view = view_of(id, leaves_, max_batch_);
    if (!view.is_view) need(view.leaf.node);
  }

  void reach_operands(NodeId id) {
    const Node& node = graph_[id];
    if (node.op == Op::contract) {
      for (const NodeId input : node.inputs) need_view(input);
      return;
    }
    if (info(node.op).op_class == OpClass::assembly) {
      for (const NodeId input : node.inputs) reach(input, false);
      return;
    }
    if (info(node.op).op_class == OpClass::reduction && !reduces_nothing(graph_, id))
      return reach(node.inputs[0], false);
    reach(id, true);
  }

  void reach(NodeId id, bool defines) {
    const Shape& shape = graph_[id].type.shape;
    Expression expression(leaves_, {axes_of(shape), max_batch_});
    if (defines) expression.define(id);
    expression.limit_terms(kCosts.most_terms);
    static_cast<void>(expression.demand({id, false, own_point(shape)}));
    expression.resolve();
    for (const NodeId missing : expression.missing()) need(missing);
  }

  const Graph& graph_;
  const PlanOptions& options_;
  std::int64_t max_batch_;
  Leaves leaves_;
  std::vector<std::uint32_t> uses_;
  std::vector<int> cost_;
  std::vector<bool> continues_, forced_, has_border_;
  // Depends on nothing but N: a kernel computes it before its loops.
  std::vector<bool> is_of_batch_;
  // The one materialized node whose kernel uses a node; kMany.
  std::vector<NodeId> owner_;
};

}  // namespace

Leaves choose_leaves(const Graph& graph, const PlanOptions& options, std::int64_t max_batch) {
  return Chooser(graph, options, max_batch).choose();
}

}  // namespace tarn
