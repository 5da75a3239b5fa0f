// Reverse-mode differentiation as graph to graph. See expand_gradients in graph_passes.h.
//
// Nodes are copied in order; at the first grad(y, …) of a y, one sweep from y down adds the adjoint (the gradient of y
// by a node) of every node on a path from one of the x's to y. The adjoints are ordinary nodes behind y, so that a
// later grad can differentiate them again.
#include <fmt/format.h>

#include <unordered_map>

#include "passes/graph_passes.h"
#include "passes/rebuild.h"

namespace tarn {

namespace {

class GradientExpander {
 public:
  GradientExpander(const Graph& from, PassContext& context)
      : from_(from), to_(from.locations()), builder_(to_), map_(from.size(), kNoNode), context_(context) {}

  Result<Graph> run() {
    const std::vector<bool> needed = from_.reachable();
    for (NodeId id = 0; id < from_.size(); ++id) {
      if (needed[id] && from_[id].op == Op::grad) asked_[from_[id].inputs[0]].push_back(from_[id].inputs[1]);
    }
    for (NodeId id = 0; id < from_.size(); ++id) {
      if (!needed[id]) continue;
      if (from_[id].op != Op::grad) {
        map_[id] = copy_node(to_, from_[id], map_);
        continue;
      }
      TARN_TRY(map_[id], gradient(id));
    }
    copy_results(from_, to_, map_);
    return without_stop_gradients();
  }

 private:
  using Adjoints = std::unordered_map<NodeId, NodeId>;  // by node of to_

  Diagnostic at(LocationId location, std::string message) const {
    return error_at((*to_.locations())[location].span, std::move(message), to_.locations()->backtrace(location));
  }

  Result<NodeId> gradient(NodeId grad) {
    const NodeId y = from_[grad].inputs[0], x = map_[from_[grad].inputs[1]];
    auto found = swept_.find(y);
    if (found == swept_.end()) {
      TARN_TRY(Adjoints adjoints, sweep(map_[y], asked_[y]));
      found = swept_.emplace(y, std::move(adjoints)).first;
    }
    const auto adjoint = found->second.find(x);
    if (adjoint != found->second.end()) return adjoint->second;
    warn_of_zero(grad);
    builder_.set_location(from_[grad].location);
    return builder_.constant_like(0, x);
  }

  void warn_of_zero(NodeId grad) {
    const NodeId y = from_[grad].inputs[0];
    const Node& x = from_[from_[grad].inputs[1]];
    if (x.op != Op::tensor) return;
    const bool is_loss = from_.result(ResultKind::loss, "loss") == y;
    const Span own = (*from_.locations())[x.location].span;
    context_.warnings.push_back(
        warning_at(own ? own : (*from_.locations())[from_[grad].location].span,
                   fmt::format("'{}' does not influence {}; its gradient is zero", x.attributes.text(Key::name),
                               is_loss ? "the loss" : "what the gradient is taken of")));
  }

  // Marks the nodes up to y that depend on one of the x's.
  std::vector<bool> depend_on(const std::vector<NodeId>& xs, NodeId y) const {
    std::vector<bool> marked(y + 1);
    for (const NodeId x : xs) {
      if (x <= y) marked[x] = true;
    }
    for (NodeId id = 0; id <= y; ++id) {
      for (const NodeId input : to_[id].inputs) {
        if (marked[input]) marked[id] = true;
      }
    }
    return marked;
  }

  // The adjoints of the x's (nodes of from_) that y depends on.
  Result<Adjoints> sweep(NodeId y, const std::vector<NodeId>& asked) {
    std::vector<NodeId> xs;
    for (const NodeId x : asked) {
      // An x that is not copied yet comes after y, which cannot depend on it.
      if (map_[x] != kNoNode) xs.push_back(map_[x]);
    }
    const std::vector<bool> marked = depend_on(xs, y);
    std::vector<NodeId> adjoints(y + 1, kNoNode);
    if (marked[y]) {
      builder_.set_location(to_[y].location);
      adjoints[y] = builder_.constant_like(1, y);
    }
    for (NodeId id = y + 1; id-- > 0;) {
      if (!marked[id] || adjoints[id] == kNoNode || to_[id].inputs.empty()) continue;
      TARN_RETURN_IF_ERROR(pass_on(id, marked, adjoints));
    }
    Adjoints result;
    for (const NodeId x : xs) {
      if (x <= y && adjoints[x] != kNoNode) result.emplace(x, adjoints[x]);
    }
    return result;
  }

  // Adds what the adjoint of a node contributes to those of its operands.
  Status pass_on(NodeId id, const std::vector<bool>& marked, std::vector<NodeId>& adjoints) {
    const Node node = to_[id];
    bool wanted = false;
    for (const NodeId input : node.inputs) wanted = wanted || marked[input];
    if (!wanted) return Done{};
    const GradientRule rule = info(node.op).gradient;
    if (rule == nullptr) return at(node.location, fmt::format("no gradient is defined for '{}'", name_of(node.op)));
    builder_.set_location(node.location);
    const std::vector<NodeId> contributions = rule(builder_, id, adjoints[id]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const NodeId input = node.inputs[i];
      if (!marked[input] || contributions[i] == kNoNode) continue;
      builder_.set_location(to_[input].location);
      adjoints[input] = adjoints[input] == kNoNode ? contributions[i] : builder_.add(adjoints[input], contributions[i]);
    }
    if (to_.size() > kMaxNodes) {
      return at(node.location,
                fmt::format("with its gradients, the model is over the limit of {} operations", kMaxNodes));
    }
    return Done{};
  }

  Graph without_stop_gradients() const {
    Graph result(to_.locations());
    NodeMap map(to_.size(), kNoNode);
    const std::vector<bool> needed = to_.reachable();
    for (NodeId id = 0; id < to_.size(); ++id) {
      if (!needed[id]) continue;
      map[id] = to_[id].op == Op::stop_gradient ? map[to_[id].inputs.front()] : copy_node(result, to_[id], map);
    }
    copy_results(to_, result, map);
    return result;
  }

  const Graph& from_;
  Graph to_;
  Builder builder_;
  NodeMap map_;
  PassContext& context_;
  std::unordered_map<NodeId, std::vector<NodeId>> asked_;  // y -> its x's, nodes of from_
  std::unordered_map<NodeId, Adjoints> swept_;             // by y, node of from_
};

}  // namespace

Result<Graph> expand_gradients(const Graph& graph, PassContext& context) {
  return GradientExpander(graph, context).run();
}

}  // namespace tarn
