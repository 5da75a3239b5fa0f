// See plan_kernels.h; planner.h says how the steps hang together.
#include "passes/planner/plan_kernels.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>

#include "ir/builder.h"
#include "ir/type_rules.h"
#include "passes/planner/cut_kernels.h"
#include "passes/planner/planner.h"
#include "passes/planner/steps.h"
#include "passes/rebuild.h"
#include "passes/tactics/choose.h"

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
  ContractionRewriter(const Graph& graph, const SmallLayers& small, bool to_loops)
      : graph_(graph), small_(small), to_loops_(to_loops), result_(graph.locations()), builder_(result_) {}

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
  // nothing to gain. The same for an outer product, and for small layers with few inputs.
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
    return in_a || in_b || !sums || (summed < kCosts.long_sum && small_.is_small(graph, node));
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
    const NodeId product =
        builder_.mul(in_order(node.inputs[0], map.a, order, shape), in_order(node.inputs[1], map.b, order, shape));
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
  const SmallLayers& small_;
  bool to_loops_;
  Graph result_;
  Builder builder_;
};

// The graph with sums over whole arrays of short rows taken along the rows first, so that the kernel that computes the
// rows adds them up as well; nothing where it has no such sums.
std::optional<Graph> with_rows_summed_first(const Graph& graph, const ShortRows& rows) {
  const std::vector<bool> reachable = graph.reachable();
  std::map<NodeId, Axes> sums;  // the axes along the rows
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    Axes inner = rows.inner_axes(id);
    if (!inner.empty()) sums.emplace(id, std::move(inner));
  }
  if (sums.empty()) return std::nullopt;
  Graph result(graph.locations());
  Builder builder(result);
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!reachable[id]) continue;
    const Node& node = graph[id];
    const auto sum = sums.find(id);
    if (sum == sums.end()) {
      map[id] = copy_node(result, node, map);
      continue;
    }
    const Axes& first = sum->second;
    builder.set_location(node.location);
    Axes second;
    for (const std::int64_t axis : node.attributes.integers(Key::axes)) {
      if (std::find(first.begin(), first.end(), axis) != first.end()) continue;
      second.push_back(axis -
                       std::count_if(first.begin(), first.end(), [&](std::int64_t gone) { return gone < axis; }));
    }
    map[id] = builder.sum(builder.sum(map[node.inputs[0]], first), second);
  }
  copy_results(graph, result, map);
  return result;
}

// Buffers that no kernel and no result names are left out.
void drop_unused_buffers(KernelPlan& plan) {
  std::vector<BufferId> renamed(plan.buffers.size(), kNone);
  std::vector<Buffer> buffers;
  const auto rename = [&](BufferId& buffer) {
    if (renamed[buffer] == kNone) {
      renamed[buffer] = static_cast<BufferId>(buffers.size());
      buffers.push_back(plan.buffers[buffer]);
    }
    buffer = renamed[buffer];
  };
  for (Kernel& kernel : plan.kernels) for_each_buffer(kernel.body, rename);
  for (PlanResult& result : plan.results) rename(result.buffer);
  plan.buffers = std::move(buffers);
}

void split_long_tails(KernelPlan& plan, const PlanOptions& options) {
  if (options.fuse) split_tails(plan, options.target);
}
void cut_large_kernels(KernelPlan& plan, const PlanOptions& options) { cut_kernels(plan, options.target); }
void lay_out_memory(KernelPlan& plan, const PlanOptions& options) {
  drop_unused_buffers(plan);
  plan.constants.resize(aligned(plan.constants.size()));
  plan_memory(plan, options.in_place);
}
void choose_tactics(KernelPlan& plan, const PlanOptions& options) { choose_cpu_tactics(plan, options.target); }

constexpr std::array kPlanSteps = {
    PlanStep{"fusion", "the graph becomes kernels", nullptr},
    PlanStep{"split_tails", "long tails of short sums become kernels of their own", split_long_tails},
    PlanStep{"cut_kernels", "kernels whose code would be very long become several", cut_large_kernels},
    PlanStep{"memory", "temporaries get their places in the arena", lay_out_memory},
    PlanStep{"tactics", "each kernel gets vectors, threads and ways to read, as a CPU runs it", choose_tactics},
};

KernelPlan fuse(const Graph& unprepared, const SmallLayers& small, const Program& program, const PlanOptions& options) {
  const std::optional<Graph> changed = with_rows_summed_first(unprepared, ShortRows(unprepared, options));
  const Graph& graph = changed ? *changed : unprepared;
  Planning planning(graph, program, options);
  make_units(planning);
  lay_batches_innermost(planning, small);
  group_units(planning, make_schedule(planning));
  emit_kernels(planning);
  return std::move(planning.plan);
}

std::atomic<bool>& all_are_verified() {
#ifdef NDEBUG
  static std::atomic<bool> verified = false;
#else
  static std::atomic<bool> verified = true;
#endif
  return verified;
}

}  // namespace

void verify_every_plan() { all_are_verified() = true; }

bool verifies_every_plan() { return all_are_verified(); }

Status check_made(const KernelPlan& plan) {
  Status status = verify(plan);
  if (status) return status;
  Diagnostics errors = std::move(status).error();
  for (Diagnostic& diagnostic : errors) {
    diagnostic.message = "bug in tarn: the planner made a malformed plan: " + diagnostic.message;
  }
  return errors;
}

std::span<const PlanStep> plan_steps() { return kPlanSteps; }

Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options,
                                const AfterStep& after_step) {
  const SmallLayers small(graph, program, options);
  ContractionRewriter rewriter(graph, small, options.fuse);
  KernelPlan plan =
      rewriter.has_work() ? fuse(rewriter.rewrite(), small, program, options) : fuse(graph, small, program, options);
  for (const PlanStep& step : kPlanSteps) {
    if (step.run != nullptr) step.run(plan, options);
    if (after_step && !after_step(step.name, plan)) return plan;
  }
  if (verifies_every_plan()) TARN_RETURN_IF_ERROR(check_made(plan));
  return plan;
}

Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options) {
  return plan_kernels(graph, program, options, {});
}

}  // namespace tarn
