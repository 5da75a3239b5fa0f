// Evaluation of expressions other than operators, calls and indexing. See evaluator.h.
#include "frontend/elaborate/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/builtin.h"
#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

constexpr double kPi = 3.14159265358979323846;

}  // namespace

Value Evaluator::evaluate(const ast::Expression& expression) {
  if (!e_.reports.spend(1, expression.span)) return ErrorValue{};
  if (nesting_ >= e_.reports.options.limits.nesting) {
    e_.reports.fail(expression.span,
                    fmt::format("expressions and calls nest deeper than {}", e_.reports.options.limits.nesting));
    e_.reports.stop();
    return ErrorValue{};
  }
  ++nesting_;
  Value value = node(expression);
  --nesting_;
  return value;
}

Value Evaluator::node(const ast::Expression& expression) {
  const Span span = expression.span;
  return std::visit(ast::Overload{
                        [&](const ast::Number& n) -> Value { return NumberValue{n.value, n.is_integer}; },
                        [&](const ast::Boolean& b) -> Value { return b.value; },
                        [&](const ast::None&) -> Value { return NoneValue{}; },
                        [&](const ast::Name& n) -> Value { return lookup(n.name, span); },
                        [&](const ast::String& s) -> Value { return interpolate(s); },
                        [&](const ast::List& l) -> Value { return list(l, span); },
                        [&](const ast::Comprehension& c) -> Value { return comprehension(c, span); },
                        [&](const ast::Map&) -> Value {
                          return e_.reports.fail(span, "a map may stand only in a setting of train or data");
                        },
                        [&](const ast::Unary& u) -> Value { return unary(u, span); },
                        [&](const ast::Binary& b) -> Value { return binary(b, span); },
                        [&](const ast::Pipe& p) -> Value { return e_.calls.pipe(p); },
                        [&](const ast::Conditional& c) -> Value {
                          const std::optional<bool> chosen = condition(*c.condition, "the condition of an if");
                          if (!chosen) return ErrorValue{};
                          return evaluate(*chosen ? *c.then_value : *c.else_value);
                        },
                        [&](const ast::Call& c) -> Value { return e_.calls.evaluate_call(c, span, &expression); },
                        [&](const ast::Index& i) -> Value { return index(i, span); },
                        [&](const ast::Member& m) -> Value { return member(m, span); },
                        [&](const ast::Lambda& l) -> Value { return lambda(l); },
                        [&](const ast::Scan&) -> Value { return e_.reports.fail(span, "'scan' is not supported yet"); },
                    },
                    expression.node);
}

Value Evaluator::lookup(std::string_view name, Span span) {
  if (const Binding* binding = e_.names.environment->find(name)) {
    return binding->tensor.empty() ? binding->value : e_.tensors.read(binding->tensor);
  }
  if (Declaration* declaration = e_.names.environment->module()->find(name)) {
    if (declaration->function == nullptr) return constant(*declaration);
    return declaration->value;
  }
  if (name == "pi") return real(kPi);
  if (name == "training") return e_.graphs.current().training;
  if (name == "frozen") return e_.names.is_frozen();
  if (name == "step" || name == "epoch") {
    const TensorValue count{e_.tensors.counter(name, span), e_.graphs.current().number, true, {}};
    if (name == "epoch" || batches_per_update == 1) return count;
    return e_.operators.elementwise(Op::floor_div, {count, integer(batches_per_update)}, span, "//");
  }
  if (const Builtin* builtin = find_builtin(name)) return builtin;
  // What a line that could not be read would have declared is not missing.
  if (lines_are_missing) return ErrorValue{};
  const bool wants_target =
      in_train_block && std::none_of(e_.program.inputs.begin(), e_.program.inputs.end(),
                                     [](const InputInfo& i) { return i.role != InputRole::input; });
  return e_.reports.fail(
      span,
      fmt::format(
          "'{}' is not known{}", name,
          wants_target
              ? fmt::format("; the train block declares what the data bring besides the inputs: target {}[1]", name)
              : proposal(name, e_.names.visible(), WordPlace::expression)));
}

Value Evaluator::constant(Declaration& declaration) {
  if (declaration.state == Declaration::State::done) return declaration.value;
  const ast::Const& node = *declaration.constant;
  if (declaration.state == Declaration::State::underway) {
    return e_.reports.fail(node.name.span, fmt::format("the constant '{}' is defined by itself", node.name.name));
  }
  declaration.state = Declaration::State::underway;
  const NamesAtWork::Inside names(e_.names, nullptr, declaration.module);
  const ast::Expression& expression = declaration.overridden != nullptr ? *declaration.overridden : *node.value;
  Value value = evaluate(expression);
  if (value.is<TensorValue>()) {
    value = e_.reports.fail(expression.span,
                            fmt::format("the constant '{}' must be known at compile time", node.name.name));
  } else {
    value = e_.calls.bind_name(value, node.name.name, expression.span, &node);
  }
  declaration.value = value;
  declaration.state = Declaration::State::done;
  return value;
}

Value Evaluator::lambda(const ast::Lambda& lambda) {
  FunctionValue function;
  function.lambda = &lambda;
  function.module = e_.names.environment->module();
  function.environment = e_.names.environment;
  function.instance = e_.names.new_instance(&lambda, "function", false);
  for (Environment* e = e_.names.environment; e != nullptr; e = e->parent()) e->captured = true;
  return std::make_shared<const FunctionValue>(std::move(function));
}

bool Evaluator::bind_elements(const std::vector<ast::Identifier>& names, const Value& element, Span span,
                              Environment& scope) {
  if (names.size() == 1) {
    scope.set(names[0].name, {element, {}, Update::never});
    return true;
  }
  const auto* parts = element.list();
  if (parts == nullptr || parts->size() != names.size()) {
    e_.reports.fail(span, parts == nullptr
                              ? fmt::format("{} names take apart lists, not {}", names.size(), kind_of(element))
                              : fmt::format("{} for the {} of {}", tarn::counted(names.size(), "name"),
                                            tarn::counted(parts->size(), "element"), to_text(element)));
    return false;
  }
  for (std::size_t i = 0; i < names.size(); ++i) scope.set(names[i].name, {(*parts)[i], {}, Update::never});
  return true;
}

Value Evaluator::list(const ast::List& list, Span span) {
  std::vector<Value> elements;
  elements.reserve(list.elements.size());
  for (const auto& element : list.elements) {
    elements.push_back(evaluate(*element));
    if (elements.back().is_error()) return ErrorValue{};
  }
  return e_.readings.new_list(std::move(elements), span);
}

Value Evaluator::comprehension(const ast::Comprehension& comprehension, Span span) {
  const Value source = evaluate(*comprehension.list);
  if (source.is_error()) return ErrorValue{};
  const auto* list = source.list();
  if (list == nullptr)
    return e_.reports.fail(comprehension.list->span, fmt::format("for goes through a list, not {}", kind_of(source)));
  std::vector<Value> elements;
  for (const Value& element : *list) {
    if (!e_.reports.spend(1, span)) return ErrorValue{};
    NamesAtWork::Inside names(e_.names, e_.names.environment, e_.names.environment->module());
    if (!bind_elements(comprehension.names, element, comprehension.list->span, *names)) return ErrorValue{};
    if (comprehension.condition) {
      const std::optional<bool> chosen = condition(*comprehension.condition, "the condition of a list");
      if (!chosen) return ErrorValue{};
      if (!*chosen) continue;
    }
    elements.push_back(evaluate(*comprehension.element));
    if (elements.back().is_error()) return ErrorValue{};
  }
  return e_.readings.new_list(std::move(elements), span);
}

Value Evaluator::member(const ast::Member& member, Span span) {
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
    return e_.reports.fail(span, fmt::format("{} has no parameters, so '.{}' means nothing", kind_of(owner), path));
  }
  const std::string name = function->instance->path_of(path);
  if (!e_.graphs.current().declared.contains(name)) {
    std::vector<std::string> names(e_.graphs.current().declared.begin(), e_.graphs.current().declared.end());
    return e_.reports.fail(
        span, fmt::format("there is no parameter '{}' here{}; a layer has its parameters once it was applied", name,
                          did_you_mean(name, names)));
  }
  return e_.tensors.read(name);
}

std::string Evaluator::interpolate(const ast::String& string) {
  std::string out;
  for (const ast::String::Part& part : string.parts) {
    if (!part.expression) {
      out += part.text;
      continue;
    }
    const Value value = e_.readings.known(evaluate(*part.expression));
    const auto* tensor = value.get<TensorValue>();
    out += tensor != nullptr && e_.graphs.owns(*tensor) ? to_string(e_.graphs.type_of(*tensor)) : to_text(value);
    if (out.size() > e_.reports.options.limits.list_length) break;
  }
  return out;
}

std::optional<bool> Evaluator::condition(const ast::Expression& expression, const std::string& where) {
  const Value value = e_.readings.known(evaluate(expression));
  if (value.is_error()) return std::nullopt;
  if (const bool* truth = value.get<bool>()) return *truth;
  if (value.is<TensorValue>()) {
    e_.reports.fail(
        expression.span,
        where + " must be known at compile time, and this is a tensor: where(c, a, b) chooses for each element");
  } else {
    e_.reports.fail(expression.span, fmt::format("{} must be true or false, not {}", where, kind_of(value)));
  }
  return std::nullopt;
}

std::optional<Shape> Evaluator::shape(const ast::Shape& extents, Span span) {
  Shape shape;
  bool good = true;
  for (const auto& extent : extents) {
    const Value value = evaluate(*extent);
    good = !value.is_error() && good && e_.readings.append_extents(value, extent->span, false, shape);
  }
  if (!good || !e_.readings.check_shape(shape, extents.empty() ? span : extents.front()->span)) return std::nullopt;
  return shape;
}

}  // namespace tarn::elaboration
