// Metrics: running means of plain functions, and declarations with states of their own, which are read in the report
// graph.
#include <fmt/format.h>

#include "frontend/train/train_block.h"

namespace tarn::elaboration {

namespace {

// What an expression makes of the batch beyond a mean over its samples: sums over the samples that later operations
// combine, as in dice(y, t). Nodes below `first` are the model's; its own sums, as of batch_norm, are part of a
// prediction.
class BatchSums {
 public:
  BatchSums(const Graph& graph, NodeId first) : graph_(graph), first_(first) {}

  // The sums and batch sizes that the node combines; none where it is made of anything else but constants.
  std::vector<NodeId> combined_in(NodeId node) const {
    const std::vector<bool> needed = graph_.reachable_from(node, [this](NodeId id) { return is_sum(id); });
    std::vector<NodeId> sums;
    for (NodeId id = node + 1; id-- > 0;) {
      if (!needed[id]) continue;
      const Node& n = graph_[id];
      const bool is_fixed = n.op == Op::constant || n.op == Op::iota;
      if (is_sum(id)) {
        sums.push_back(id);
      } else if (!is_fixed && (n.inputs.empty() || id < first_)) {
        return {};
      }
    }
    return sums;
  }

 private:
  bool is_sum(NodeId id) const {
    return graph_[id].op == Op::batch_size || (graph_[id].op == Op::batch_sum && id >= first_);
  }

  const Graph& graph_;
  NodeId first_;
};

}  // namespace

std::string TrainBlock::metric_name(const ast::Term& term) {
  std::string wanted(ast::spelling(term.kind));
  if (term.name) {
    wanted = term.name->name;
  } else if (const auto* call = std::get_if<ast::Call>(&term.value->node)) {
    if (const auto* name = std::get_if<ast::Name>(&call->callee->node)) wanted = name->name;
  }
  std::string name = wanted;
  for (int i = 1; !metric_names_.insert(name).second; ++i) {
    if (term.name) {
      elaborator_.reports.fail(term.name->span, fmt::format("'{}' is reported already", wanted));
      break;
    }
    name = fmt::format("{}_{}", wanted, i);
  }
  return name;
}

void TrainBlock::add_metric(const std::string& name, const Shape& shape, const std::string& resolved, Better better) {
  if (in_training()) elaborator_.program.metrics.push_back({name, shape, resolved, better});
}

// Adds to metric.<name>.total, and the number of samples to metric.<name>.count.
void TrainBlock::accumulate(const std::string& name, NodeId total, const Shape& shape) {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  const auto add = [&](const std::string& part, const Shape& extents, NodeId amount) {
    const std::string tensor_name = fmt::format("metric.{}.{}", name, part);
    if (e.tensors.declare({tensor_name, TensorKind::metric, Type{DType::f64, false, extents}, false, 0, 0, {}},
                          span_) == nullptr)
      return;
    e.tensors.set_next(tensor_name, b.add(e.tensors.node(tensor_name), amount));
  };
  add("total", shape, total);
  add("count", {}, e.nodes.ones_in_batch(DType::f64));
  if (in_training()) report_running(name);
}

void TrainBlock::report_running(const std::string& name) {
  const Graphs::Working reporting(elaborator_.graphs, *report_);
  Builder& b = elaborator_.graphs.builder();
  const NodeId total = elaborator_.tensors.node(fmt::format("metric.{}.total", name));
  const NodeId count = elaborator_.tensors.node(fmt::format("metric.{}.count", name));
  report_->graph.add_result(ResultKind::value, name, b.div(total, count));
}

// The mean of a value over the batch, where sums over the batch are factors of it: these stand outside, as in
// sum(v * batch_sum(1) / batch_sum(w)) = batch_sum(v) batch_sum(1) / batch_sum(w).
NodeId TrainBlock::sum_over_batch(NodeId node) {
  Builder& b = elaborator_.graphs.builder();
  const Graph& graph = elaborator_.graphs.current().graph;
  const BatchSums sums(graph, model_nodes_);
  const Op op = graph[node].op;
  if (op == Op::mul || op == Op::div) {
    const NodeId left = graph[node].inputs[0], right = graph[node].inputs[1];
    const auto is_factor = [&](NodeId id) { return !b.type(id).per_sample && !sums.combined_in(id).empty(); };
    if (is_factor(right)) return b.make(op, {sum_over_batch(left), right});
    if (op == Op::mul && is_factor(left)) return b.mul(left, sum_over_batch(right));
  }
  return b.make(Op::batch_sum, {node});
}

// A value that sums over the batch make alone is made of the sums over the epoch instead: they are accumulated in
// metric.NAME.sum, metric.NAME.sum_1, …, and the report has the operations behind them.
bool TrainBlock::accumulate_sums(const std::string& name, NodeId value) {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  const Graph& batch = e.graphs.current().graph;
  const std::vector<NodeId> sums = BatchSums(batch, model_nodes_).combined_in(value);
  if (sums.empty()) return false;
  std::map<NodeId, std::string> states;
  for (const NodeId sum : sums) {
    const std::string state =
        states.empty() ? fmt::format("metric.{}.sum", name) : fmt::format("metric.{}.sum_{}", name, states.size());
    const Type type{DType::f64, false, b.shape(sum)};
    if (e.tensors.declare({state, TensorKind::metric, type, false, 0, 0, {}}, span_) == nullptr) return true;
    states[sum] = state;
    e.tensors.set_next(state, b.add(e.tensors.node(state), e.nodes.convert(sum, DType::f64)));
  }
  if (!in_training()) return true;
  const std::vector<bool> needed = batch.reachable_from(value, [&](NodeId id) { return states.contains(id); });
  const Graphs::Working reporting(e.graphs, *report_);
  NodeMap map(value + 1, kNoNode);
  for (NodeId id = 0; id <= value; ++id) {
    if (!needed[id]) continue;
    if (const auto state = states.find(id); state != states.end()) {
      map[id] = e.nodes.convert(e.tensors.node(state->second), batch[id].type.dtype);
      continue;
    }
    Node node = batch[id];
    for (NodeId& input : node.inputs) input = map[input];
    map[id] = report_->graph.add(std::move(node));
  }
  report_->graph.add_result(ResultKind::value, name, e.nodes.convert(map[value], DType::f64));
  return true;
}

void TrainBlock::elaborate_metric(const ast::Term& term) {
  elaborator_.calls.metric.measures = true;
  measure(term);
  elaborator_.calls.metric.measures = false;
}

void TrainBlock::measure(const ast::Term& term) {
  Elaborator& e = elaborator_;
  const Span span = term.value->span;
  const auto* call = std::get_if<ast::Call>(&term.value->node);
  Value value;
  const std::string name = metric_name(term);
  if (call != nullptr) {
    const Value callee = e.evaluator.evaluate(*call->callee);
    Arguments arguments = e.calls.evaluate_arguments(call->arguments);
    if (callee.is_error() || arguments.has_error()) return;
    const FunctionValue* function = callee.function();
    if (function != nullptr && function->is(ast::FunctionKind::metric))
      return elaborate_stateful(term, name, callee, std::move(arguments));
    warn_about_order(callee, arguments, span);
    value = e.calls.call(callee, std::move(arguments), span, term.value.get());
  } else {
    value = e.evaluator.evaluate(*term.value);
  }
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : e.nodes.to_floating(value, span);
  if (!node || !e.reports.spend(1, span)) return;
  e.nodes.locate(span);
  Builder& b = e.graphs.builder();
  const Shape shape = b.shape(*node);
  const bool per_sample = b.type(*node).per_sample;
  const NodeId batch_sum = per_sample ? sum_over_batch(*node) : kNoNode;
  const bool has_factors = per_sample && e.graphs.current().graph[batch_sum].op != Op::batch_sum;
  const bool is_call_of_function = call != nullptr && std::holds_alternative<ast::Name>(call->callee->node);
  const std::string called = is_call_of_function ? std::get<ast::Name>(call->callee->node).name : std::string();
  add_metric(name, shape, called == "accuracy" ? e.calls.tail_function() : name, e.notes.direction_of(value));
  const auto mean = [&] { return b.div(batch_sum, e.nodes.ones_in_batch(b.type(*node).dtype)); };
  if ((!per_sample || has_factors) && accumulate_sums(name, per_sample ? mean() : *node)) return;
  if (per_sample) {
    accumulate(name, e.nodes.convert(b.make(Op::batch_sum, {*node}), DType::f64), shape);
    return;
  }
  // One behind the other, as in Nodes::batch_mean.
  const NodeId count = e.nodes.ones_in_batch(DType::f64);
  accumulate(name, b.mul(e.nodes.convert(*node, DType::f64), count), shape);
}

void TrainBlock::elaborate_stateful(const ast::Term& term, const std::string& name, const Value& callee,
                                    Arguments arguments) {
  Elaborator& e = elaborator_;
  e.calls.metric.path = "metric." + name;
  e.calls.metric.takes_call = true;
  const Value value = e.calls.call(callee, arguments, term.value->span, term.value.get());
  e.calls.metric.takes_call = false;
  if (!value.is_error() && in_training()) report_stateful(name, callee, arguments, term.value->span);
  e.calls.metric.path.clear();
}

// The body once more, where states are what an epoch has gathered and the arguments are not to be had: they are
// stand-ins that the result must not depend on.
void TrainBlock::report_stateful(const std::string& name, const Value& callee, const Arguments& arguments, Span span) {
  Elaborator& e = elaborator_;
  Arguments stand_ins = arguments;
  const Graph& batch = e.graphs.current().graph;
  const Graphs::Working reporting(e.graphs, *report_);
  int count = 0;
  const auto replace = [&](Argument& argument) {
    const auto* tensor = argument.value.get<TensorValue>();
    if (tensor == nullptr) return;
    const Type type = batch[tensor->node].type;
    const auto known = e.notes.counted.find({tensor->graph, tensor->node});
    const ValueNotes::Counted parts =
        known == e.notes.counted.end() ? ValueNotes::Counted{kNoNode, kNoNode} : known->second;
    const Better better = e.notes.direction_of(argument.value);
    argument.value = e.graphs.tensor(
        e.graphs.builder().source(Op::input, type, {{Key::name, fmt::format("{}.argument.{}", name, count++)}}));
    const ValueNotes::NodeKey stand_in{e.graphs.current().number, argument.value.get<TensorValue>()->node};
    e.notes.set_direction(stand_in, better);
    if (parts.each == kNoNode) return;
    const auto input = [&](NodeId node, const char* part) {
      return e.graphs.builder().source(Op::input, batch[node].type,
                                       {{Key::name, fmt::format("{}.argument.{}.{}", name, count, part)}});
    };
    e.notes.counted[stand_in] = {input(parts.each, "each"), input(parts.counts, "counts")};
  };
  for (Argument& argument : stand_ins.positional) replace(argument);
  for (NamedArgument& named : stand_ins.named) replace(named.argument);
  e.calls.metric.takes_call = true;
  const Value value = e.calls.call(callee, std::move(stand_ins), span, &report_);
  e.calls.metric.takes_call = false;
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : e.nodes.to_floating(value, span);
  if (!node) return;
  const Graph& graph = report_->graph;
  const std::vector<bool> needed = graph.reachable_from(*node);
  for (NodeId id = *node + 1; id-- > 0;) {
    if (!needed[id]) continue;
    if (graph[id].op == Op::input || graph[id].op == Op::batch_size || graph[id].op == Op::batch_sum) {
      e.reports.fail(span, fmt::format("what the metric '{}' returns must come from its states alone", name), "",
                     "it is evaluated at the end of the epoch, when the batches are gone");
      return;
    }
  }
  e.nodes.locate(span);
  const NodeId result = e.nodes.convert(*node, DType::f64);
  report_->graph.add_result(ResultKind::value, name, result);
  e.program.metrics.push_back({name, e.graphs.builder().shape(result), name, e.notes.direction_of(value)});
}

}  // namespace tarn::elaboration
