// Calls: matching arguments, configuring and applying functions and layers, pipes.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

bool has_defaults(const FunctionValue& function, std::size_t list) {
  const auto& parameters = function.parameters(list);
  return std::all_of(parameters.begin(), parameters.end(),
                     [](const ast::Parameter& p) { return p.default_value != nullptr; });
}

std::size_t lists_left(const FunctionValue& function) { return function.list_count() - function.bound.size(); }

// Whether a call with these arguments means the function as it is configured by default: `flatten(x)`, `l2(w)`.
// Hyper-parameters and what is made of them configure: `adam(lr)(w, g)`.
bool skips_configuration(const FunctionValue& function, const Arguments& arguments) {
  if (lists_left(function) < 2 || arguments.positional.empty()) return false;
  const std::size_t list = function.bound.size();
  const auto* first = arguments.positional.front().value.get<TensorValue>();
  const bool begins_with_tensor = first != nullptr && !first->weak;
  // An optimizer is applied to w and g. What else begins with a tensor begins with a rate, as `where(step > 9, a, b)`
  // is one.
  const bool may_be_inputs =
      !function.is(ast::FunctionKind::optimizer) || arguments.positional.size() == function.parameters(list + 1).size();
  return has_defaults(function, list) && ((begins_with_tensor && may_be_inputs) || function.parameters(list).empty());
}

std::vector<std::string> names_of(const std::vector<ast::Parameter>& parameters) {
  std::vector<std::string> names;
  for (const ast::Parameter& p : parameters) names.push_back(p.name.name);
  return names;
}

class ScopedFrame {
 public:
  ScopedFrame(Elaborator& elaborator, std::string context, Span span) : elaborator_(elaborator) {
    const LocationId location = elaborator.location_of(span);
    elaborator.frames.push_back({std::move(context), span, location});
  }
  ~ScopedFrame() { elaborator_.frames.pop_back(); }
  ScopedFrame(const ScopedFrame&) = delete;
  ScopedFrame& operator=(const ScopedFrame&) = delete;

 private:
  Elaborator& elaborator_;
};

template <class T>
class Restored {
 public:
  Restored(T& place, T value) : place_(place), before_(std::move(place)) { place_ = std::move(value); }
  ~Restored() { place_ = std::move(before_); }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& place_;
  T before_;
};

}  // namespace

bool Arguments::has_error() const {
  return std::any_of(positional.begin(), positional.end(), [](const Argument& a) { return a.value.is_error(); }) ||
         std::any_of(named.begin(), named.end(), [](const NamedArgument& a) { return a.argument.value.is_error(); });
}

Arguments Elaborator::evaluate_arguments(const std::vector<ast::Argument>& given) {
  Arguments arguments;
  for (const ast::Argument& argument : given) {
    Argument evaluated{evaluate(*argument.value), argument.value->span};
    if (argument.name) {
      arguments.named.push_back({argument.name->name, argument.name->span, std::move(evaluated)});
    } else {
      arguments.positional.push_back(std::move(evaluated));
    }
  }
  return arguments;
}

Value Elaborator::evaluate_call(const ast::Call& call, Span span, const void* place) {
  const Value callee = evaluate(*call.callee);
  Arguments arguments = evaluate_arguments(call.arguments);
  const auto* name = std::get_if<ast::Name>(&call.callee->node);
  return this->call(callee, std::move(arguments), span, place,
                    name != nullptr ? std::string_view(name->name) : std::string_view());
}

Value Elaborator::call(const Value& callee, Arguments arguments, Span span, const void* place,
                       std::string_view callee_name) {
  if (callee.is_error() || arguments.has_error()) return ErrorValue{};
  if (const auto* builtin = callee.get<const Builtin*>())
    return call_builtin(**builtin, std::move(arguments), span, place);
  const FunctionValue* function = callee.function();
  if (function != nullptr) return call_function(*function, std::move(arguments), span, place, callee_name);
  const std::string what =
      callee_name.empty() ? std::string() : fmt::format("'{}' is {} and ", callee_name, kind_of(callee));
  const auto* text = callee.get<std::string>();
  const std::string advice =
      text != nullptr ? fmt::format("; functions and layers go by name, without quotes: {}", *text) : "";
  return fail(span, (what.empty() ? kind_of(callee) + " " : what) + "cannot be called" + advice);
}

Value Elaborator::call_builtin(const Builtin& builtin, Arguments arguments, Span span, const void* place) {
  const std::vector<BuiltinParameter> parameters = parameters_of(builtin);
  const std::string signature(builtin.signature);
  BuiltinCall call{*this, builtin, span, place, {}, {}};
  call.arguments.resize(parameters.size());
  std::size_t next = 0;
  for (Argument& argument : arguments.positional) {
    if (next < parameters.size() && parameters[next].variadic) {
      call.rest.push_back(std::move(argument));
    } else if (next < parameters.size() && !parameters[next].by_name_only) {
      call.arguments[next++] = std::move(argument);
    } else {
      const bool by_name = next < parameters.size();
      return fail(argument.span,
                  by_name
                      ? fmt::format("'{}' takes '{}' by name only", builtin.name, parameters[next].name)
                      : fmt::format("'{}' takes {}, and {} {} given", builtin.name, tarn::counted(next, "argument"),
                                    arguments.positional.size(), agreeing(arguments.positional.size(), "is", "are")),
                  "call", signature);
    }
  }
  for (NamedArgument& named : arguments.named) {
    const auto it = std::find_if(parameters.begin(), parameters.end(),
                                 [&](const BuiltinParameter& p) { return p.name == named.name && !p.variadic; });
    if (it == parameters.end()) {
      std::vector<std::string> names;
      for (const BuiltinParameter& p : parameters) names.emplace_back(p.name);
      return fail(named.name_span,
                  fmt::format("'{}' has no argument '{}'{}", builtin.name, named.name, did_you_mean(named.name, names)),
                  "call", signature);
    }
    auto& slot = call.arguments[static_cast<std::size_t>(it - parameters.begin())];
    if (slot) return fail(named.name_span, fmt::format("'{}' is given twice", named.name), "call", signature);
    slot = std::move(named.argument);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].required && !call.arguments[i]) {
      return fail(span, fmt::format("'{}' needs '{}'", builtin.name, parameters[i].name), "call", signature);
    }
  }
  return builtin.run(call);
}

std::optional<std::vector<Value>> Elaborator::match(const FunctionValue& function, std::size_t list,
                                                    Arguments arguments, Span span) {
  const std::vector<ast::Parameter>& parameters = function.parameters(list);
  const std::string name =
      function.declaration != nullptr ? fmt::format("'{}'", function.declaration->name.name) : "the function";
  std::vector<std::optional<Value>> given(parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    fail(arguments.positional[parameters.size()].span,
         fmt::format("{} takes {}{}, and {} {} given", name, tarn::counted(parameters.size(), "argument"),
                     function.list_count() > 1 && list == 0 ? " before its input" : "", arguments.positional.size(),
                     agreeing(arguments.positional.size(), "is", "are")),
         "call", signature(function));
    return std::nullopt;
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) given[i] = std::move(arguments.positional[i].value);
  bool good = true;
  for (NamedArgument& named : arguments.named) {
    const auto it = std::find_if(parameters.begin(), parameters.end(),
                                 [&](const ast::Parameter& p) { return p.name.name == named.name; });
    if (it == parameters.end()) {
      fail(named.name_span,
           fmt::format("{} has no argument '{}'{}", name, named.name,
                       proposal(named.name, names_of(parameters), WordPlace::argument)),
           "call", signature(function));
      good = false;
      continue;
    }
    auto& slot = given[static_cast<std::size_t>(it - parameters.begin())];
    if (slot) fail(named.name_span, fmt::format("'{}' is given twice", named.name), "call", signature(function));
    good = good && !slot;
    slot = std::move(named.argument.value);
  }
  if (!good) return std::nullopt;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i] || parameters[i].default_value) continue;
    fail(span, fmt::format("{} needs '{}'", name, parameters[i].name.name), "call", signature(function));
    return std::nullopt;
  }
  // Defaults see the parameters before them.
  Names names(*this, function.environment, function.module);
  for (std::size_t l = 0; l < list; ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i)
      names->set(function.parameters(l)[i].name.name, {function.bound[l][i], {}, Update::never});
  }
  std::vector<Value> values;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!given[i]) given[i] = evaluate(*parameters[i].default_value);
    if (given[i]->is_error()) return std::nullopt;
    names->set(parameters[i].name.name, {*given[i], {}, Update::never});
    values.push_back(std::move(*given[i]));
  }
  return values;
}

Instance* Elaborator::new_instance(const void* place, std::string base, bool is_layer) {
  Instance& parent = *activation->instance;
  std::unique_ptr<Instance>& child = parent.children[activation->meet(place)];
  if (!child) {
    child = std::make_unique<Instance>();
    child->parent = &parent;
    child->base = std::move(base);
    child->is_layer = is_layer;
    child->depth = parent.depth + (is_layer ? 1 : 0);
  }
  return child.get();
}

Value Elaborator::configure(const FunctionValue& function, Arguments arguments, Span span, const void* place) {
  auto values = match(function, function.bound.size(), std::move(arguments), span);
  if (!values) return ErrorValue{};
  FunctionValue filled = function;
  for (const Value& value : *values) filled.depth = std::max(filled.depth, 1 + depth_of(value));
  if (filled.depth > kMaxValueDepth)
    return fail(span, fmt::format("functions of functions nest deeper than {}", kMaxValueDepth));
  filled.bound.push_back(std::move(*values));
  if (filled.is_layer() && lists_left(filled) == 1)
    filled.instance = new_instance(place, filled.declaration->name.name, true);
  return std::make_shared<const FunctionValue>(std::move(filled));
}

Value Elaborator::configured(const Value& value, Span span, const void* place) {
  Value result = value;
  while (const FunctionValue* function = result.function()) {
    if (lists_left(*function) < 2) break;
    if (!has_defaults(*function, function->bound.size())) {
      return fail(span, fmt::format("'{}' needs its configuration first", function->declaration->name.name), "call",
                  signature(*function));
    }
    result = configure(*function, {}, span, place);
  }
  return result;
}

Value Elaborator::call_function(const FunctionValue& function, Arguments arguments, Span span, const void* place,
                                std::string_view callee_name) {
  if (skips_configuration(function, arguments)) {
    const Value ready = configured(std::make_shared<const FunctionValue>(function), span, place);
    return call(ready, std::move(arguments), span, place, callee_name);
  }
  if (lists_left(function) > 1) return configure(function, std::move(arguments), span, place);
  auto values = match(function, function.bound.size(), std::move(arguments), span);
  if (!values) return ErrorValue{};
  FunctionValue filled = function;
  filled.bound.push_back(std::move(*values));
  return run(filled, span, place, callee_name);
}

Value Elaborator::apply(const Value& function, std::vector<Value> values, Span span, const void* place) {
  const Value ready = configured(function, span, place);
  Arguments arguments;
  for (Value& value : values) arguments.positional.push_back({std::move(value), span});
  return call(ready, std::move(arguments), span, place);
}

Value Elaborator::pipe(const ast::Pipe& pipe, Span) {
  const Value value = evaluate(*pipe.value);
  const ast::Expression& target = *pipe.function;
  Arguments inputs;
  const auto* several = value.get<ListValue>();
  if (several != nullptr && several->several) {
    for (const Value& element : several->data->elements) inputs.positional.push_back({element, pipe.value->span});
  } else {
    inputs.positional.push_back({value, pipe.value->span});
  }
  const auto* call_node = std::get_if<ast::Call>(&target.node);
  if (call_node == nullptr) {
    const Value function = configured(evaluate(target), target.span, &target);
    const auto* name = std::get_if<ast::Name>(&target.node);
    return call(function, std::move(inputs), target.span, &target,
                name != nullptr ? std::string_view(name->name) : std::string_view());
  }
  const Value callee = evaluate(*call_node->callee);
  Arguments arguments = evaluate_arguments(call_node->arguments);
  if (callee.is_error() || arguments.has_error() || value.is_error()) return ErrorValue{};
  const FunctionValue* function = callee.function();
  const auto* name = std::get_if<ast::Name>(&call_node->callee->node);
  const std::string_view callee_name = name != nullptr ? std::string_view(name->name) : std::string_view();
  if (function != nullptr && lists_left(*function) > 1) {
    const Value layer =
        configured(configure(*function, std::move(arguments), target.span, &target), target.span, &target);
    return call(layer, std::move(inputs), target.span, &target, callee_name);
  }
  arguments.positional.insert(arguments.positional.begin(), inputs.positional.begin(), inputs.positional.end());
  return call(callee, std::move(arguments), target.span, &target, callee_name);
}

Value Elaborator::copy_of(const Value& value, Span span, const void* place) {
  const Value ready = configured(value, span, place);
  const FunctionValue* function = ready.function();
  if (ready.is_error()) return ErrorValue{};
  if (function == nullptr) return fail(span, fmt::format("copy takes a layer, not {}", kind_of(value)));
  FunctionValue copied = *function;
  if (function->instance != nullptr) {
    const Instance& original = *function->instance;
    copied.instance = new_instance(place, original.name.empty() || original.is_layer ? original.base : original.name,
                                   original.is_layer);
  }
  // Layers that it was configured with are parts of it.
  for (auto& list : copied.bound) {
    for (Value& argument : list) {
      const FunctionValue* part = argument.function();
      if (part != nullptr && part->instance != nullptr) argument = copy_of(argument, span, place);
    }
  }
  return std::make_shared<const FunctionValue>(std::move(copied));
}

void Elaborator::note_compared(const FunctionValue& function) {
  if (compared == nullptr || function.bound.empty() || function.bound.back().size() < 2) return;
  const auto* first = function.bound.back()[0].get<TensorValue>();
  const auto* second = function.bound.back()[1].get<TensorValue>();
  if (first != nullptr && second != nullptr) compared->emplace_back(first->node, second->node);
}

Better Elaborator::direction_of(const Value& value) const {
  const auto* tensor = value.get<TensorValue>();
  const auto found = tensor == nullptr ? directions.end() : directions.find({tensor->graph, tensor->node});
  return found == directions.end() ? Better::unknown : found->second;
}

void Elaborator::note_direction(const FunctionValue& function, const Value& result) {
  const auto* tensor = result.get<TensorValue>();
  if (function.declaration == nullptr || !function.declaration->direction || tensor == nullptr) return;
  const ast::Direction& direction = *function.declaration->direction;
  Better better = direction.larger ? Better::larger : Better::smaller;
  if (direction.as) {
    const std::vector<ast::Parameter>& parameters = function.parameters(function.bound.size() - 1);
    const auto argument = std::find_if(parameters.begin(), parameters.end(),
                                       [&](const ast::Parameter& p) { return p.name.name == direction.as->name; });
    if (argument == parameters.end()) {
      fail(direction.as->span, fmt::format("'{}' has no argument '{}' whose direction it could have",
                                           function.declaration->name.name, direction.as->name));
      return;
    }
    better = direction_of(function.bound.back()[static_cast<std::size_t>(argument - parameters.begin())]);
  }
  if (better != Better::unknown) directions[{tensor->graph, tensor->node}] = better;
}

Value Elaborator::run(const FunctionValue& function, Span span, const void* place, std::string_view callee_name) {
  if (calls_ >= options.limits.call_depth) {
    fail(span, fmt::format("calls nest deeper than {}", options.limits.call_depth), "",
         "does the function call itself without an end?");
    stopped_ = true;
    return ErrorValue{};
  }
  if (!spend(1, span)) return ErrorValue{};
  const Restored<int> deeper(calls_, calls_ + 1);
  const ScopedFrame frame(*this, function.description(), span);
  Names names(*this, function.environment, function.module);
  for (std::size_t l = 0; l < function.bound.size(); ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i) {
      names->set(function.parameters(l)[i].name.name, {function.bound[l][i], {}, Update::never});
    }
  }
  note_compared(function);
  if (function.is(ast::FunctionKind::optimizer)) return run_optimizer(function, *names, span, callee_name);
  Instance* instance = function.instance;
  if (instance == nullptr && function.is_layer()) instance = new_instance(place, function.declaration->name.name, true);
  Value result = function.is(ast::FunctionKind::metric) ? run_metric(function, span)
                 : instance != nullptr                  ? run_layer(function, *instance)
                                                        : run_body(function);
  note_direction(function, result);
  return result;
}

// The states of a metric that another one applies are called metric.f1.precision.right.
Value Elaborator::run_metric(const FunctionValue& function, Span span) {
  const std::string& name = function.declaration->name.name;
  if (metric_path.empty())
    return fail(span, fmt::format("'{}' is a metric: it stands on a `metric` line of train or in a metric", name));
  if (takes_metric) {
    takes_metric = false;
    metric_calls.clear();
    return run_body(function);
  }
  std::string path = metric_path + "." + name;
  if (const int earlier = metric_calls[path]++; earlier > 0) path += fmt::format("_{}", earlier);
  const Restored<std::string> inside(metric_path, std::move(path));
  return run_body(function);
}

Value Elaborator::run_layer(const FunctionValue& function, Instance& instance) {
  Activation application{&instance, {}};
  const Restored<Activation*> here(activation, &application);
  if (instance.is_layer) {
    instance.assign_name("");
    if (!instance.listed) {
      instance.listed = program.layers.size();
      program.layers.push_back({instance.path, function.declaration->name.name, {}, {}, instance.depth});
    }
  }
  Value result = run_body(function);
  if (!instance.is_layer) return result;
  if (const auto* output = result.get<TensorValue>(); output != nullptr && output->graph == context_->number) {
    program.layers[*instance.listed].output = type_of(*output).shape;
  }
  if (result.is<NoneValue>() && !stopped_)
    return fail(frames.back().call, fmt::format("the layer '{}' returns nothing", function.declaration->name.name));
  return result;
}

// `fn a(x) = b(x)` ends in b; that is what a metric or loss called a really is.
Value Elaborator::evaluate_tail(const ast::Expression& expression, bool& is_call) {
  const ast::Expression* tail = &expression;
  while (const auto* conditional = std::get_if<ast::Conditional>(&tail->node)) {
    const std::optional<bool> chosen = condition(*conditional->condition, "the condition of an if");
    if (!chosen) return ErrorValue{};
    tail = *chosen ? conditional->then_value.get() : conditional->else_value.get();
  }
  const auto* call = std::get_if<ast::Call>(&tail->node);
  const auto* name = call != nullptr ? std::get_if<ast::Name>(&call->callee->node) : nullptr;
  Declaration* declaration = name != nullptr ? environment->module()->find(name->name) : nullptr;
  is_call = declaration != nullptr && declaration->function != nullptr;
  return evaluate(*tail);
}

Value Elaborator::run_body(const FunctionValue& function) {
  if (function.lambda != nullptr) return evaluate(*function.lambda->body);
  const ast::Function& declaration = *function.declaration;
  bool ends_in_call = false;
  Value result;
  if (declaration.expression) {
    result = evaluate_tail(*declaration.expression, ends_in_call);
  } else {
    constexpr BodyKind kKinds[] = {BodyKind::function, BodyKind::layer, BodyKind::optimizer, BodyKind::metric};
    Body body{kKinds[static_cast<int>(declaration.kind)], environment, function.description(), NoneValue{}, false};
    execute(declaration.block, body);
    result = std::move(body.result);
  }
  if (!ends_in_call) tail_function_ = declaration.name.name;
  return stopped_ ? Value(ErrorValue{}) : result;
}

Value Elaborator::run_optimizer(const FunctionValue& function, Environment& scope, Span span,
                                std::string_view callee_name) {
  const std::string& name = function.declaration->name.name;
  if (optimizing == nullptr)
    return fail(span, fmt::format("'{}' is an optimizer: it stands on an `optimizer` line of train", name));
  const std::vector<ast::Parameter>& inputs = function.parameters(function.list_count() - 1);
  if (inputs.size() != 2) {
    return fail(function.declaration->name.span,
                fmt::format("an optimizer sees one parameter and its gradient, as in {}(…)(w, g)", name));
  }
  const Restored<std::string> prefix(optimizing->prefix, callee_name.empty()
                                                             ? optimizing->prefix
                                                             : fmt::format("{}.{}", optimizing->prefix, callee_name));
  for (std::size_t l = 0; l + 1 < function.bound.size(); ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i) {
      const auto* number = function.bound[l][i].get<NumberValue>();
      if (number == nullptr) continue;
      const ast::Identifier& parameter = function.parameters(l)[i].name;
      scope.set(parameter.name,
                {hyper_parameter(fmt::format("{}.{}", optimizing->prefix, parameter.name), number->value, span),
                 {},
                 Update::never});
    }
  }
  const std::optional<NodeId> weight =
      fit(function.bound.back()[0], optimizing->type, inputs[0].name.name, span, "starts from");
  if (!weight) return ErrorValue{};
  const Value current = read_tensor(optimizing->parameter);
  if (current.get<TensorValue>()->node != *weight) set_next(optimizing->parameter, *weight);
  scope.set(inputs[0].name.name, {{}, optimizing->parameter, Update::weight});
  return run_body(function);
}

}  // namespace tarn::elaboration
