// Evaluation of expressions other than operators, calls and indexing, and compile-time readings of values.
#include <fmt/format.h>

#include <cmath>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

constexpr double kPi = 3.14159265358979323846;

// A hyper-parameter where a compile-time value is needed stands for the number that was given.
Value known_value(Elaborator& elaborator, const Value& value) {
  const auto* tensor = value.get<TensorValue>();
  if (tensor == nullptr || !tensor->known || tensor->graph != elaborator.context()->number) return value;
  if (elaborator.type_of(*tensor).dtype == DType::boolean) return *tensor->known != 0;
  return NumberValue{*tensor->known, std::floor(*tensor->known) == *tensor->known};
}

std::string not_known(const Value& value, const std::string& what, const char* wanted) {
  if (value.is<TensorValue>()) return fmt::format("{} must be known at compile time, and this is a tensor", what);
  return fmt::format("{} must be {}, not {}", what, wanted, kind_of(value));
}

}  // namespace

Elaborator::Names::Names(Elaborator& elaborator, Environment* parent, Module* module)
    : elaborator_(elaborator), before_(elaborator.environment), own_(std::make_unique<Environment>(parent, module)) {
  elaborator.environment = own_.get();
}

Elaborator::Names::~Names() {
  elaborator_.environment = before_;
  if (own_->captured) elaborator_.captured_.push_back(std::move(own_));
}

Value Elaborator::evaluate(const ast::Expression& expression) {
  if (!spend(1, expression.span)) return ErrorValue{};
  if (nesting_ >= options.limits.nesting) {
    fail(expression.span, fmt::format("expressions and calls nest deeper than {}", options.limits.nesting));
    stopped_ = true;
    return ErrorValue{};
  }
  ++nesting_;
  Value value = evaluate_node(expression);
  --nesting_;
  return value;
}

Value Elaborator::evaluate_node(const ast::Expression& expression) {
  const Span span = expression.span;
  return std::visit(
      ast::Overload{
          [&](const ast::Number& n) -> Value { return NumberValue{n.value, n.is_integer}; },
          [&](const ast::Boolean& b) -> Value { return b.value; },
          [&](const ast::None&) -> Value { return NoneValue{}; },
          [&](const ast::Name& n) -> Value { return evaluate_name(n, span); },
          [&](const ast::String& s) -> Value { return interpolate(s); },
          [&](const ast::List& list) -> Value {
            std::vector<Value> elements;
            elements.reserve(list.elements.size());
            for (const auto& element : list.elements) {
              elements.push_back(evaluate(*element));
              if (elements.back().is_error()) return ErrorValue{};
            }
            return new_list(std::move(elements), span);
          },
          [&](const ast::Comprehension& c) -> Value { return evaluate_comprehension(c, span); },
          [&](const ast::Map&) -> Value { return fail(span, "a map may stand only in a setting of train or data"); },
          [&](const ast::Unary& u) -> Value { return unary(u, span); },
          [&](const ast::Binary& b) -> Value { return binary(b, span); },
          [&](const ast::Pipe& p) -> Value { return pipe(p, span); },
          [&](const ast::Conditional& c) -> Value {
            const std::optional<bool> chosen = condition(*c.condition, "the condition of an if");
            if (!chosen) return ErrorValue{};
            return evaluate(*chosen ? *c.then_value : *c.else_value);
          },
          [&](const ast::Call& c) -> Value { return evaluate_call(c, span, &expression); },
          [&](const ast::Index& i) -> Value { return index(i, span); },
          [&](const ast::Member& m) -> Value { return evaluate_member(m, span); },
          [&](const ast::Lambda& l) -> Value { return evaluate_lambda(l); },
          [&](const ast::Scan&) -> Value { return fail(span, "'scan' is not supported yet"); },
      },
      expression.node);
}

Value Elaborator::evaluate_name(const ast::Name& name, Span span) { return lookup(name.name, span); }

Value Elaborator::lookup(std::string_view name, Span span) {
  if (const Binding* binding = environment->find(name)) {
    return binding->tensor.empty() ? binding->value : read_tensor(binding->tensor);
  }
  if (Declaration* declaration = environment->module()->find(name)) {
    if (declaration->function == nullptr) return constant(*declaration);
    return declaration->value;
  }
  if (name == "pi") return real(kPi);
  if (name == "training") return context_->training;
  if (name == "frozen") return is_frozen();
  if (name == "step" || name == "epoch") {
    const TensorValue count{counter(name, span), context_->number, true, {}};
    if (name == "epoch" || batches_per_update == 1) return count;
    return elementwise(Op::floor_div, {count, integer(batches_per_update)}, span, "//");
  }
  if (const Builtin* builtin = find_builtin(name)) return builtin;
  // What a line that could not be read would have declared is not missing.
  if (lines_are_missing) return ErrorValue{};
  const bool wants_target =
      in_train_block && std::none_of(program.inputs.begin(), program.inputs.end(),
                                     [](const InputInfo& i) { return i.role != InputRole::input; });
  return fail(
      span,
      fmt::format(
          "'{}' is not known{}", name,
          wants_target
              ? fmt::format("; the train block declares what the data bring besides the inputs: target {}[1]", name)
              : proposal(name, visible_names(), WordPlace::expression)));
}

bool Elaborator::is_frozen() {
  if (activation == nullptr || activation->instance->parent == nullptr) return false;
  Instance& layer = *activation->instance;
  if (layer.name.empty()) layer.assign_name("");
  if (std::any_of(frozen_paths.begin(), frozen_paths.end(),
                  [&](const std::string& p) { return covers(p, layer.path); }))
    return true;
  layers_not_frozen.insert(layer.path);
  return false;
}

NodeId Elaborator::counter(std::string_view name, Span span) {
  const std::string tensor_name(name);
  declare_tensor({tensor_name, TensorKind::counter, Type{DType::f64, false, {}}, false, 0, 0, {}}, span);
  return tensor_node(tensor_name);
}

std::vector<std::string> Elaborator::visible_names() const {
  std::vector<std::string> names = {"pi", "training", "frozen", "step", "epoch"};
  environment->collect(names);
  const auto add = [&names](const Module& module) {
    for (const auto& [name, declaration] : module.declarations) names.emplace_back(name);
  };
  add(*environment->module());
  for (const Module* module : environment->module()->visible) add(*module);
  for (const Builtin& builtin : all_builtins()) names.emplace_back(builtin.name);
  return names;
}

Value Elaborator::constant(Declaration& declaration) {
  if (declaration.state == Declaration::State::done) return declaration.value;
  const ast::Const& node = *declaration.constant;
  if (declaration.state == Declaration::State::underway) {
    return fail(node.name.span, fmt::format("the constant '{}' is defined by itself", node.name.name));
  }
  declaration.state = Declaration::State::underway;
  const Names names(*this, nullptr, declaration.module);
  const ast::Expression& expression = declaration.overridden != nullptr ? *declaration.overridden : *node.value;
  Value value = evaluate(expression);
  if (value.is<TensorValue>()) {
    value = fail(expression.span, fmt::format("the constant '{}' must be known at compile time", node.name.name));
  } else {
    value = bind_name(value, node.name.name, expression.span, &node);
  }
  declaration.value = value;
  declaration.state = Declaration::State::done;
  return value;
}

Value Elaborator::evaluate_lambda(const ast::Lambda& lambda) {
  FunctionValue function;
  function.lambda = &lambda;
  function.module = environment->module();
  function.environment = environment;
  function.instance = new_instance(&lambda, "function", false);
  for (Environment* e = environment; e != nullptr; e = e->parent()) e->captured = true;
  return std::make_shared<const FunctionValue>(std::move(function));
}

bool Elaborator::bind_elements(const std::vector<ast::Identifier>& names, const Value& element, Span span,
                               Environment& scope) {
  if (names.size() == 1) {
    scope.set(names[0].name, {element, {}, Update::never});
    return true;
  }
  const auto* parts = element.list();
  if (parts == nullptr || parts->size() != names.size()) {
    fail(span, parts == nullptr ? fmt::format("{} names take apart lists, not {}", names.size(), kind_of(element))
                                : fmt::format("{} for the {} of {}", tarn::counted(names.size(), "name"),
                                              tarn::counted(parts->size(), "element"), to_text(element)));
    return false;
  }
  for (std::size_t i = 0; i < names.size(); ++i) scope.set(names[i].name, {(*parts)[i], {}, Update::never});
  return true;
}

Value Elaborator::evaluate_comprehension(const ast::Comprehension& comprehension, Span span) {
  const Value source = evaluate(*comprehension.list);
  if (source.is_error()) return ErrorValue{};
  const auto* list = source.list();
  if (list == nullptr)
    return fail(comprehension.list->span, fmt::format("for goes through a list, not {}", kind_of(source)));
  std::vector<Value> elements;
  for (const Value& element : *list) {
    if (!spend(1, span)) return ErrorValue{};
    Names names(*this, environment, environment->module());
    if (!bind_elements(comprehension.names, element, comprehension.list->span, *names)) return ErrorValue{};
    if (comprehension.condition) {
      const std::optional<bool> chosen = condition(*comprehension.condition, "the condition of a list");
      if (!chosen) return ErrorValue{};
      if (!*chosen) continue;
    }
    elements.push_back(evaluate(*comprehension.element));
    if (elements.back().is_error()) return ErrorValue{};
  }
  return new_list(std::move(elements), span);
}

Value Elaborator::new_list(std::vector<Value> elements, Span span, bool several) {
  Value list = make_list(std::move(elements), several);
  if (depth_of(list) > kMaxValueDepth) return fail(span, fmt::format("lists nest deeper than {}", kMaxValueDepth));
  return list;
}

Value Elaborator::evaluate_member(const ast::Member& member, Span span) {
  std::string path = member.name.name;
  const ast::Expression* object = member.object.get();
  while (const auto* inner = std::get_if<ast::Member>(&object->node)) {
    path = inner->name.name + "." + path;
    object = inner->object.get();
  }
  const Value owner = evaluate(*object);
  if (owner.is_error()) return ErrorValue{};
  const FunctionValue* function = owner.function();
  if (function == nullptr || function->instance == nullptr) {
    return fail(span, fmt::format("{} has no parameters, so '.{}' means nothing", kind_of(owner), path));
  }
  const std::string name = function->instance->path_of(path);
  if (!context_->declared.contains(name)) {
    std::vector<std::string> names(context_->declared.begin(), context_->declared.end());
    return fail(span, fmt::format("there is no parameter '{}' here{}; a layer has its parameters once it was applied",
                                  name, did_you_mean(name, names)));
  }
  return read_tensor(name);
}

std::string Elaborator::interpolate(const ast::String& string) {
  std::string out;
  for (const ast::String::Part& part : string.parts) {
    if (!part.expression) {
      out += part.text;
      continue;
    }
    const Value value = known_value(*this, evaluate(*part.expression));
    const auto* tensor = value.get<TensorValue>();
    out += tensor != nullptr && tensor->graph == context_->number ? to_string(type_of(*tensor)) : to_text(value);
    if (out.size() > options.limits.list_length) break;
  }
  return out;
}

std::optional<bool> Elaborator::condition(const ast::Expression& expression, const std::string& where) {
  const Value value = known_value(*this, evaluate(expression));
  if (value.is_error()) return std::nullopt;
  if (const bool* truth = value.get<bool>()) return *truth;
  if (value.is<TensorValue>()) {
    fail(expression.span,
         where + " must be known at compile time, and this is a tensor: where(c, a, b) chooses for each element");
  } else {
    fail(expression.span, fmt::format("{} must be true or false, not {}", where, kind_of(value)));
  }
  return std::nullopt;
}

std::optional<std::int64_t> Elaborator::to_integer(const Value& given, Span span, const std::string& what) {
  const Value value = known_value(*this, given);
  if (value.is_error()) return std::nullopt;
  const auto* number = value.get<NumberValue>();
  if (number == nullptr) {
    fail(span, not_known(value, what, "an integer"));
    return std::nullopt;
  }
  constexpr double kLargest = 9007199254740992.0;  // 2^53: up to here doubles are exact
  if (!number->is_integer || std::fabs(number->value) > kLargest) {
    const char* hint = std::floor(number->value) == number->value ? " (`//` divides integers)" : "";
    fail(span, fmt::format("{} must be an integer, not {}{}", what, to_text(number->value), hint));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number->value);
}

std::optional<double> Elaborator::to_number(const Value& given, Span span, const std::string& what) {
  const Value value = known_value(*this, given);
  if (value.is_error()) return std::nullopt;
  if (const auto* number = value.get<NumberValue>()) return number->value;
  fail(span, not_known(value, what, "a number"));
  return std::nullopt;
}

std::optional<bool> Elaborator::to_truth(const Value& given, Span span, const std::string& what) {
  const Value value = known_value(*this, given);
  if (value.is_error()) return std::nullopt;
  if (const bool* truth = value.get<bool>()) return *truth;
  fail(span, not_known(value, what, "true or false"));
  return std::nullopt;
}

bool Elaborator::append_extents(const Value& value, Span span, bool allow_inferred, Shape& shape) {
  if (!spend(1, span)) return false;
  if (const auto* list = value.list()) {
    for (const Value& element : *list) {
      if (!append_extents(element, span, allow_inferred, shape)) return false;
    }
    return true;
  }
  const std::optional<std::int64_t> extent = to_integer(value, span, "an extent of a shape");
  if (!extent) return false;
  if (*extent < 1 && !(allow_inferred && *extent == -1)) {
    fail(span, fmt::format("every axis needs at least one element, and this one has {}", *extent));
    return false;
  }
  if (shape.size() >= kMaxRank) {
    fail(span, fmt::format("a shape has at most {} axes", kMaxRank));
    return false;
  }
  shape.push_back(*extent);
  return true;
}

bool Elaborator::check_shape(const Shape& shape, Span span) {
  if (shape.size() > kMaxRank) {
    fail(span, fmt::format("a shape has at most {} axes, and {} has {}", kMaxRank, to_string(shape), shape.size()));
    return false;
  }
  if (element_count(shape) > kMaxElements) {
    fail(span, fmt::format("a tensor has at most {} elements, and {} has more", kMaxElements, to_string(shape)));
    return false;
  }
  return true;
}

std::optional<Shape> Elaborator::to_shape(const Value& value, Span span, bool allow_inferred) {
  Shape shape;
  if (value.is_error() || !append_extents(value, span, allow_inferred, shape)) return std::nullopt;
  if (!allow_inferred && !check_shape(shape, span)) return std::nullopt;
  return shape;
}

std::optional<Shape> Elaborator::to_shape(const ast::Shape& extents, Span span) {
  Shape shape;
  bool good = true;
  for (const auto& extent : extents) {
    const Value value = evaluate(*extent);
    good = !value.is_error() && good && append_extents(value, extent->span, false, shape);
  }
  if (!good || !check_shape(shape, extents.empty() ? span : extents.front()->span)) return std::nullopt;
  return shape;
}

}  // namespace tarn::elaboration
