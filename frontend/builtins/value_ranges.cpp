// Which values the inputs may hold, as what reads them asks for.
#include "frontend/builtins/value_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "frontend/builtins/builtins.h"
#include "ir/evaluator.h"

namespace tarn::elaboration {

namespace {

bool keeps_elements(Op op) {
  return op == Op::convert || op == Op::stop_gradient || op == Op::reshape || op == Op::transpose ||
         op == Op::broadcast || op == Op::reverse;
}
bool moves_elements(Op op) { return keeps_elements(op) || op == Op::slice || op == Op::concat; }

InputInfo* input_at(Elaborator& e, NodeId node) {
  const Node& source = e.graphs.current().graph[node];
  if (source.op != Op::input) return nullptr;
  const std::string& name = source.attributes.text(Key::name);
  const auto known = std::find_if(e.program.inputs.begin(), e.program.inputs.end(),
                                  [&](const InputInfo& input) { return input.name == name; });
  return known == e.program.inputs.end() ? nullptr : &*known;
}

// In a train block a range is of what targets hold: an input may be anything where predictions are made.
bool takes_range(const Elaborator& e, const InputInfo& input, const ValueRange& range) {
  return range.counts() || input.role != InputRole::input || !e.evaluator.in_train_block;
}

void narrow_elements(InputInfo& input, const std::vector<bool>& used, const ValueRange& range) {
  if (input.elements.empty()) input.elements.assign(used.size(), input.values);
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) input.elements[i].narrow(range);
  }
  const bool same = std::all_of(input.elements.begin(), input.elements.end(),
                                [&](const ValueRange& other) { return other == input.elements.front(); });
  if (!same) return;
  input.values = input.elements.front();
  input.elements.clear();
}

// Numbers the elements of all inputs and moves the numbers as the graph moves the elements; -1 is any other value.
class ElementTracer {
 public:
  ElementTracer(Elaborator& e, NodeId node) : elaborator_(e), graph_(e.graphs.current().graph) {
    const auto ends = [&](NodeId id) { return !moves_elements(graph_[id].op); };
    const std::vector<bool> needed = graph_.reachable_from(node, ends);
    std::vector<HostTensor> values(node + 1);
    const EvaluationContext context;
    for (NodeId id = 0; id <= node; ++id) {
      if (!needed[id]) continue;
      const Node& n = graph_[id];
      std::vector<const HostTensor*> operands;
      for (const NodeId input : n.inputs) operands.push_back(&values[input]);
      values[id] = ends(id)                                      ? numbered(id)
                   : info(n.op).op_class == OpClass::elementwise ? *operands[0]
                                                                 : evaluate_node(graph_, n, context, operands);
    }
    numbers_ = std::move(values[node].data);
  }

  void narrow(const ValueRange& range) {
    for (const auto& [input, first] : inputs_) {
      std::vector<bool> used(static_cast<std::size_t>(element_count(input->type.shape)));
      for (const double number : numbers_) {
        const double at = number - first;
        if (at >= 0 && at < static_cast<double>(used.size())) used[static_cast<std::size_t>(at)] = true;
      }
      narrow_elements(*input, used, range);
    }
  }

 private:
  HostTensor numbered(NodeId id) {
    HostTensor result{graph_[id].type.shape, {}};
    result.data.resize(static_cast<std::size_t>(element_count(result.shape)), -1);
    InputInfo* input = input_at(elaborator_, id);
    if (input == nullptr) return result;
    inputs_.emplace_back(input, next_);
    for (double& number : result.data) number = next_++;
    return result;
  }

  Elaborator& elaborator_;
  const Graph& graph_;
  std::vector<std::pair<InputInfo*, double>> inputs_;  // and the number of the first element
  double next_ = 0;
  std::vector<double> numbers_;
};

std::optional<ValueRange> read_range(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  constexpr std::pair<std::string_view, ValueRange::Kind> kKinds[] = {
      {"class", ValueRange::Kind::class_number},
      {"index", ValueRange::Kind::index},
      {"probability", ValueRange::Kind::probability},
      {"sign", ValueRange::Kind::sign},
  };
  const auto* name = call.value(1).get<std::string>();
  const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                 [&](const auto& row) { return name != nullptr && row.first == *name; });
  if (kind == std::end(kKinds)) {
    e.reports.fail(call.span_of(1), "what a value is, is \"class\", \"index\", \"probability\" or \"sign\"");
    return std::nullopt;
  }
  ValueRange range{kind->second, 0, {}};
  if (!range.counts()) return range;
  if (!call.has(2)) {
    e.reports.fail(call.span, fmt::format("takes(x, \"{}\", n) needs n, how many there are", *name));
    return std::nullopt;
  }
  const auto count = e.readings.to_integer(call.value(2), call.span_of(2), "how many there are");
  if (!count) return std::nullopt;
  range.count = *count;
  if (call.has(3)) {
    range.ignored = e.readings.to_integer(call.value(3), call.span_of(3), "the class that does not count");
    if (!range.ignored) return std::nullopt;
  }
  return range;
}

}  // namespace

void limit_inputs(Elaborator& e, NodeId node, const ValueRange& range) {
  const Graph& graph = e.graphs.current().graph;
  NodeId source = node;
  while (keeps_elements(graph[source].op)) source = graph[source].inputs[0];
  InputInfo* input = input_at(e, source);
  if (input != nullptr) {
    if (!takes_range(e, *input, range)) return;
    if (input->elements.empty()) {
      input->values.narrow(range);
    } else {
      for (ValueRange& element : input->elements) element.narrow(range);
    }
    return;
  }
  if (moves_elements(graph[source].op)) ElementTracer(e, source).narrow(range);
}

Value run_takes(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<ValueRange> range = read_range(call);
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span_of(0));
  if (!range || !node) return ErrorValue{};
  limit_inputs(e, *node, *range);
  if (!range->counts()) return call.value(0);
  e.nodes.locate(call.span);
  return e.graphs.tensor(e.nodes.convert(*node, DType::i32));
}

}  // namespace tarn::elaboration
