// See calls.h.
#include "frontend/elaborate/calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/elaborator.h"

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

class ScopedFrame {
 public:
  ScopedFrame(Reports& reports, std::string context, Span span) : reports_(reports) {
    const LocationId location = reports.location_of(span);
    reports.frames.push_back({std::move(context), span, location});
  }
  ~ScopedFrame() { reports_.frames.pop_back(); }
  ScopedFrame(const ScopedFrame&) = delete;
  ScopedFrame& operator=(const ScopedFrame&) = delete;

 private:
  Reports& reports_;
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

Arguments Calls::evaluate_arguments(const std::vector<ast::Argument>& given) {
  Arguments arguments;
  for (const ast::Argument& argument : given) {
    Argument evaluated{e_.evaluator.evaluate(*argument.value), argument.value->span};
    if (argument.name) {
      arguments.named.push_back({argument.name->name, argument.name->span, std::move(evaluated)});
    } else {
      arguments.positional.push_back(std::move(evaluated));
    }
  }
  return arguments;
}

Value Calls::evaluate_call(const ast::Call& call, Span span, const void* place) {
  const Value callee = e_.evaluator.evaluate(*call.callee);
  Arguments arguments = evaluate_arguments(call.arguments);
  const auto* name = std::get_if<ast::Name>(&call.callee->node);
  return this->call(callee, std::move(arguments), span, place,
                    name != nullptr ? std::string_view(name->name) : std::string_view());
}

Value Calls::call(const Value& callee, Arguments arguments, Span span, const void* place,
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
  return e_.reports.fail(span, (what.empty() ? kind_of(callee) + " " : what) + "cannot be called" + advice);
}

Value Calls::call_builtin(const Builtin& builtin, Arguments arguments, Span span, const void* place) {
  BuiltinCall call{e_, builtin, span, place, {}, {}};
  if (!match_builtin(e_.reports, std::move(arguments), call)) return ErrorValue{};
  return builtin.run(call);
}

std::optional<std::vector<Value>> Calls::match(const FunctionValue& function, std::size_t list, Arguments arguments,
                                               Span span) {
  std::optional<std::vector<std::optional<Value>>> matched =
      match_given(e_.reports, function, list, std::move(arguments), span);
  if (!matched) return std::nullopt;
  std::vector<std::optional<Value>>& given = *matched;
  const std::vector<ast::Parameter>& parameters = function.parameters(list);
  // Defaults see the parameters before them.
  NamesAtWork::Inside names(e_.names, function.environment, function.module);
  for (std::size_t l = 0; l < list; ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i)
      names->set(function.parameters(l)[i].name.name, {function.bound[l][i], {}, Update::never});
  }
  std::vector<Value> values;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!given[i]) given[i] = e_.evaluator.evaluate(*parameters[i].default_value);
    if (given[i]->is_error()) return std::nullopt;
    names->set(parameters[i].name.name, {*given[i], {}, Update::never});
    values.push_back(std::move(*given[i]));
  }
  return values;
}

Value Calls::configure(const FunctionValue& function, Arguments arguments, Span span, const void* place) {
  auto values = match(function, function.bound.size(), std::move(arguments), span);
  if (!values) return ErrorValue{};
  FunctionValue filled = function;
  for (const Value& value : *values) filled.depth = std::max(filled.depth, 1 + depth_of(value));
  if (filled.depth > kMaxValueDepth)
    return e_.reports.fail(span, fmt::format("functions of functions nest deeper than {}", kMaxValueDepth));
  filled.bound.push_back(std::move(*values));
  if (filled.is_layer() && lists_left(filled) == 1)
    filled.instance = e_.names.new_instance(place, filled.declaration->name.name, true);
  return std::make_shared<const FunctionValue>(std::move(filled));
}

Value Calls::configured(const Value& value, Span span, const void* place) {
  Value result = value;
  while (const FunctionValue* function = result.function()) {
    if (lists_left(*function) < 2) break;
    if (!has_defaults(*function, function->bound.size())) {
      return e_.reports.fail(span, fmt::format("'{}' needs its configuration first", function->declaration->name.name),
                             "call", e_.reports.signature(*function));
    }
    result = configure(*function, {}, span, place);
  }
  return result;
}

Value Calls::call_function(const FunctionValue& function, Arguments arguments, Span span, const void* place,
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

Value Calls::apply(const Value& function, std::vector<Value> values, Span span, const void* place) {
  const Value ready = configured(function, span, place);
  Arguments arguments;
  for (Value& value : values) arguments.positional.push_back({std::move(value), span});
  return call(ready, std::move(arguments), span, place);
}

Value Calls::pipe(const ast::Pipe& pipe) {
  const Value value = e_.evaluator.evaluate(*pipe.value);
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
    const Value function = configured(e_.evaluator.evaluate(target), target.span, &target);
    const auto* name = std::get_if<ast::Name>(&target.node);
    return call(function, std::move(inputs), target.span, &target,
                name != nullptr ? std::string_view(name->name) : std::string_view());
  }
  const Value callee = e_.evaluator.evaluate(*call_node->callee);
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

Value Calls::copy_of(const Value& value, Span span, const void* place) {
  const Value ready = configured(value, span, place);
  const FunctionValue* function = ready.function();
  if (ready.is_error()) return ErrorValue{};
  if (function == nullptr) return e_.reports.fail(span, fmt::format("copy takes a layer, not {}", kind_of(value)));
  FunctionValue copied = *function;
  if (function->instance != nullptr) {
    const Instance& original = *function->instance;
    copied.instance = e_.names.new_instance(
        place, original.name.empty() || original.is_layer ? original.base : original.name, original.is_layer);
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

Value Calls::bind_name(const Value& value, const std::string& name, Span span, const void* place) {
  const FunctionValue* function = value.function();
  if (function == nullptr) return value;
  Value bound = value;
  if (function->is_layer() && lists_left(*function) > 1) {
    if (!has_defaults(*function, function->bound.size())) return value;
    bound = configured(value, span, place);
    function = bound.function();
  }
  if (function != nullptr && function->instance != nullptr) function->instance->assign_name(name);
  return bound;
}

Value Calls::run(const FunctionValue& function, Span span, const void* place, std::string_view callee_name) {
  if (depth_ >= e_.reports.options.limits.call_depth) {
    e_.reports.fail(span, fmt::format("calls nest deeper than {}", e_.reports.options.limits.call_depth), "",
                    "does the function call itself without an end?");
    e_.reports.stop();
    return ErrorValue{};
  }
  if (!e_.reports.spend(1, span)) return ErrorValue{};
  const Restored<int> deeper(depth_, depth_ + 1);
  const ScopedFrame frame(e_.reports, function.description(), span);
  NamesAtWork::Inside names(e_.names, function.environment, function.module);
  for (std::size_t l = 0; l < function.bound.size(); ++l) {
    for (std::size_t i = 0; i < function.bound[l].size(); ++i) {
      names->set(function.parameters(l)[i].name.name, {function.bound[l][i], {}, Update::never});
    }
  }
  e_.notes.note_comparison(function);
  if (function.is(ast::FunctionKind::optimizer)) return run_optimizer(function, *names, span, callee_name);
  Instance* instance = function.instance;
  if (instance == nullptr && function.is_layer())
    instance = e_.names.new_instance(place, function.declaration->name.name, true);
  Value result = function.is(ast::FunctionKind::metric) ? run_metric(function, span)
                 : instance != nullptr                  ? run_layer(function, *instance)
                                                        : run_body(function);
  e_.notes.note_direction(function, result);
  return result;
}

// The states of a metric that another one applies are called metric.f1.precision.right.
Value Calls::run_metric(const FunctionValue& function, Span span) {
  const std::string& name = function.declaration->name.name;
  if (metric.path.empty())
    return e_.reports.fail(span,
                           fmt::format("'{}' is a metric: it stands on a `metric` line of train or in a metric", name));
  if (metric.takes_call) {
    metric.takes_call = false;
    metric.calls.clear();
    return run_body(function);
  }
  std::string path = metric.path + "." + name;
  if (const int earlier = metric.calls[path]++; earlier > 0) path += fmt::format("_{}", earlier);
  const Restored<std::string> inside(metric.path, std::move(path));
  return run_body(function);
}

Value Calls::run_layer(const FunctionValue& function, Instance& instance) {
  Activation application{&instance, {}};
  const Restored<Activation*> here(e_.names.activation, &application);
  if (instance.is_layer) {
    instance.assign_name("");
    if (!instance.listed) {
      instance.listed = e_.program.layers.size();
      e_.program.layers.push_back({instance.path, function.declaration->name.name, {}, {}, instance.depth});
    }
  }
  Value result = run_body(function);
  if (!instance.is_layer) return result;
  if (const auto* output = result.get<TensorValue>(); output != nullptr && e_.graphs.owns(*output)) {
    e_.program.layers[*instance.listed].output = e_.graphs.type_of(*output).shape;
  }
  if (result.is<NoneValue>() && !e_.reports.stopped())
    return e_.reports.fail(e_.reports.frames.back().call,
                           fmt::format("the layer '{}' returns nothing", function.declaration->name.name));
  return result;
}

// `fn a(x) = b(x)` ends in b; that is what a metric or loss called a really is.
Value Calls::evaluate_tail(const ast::Expression& expression, bool& is_call) {
  const ast::Expression* tail = &expression;
  while (const auto* conditional = std::get_if<ast::Conditional>(&tail->node)) {
    const std::optional<bool> chosen = e_.evaluator.condition(*conditional->condition, "the condition of an if");
    if (!chosen) return ErrorValue{};
    tail = *chosen ? conditional->then_value.get() : conditional->else_value.get();
  }
  const auto* call = std::get_if<ast::Call>(&tail->node);
  const auto* name = call != nullptr ? std::get_if<ast::Name>(&call->callee->node) : nullptr;
  Declaration* declaration = name != nullptr ? e_.names.environment->module()->find(name->name) : nullptr;
  is_call = declaration != nullptr && declaration->function != nullptr;
  return e_.evaluator.evaluate(*tail);
}

Value Calls::run_body(const FunctionValue& function) {
  if (function.lambda != nullptr) return e_.evaluator.evaluate(*function.lambda->body);
  const ast::Function& declaration = *function.declaration;
  bool ends_in_call = false;
  Value result;
  if (declaration.expression) {
    result = evaluate_tail(*declaration.expression, ends_in_call);
  } else {
    constexpr BodyKind kKinds[] = {BodyKind::function, BodyKind::layer, BodyKind::optimizer, BodyKind::metric};
    Body body{kKinds[static_cast<int>(declaration.kind)], e_.names.environment, function.description(), NoneValue{},
              false};
    e_.statements.execute(declaration.block, body);
    result = std::move(body.result);
  }
  if (!ends_in_call) tail_function_ = declaration.name.name;
  return e_.reports.stopped() ? Value(ErrorValue{}) : result;
}

Value Calls::run_optimizer(const FunctionValue& function, Environment& scope, Span span, std::string_view callee_name) {
  const std::string& name = function.declaration->name.name;
  if (optimizing == nullptr)
    return e_.reports.fail(span, fmt::format("'{}' is an optimizer: it stands on an `optimizer` line of train", name));
  const std::vector<ast::Parameter>& inputs = function.parameters(function.list_count() - 1);
  if (inputs.size() != 2) {
    return e_.reports.fail(function.declaration->name.span,
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
      scope.set(parameter.name, {e_.tensors.hyper_parameter(fmt::format("{}.{}", optimizing->prefix, parameter.name),
                                                            number->value, span),
                                 {},
                                 Update::never});
    }
  }
  const std::optional<NodeId> weight =
      e_.nodes.fit(function.bound.back()[0], optimizing->type, inputs[0].name.name, span, "starts from");
  if (!weight) return ErrorValue{};
  const Value current = e_.tensors.read(optimizing->parameter);
  if (current.get<TensorValue>()->node != *weight) e_.tensors.set_next(optimizing->parameter, *weight);
  scope.set(inputs[0].name.name, {{}, optimizing->parameter, Update::weight});
  return run_body(function);
}

}  // namespace tarn::elaboration
