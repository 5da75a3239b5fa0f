// Which target each output goes with, as the losses say.
#include <algorithm>

#include "frontend/train/train_block.h"

namespace tarn::elaboration {

namespace {

// Whether it is a sum or extreme along axes, repeated over them: the divisor of a softmax, or what is taken away first.
bool is_same_along_axes(const Graph& graph, NodeId id) {
  bool repeats = false;
  while (true) {
    const Node& node = graph[id];
    if (info(node.op).op_class == OpClass::reduction) return repeats;
    const bool passes = node.op == Op::reshape || node.op == Op::broadcast || node.op == Op::convert ||
                        node.op == Op::stop_gradient || node.op == Op::log;
    if (!passes) return false;
    repeats = repeats || node.op == Op::broadcast;
    id = node.inputs[0];
  }
}

// The scores that a prediction was made of by what keeps their order: softmax, sigmoid, logarithms of these, reshape.
NodeId scores_of(const Graph& graph, NodeId id) {
  while (true) {
    const Node& node = graph[id];
    const bool keeps_order = node.op == Op::reshape || node.op == Op::convert || node.op == Op::exp ||
                             node.op == Op::log || node.op == Op::sigmoid;
    const bool is_relative = (node.op == Op::sub || node.op == Op::div) && is_same_along_axes(graph, node.inputs[1]);
    if (!keeps_order && !is_relative) return id;
    id = node.inputs[0];
  }
}

}  // namespace

// What a loss compares, a function's first argument with its second; where it is no such function, the only output that
// it depends on with the only target.
void TrainBlock::note_targets_of_outputs(const std::vector<std::pair<NodeId, NodeId>>& compared, NodeId loss) {
  const Elaborator& e = elaborator_;
  const Graph& graph = elaborator_.graphs.current().graph;
  const auto target_in = [&](NodeId node, const std::function<bool(NodeId)>& ends) {
    std::set<std::string> names;
    bool only_targets = true;
    const std::vector<bool> needed = graph.reachable_from(node, ends);
    for (NodeId id = 0; id <= node; ++id) {
      if (!needed[id] || ends(id) || graph[id].op == Op::constant || graph[id].op == Op::iota) continue;
      if (!graph[id].inputs.empty()) continue;
      const InputInfo* input =
          graph[id].op == Op::input ? e.program.find_input(graph[id].attributes.text(Key::name)) : nullptr;
      if (input != nullptr && input->role == InputRole::target) names.insert(input->name);
      only_targets = only_targets && input != nullptr && input->role == InputRole::target;
    }
    return std::pair(names.size() == 1 ? *names.begin() : std::string(), only_targets);
  };
  std::vector<std::pair<std::string, NodeId>> outputs;
  for (const GraphResult& r : graph.results()) {
    if (r.kind == ResultKind::output) outputs.emplace_back(r.name, scores_of(graph, r.node));
  }
  bool found = false;
  for (const auto& [prediction, truth] : compared) {
    const auto [target, alone] = target_in(truth, [](NodeId) { return false; });
    if (target.empty() || !alone) continue;
    found = true;
    for (const auto& [name, scores] : outputs) {
      if (scores == scores_of(graph, prediction)) targets_of_outputs_[name].insert(target);
    }
  }
  if (found) return;
  const auto is_output = [&](NodeId id) {
    return std::any_of(outputs.begin(), outputs.end(), [&](const auto& output) { return output.second == id; });
  };
  const auto [target, alone] = target_in(loss, is_output);
  const std::vector<bool> needed = graph.reachable_from(loss, is_output);
  std::set<NodeId> scores;
  for (const auto& [name, id] : outputs) {
    if (id <= loss && needed[id]) scores.insert(id);
  }
  if (target.empty() || scores.size() != 1) return;
  for (const auto& [name, id] : outputs) {
    if (id == *scores.begin()) targets_of_outputs_[name].insert(target);
  }
}

void TrainBlock::name_targets_of_outputs() {
  for (OutputInfo& output : elaborator_.program.outputs) {
    const auto targets = targets_of_outputs_.find(output.name);
    if (targets != targets_of_outputs_.end() && targets->second.size() == 1) output.target = *targets->second.begin();
  }
}

}  // namespace tarn::elaboration
