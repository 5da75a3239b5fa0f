// Gradients and what optimizers make of them: one update of every trainable parameter.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/train/train_block.h"

namespace tarn::elaboration {

void TrainBlock::read_optimizer(const ast::Term& term) {
  Elaborator& e = elaborator_;
  OptimizerTerm optimizer{&term, resolve(term.paths), "optimizer", {}, term.value->span};
  if (!term.paths.empty()) optimizer.prefix += "." + term.paths[0].text();
  const ast::Expression* expression = term.value.get();
  for (Override& override_ : overrides_) {
    if (override_.key != optimizer.prefix || override_.expression == nullptr) continue;
    override_.used = true;
    expression = override_.expression.get();
    optimizer.span = expression->span;
  }
  const Value value = e.evaluator.evaluate(*expression);
  const FunctionValue* given = value.function();
  if (value.is_error()) return;
  if (given == nullptr || !given->is(ast::FunctionKind::optimizer)) {
    e.reports.fail(expression->span, fmt::format("an optimizer is needed here, as sgd(lr = 0.1) is one, not {}{}",
                                                 kind_of(value), e.names.without_quotes(value)));
    return;
  }
  for (const OptimizerTerm& other : optimizers_) {
    const bool same = other.paths == optimizer.paths;
    if (same)
      e.reports.fail(term.value->span, optimizer.paths.empty()
                                           ? "a second optimizer for all parameters: `optimizer o for layer` names some"
                                           : "a second optimizer for the same parameters");
    if (same) return;
  }
  optimizer.function = e.calls.configured(value, expression->span, &term);
  if (optimizer.function.is_error()) return;
  override_hyper_parameters(optimizer);
  optimizers_.push_back(std::move(optimizer));
}

// --set optimizer.lr=0.01
void TrainBlock::override_hyper_parameters(OptimizerTerm& optimizer) {
  Elaborator& e = elaborator_;
  FunctionValue changed = *optimizer.function.function();
  for (Override& override_ : overrides_) {
    if (override_.expression == nullptr || !override_.key.starts_with(optimizer.prefix + ".")) continue;
    const std::string name = override_.key.substr(optimizer.prefix.size() + 1);
    if (name.find('.') != std::string::npos) continue;
    std::vector<std::string> names;
    for (std::size_t l = 0; l < changed.bound.size(); ++l) {
      for (std::size_t i = 0; i < changed.bound[l].size(); ++i) {
        names.push_back(changed.parameters(l)[i].name.name);
        if (names.back() != name) continue;
        override_.used = true;
        changed.bound[l][i] = e.evaluator.evaluate(*override_.expression);
      }
    }
    if (!override_.used) {
      e.reports.fail(
          override_.key_span,
          fmt::format("'{}' has no argument '{}'{}", changed.declaration->name.name, name, did_you_mean(name, names)),
          "", e.reports.signature(changed));
      override_.used = true;
    }
  }
  optimizer.function = std::make_shared<const FunctionValue>(std::move(changed));
}

// The one with the longest path that covers the parameter; one without a path covers all.
const TrainBlock::OptimizerTerm* TrainBlock::optimizer_for(const std::string& parameter) {
  const OptimizerTerm* best = nullptr;
  std::size_t length = 0;
  for (const OptimizerTerm& optimizer : optimizers_) {
    if (optimizer.paths.empty() && best == nullptr) best = &optimizer;
    for (const std::string& path : optimizer.paths) {
      if (!covers(path, parameter) || path.size() <= length) continue;
      best = &optimizer;
      length = path.size();
    }
  }
  return best;
}

const TrainBlock::GradientSetting* TrainBlock::setting_for(const std::vector<GradientSetting>& settings,
                                                           const std::string& parameter) const {
  const GradientSetting* found = nullptr;
  for (const GradientSetting& setting : settings) {
    const bool reaches =
        setting.paths.empty() || std::any_of(setting.paths.begin(), setting.paths.end(),
                                             [&](const std::string& p) { return covers(p, parameter); });
    if (reaches && (found == nullptr || !setting.paths.empty())) found = &setting;
  }
  return found;
}

// One gradient for each parameter, each of the losses that reach it.
std::vector<NodeId> TrainBlock::gradients(const std::vector<std::string>& parameters) {
  Elaborator& e = elaborator_;
  std::map<std::vector<bool>, NodeId> objectives;
  std::vector<NodeId> result;
  for (const std::string& parameter : parameters) {
    std::vector<bool> chosen;
    for (const Loss& loss : losses_) {
      chosen.push_back(loss.paths.empty() || std::any_of(loss.paths.begin(), loss.paths.end(),
                                                         [&](const std::string& p) { return covers(p, parameter); }));
    }
    const auto [objective, is_new] = objectives.emplace(chosen, kNoNode);
    if (is_new) objective->second = objective_of(chosen);
    const NodeId weight = e.tensors.node(parameter);
    const NodeId of = e.nodes.convert(objective->second, e.graphs.builder().type(weight).dtype);
    const auto gradient = e.nodes.make(Op::grad, {of, weight}, {}, nullptr, losses_.front().term->value->span, "loss");
    if (!gradient) return {};
    result.push_back(*gradient);
  }
  return result;
}

// Per parameter, g c / max(|g|, c); over all, with |g| of all gradients together; then each element into [-v, v]. What
// is not finite is not made so: a norm that is infinite gives factors, and with them an update, that are infinite, and
// an element that is stays as it is, so that training ends there.
void TrainBlock::clip(const std::vector<std::string>& parameters, std::vector<NodeId>& gradients) {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  const auto squared = [&](NodeId g) {
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < b.shape(g).size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
    return b.sum(b.mul(g, g), axes);
  };
  const auto scaled = [&](NodeId g, NodeId norm, double limit) {
    const NodeId bound = b.constant(limit, b.type(norm).dtype);
    const NodeId factor = b.div(bound, b.binary(Op::maximum, norm, bound));
    const NodeId known = b.make(Op::where, {b.unary(Op::is_finite, norm), factor, norm});
    return b.mul(g, e.nodes.convert(known, b.type(g).dtype));
  };
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (const GradientSetting* setting = setting_for(clip_norm_, parameters[i])) {
      e.nodes.locate(setting->span);
      gradients[i] = scaled(gradients[i], b.unary(Op::sqrt, squared(gradients[i])), setting->value);
    }
  }
  for (const GradientSetting& setting : clip_global_norm_) {
    e.nodes.locate(setting.span);
    NodeId total = kNoNode;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (setting_for({setting}, parameters[i]) == nullptr) continue;
      const NodeId square = e.nodes.convert(squared(gradients[i]), e.graphs.current().float_type);
      total = total == kNoNode ? square : b.add(total, square);
    }
    if (total == kNoNode) continue;
    const NodeId norm = b.unary(Op::sqrt, total);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (setting_for({setting}, parameters[i]) != nullptr) gradients[i] = scaled(gradients[i], norm, setting.value);
    }
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const GradientSetting* setting = setting_for(clip_value_, parameters[i]);
    if (setting == nullptr) continue;
    e.nodes.locate(setting->span);
    const DType dtype = b.type(gradients[i]).dtype;
    const NodeId above = b.binary(Op::maximum, gradients[i], b.constant(-setting->value, dtype));
    const NodeId clipped = b.binary(Op::minimum, above, b.constant(setting->value, dtype));
    gradients[i] = b.make(Op::where, {b.unary(Op::is_finite, gradients[i]), clipped, gradients[i]});
  }
}

// Decoupled weight decay: w <- w - lr decay w, before the optimizer's own step.
void TrainBlock::apply_decay(const OptimizerTerm& optimizer, const std::string& parameter) {
  Elaborator& e = elaborator_;
  const GradientSetting* setting = setting_for(weight_decay_, parameter);
  if (setting == nullptr) return;
  const FunctionValue& function = *optimizer.function.function();
  Value rate;
  for (std::size_t l = 0; l < function.bound.size(); ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i) {
      if (function.parameters(l)[i].name.name == "lr") rate = function.bound[l][i];
    }
  }
  if (rate.is_error()) {
    e.reports.fail(setting->span, fmt::format("weight_decay multiplies by the rate 'lr', and '{}' has none",
                                              function.declaration->name.name));
    return;
  }
  if (const auto* number = rate.get<NumberValue>())
    rate = e.tensors.hyper_parameter(optimizer.prefix + ".lr", number->value, setting->span);
  const Value decay = e.tensors.hyper_parameter(optimizer.prefix + ".weight_decay", setting->value, setting->span);
  const Value weight = e.tensors.read(parameter);
  const Value amount = e.operators.elementwise(
      Op::mul, {e.operators.elementwise(Op::mul, {rate, decay}, setting->span, "*"), weight}, setting->span, "*");
  const Value next = e.operators.elementwise(Op::sub, {weight, amount}, setting->span, "-");
  if (const auto node = e.nodes.fit(next, e.tensors.find(parameter)->type, parameter, setting->span, "gets"))
    e.tensors.set_next(parameter, *node);
}

void TrainBlock::apply_constraint(const std::string& parameter) {
  Elaborator& e = elaborator_;
  const auto it = e.tensors.constraints.find(parameter);
  if (it == e.tensors.constraints.end()) return;
  const Constraint& constraint = it->second;
  std::vector<Frame> frames = constraint.frames;
  std::swap(e.reports.frames, frames);
  const Value next = e.calls.apply(constraint.function, {e.tensors.read(parameter)}, constraint.span, &constraint);
  const auto node = next.is_error()
                        ? std::nullopt
                        : e.nodes.fit(next, e.tensors.find(parameter)->type, parameter, constraint.span, "gets");
  if (node) e.tensors.set_next(parameter, *node);
  std::swap(e.reports.frames, frames);
}

void TrainBlock::apply_optimizer(const OptimizerTerm& optimizer, const std::string& parameter, NodeId gradient) {
  Elaborator& e = elaborator_;
  OptimizerTarget target{parameter, e.tensors.find(parameter)->type, optimizer.prefix};
  e.graphs.current().draw_path = parameter + ".update";
  if (average_) declare_slot(parameter, "average", average_->span);
  e.calls.optimizing = &target;
  apply_decay(optimizer, parameter);
  Arguments arguments;
  arguments.positional = {{e.tensors.read(parameter), optimizer.span}, {e.graphs.tensor(gradient), optimizer.span}};
  const bool decayed = e.graphs.current().current.contains(parameter);
  const Value result = e.calls.call(optimizer.function, std::move(arguments), optimizer.span, optimizer.term);
  e.calls.optimizing = nullptr;
  if (!decayed && !result.is_error() && !e.graphs.current().current.contains(parameter)) {
    e.reports.fail(optimizer.span, fmt::format("the optimizer '{}' never gives its parameter the next value: w <- …",
                                               optimizer.function.function()->declaration->name.name));
  }
  average_weight(parameter);
  apply_constraint(parameter);
  e.graphs.current().draw_path.clear();
}

// A slot of the parameter that starts as zeros; its name. Declared before an optimizer runs, it is not one of the
// optimizer's own.
std::string TrainBlock::declare_slot(const std::string& parameter, const char* name, Span span) {
  Elaborator& e = elaborator_;
  const std::string slot = parameter + "." + name;
  const Type type = e.tensors.find(parameter)->type;
  e.tensors.declare({slot, TensorKind::slot, type, false, 0, 0, span}, span);
  e.variables.initialize(slot, type, integer(0), span);
  return slot;
}

// average <- momentum average + (1 - momentum) w; the first w whole. Every so many updates w <- average.
void TrainBlock::average_weight(const std::string& parameter) {
  if (!average_) return;
  Elaborator& e = elaborator_;
  const Span span = average_->span;
  const std::string slot = parameter + ".average";
  const Type type = e.tensors.find(parameter)->type;
  const Value step = e.evaluator.lookup("step", span);
  const Value weight = e.tensors.read(parameter);
  const auto calculate = [&](Op op, std::vector<Value> operands) {
    return e.operators.elementwise(op, std::move(operands), span, "ema");
  };
  const Value kept = calculate(Op::mul, {real(average_->momentum), e.tensors.read(slot)});
  const Value sum = calculate(Op::add, {kept, calculate(Op::mul, {real(1 - average_->momentum), weight})});
  const Value is_first = e.operators.equality(step, integer(0), false, span);
  if (const auto node = e.nodes.fit(calculate(Op::where, {is_first, weight, sum}), type, slot, span, "gets"))
    e.tensors.set_next(slot, *node);
  if (average_->overwrite_every == 0) return;
  const Value updates = calculate(Op::add, {step, integer(1)});
  const Value rest = calculate(Op::mod, {updates, integer(average_->overwrite_every)});
  const Value next =
      calculate(Op::where, {e.operators.equality(rest, integer(0), false, span), e.tensors.read(slot), weight});
  if (const auto node = e.nodes.fit(next, type, parameter, span, "gets")) e.tensors.set_next(parameter, *node);
}

// Whether this batch is the last of those that make an update.
NodeId TrainBlock::is_update() {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  e.nodes.locate(accumulate_span_);
  const NodeId batches = b.add(e.tensors.counter("step", accumulate_span_), b.constant(1, DType::f64));
  const NodeId rest = b.binary(Op::mod, batches, b.constant(static_cast<double>(batches_per_update_), DType::f64));
  return b.binary(Op::equal, rest, b.constant(0, DType::f64));
}

// The gradients become the means over the batches since the last update.
void TrainBlock::accumulate_gradients(const std::vector<std::string>& parameters, std::vector<NodeId>& gradients) {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  e.nodes.locate(accumulate_span_);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string slot = declare_slot(parameters[i], "gradients", accumulate_span_);
    const NodeId sum = b.add(e.tensors.node(slot), gradients[i]);
    const NodeId none = b.broadcast_to(b.constant(0, b.type(sum).dtype), b.shape(sum));
    e.tensors.set_next(slot, b.make(Op::where, {b.broadcast_to(is_update(), b.shape(sum)), none, sum}));
    const NodeId count = b.constant(static_cast<double>(batches_per_update_), b.type(sum).dtype);
    gradients[i] = b.div(sum, count);
  }
}

// What was given a next value since `first_updated` gets it only with an update.
void TrainBlock::keep_until_update(std::size_t first_updated) {
  Elaborator& e = elaborator_;
  Builder& b = e.graphs.builder();
  e.nodes.locate(accumulate_span_);
  const std::vector<std::string> names(e.graphs.current().updated.begin() + static_cast<std::ptrdiff_t>(first_updated),
                                       e.graphs.current().updated.end());
  for (const std::string& name : names) {
    const NodeId next = e.graphs.current().current.at(name);
    const NodeId condition = b.broadcast_to(is_update(), b.shape(next));
    e.tensors.set_next(name, b.make(Op::where, {condition, next, e.tensors.node(name)}));
  }
}

void TrainBlock::update_parameters() {
  Elaborator& e = elaborator_;
  std::vector<std::string> parameters;
  for (TensorInfo& t : e.tensors.all) {
    if (t.kind != TensorKind::parameter) continue;
    const bool frozen =
        std::any_of(frozen_.begin(), frozen_.end(), [&](const auto& f) { return covers(f.first, t.name); });
    t.trainable = t.trainable && !frozen;
    if (t.trainable) parameters.push_back(t.name);
  }
  if (optimizers_.empty()) {
    e.reports.fail(span_, "the train block has no optimizer: optimizer sgd(lr = 0.1)");
    return;
  }
  std::vector<NodeId> all = gradients(parameters);
  if (all.size() != parameters.size()) return;
  const bool accumulates = batches_per_update_ > 1;
  if (accumulates) accumulate_gradients(parameters, all);
  const std::size_t first_updated = e.graphs.current().updated.size();
  clip(parameters, all);
  e.graphs.current().per_step_draws = true;
  for (std::size_t i = 0; i < parameters.size() && !e.reports.stopped(); ++i) {
    const OptimizerTerm* optimizer = optimizer_for(parameters[i]);
    if (optimizer == nullptr) {
      e.reports.fail(optimizers_.front().span, fmt::format("no optimizer reaches the parameter '{}'", parameters[i]),
                     "", "an optimizer without `for` reaches all others; `freeze` keeps some as they are");
      return;
    }
    apply_optimizer(*optimizer, parameters[i], all[i]);
  }
  e.graphs.current().per_step_draws = false;
  if (accumulates) keep_until_update(first_updated);
  e.nodes.locate(span_);
  const NodeId step = e.tensors.counter("step", span_);
  e.tensors.counter("epoch", span_);
  e.tensors.set_next("step", e.graphs.builder().add(step, e.graphs.builder().constant(1, DType::f64)));
}

}  // namespace tarn::elaboration
