// Derivatives against differences. See gradient_check.h.
#include "runtime/training/gradient_check.h"

#include <algorithm>
#include <cmath>

#include "passes/pipeline.h"
#include "passes/rebuild.h"

namespace tarn {

namespace {

struct Derivative {
  std::string tensor;
  NodeId gradient, objective;
};

// The gradients that the training graph asks for: nodes grad(objective, tensor). Losses that are `for` some parameters
// give these an objective of their own.
std::vector<Derivative> derivatives_of(const Graph& graph) {
  std::vector<Derivative> found;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (node.op != Op::grad || graph[node.inputs[1]].op != Op::tensor || graph[node.inputs[0]].type.per_sample)
      continue;
    found.push_back({graph[node.inputs[1]].attributes.text(Key::name), id, node.inputs[0]});
  }
  return found;
}

std::string held_name(NodeId stopped) { return "held." + std::to_string(stopped); }

// The graph with one result, where what stop_gradient is given stands still: an input of its own.
Graph holding_still(const Graph& graph, NodeId result) {
  Graph copy(graph.locations());
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].op == Op::stop_gradient) {
      Node held{Op::input, graph[id].type, {}, {}, graph[id].location};
      held.attributes.set(Key::name, held_name(id));
      map[id] = copy.add(std::move(held));
    } else {
      map[id] = copy_node(copy, graph[id], map);
    }
  }
  copy.add_result(ResultKind::value, "objective", map[result]);
  return copy;
}

// What stop_gradient is given at the point of the context, as inputs.
Status hold_still(Graph graph, EvaluationContext& context, PassContext& passes) {
  const std::vector<bool> needed = graph.reachable();
  graph.results().clear();
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (needed[id] && graph[id].op == Op::stop_gradient)
      graph.add_result(ResultKind::value, held_name(id), graph[id].inputs[0]);
  }
  TARN_TRY(const Graph expanded, run_pass("autodiff", graph, passes));
  TARN_TRY(const std::vector<HostTensor> values, evaluate(expanded, context));
  for (std::size_t i = 0; i < values.size(); ++i) context.inputs[expanded.results()[i].name] = values[i];
  return Done{};
}

Result<double> value_of(const Graph& graph, const EvaluationContext& context) {
  TARN_TRY(const std::vector<HostTensor> values, evaluate(graph, context));
  return values.front().data.front();
}

struct Difference {
  double central, kink;  // kink: how far the one-sided differences are apart, relative
};

Result<Difference> difference_at(const Graph& graph, EvaluationContext& context, double& element, double step) {
  const double value = element;
  TARN_TRY(const double middle, value_of(graph, context));
  element = value + step;
  const double up = element - value;
  TARN_TRY(const double above, value_of(graph, context));
  element = value - step;
  const double down = value - element;
  TARN_TRY(const double below, value_of(graph, context));
  element = value;
  const double forward = (above - middle) / up, backward = (middle - below) / down;
  return Difference{(above - below) / (up + down),
                    std::fabs(forward - backward) / std::max({1.0, std::fabs(forward), std::fabs(backward)})};
}

// The gradient of a tensor beside differences of the objective, at up to `most` of its elements, evenly spread.
Result<GradientCheck> check_tensor(const std::string& tensor, const HostTensor& gradient, const Graph& objective,
                                   EvaluationContext& context, std::int64_t most) {
  // A kink moves one-sided differences apart by much more than the curvature over the step does.
  constexpr double kStep = 1e-5, kSmallStep = 1e-8, kKink = 1e-3;
  std::vector<double>& elements = context.tensors.at(tensor).data;
  const auto count = static_cast<std::int64_t>(elements.size());
  GradientCheck check{tensor, std::min(count, most)};
  for (std::int64_t i = 0; i < check.elements; ++i) {
    const std::int64_t at = i * count / check.elements;
    double& element = elements[static_cast<std::size_t>(at)];
    const double scale = std::max(1.0, std::fabs(element));
    TARN_TRY(Difference difference, difference_at(objective, context, element, kStep * scale));
    if (difference.kink > kKink) {
      TARN_TRY(difference, difference_at(objective, context, element, kSmallStep * scale));
    }
    const double derivative = gradient.data[static_cast<std::size_t>(at)];
    const double error = std::fabs(derivative - difference.central) /
                         std::max({1.0, std::fabs(derivative), std::fabs(difference.central)});
    // The comparison is written so that a NaN counts as the largest error.
    if (!(error <= check.largest_error)) {
      check.largest_error = error;
      check.at = at;
      check.derivative = derivative;
      check.difference = difference.central;
    }
  }
  return check;
}

}  // namespace

Result<std::map<std::string, HostTensor, std::less<>>> initial_tensors(const Program& program, std::uint64_t seed,
                                                                       const Sources& sources) {
  PassContext passes;
  passes.sources = &sources;
  TARN_TRY(const Graph init, lower_meaning(program.graphs.at("init"), passes));
  EvaluationContext context;
  context.seed = seed;
  TARN_TRY(const std::vector<HostTensor> values, evaluate(init, context));
  std::map<std::string, HostTensor, std::less<>> tensors;
  for (std::size_t i = 0; i < values.size(); ++i) tensors[init.results()[i].name] = values[i];
  for (const TensorInfo& tensor : program.tensors) {
    if (tensors.contains(tensor.name)) continue;
    const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
    tensors[tensor.name] = {tensor.type.shape, std::vector<double>(count, tensor.initial)};
  }
  return tensors;
}

Result<std::vector<GradientCheck>> check_gradients(const Program& program, EvaluationContext context,
                                                   const Sources& sources, std::int64_t most) {
  Graph training = program.graphs.at("train");
  const std::vector<Derivative> derivatives = derivatives_of(training);
  if (derivatives.empty()) return std::vector<GradientCheck>();
  PassContext passes;
  passes.sources = &sources;
  // Results keep their places where passes move nodes: each objective once, then the gradients.
  std::vector<NodeId> objectives;
  for (const Derivative& derivative : derivatives) {
    if (std::find(objectives.begin(), objectives.end(), derivative.objective) == objectives.end())
      objectives.push_back(derivative.objective);
  }
  training.results().clear();
  for (const NodeId objective : objectives) training.add_result(ResultKind::value, "objective", objective);
  for (const Derivative& derivative : derivatives)
    training.add_result(ResultKind::value, derivative.tensor, derivative.gradient);
  TARN_TRY(Graph batched, run_pass("stable_forms", training, passes));
  TARN_TRY(batched, run_pass("batching", batched, passes));
  TARN_RETURN_IF_ERROR(hold_still(batched, context, passes));
  std::vector<Graph> forward;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    TARN_TRY(Graph held,
             run_pass("autodiff", without_dead_nodes(holding_still(batched, batched.results()[i].node)), passes));
    forward.push_back(std::move(held));
  }
  const auto first_gradient = static_cast<std::ptrdiff_t>(objectives.size());
  batched.results().erase(batched.results().begin(), batched.results().begin() + first_gradient);
  TARN_TRY(const Graph backward, run_pass("autodiff", batched, passes));
  TARN_TRY(const std::vector<HostTensor> gradients, evaluate(backward, context));

  std::vector<GradientCheck> checks;
  for (std::size_t k = 0; k < derivatives.size(); ++k) {
    const auto objective = std::find(objectives.begin(), objectives.end(), derivatives[k].objective);
    const Graph& value = forward[static_cast<std::size_t>(objective - objectives.begin())];
    TARN_TRY(GradientCheck check, check_tensor(derivatives[k].tensor, gradients[k], value, context, most));
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace tarn
