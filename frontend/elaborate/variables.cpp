// input, target, param, state, slot, and `<-`: everything that has an entry in a table of the program.
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

void Elaborator::declare(const ast::Variable& variable, Body& body, Span span) {
  if (!may_stand(variable.kind, body.kind)) {
    fail(span,
         fmt::format("'{}' may stand only in {}, not in {}", ast::spelling(variable.kind), place_of(variable.kind),
                     body.owner),
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

std::optional<Type> Elaborator::variable_type(const ast::Variable& variable, const Value* initial, Span span,
                                              const Type& otherwise) {
  Type type = otherwise;
  if (variable.type) {
    const std::optional<DType> dtype = dtype_named(variable.type->name);
    if (!dtype) {
      fail(variable.type->span,
           fmt::format("'{}' is not a type{}", variable.type->name,
                       did_you_mean(variable.type->name, {"f32", "f64", "i32", "bool"})),
           "", list_of_types());
      return std::nullopt;
    }
    type.dtype = *dtype;
  }
  if (variable.shape) {
    const std::optional<Shape> shape = to_shape(*variable.shape, span);
    if (!shape) return std::nullopt;
    type.shape = *shape;
  } else if (initial != nullptr && initial->is<ListValue>()) {
    // A literal array says its shape itself.
    const std::optional<Shape> shape = shape_of(*initial, variable.initial->span);
    if (!shape) return std::nullopt;
    type.shape = *shape;
  }
  return type;
}

void Elaborator::declare_input(const ast::Variable& variable, Body& body, Span span) {
  const bool is_target = variable.kind == ast::VariableKind::target;
  const std::string& name = variable.name.name;
  body.environment->set(name, {ErrorValue{}, {}, Update::never});
  if (!variable.options.empty()) {
    fail(variable.options.front().name->span, fmt::format("{} has no options", is_target ? "a target" : "an input"));
    return;
  }
  const Type scalar{options.float_type, true, {}};
  const auto type = variable_type(variable, nullptr, span, scalar);
  const auto known =
      std::find_if(program.inputs.begin(), program.inputs.end(), [&](const InputInfo& i) { return i.name == name; });
  if (known == program.inputs.end()) {
    program.inputs.push_back(
        {name, is_target ? InputRole::target : InputRole::input, type.value_or(scalar), {}, variable.name.span});
  } else if (known->declared != variable.name.span) {
    Diagnostic twice = error_at(variable.name.span, fmt::format("'{}' is declared twice", name));
    twice.notes.push_back({known->declared, "here first"});
    fail(std::move(twice));
    return;
  }
  for (const GraphResult& result : context_->graph.results()) {
    if (!is_target || result.kind != ResultKind::output || result.name != name) continue;
    fail(variable.name.span, fmt::format("'{}' is declared twice: the model has an output of that name", name));
    return;
  }
  if (!type) return;
  locate(variable.name.span);
  const NodeId node = builder().source(Op::input, *type, {{Key::name, name}});
  body.environment->set(name, {tensor(node), {}, Update::never});
}

std::optional<Elaborator::ParameterOptions> Elaborator::parameter_options(const ast::Variable& variable) {
  ParameterOptions result;
  result.regularizer = result.constraint = NoneValue{};
  for (const ast::Argument& option : variable.options) {
    const std::string& key = option.name->name;
    const Value value = evaluate(*option.value);
    if (value.is_error()) return std::nullopt;
    if (key == "trainable") {
      const auto truth = to_truth(value, option.value->span, "trainable");
      if (!truth) return std::nullopt;
      result.trainable = *truth;
    } else if (key == "regularizer") {
      result.regularizer = value;
      result.regularizer_span = option.value->span;
    } else if (key == "constraint") {
      result.constraint = value;
      result.constraint_span = option.value->span;
    } else {
      fail(option.name->span,
           fmt::format("a parameter has no option '{}'{}", key,
                       did_you_mean(key, {"regularizer", "constraint", "trainable"})),
           "", "the options are regularizer, constraint and trainable");
      return std::nullopt;
    }
  }
  return result;
}

void Elaborator::declare_parameter(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  if (context_ == init_graph.get() || optimizing != nullptr) {
    fail(span, "a layer cannot be applied here: initializers and optimizers make no parameters");
    return;
  }
  if (!variable.initial) {
    fail(variable.name.span,
         fmt::format(
             "the parameter '{0}' needs an initial value: param {0}[…] = glorot_uniform, a number or a literal array",
             short_name));
    return;
  }
  const Value initial = evaluate(*variable.initial);
  const auto type =
      initial.is_error() ? std::nullopt : variable_type(variable, &initial, span, Type{options.float_type, false, {}});
  const auto parameter = type ? parameter_options(variable) : std::nullopt;
  if (!parameter) return;
  std::string& local = activation->instance->variables[activation->meet(&variable)];
  if (local.empty()) local = activation->instance->claim(short_name);
  const std::string name = activation->instance->path_of(local);
  const bool is_new = find_tensor(name) == nullptr;
  if (!is_floating(type->dtype) && parameter->trainable) {
    fail(variable.type->span,
         fmt::format("a parameter of type {} cannot be trained: write trainable = false", name_of(type->dtype)));
    return;
  }
  if (declare_tensor({name, TensorKind::parameter, *type, parameter->trainable, 0, 0, variable.name.span}, span) ==
      nullptr)
    return;
  if (is_new) {
    initialize(name, *type, initial, variable.initial->span);
    if (activation->instance->listed) program.layers[*activation->instance->listed].tensors.push_back(name);
  }
  const Value value = tensor(tensor_node(name));
  body.environment->set(short_name, {value, {}, Update::never});
  if (!context_->declared.insert(name).second) return;
  if (!parameter->constraint.is<NoneValue>())
    constraints[name] = {parameter->constraint, parameter->constraint_span, frames};
  if (parameter->regularizer.is<NoneValue>() || !context_->has_objective) return;
  const Value strength = apply(parameter->regularizer, {value}, parameter->regularizer_span, &variable.options);
  const std::optional<NodeId> node =
      strength.is_error() ? std::nullopt : to_floating(strength, parameter->regularizer_span);
  if (!node) return;
  if (!builder().shape(*node).empty()) {
    fail(parameter->regularizer_span,
         fmt::format("a regularizer gives one number, and this gives the shape {}", to_string(builder().shape(*node))));
    return;
  }
  context_->regularizers.push_back(convert(*node, context_->float_type));
}

void Elaborator::declare_state(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  if (!variable.initial) {
    fail(variable.name.span, fmt::format("the state '{0}' needs an initial value: state {0}[…] = 0", short_name));
    return;
  }
  const Value initial = evaluate(*variable.initial);
  const auto type =
      initial.is_error() ? std::nullopt : variable_type(variable, &initial, span, Type{options.float_type, false, {}});
  if (!type) return;
  std::string& local = activation->instance->variables[activation->meet(&variable)];
  if (local.empty()) local = activation->instance->claim(short_name);
  const std::string name = activation->instance->path_of(local);
  const bool is_new = find_tensor(name) == nullptr;
  if (declare_tensor({name, TensorKind::state, *type, false, 0, 0, variable.name.span}, span) == nullptr) return;
  if (is_new) {
    initialize(name, *type, initial, variable.initial->span);
    if (activation->instance->listed) program.layers[*activation->instance->listed].tensors.push_back(name);
  }
  context_->declared.insert(name);
  body.environment->set(short_name, {{}, name, Update::state});
}

void Elaborator::declare_metric_state(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  const Value initial = variable.initial ? evaluate(*variable.initial) : Value(integer(0));
  const auto type =
      initial.is_error() ? std::nullopt : variable_type(variable, nullptr, span, Type{DType::f64, false, {}});
  if (!type) return;
  if (type->dtype != DType::f64) {
    fail(variable.type->span, "the states of a metric are f64");
    return;
  }
  const Span where = variable.initial ? variable.initial->span : span;
  double start = 0;
  if (const FunctionValue* function = initial.function();
      function != nullptr && function->declaration != nullptr && function->declaration->name.name == "ones") {
    start = 1;
  } else if (function == nullptr || function->declaration == nullptr || function->declaration->name.name != "zeros") {
    const auto number = to_number(initial, where, "the initial value of a metric's state");
    if (!number) return;
    start = *number;
  }
  const std::string name = metric_path + "." + short_name;
  if (declare_tensor({name, TensorKind::metric, *type, false, start, 0, variable.name.span}, span) == nullptr) return;
  body.environment->set(short_name, {{}, name, Update::state});
}

void Elaborator::declare_slot(const ast::Variable& variable, Body& body, Span span) {
  const std::string& short_name = variable.name.name;
  body.environment->set(short_name, {ErrorValue{}, {}, Update::never});
  const Value initial = variable.initial ? evaluate(*variable.initial) : Value(integer(0));
  const auto type = initial.is_error() ? std::nullopt : variable_type(variable, nullptr, span, optimizing->type);
  if (!type) return;
  std::string name = fmt::format("{}.{}", optimizing->parameter, short_name);
  for (int i = 1; find_tensor(name) != nullptr; ++i)
    name = fmt::format("{}.{}_{}", optimizing->parameter, short_name, i);
  if (declare_tensor({name, TensorKind::slot, *type, false, 0, 0, variable.name.span}, span) == nullptr) return;
  initialize(name, *type, initial, variable.initial ? variable.initial->span : span);
  body.environment->set(short_name, {{}, name, Update::slot});
}

void Elaborator::update(const ast::Update& update, Body& body, Span span) {
  const Binding* binding = body.environment->find(update.target.name);
  if (binding == nullptr) {
    lookup(update.target.name, update.target.span);
    return;
  }
  if (binding->value.is_error() && binding->tensor.empty()) return;
  if (binding->update == Update::never) {
    fail(update.target.span,
         fmt::format(
             "'{}' is neither a state nor a slot: only these, and the weight of an optimizer, get a next value by `<-`",
             update.target.name));
    return;
  }
  const std::string name = binding->tensor;
  const bool of_metric = body.kind == BodyKind::metric;
  // Layers' states move in training only; a report reads what a metric has gathered.
  if (of_metric ? context_->report : binding->update == Update::state && !context_->updates_states) return;
  const Value value = evaluate(*update.value);
  const std::optional<NodeId> node =
      fit(value, find_tensor(name)->type, update.target.name, update.value->span, "gets");
  if (node && spend(1, span)) set_next(name, *node);
}

std::optional<NodeId> Elaborator::fit(const Value& value, const Type& type, const std::string& name, Span span,
                                      std::string_view how) {
  std::optional<NodeId> node = to_node(value, std::nullopt, span);
  if (!node) return std::nullopt;
  const Type& given = builder().type(*node);
  if (given.per_sample) {
    fail(span,
         fmt::format("'{}' {} a value that depends on one sample: use batch_mean, batch_sum or batch_var", name, how));
    return std::nullopt;
  }
  const Result<Shape> common = Builder::broadcast_shapes(given.shape, type.shape);
  if (!common || *common != type.shape) {
    fail(span, fmt::format("'{}' has the shape {}, and {} a value of shape {}", name, to_string(type.shape), how,
                           to_string(given.shape)));
    return std::nullopt;
  }
  locate(span);
  return builder().broadcast_to(convert(*node, type.dtype), type.shape);
}

void Elaborator::set_next(const std::string& name, NodeId node) {
  if (context_->current.insert_or_assign(name, node).second) context_->updated.push_back(name);
}

NodeId Elaborator::tensor_node(const std::string& name) {
  const TensorInfo* info = find_tensor(name);
  TARN_CHECK(info != nullptr, name);
  builder().set_location(location_of(info->declared));
  return builder().source(Op::tensor, info->type, {{Key::name, name}});
}

Value Elaborator::read_tensor(const std::string& name) {
  const auto it = context_->current.find(name);
  return tensor(it != context_->current.end() ? it->second : tensor_node(name));
}

TensorInfo* Elaborator::find_tensor(std::string_view name) {
  const auto it = tensor_by_name.find(std::string(name));
  return it == tensor_by_name.end() ? nullptr : &tensors[it->second];
}

TensorInfo* Elaborator::declare_tensor(TensorInfo info, Span span) {
  TensorInfo* known = find_tensor(info.name);
  if (known == nullptr) {
    tensor_by_name.emplace(info.name, tensors.size());
    tensors.push_back(std::move(info));
    return &tensors.back();
  }
  if (known->type == info.type && known->kind == info.kind) return known;
  Diagnostic different;
  const std::string before = to_string(known->type), now = to_string(info.type);
  if (known->kind != info.kind) {
    fail(span, fmt::format("there is a {} called '{}' already", name_of(known->kind), info.name));
  } else {
    fail(span,
         fmt::format("'{}' was {} before, and would be {} here: a layer that is applied again must get the same shapes",
                     info.name, before, now),
         "declaration", "copy(f) gives the same layer with parameters of its own");
  }
  return nullptr;
}

void Elaborator::initialize(const std::string& name, const Type& type, const Value& initial, Span span) {
  const Working at_init(*this, *init_graph);
  init_graph->draw_path = name;
  if (is_floating(type.dtype)) init_graph->float_type = type.dtype;
  Value value = initial;
  if (const auto* known = initial.get<TensorValue>(); known != nullptr && known->known) value = real(*known->known);
  if (value.is<std::string>()) {
    fail(span,
         fmt::format(
             "'{}' needs an initial value that is a function of its shape, a number or a literal array, not a string{}",
             name, without_quotes(value)));
    return;
  }
  if (const auto* builtin = value.get<const Builtin*>(); builtin != nullptr && (*builtin)->name == "random_normal")
    warn(span,
         fmt::format("'{}' starts with a standard deviation of 1: the RandomNormal of Keras is normal(0, 0.05)", name));
  const bool is_function = value.function() != nullptr || value.is<const Builtin*>();
  if (is_function) value = apply(value, {make_list(type.shape)}, span, &init_graph);
  if (value.is_error()) return;
  std::optional<NodeId> node = to_node(value, type.dtype, span);
  if (!node) return;
  const Shape given = builder().shape(*node);
  const bool fits = given.empty() || given == type.shape;
  if (!fits) {
    fail(span,
         fmt::format("'{}' has the shape {}, and its initial value {}", name, to_string(type.shape), to_string(given)));
    return;
  }
  locate(span);
  node = builder().broadcast_to(*node, type.shape);
  init_graph->graph.add_result(ResultKind::store, name, *node);
}

Value Elaborator::hyper_parameter(const std::string& wanted, double value, Span span) {
  std::string name = wanted;
  for (int i = 1;; ++i) {
    const TensorInfo* known = find_tensor(name);
    if (known == nullptr || known->initial == value) break;
    name = fmt::format("{}_{}", wanted, i);
  }
  declare_tensor({name, TensorKind::hyper, Type{DType::f64, false, {}}, false, value, 0, {}}, span);
  return TensorValue{tensor_node(name), context_->number, true, value};
}

}  // namespace tarn::elaboration
