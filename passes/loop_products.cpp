// Products that a kernel of products cannot do as they stand, or that a loop does better, become sums in loops.
#include <algorithm>

#include "ir/type_rules.h"
#include "passes/graph_passes.h"
#include "passes/planner/small_layers.h"
#include "passes/rebuild.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

// Axes of the operand, by the letters, that are summed and that the other operand does not have.
std::vector<std::int64_t> axes_of_one(std::string_view own, std::string_view other, std::string_view result) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (other.find(own[i]) == std::string_view::npos && result.find(own[i]) == std::string_view::npos) {
      axes.push_back(static_cast<std::int64_t>(i));
    }
  }
  return axes;
}

std::string without(std::string_view letters, const std::vector<std::int64_t>& axes) {
  std::string result;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end()) result += letters[i];
  }
  return result;
}

using Axes = std::vector<std::int64_t>;

// Rewrites contractions that a product kernel cannot do, or that a loop does better.
class ContractionRewriter {
 public:
  ContractionRewriter(const Graph& graph, const PlannedFor& planned)
      : graph_(graph),
        small_(planned.options.target, planned.max_batch),
        has_small_layers_(planned.options.has_small_layers),
        to_loops_(planned.options.fuse),
        result_(graph.locations()),
        builder_(result_) {}

  bool has_work() const {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (graph_[id].op != Op::contract) continue;
      const ContractionMap map = map_of(graph_[id]);
      if (sums_one_operand(map) || (to_loops_ && is_loop(graph_, graph_[id], map))) return true;
    }
    return false;
  }

  Graph rewrite() {
    NodeMap map(graph_.size(), kNoNode);
    const std::vector<bool> reachable = graph_.reachable();
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!reachable[id]) continue;
      const Node& node = graph_[id];
      map[id] = node.op == Op::contract ? rewrite(node, map[node.inputs[0]], map[node.inputs[1]])
                                        : copy_node(result_, node, map);
    }
    copy_results(graph_, result_, map);
    return std::move(result_);
  }

 private:
  static ContractionMap map_of(const Node& node) {
    return parse_contraction_map(node.attributes.text(Key::map)).value();
  }
  static bool sums_one_operand(const ContractionMap& map) {
    return !axes_of_one(map.a, map.b, map.result).empty() || !axes_of_one(map.b, map.a, map.result).empty();
  }
  static bool has(std::string_view letters, char c) { return letters.find(c) != std::string_view::npos; }

  // Whether one operand has every axis that is longer than 1: then no element is used twice, and a product kernel has
  // nothing to gain. The same for an outer product, and for small layers with few inputs. What has more letters than a
  // value may have axes is no loop: its elementwise product would be no value.
  bool is_loop(const Graph& graph, const Node& node, const ContractionMap& map) const {
    const Shape& a = graph[node.inputs[0]].type.shape;
    const Shape& b = graph[node.inputs[1]].type.shape;
    bool in_a = true, in_b = true, sums = false;
    std::int64_t summed = 1;
    for (std::size_t i = 0; i < a.size(); ++i) {
      in_b = in_b && (a[i] == 1 || has(map.b, map.a[i]));
      sums = sums || (a[i] != 1 && !has(map.result, map.a[i]));
      if (!has(map.result, map.a[i])) summed = a[i] == kBatch ? kCosts.long_sum : summed * a[i];
    }
    for (std::size_t i = 0; i < b.size(); ++i) {
      in_a = in_a && (b[i] == 1 || has(map.a, map.b[i]));
      sums = sums || (b[i] != 1 && !has(map.result, map.b[i]));
    }
    const auto others = std::count_if(map.b.begin(), map.b.end(), [&](char c) { return !has(map.a, c); });
    if (map.a.size() + static_cast<std::size_t>(others) > kMaxRank) return false;
    if (in_a || in_b || !sums) return true;
    return has_small_layers_ && summed < kCosts.long_sum && small_.is_small(graph, node);
  }

  // sum over j, k of a[m, j, k] b[k, n] = sum over k of (sum over j of a[m, j, k]) b[k, n]: afterwards every letter
  // that is summed is in both operands.
  NodeId rewrite(const Node& node, NodeId left, NodeId right) {
    builder_.set_location(node.location);
    const ContractionMap map = map_of(node);
    const Axes a_axes = axes_of_one(map.a, map.b, map.result);
    const Axes b_axes = axes_of_one(map.b, map.a, map.result);
    const NodeId a = builder_.sum(left, a_axes);
    const NodeId b = builder_.sum(right, b_axes);
    const std::string a_letters = without(map.a, a_axes), b_letters = without(map.b, b_axes);
    const std::string text = a_letters + "," + b_letters + "->" + std::string(map.result);
    const Node single{Op::contract, node.type, {a, b}, {{Key::map, text}}, node.location};
    const ContractionMap letters = map_of(single);
    if (!to_loops_ || !is_loop(result_, single, letters)) return builder_.contract(a, b, text);
    return as_loop(single, letters);
  }

  // The product of both operands, repeated along the axes that they lack, summed over what the result lacks. The order
  // of the axes is that of the larger operand.
  NodeId as_loop(const Node& node, const ContractionMap& map) {
    const bool a_first = builder_.shape(node.inputs[0]).size() >= builder_.shape(node.inputs[1]).size();
    std::string order(a_first ? map.a : map.b);
    Shape shape = builder_.shape(node.inputs[a_first ? 0 : 1]);
    const std::string_view others = a_first ? map.b : map.a;
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (has(order, others[i])) continue;
      const std::int64_t extent = builder_.shape(node.inputs[a_first ? 1 : 0])[i];
      const bool front = extent == kBatch;
      order.insert(front ? order.begin() : order.end(), others[i]);
      shape.insert(front ? shape.begin() : shape.end(), extent);
    }
    // One after the other, so that numbers of nodes are the same whatever compiler has made this code.
    const NodeId right = in_order(node.inputs[1], map.b, order, shape);
    const NodeId left = in_order(node.inputs[0], map.a, order, shape);
    const NodeId product = builder_.mul(left, right);
    Axes summed;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (!has(map.result, order[i])) summed.push_back(static_cast<std::int64_t>(i));
    }
    const std::string kept = without(order, summed);
    const NodeId sum = builder_.sum(product, summed);
    Axes axes;
    for (const char c : map.result) axes.push_back(static_cast<std::int64_t>(kept.find(c)));
    return std::is_sorted(axes.begin(), axes.end()) ? sum : builder_.transpose(sum, axes);
  }

  NodeId in_order(NodeId node, std::string_view letters, const std::string& order, const Shape& shape) {
    std::vector<std::pair<std::size_t, std::int64_t>> places;
    places.reserve(letters.size());
    for (std::size_t i = 0; i < letters.size(); ++i) {
      places.emplace_back(order.find(letters[i]), static_cast<std::int64_t>(i));
    }
    std::sort(places.begin(), places.end());
    Axes from, to;
    for (const auto& [place, axis] : places) {
      from.push_back(axis);
      to.push_back(static_cast<std::int64_t>(place));
    }
    if (!std::is_sorted(from.begin(), from.end())) node = builder_.transpose(node, from);
    return builder_.broadcast(node, shape, to);
  }

  const Graph& graph_;
  SmallLayers small_;
  bool has_small_layers_, to_loops_;
  Graph result_;
  Builder builder_;
};

}  // namespace

Result<Graph> make_loops_of_products(const Graph& graph, PassContext& context) {
  PlannedFor& planned = planned_for(context);
  const SmallLayers small(planned.options.target, planned.max_batch);
  planned.options.has_small_layers = small.are_all_of(graph);
  ContractionRewriter rewriter(graph, planned);
  return rewriter.has_work() ? rewriter.rewrite() : graph;
}

}  // namespace tarn
