// Losses, their weights, and the objective that they add up to.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/train/train_block.h"
#include "ir/class_weights.h"

namespace tarn::elaboration {

namespace {

// The input that a value is, or nullptr.
const InputInfo* input_of(Elaborator& e, const Value& value) {
  const auto* tensor = value.get<TensorValue>();
  if (tensor == nullptr || tensor->graph != e.graphs.current().number) return nullptr;
  const Node& node = e.graphs.current().graph[tensor->node];
  return node.op == Op::input ? e.program.find_input(node.attributes.text(Key::name)) : nullptr;
}

// Whether a data block of the file reads labels for the target, whose classes are known when the data are.
bool reads_labels(const Elaborator& e, const std::string& target) {
  for (const ast::Statement& block : e.main_module->tree->statements) {
    const auto* data = std::get_if<ast::Data>(&block.node);
    if (data == nullptr) continue;
    for (const ast::Statement& line : data->block.statements) {
      const auto* part = std::get_if<ast::Assignment>(&line.node);
      if (part == nullptr || part->targets.size() != 1 || part->targets.front().name != target) continue;
      const auto* call = std::get_if<ast::Call>(&part->value->node);
      const auto* callee = call != nullptr ? std::get_if<ast::Name>(&call->callee->node) : nullptr;
      if (callee != nullptr && (callee->name == "one_hot" || callee->name == "ordinal")) return true;
    }
  }
  return false;
}

}  // namespace

void TrainBlock::warn_about_order(const Value& callee, const Arguments& arguments, Span span) {
  const FunctionValue* function = callee.function();
  if (function == nullptr || function->declaration == nullptr || arguments.positional.size() < 2) return;
  if (!elaborator_.reports.sources.name(function->module->file).starts_with("prelude/")) return;
  const InputInfo* first = input_of(elaborator_, arguments.positional[0].value);
  const InputInfo* second = input_of(elaborator_, arguments.positional[1].value);
  const auto* prediction = arguments.positional[1].value.get<TensorValue>();
  if (first == nullptr || first->role != InputRole::target || second != nullptr || prediction == nullptr) return;
  elaborator_.reports.warn(
      span, fmt::format("'{}' takes the prediction first and the target second; Keras writes them the other way round",
                        function->declaration->name.name));
}

Value TrainBlock::evaluate_loss(const ast::Term& term) {
  Elaborator& e = elaborator_;
  const auto* call = std::get_if<ast::Call>(&term.value->node);
  if (call == nullptr) return e.evaluator.evaluate(*term.value);
  const Value callee = e.evaluator.evaluate(*call->callee);
  Arguments arguments = e.calls.evaluate_arguments(call->arguments);
  if (callee.is_error() || arguments.has_error()) return ErrorValue{};
  warn_about_order(callee, arguments, term.value->span);
  const Value first = arguments.positional.empty() ? Value(NoneValue{}) : arguments.positional[0].value;
  Value result = e.calls.call(callee, std::move(arguments), term.value->span, term.value.get());
  if (const auto* tensor = first.get<TensorValue>(); tensor != nullptr && callee.function() != nullptr) {
    e.notes.loss_functions[tensor->node] = e.calls.tail_function();
  }
  return result;
}

NodeId TrainBlock::weighted(NodeId per_sample) {
  Builder& b = elaborator_.graphs.builder();
  const DType dtype = b.type(per_sample).dtype;
  for (const NodeId weight : {sample_weight_node_, class_weight_node_}) {
    if (weight != kNoNode) per_sample = b.mul(per_sample, elaborator_.nodes.convert(weight, dtype));
  }
  return per_sample;
}

void TrainBlock::elaborate_loss(const ast::Term& term) {
  Elaborator& e = elaborator_;
  const std::vector<std::string> paths = resolve(term.paths);
  std::vector<std::pair<NodeId, NodeId>> compared;
  e.notes.compared = &compared;
  const Value value = evaluate_loss(term);
  e.notes.compared = nullptr;
  const Span span = term.value->span;
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : e.nodes.to_floating(value, span);
  if (!node || !e.reports.spend(1, span)) return;
  note_targets_of_outputs(compared, *node);
  e.nodes.locate(span);
  const NodeId mean =
      e.nodes.convert(e.nodes.batch_mean(weighted(e.nodes.mean_of_all(*node))), e.graphs.current().float_type);
  losses_.push_back({&term, {}, mean, paths});
}

// The sum of the chosen losses, of regularizers and of penalties.
NodeId TrainBlock::objective_of(const std::vector<bool>& chosen) {
  Builder& b = elaborator_.graphs.builder();
  NodeId sum = kNoNode;
  const auto add = [&](NodeId node) { sum = sum == kNoNode ? node : b.add(sum, node); };
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    if (chosen[i]) add(losses_[i].mean);
  }
  for (const NodeId node : elaborator_.graphs.current().regularizers) add(node);
  for (const NodeId node : elaborator_.graphs.current().penalties) add(elaborator_.nodes.batch_mean(node));
  return sum == kNoNode ? b.constant(0, elaborator_.graphs.current().float_type) : sum;
}

void TrainBlock::sum_objective() {
  if (losses_.empty()) return;
  elaborator_.nodes.locate(losses_.front().term->value->span);
  objective_ = objective_of(std::vector<bool>(losses_.size(), true));
  add_metric("loss", {}, "loss", Better::smaller);
  // One behind the other, as in Nodes::batch_mean.
  const auto times_samples = [&](NodeId mean) {
    const NodeId count = elaborator_.nodes.ones_in_batch(DType::f64);
    return elaborator_.graphs.builder().mul(elaborator_.nodes.convert(mean, DType::f64), count);
  };
  accumulate("loss", times_samples(objective_), {});
  for (Loss& loss : losses_) {
    if (losses_.size() < 2 && !loss.term->name) continue;
    loss.name = metric_name(*loss.term);
    add_metric(loss.name, {}, loss.name, Better::smaller);
    accumulate(loss.name, times_samples(loss.mean), {});
  }
}

void TrainBlock::read_sample_weight(const ast::Setting& setting) {
  Elaborator& e = elaborator_;
  if (setting.arguments.size() != 1 || setting.arguments[0].name) {
    e.reports.fail(setting.key.span, "sample_weight takes one expression: sample_weight w");
    return;
  }
  const ast::Expression& expression = *setting.arguments[0].value;
  const Value value = e.evaluator.evaluate(expression);
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : e.nodes.to_floating(value, expression.span);
  if (!node) return;
  if (element_count(e.graphs.builder().shape(*node)) != 1) {
    e.reports.fail(expression.span, fmt::format("a sample has one weight, and this has the shape {}",
                                                to_string(e.graphs.builder().shape(*node))));
    return;
  }
  if (const InputInfo* input = input_of(e, value)) {
    for (InputInfo& known : e.program.inputs) {
      if (known.name == input->name && known.role == InputRole::target) known.role = InputRole::sample_weight;
    }
  }
  e.nodes.locate(expression.span);
  sample_weight_node_ = e.graphs.builder().reshape(*node, {});
}

// The weight of a sample is 1 + sum over the classes k that are named of (w_k - 1) [its class is k]: [t = k] for class
// numbers, t_k for one-hot targets. A label's number is known when the data are: it stands in a hyper-parameter, -1
// before that. So does the class of a number where the data have labels, which may be numbers themselves.
void TrainBlock::read_class_weight(const ast::Setting& setting) {
  Elaborator& e = elaborator_;
  const Span span = setting.key.span;
  const ast::Map* map = setting.arguments.size() == 1 && !setting.arguments[0].name
                            ? std::get_if<ast::Map>(&setting.arguments[0].value->node)
                            : nullptr;
  if (map == nullptr) {
    e.reports.fail(span, "class_weight takes a map of class numbers to weights: class_weight {0: 1, 1: 2.5}");
    return;
  }
  std::string target = setting.paths.empty() ? "" : setting.paths[0].text();
  for (const InputInfo& input : e.program.inputs) {
    if (target.empty() && input.role == InputRole::target) target = input.name;
  }
  const Value value = target.empty() ? Value(e.reports.fail(span, "class_weight needs a target declared before it"))
                                     : e.evaluator.lookup(target, span);
  const InputInfo* info = input_of(e, value);
  if (value.is_error()) return;
  if (info == nullptr || info->role != InputRole::target || info->type.shape.size() > 1) {
    e.reports.fail(span, fmt::format("class_weight needs a target with one axis at most, and '{}' is none", target));
    return;
  }
  const std::int64_t classes = element_count(info->type.shape);
  const bool has_labels = reads_labels(e, target);
  std::vector<std::pair<Value, double>> weights;  // class number -> weight
  std::map<std::string, double>& labels = e.program.settings.class_weight;
  for (const ast::Map::Entry& entry : map->entries) {
    const Value key = e.evaluator.evaluate(*entry.key);
    const auto weight = e.readings.to_number(e.evaluator.evaluate(*entry.value), entry.value->span, "a weight");
    if (key.is_error() || !weight) return;
    if (*weight < 0) {
      e.reports.fail(entry.value->span, fmt::format("a weight of a class must be at least 0, and is {}", *weight));
      return;
    }
    if (const auto* label = key.get<std::string>()) {
      labels[*label] = *weight;
      continue;
    }
    const auto number = e.readings.to_integer(key, entry.key->span, "a class");
    if (!number) return;
    const bool is_class = *number >= 0 && (classes == 1 || *number < classes);
    if (has_labels) {
      const double initial = is_class ? static_cast<double>(*number) : -1;
      weights.emplace_back(e.tensors.hyper_parameter(class_weight_tensor(*number), initial, entry.key->span), *weight);
      continue;
    }
    if (!is_class) {
      e.reports.fail(entry.key->span,
                     fmt::format("there is no class {}: '{}' has {}", *number, target, to_string(info->type.shape)));
      return;
    }
    weights.emplace_back(integer(*number), *weight);
  }
  e.program.settings.class_weight_target = target;
  for (const auto& [label, weight] : labels) {
    const std::string name = class_weight_tensor(e.program.settings, label);
    weights.emplace_back(e.tensors.hyper_parameter(name, -1, span), weight);
  }
  weigh_classes(value, classes, weights, span);
}

void TrainBlock::weigh_classes(const Value& target, std::int64_t classes,
                               const std::vector<std::pair<Value, double>>& weights, Span span) {
  Elaborator& e = elaborator_;
  Value classes_of_target = target;
  if (classes > 1) {
    e.nodes.locate(span);
    classes_of_target = e.graphs.tensor(
        e.graphs.builder().source(Op::iota, Type{DType::i32, false, {classes}}, {{Key::axis, std::int64_t{0}}}));
  }
  const Value part = classes > 1 ? target : Value(integer(1));
  Value total = integer(1);
  for (const auto& [number, weight] : weights) {
    const Value is_class = e.operators.elementwise(Op::equal, {classes_of_target, number}, span, "==");
    const Value chosen = e.operators.elementwise(Op::where, {is_class, part, integer(0)}, span, "where");
    const std::optional<NodeId> node = e.nodes.to_floating(chosen, span);
    if (!node) return;
    e.nodes.locate(span);
    Builder& b = e.graphs.builder();
    const NodeId share = b.shape(*node).empty() ? *node : b.sum(*node, {0});
    total = e.operators.elementwise(
        Op::add,
        {total, e.operators.elementwise(Op::mul, {real(weight - 1), e.graphs.tensor(b.reshape(share, {}))}, span, "*")},
        span, "+");
  }
  const std::optional<NodeId> node = e.nodes.to_floating(total, span);
  if (!node) return;
  e.nodes.locate(span);
  class_weight_node_ = e.graphs.builder().reshape(*node, {});
}

}  // namespace tarn::elaboration
