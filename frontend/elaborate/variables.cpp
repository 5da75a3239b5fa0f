// See variables.h.
#include "frontend/elaborate/variables.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/elaborator.h"

namespace tarn::elaboration {

namespace {

std::string place_of(ast::VariableKind kind) {
  switch (kind) {
    case ast::VariableKind::input:
      return "a model";
    case ast::VariableKind::target:
      return "a train block";
    case ast::VariableKind::parameter:
      return "a layer or model";
    case ast::VariableKind::state:
      return "a layer, model or metric";
    case ast::VariableKind::slot:
      return "an optimizer";
  }
  return {};
}

bool may_stand(ast::VariableKind kind, BodyKind body) {
  switch (kind) {
    case ast::VariableKind::input:
      return body == BodyKind::model;
    case ast::VariableKind::target:
      return body == BodyKind::train;
    case ast::VariableKind::parameter:
      return body == BodyKind::layer || body == BodyKind::model;
    case ast::VariableKind::state:
      return body == BodyKind::layer || body == BodyKind::model || body == BodyKind::metric;
    case ast::VariableKind::slot:
      return body == BodyKind::optimizer;
  }
  return false;
}

std::string list_of_types() { return "the types are f32, f64, i32 and bool"; }

}  // namespace

void Variables::declare(const ast::Variable& variable, Body& body, Span span) {
  if (!may_stand(variable.kind, body.kind)) {
    e_.reports.fail(span,
                    fmt::format("'{}' may stand only in {}, not in {}", ast::spelling(variable.kind),
                                place_of(variable.kind), body.owner),
                    "",
                    variable.kind == ast::VariableKind::parameter && body.kind == BodyKind::function
                        ? "a function with parameters of its own is a layer"
                        : "");
    body.environment->set(variable.name.name, {ErrorValue{}, {}, Update::never});
    return;
  }
  switch (variable.kind) {
    case ast::VariableKind::input:
    case ast::VariableKind::target:
      return declare_input(variable, body, span);
    case ast::VariableKind::parameter:
      return declare_parameter(variable, body, span);
    case ast::VariableKind::slot:
      return declare_slot(variable, body, span);
    case ast::VariableKind::state:
      return body.kind == BodyKind::metric ? declare_metric_state(variable, body, span)
                                           : declare_state(variable, body, span);
  }
}

std::optional<Type> Variables::variable_type(const ast::Variable& variable, const Value* initial, Span span,
                                             const Type& otherwise) {
  Type type = otherwise;
  if (variable.type) {
    const std::optional<DType> dtype = dtype_named(variable.type->name);
    if (!dtype) {
      e_.reports.fail(variable.type->span,
                      fmt::format("'{}' is not a type{}", variable.type->name,
                                  did_you_mean(variable.type->name, {"f32", "f64", "i32", "bool"})),
                      "", list_of_types());
      return std::nullopt;
    }
    type.dtype = *dtype;
  }
  if (variable.shape) {
    const std::optional<Shape> shape = e_.evaluator.shape(*variable.shape, span);
    if (!shape) return std::nullopt;
    type.shape = *shape;
  } else if (initial != nullptr && initial->is<ListValue>()) {
    // A literal array says its shape itself.
    const std::optional<Shape> shape = e_.nodes.shape_of(*initial, variable.initial->span);
    if (!shape) return std::nullopt;
    type.shape = *shape;
  }
  return type;
}

void Variables::declare_input(const ast::Variable& variable, Body& body, Span span) {
  const bool is_target = variable.kind == ast::VariableKind::target;
  const std::string& name = variable.name.name;
  body.environment->set(name, {ErrorValue{}, {}, Update::never});
  if (!variable.options.empty()) {
    e_.reports.fail(variable.options.front().name->span,
                    fmt::format("{} has no options", is_target ? "a target" : "an input"));
    return;
  }
  const Type scalar{e_.reports.options.float_type, true, {}};
  const auto type = variable_type(variable, nullptr, span, scalar);
  const auto known = std::find_if(e_.program.inputs.begin(), e_.program.inputs.end(),
                                  [&](const InputInfo& i) { return i.name == name; });
  if (known == e_.program.inputs.end()) {
    e_.program.inputs.push_back(
        {name, is_target ? InputRole::target : InputRole::input, type.value_or(scalar), {}, variable.name.span});
  } else if (known->declared != variable.name.span) {
    Diagnostic twice = error_at(variable.name.span, fmt::format("'{}' is declared twice", name));
    twice.notes.push_back({known->declared, "here first"});
    e_.reports.fail(std::move(twice));
    return;
  }
  for (const GraphResult& result : e_.graphs.current().graph.results()) {
    if (!is_target || result.kind != ResultKind::output || result.name != name) continue;
    e_.reports.fail(variable.name.span,
                    fmt::format("'{}' is declared twice: the model has an output of that name", name));
    return;
  }
  if (!type) return;
  e_.nodes.locate(variable.name.span);
  const NodeId node = e_.graphs.builder().source(Op::input, *type, {{Key::name, name}});
  body.environment->set(name, {e_.graphs.tensor(node), {}, Update::never});
}

std::optional<Variables::ParameterOptions> Variables::parameter_options(const ast::Variable& variable) {
  ParameterOptions result;
  result.regularizer = result.constraint = NoneValue{};
  for (const ast::Argument& option : variable.options) {
    const std::string& key = option.name->name;
    const Value value = e_.evaluator.evaluate(*option.value);
    if (value.is_error()) return std::nullopt;
    if (key == "trainable") {
      const auto truth = e_.readings.to_truth(value, option.value->span, "trainable");
      if (!truth) return std::nullopt;
      result.trainable = *truth;
    } else if (key == "regularizer") {
      result.regularizer = value;
      result.regularizer_span = option.value->span;
    } else if (key == "constraint") {
      result.constraint = value;
      result.constraint_span = option.value->span;
    } else {
      e_.reports.fail(option.name->span,
                      fmt::format("a parameter has no option '{}'{}", key,
                                  did_you_mean(key, {"regularizer", "constraint", "trainable"})),
                      "", "the options are regularizer, constraint and trainable");
      return std::nullopt;
    }
  }
  return result;
}

void Variables::declare_parameter(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  if (&e_.graphs.current() == e_.graphs.init.get() || e_.calls.optimizing != nullptr) {
    e_.reports.fail(span, "a layer cannot be applied here: initializers and optimizers make no parameters");
    return;
  }
  if (!variable.initial) {
    e_.reports.fail(
        variable.name.span,
        fmt::format(
            "the parameter '{0}' needs an initial value: param {0}[…] = glorot_uniform, a number or a literal array",
            short_name));
    return;
  }
  const Value initial = e_.evaluator.evaluate(*variable.initial);
  const auto type = initial.is_error()
                        ? std::nullopt
                        : variable_type(variable, &initial, span, Type{e_.reports.options.float_type, false, {}});
  const auto parameter = type ? parameter_options(variable) : std::nullopt;
  if (!parameter) return;
  std::string& local = e_.names.activation->instance->variables[e_.names.activation->meet(&variable)];
  if (local.empty()) local = e_.names.activation->instance->claim(short_name);
  const std::string name = e_.names.activation->instance->path_of(local);
  const bool is_new = e_.tensors.find(name) == nullptr;
  if (!is_floating(type->dtype) && parameter->trainable) {
    e_.reports.fail(
        variable.type->span,
        fmt::format("a parameter of type {} cannot be trained: write trainable = false", name_of(type->dtype)));
    return;
  }
  if (e_.tensors.declare({name, TensorKind::parameter, *type, parameter->trainable, 0, 0, variable.name.span}, span) ==
      nullptr)
    return;
  if (is_new) {
    initialize(name, *type, initial, variable.initial->span);
    if (e_.names.activation->instance->listed)
      e_.program.layers[*e_.names.activation->instance->listed].tensors.push_back(name);
  }
  const Value value = e_.graphs.tensor(e_.tensors.node(name));
  body.environment->set(short_name, {value, {}, Update::never});
  if (!e_.graphs.current().declared.insert(name).second) return;
  if (!parameter->constraint.is<NoneValue>())
    e_.tensors.constraints[name] = {parameter->constraint, parameter->constraint_span, e_.reports.frames};
  regularize(value, *parameter, &variable.options);
}

void Variables::regularize(const Value& parameter, const ParameterOptions& options, const void* place) {
  if (options.regularizer.is<NoneValue>() || !e_.graphs.current().has_objective) return;
  const Value strength = e_.calls.apply(options.regularizer, {parameter}, options.regularizer_span, place);
  const std::optional<NodeId> node =
      strength.is_error() ? std::nullopt : e_.nodes.to_floating(strength, options.regularizer_span);
  if (!node) return;
  if (!e_.graphs.builder().shape(*node).empty()) {
    e_.reports.fail(options.regularizer_span, fmt::format("a regularizer gives one number, and this gives the shape {}",
                                                          to_string(e_.graphs.builder().shape(*node))));
    return;
  }
  e_.graphs.current().regularizers.push_back(e_.nodes.convert(*node, e_.graphs.current().float_type));
}

void Variables::declare_state(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  if (!variable.initial) {
    e_.reports.fail(variable.name.span,
                    fmt::format("the state '{0}' needs an initial value: state {0}[…] = 0", short_name));
    return;
  }
  const Value initial = e_.evaluator.evaluate(*variable.initial);
  const auto type = initial.is_error()
                        ? std::nullopt
                        : variable_type(variable, &initial, span, Type{e_.reports.options.float_type, false, {}});
  if (!type) return;
  std::string& local = e_.names.activation->instance->variables[e_.names.activation->meet(&variable)];
  if (local.empty()) local = e_.names.activation->instance->claim(short_name);
  const std::string name = e_.names.activation->instance->path_of(local);
  const bool is_new = e_.tensors.find(name) == nullptr;
  if (e_.tensors.declare({name, TensorKind::state, *type, false, 0, 0, variable.name.span}, span) == nullptr) return;
  if (is_new) {
    initialize(name, *type, initial, variable.initial->span);
    if (e_.names.activation->instance->listed)
      e_.program.layers[*e_.names.activation->instance->listed].tensors.push_back(name);
  }
  e_.graphs.current().declared.insert(name);
  body.environment->set(short_name, {{}, name, Update::state});
}

void Variables::declare_metric_state(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  const Value initial = variable.initial ? e_.evaluator.evaluate(*variable.initial) : Value(integer(0));
  const auto type =
      initial.is_error() ? std::nullopt : variable_type(variable, nullptr, span, Type{DType::f64, false, {}});
  if (!type) return;
  if (type->dtype != DType::f64) {
    e_.reports.fail(variable.type->span, "the states of a metric are f64");
    return;
  }
  const Span where = variable.initial ? variable.initial->span : span;
  double start = 0;
  if (const FunctionValue* function = initial.function();
      function != nullptr && function->declaration != nullptr && function->declaration->name.name == "ones") {
    start = 1;
  } else if (function == nullptr || function->declaration == nullptr || function->declaration->name.name != "zeros") {
    const auto number = e_.readings.to_number(initial, where, "the initial value of a metric's state");
    if (!number) return;
    start = *number;
  }
  const std::string name = e_.calls.metric.path + "." + short_name;
  if (e_.tensors.declare({name, TensorKind::metric, *type, false, start, 0, variable.name.span}, span) == nullptr)
    return;
  body.environment->set(short_name, {{}, name, Update::state});
}

void Variables::declare_slot(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  const Value initial = variable.initial ? e_.evaluator.evaluate(*variable.initial) : Value(integer(0));
  const auto type =
      initial.is_error() ? std::nullopt : variable_type(variable, nullptr, span, e_.calls.optimizing->type);
  if (!type) return;
  std::string name = fmt::format("{}.{}", e_.calls.optimizing->parameter, short_name);
  for (int i = 1; e_.tensors.find(name) != nullptr; ++i)
    name = fmt::format("{}.{}_{}", e_.calls.optimizing->parameter, short_name, i);
  if (e_.tensors.declare({name, TensorKind::slot, *type, false, 0, 0, variable.name.span}, span) == nullptr) return;
  initialize(name, *type, initial, variable.initial ? variable.initial->span : span);
  body.environment->set(short_name, {{}, name, Update::slot});
}

void Variables::update(const ast::Update& update, Body& body, Span span) {
  const Binding* binding = body.environment->find(update.target.name);
  if (binding == nullptr) {
    e_.evaluator.lookup(update.target.name, update.target.span);
    return;
  }
  if (binding->value.is_error() && binding->tensor.empty()) return;
  if (binding->update == Update::never) {
    e_.reports.fail(
        update.target.span,
        fmt::format(
            "'{}' is neither a state nor a slot: only these, and the weight of an optimizer, get a next value by `<-`",
            update.target.name));
    return;
  }
  const std::string name = binding->tensor;
  const bool of_metric = body.kind == BodyKind::metric;
  // Layers' states move in training only; a report reads what a metric has gathered.
  if (of_metric ? e_.graphs.current().report : binding->update == Update::state && !e_.graphs.current().updates_states)
    return;
  const Value value = e_.evaluator.evaluate(*update.value);
  const std::optional<NodeId> node =
      e_.nodes.fit(value, e_.tensors.find(name)->type, update.target.name, update.value->span, "gets");
  if (node && e_.reports.spend(1, span)) e_.tensors.set_next(name, *node);
}

void Variables::initialize(const std::string& name, const Type& type, const Value& initial, Span span) {
  const Graphs::Working at_init(e_.graphs, *e_.graphs.init);
  e_.graphs.init->draw_path = name;
  if (is_floating(type.dtype)) e_.graphs.init->float_type = type.dtype;
  Value value = initial;
  if (const auto* known = initial.get<TensorValue>(); known != nullptr && known->known) value = real(*known->known);
  if (value.is<std::string>()) {
    e_.reports.fail(
        span,
        fmt::format(
            "'{}' needs an initial value that is a function of its shape, a number or a literal array, not a string{}",
            name, e_.names.without_quotes(value)));
    return;
  }
  if (const auto* builtin = value.get<const Builtin*>(); builtin != nullptr && (*builtin)->name == "random_normal")
    e_.reports.warn(
        span,
        fmt::format("'{}' starts with a standard deviation of 1: the RandomNormal of Keras is normal(0, 0.05)", name));
  const bool is_function = value.function() != nullptr || value.is<const Builtin*>();
  if (is_function) value = e_.calls.apply(value, {make_list(type.shape)}, span, &e_.graphs.init);
  if (value.is_error()) return;
  std::optional<NodeId> node = e_.nodes.to_node(value, type.dtype, span);
  if (!node) return;
  const Shape given = e_.graphs.builder().shape(*node);
  const bool fits = given.empty() || given == type.shape;
  if (!fits) {
    e_.reports.fail(span, fmt::format("'{}' has the shape {}, and its initial value {}", name, to_string(type.shape),
                                      to_string(given)));
    return;
  }
  e_.nodes.locate(span);
  node = e_.graphs.builder().broadcast_to(*node, type.shape);
  e_.graphs.init->graph.add_result(ResultKind::store, name, *node);
}

}  // namespace tarn::elaboration
