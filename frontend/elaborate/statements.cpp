// Statements of models, train blocks and bodies.
#include <fmt/format.h>

#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"
#include "ir/program_functions.h"

namespace tarn::elaboration {

namespace {

// Ends a body in which something went wrong whose consequences are unknown: further errors would only confuse. The
// statements of a model and of a train block are looked at all the same.
void give_up(Body& body) {
  if (body.kind == BodyKind::model || body.kind == BodyKind::train) return;
  body.result = ErrorValue{};
  body.returned = true;
}

}  // namespace

void Elaborator::execute(const ast::Block& block, Body& body) {
  for (const ast::Statement& statement : block.statements) {
    if (body.returned || stopped_) return;
    execute(statement, body);
  }
}

void Elaborator::execute(const ast::Statement& statement, Body& body) {
  const Span span = statement.span;
  if (!spend(1, span)) return;
  const auto misplaced = [&](std::string_view what, std::string_view where) {
    if (body.kind == BodyKind::train && where.starts_with("a train")) {
      fail(span, fmt::format("{} must stand in the train block itself, not inside an if or a loop", what));
      return;
    }
    fail(span, fmt::format("{} may stand only in {}, not in {}", what, where, body.owner));
  };
  std::visit(
      ast::Overload{
          [&](const ast::Variable& v) { declare(v, body, span); },
          [&](const ast::Output& o) { execute_output(o, body, span); },
          [&](const ast::Assignment& a) { assign(a.targets, evaluate(*a.value), a.value->span, body); },
          [&](const ast::Update& u) { update(u, body, span); },
          [&](const ast::Return& r) { execute_return(r, body); },
          [&](const ast::If& i) { execute_if(i, body); },
          [&](const ast::For& f) { execute_for(f, body, span); },
          [&](const ast::Repeat& r) { execute_repeat(r, body, span); },
          [&](const ast::Check& c) {
            if (!execute_check(c, span)) give_up(body);
          },
          [&](const ast::Penalty& p) { execute_penalty(p, body, span); },
          [&](const ast::Adapt& a) { execute_adapt(a, body, span); },
          [&](const ast::Evaluate& e) {
            if (evaluate(*e.value).is_error()) give_up(body);
          },
          [&](const ast::Term& t) { misplaced(fmt::format("'{}'", ast::spelling(t.kind)), "a train block"); },
          [&](const ast::Setting& s) {
            misplaced(fmt::format("the setting '{}'", s.key.name), "a train or data block");
          },
          [&](const ast::Const&) { misplaced("'const'", "the file itself"); },
          [&](const ast::Import&) { misplaced("'import'", "the file itself"); },
          [&](const ast::Function& f) { misplaced(fmt::format("'{}'", ast::spelling(f.kind)), "the file itself"); },
          [&](const ast::Model&) { misplaced("'model'", "the file itself"); },
          [&](const ast::Train&) { misplaced("'train'", "the file itself"); },
          [&](const ast::Data&) { misplaced("'data'", "the file itself"); },
      },
      statement.node);
}

Value Elaborator::bind_name(const Value& value, const std::string& name, Span span, const void* place) {
  const FunctionValue* function = value.function();
  if (function == nullptr) return value;
  Value bound = value;
  const bool configurable = function->is_layer() && function->list_count() - function->bound.size() > 1;
  if (configurable) {
    const auto& parameters = function->parameters(function->bound.size());
    bool defaults = true;
    for (const ast::Parameter& p : parameters) defaults = defaults && p.default_value != nullptr;
    if (!defaults) return value;
    bound = configured(value, span, place);
    function = bound.function();
  }
  if (function != nullptr && function->instance != nullptr) function->instance->assign_name(name);
  return bound;
}

void Elaborator::assign(const std::vector<ast::Identifier>& targets, const Value& value, Span span, Body& body) {
  const auto bind = [&](const ast::Identifier& target, const Value& part) {
    const Binding* before = body.environment->find(target.name);
    if (before != nullptr && before->update != Update::never) {
      fail(target.span, fmt::format("'{}' gets its next value by `<-`, not by `=`", target.name));
      return;
    }
    body.environment->set(target.name, {bind_name(part, target.name, span, &target), {}, Update::never});
  };
  if (targets.size() == 1) {
    Value bound = value;
    if (value.is<NoneValue>() && body.kind == BodyKind::model) bound = fail(span, "this gives no value");
    bind(targets[0], bound);
    return;
  }
  const auto* parts = value.list();
  if (parts == nullptr || parts->size() != targets.size()) {
    if (parts != nullptr) {
      fail(span,
           fmt::format("{} for {}", tarn::counted(targets.size(), "name"), tarn::counted(parts->size(), "value")));
    } else if (!value.is_error()) {
      fail(span, fmt::format("{} for one value, {}", tarn::counted(targets.size(), "name"), kind_of(value)));
    }
    for (const ast::Identifier& target : targets) body.environment->set(target.name, {ErrorValue{}, {}, Update::never});
    return;
  }
  for (std::size_t i = 0; i < targets.size(); ++i) bind(targets[i], (*parts)[i]);
}

void Elaborator::execute_return(const ast::Return& statement, Body& body) {
  if (body.kind == BodyKind::model || body.kind == BodyKind::train || body.kind == BodyKind::optimizer) {
    fail(statement.values.front()->span, fmt::format("'return' has no meaning in {}", body.owner));
    return;
  }
  body.returned = true;
  std::vector<Value> values;
  for (const auto& value : statement.values) values.push_back(evaluate(*value));
  if (values.size() == 1) {
    body.result = std::move(values.front());
  } else {
    body.result = new_list(std::move(values), statement.values.front()->span, true);
  }
}

void Elaborator::execute_if(const ast::If& statement, Body& body) {
  for (const ast::If::Branch& branch : statement.branches) {
    const std::optional<bool> chosen = condition(*branch.condition, "the condition of an if");
    if (!chosen) {
      give_up(body);
      return;
    }
    if (*chosen) {
      execute(branch.block, body);
      return;
    }
  }
  if (statement.otherwise) execute(*statement.otherwise, body);
}

void Elaborator::execute_for(const ast::For& statement, Body& body, Span span) {
  const Value source = evaluate(*statement.list);
  if (source.is_error()) return;
  const auto* list = source.list();
  if (list == nullptr) {
    fail(statement.list->span, fmt::format("for goes through a list, not {}", kind_of(source)));
    return;
  }
  for (const Value& element : *list) {
    if (!spend(1, span) || !bind_elements(statement.names, element, statement.list->span, *body.environment)) return;
    execute(statement.block, body);
    if (body.returned) return;
  }
}

void Elaborator::execute_repeat(const ast::Repeat& statement, Body& body, Span span) {
  const auto count = to_integer(evaluate(*statement.count), statement.count->span, "the number of repetitions");
  if (!count) return;
  if (*count < 0) {
    fail(statement.count->span, fmt::format("the number of repetitions cannot be negative, and this is {}", *count));
    return;
  }
  for (std::int64_t i = 0; i < *count && !body.returned; ++i) {
    if (!spend(1, span)) return;
    execute(statement.block, body);
  }
}

bool Elaborator::execute_check(const ast::Check& statement, Span span) {
  const std::optional<bool> holds = condition(*statement.condition, "what is checked");
  if (!holds || *holds) return holds.has_value();
  const auto* message = statement.message ? std::get_if<ast::String>(&statement.message->node) : nullptr;
  fail(span,
       message != nullptr ? interpolate(*message) : "this does not hold: " + source_text(statement.condition->span),
       "check");
  return false;
}

void Elaborator::execute_penalty(const ast::Penalty& statement, Body& body, Span span) {
  if (body.kind != BodyKind::layer && body.kind != BodyKind::model) {
    fail(span, fmt::format("'penalty' may stand only in a layer or model, not in {}", body.owner));
    return;
  }
  const Value value = evaluate(*statement.value);
  if (!context_->has_objective || value.is_error()) return;
  const std::optional<NodeId> node = to_floating(value, statement.value->span);
  if (!node) return;
  if (!builder().shape(*node).empty()) {
    fail(statement.value->span, fmt::format("a penalty is one number, and this has the shape {}: sum it up",
                                            to_string(builder().shape(*node))));
    return;
  }
  context_->penalties.push_back(convert(*node, context_->float_type));
}

// States are fitted in a pass of their own over the training rows, which has a graph of its own.
void Elaborator::execute_adapt(const ast::Adapt& statement, Body& body, Span span) {
  if (body.kind != BodyKind::layer && body.kind != BodyKind::model) {
    fail(span, fmt::format("'adapt' may stand only in a layer or model, not in {}", body.owner));
    return;
  }
  has_adapt = true;
  if (!context_->adapts) return;
  context_->updates_states = true;
  execute(statement.block, body);
  context_->updates_states = false;
}

void Elaborator::execute_output(const ast::Output& output, Body& body, Span span) {
  if (body.kind != BodyKind::model) {
    fail(span, fmt::format("'output' may stand only in a model, not in {}", body.owner));
    return;
  }
  Value value = output.value ? evaluate(*output.value) : lookup(output.name.name, output.name.span);
  body.environment->set(output.name.name, {value, {}, Update::never});
  const Span where = output.value ? output.value->span : output.name.span;
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : to_node(value, std::nullopt, where);
  if (!node) return;
  const Type& type = builder().type(*node);
  if (!type.per_sample) {
    fail(where, fmt::format("the output '{}' does not depend on an input: it would be the same for every sample",
                            output.name.name));
    return;
  }
  for (const GraphResult& result : context_->graph.results()) {
    if (result.kind != ResultKind::output || result.name != output.name.name) continue;
    fail(output.name.span, fmt::format("the output '{}' is declared twice", output.name.name));
    return;
  }
  context_->graph.add_result(ResultKind::output, output.name.name, *node);
  if (function_named(context_->name).has(kPredicts))
    program.outputs.push_back({output.name.name, type, "", output.name.span});
}

}  // namespace tarn::elaboration
