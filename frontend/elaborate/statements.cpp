// See statements.h.
#include "frontend/elaborate/statements.h"

#include <fmt/format.h>

#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"

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

void Statements::execute(const ast::Block& block, Body& body) {
  for (const ast::Statement& statement : block.statements) {
    if (body.returned || e_.reports.stopped()) return;
    execute(statement, body);
  }
}

void Statements::execute(const ast::Statement& statement, Body& body) {
  const Span span = statement.span;
  if (!e_.reports.spend(1, span)) return;
  const auto misplaced = [&](std::string_view what, std::string_view where) {
    if (body.kind == BodyKind::train && where.starts_with("a train")) {
      e_.reports.fail(span, fmt::format("{} must stand in the train block itself, not inside an if or a loop", what));
      return;
    }
    e_.reports.fail(span, fmt::format("{} may stand only in {}, not in {}", what, where, body.owner));
  };
  std::visit(
      ast::Overload{
          [&](const ast::Variable& v) { e_.variables.declare(v, body, span); },
          [&](const ast::Output& o) { execute_output(o, body, span); },
          [&](const ast::Assignment& a) { assign(a.targets, e_.evaluator.evaluate(*a.value), a.value->span, body); },
          [&](const ast::Update& u) { e_.variables.update(u, body, span); },
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
            if (e_.evaluator.evaluate(*e.value).is_error()) give_up(body);
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

void Statements::assign(const std::vector<ast::Identifier>& targets, const Value& value, Span span, Body& body) {
  const auto bind = [&](const ast::Identifier& target, const Value& part) {
    const Binding* before = body.environment->find(target.name);
    if (before != nullptr && before->update != Update::never) {
      e_.reports.fail(target.span, fmt::format("'{}' gets its next value by `<-`, not by `=`", target.name));
      return;
    }
    body.environment->set(target.name, {e_.calls.bind_name(part, target.name, span, &target), {}, Update::never});
  };
  if (targets.size() == 1) {
    Value bound = value;
    if (value.is<NoneValue>() && body.kind == BodyKind::model) bound = e_.reports.fail(span, "this gives no value");
    bind(targets[0], bound);
    return;
  }
  const auto* parts = value.list();
  if (parts == nullptr || parts->size() != targets.size()) {
    if (parts != nullptr) {
      e_.reports.fail(
          span, fmt::format("{} for {}", tarn::counted(targets.size(), "name"), tarn::counted(parts->size(), "value")));
    } else if (!value.is_error()) {
      e_.reports.fail(span, fmt::format("{} for one value, {}", tarn::counted(targets.size(), "name"), kind_of(value)));
    }
    for (const ast::Identifier& target : targets) body.environment->set(target.name, {ErrorValue{}, {}, Update::never});
    return;
  }
  for (std::size_t i = 0; i < targets.size(); ++i) bind(targets[i], (*parts)[i]);
}

void Statements::execute_return(const ast::Return& statement, Body& body) {
  if (body.kind == BodyKind::model || body.kind == BodyKind::train || body.kind == BodyKind::optimizer) {
    e_.reports.fail(statement.values.front()->span, fmt::format("'return' has no meaning in {}", body.owner));
    return;
  }
  body.returned = true;
  std::vector<Value> values;
  for (const auto& value : statement.values) values.push_back(e_.evaluator.evaluate(*value));
  if (values.size() == 1) {
    body.result = std::move(values.front());
  } else {
    body.result = e_.readings.new_list(std::move(values), statement.values.front()->span, true);
  }
}

void Statements::execute_if(const ast::If& statement, Body& body) {
  for (const ast::If::Branch& branch : statement.branches) {
    const std::optional<bool> chosen = e_.evaluator.condition(*branch.condition, "the condition of an if");
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

void Statements::execute_for(const ast::For& statement, Body& body, Span span) {
  const Value source = e_.evaluator.evaluate(*statement.list);
  if (source.is_error()) return;
  const auto* list = source.list();
  if (list == nullptr) {
    e_.reports.fail(statement.list->span, fmt::format("for goes through a list, not {}", kind_of(source)));
    return;
  }
  for (const Value& element : *list) {
    if (!e_.reports.spend(1, span) ||
        !e_.evaluator.bind_elements(statement.names, element, statement.list->span, *body.environment))
      return;
    execute(statement.block, body);
    if (body.returned) return;
  }
}

void Statements::execute_repeat(const ast::Repeat& statement, Body& body, Span span) {
  const auto count = e_.readings.to_integer(e_.evaluator.evaluate(*statement.count), statement.count->span,
                                            "the number of repetitions");
  if (!count) return;
  if (*count < 0) {
    e_.reports.fail(statement.count->span,
                    fmt::format("the number of repetitions cannot be negative, and this is {}", *count));
    return;
  }
  for (std::int64_t i = 0; i < *count && !body.returned; ++i) {
    if (!e_.reports.spend(1, span)) return;
    execute(statement.block, body);
  }
}

bool Statements::execute_check(const ast::Check& statement, Span span) {
  const std::optional<bool> holds = e_.evaluator.condition(*statement.condition, "what is checked");
  if (!holds || *holds) return holds.has_value();
  const auto* message = statement.message ? std::get_if<ast::String>(&statement.message->node) : nullptr;
  e_.reports.fail(span,
                  message != nullptr ? e_.evaluator.interpolate(*message)
                                     : "this does not hold: " + e_.reports.source_text(statement.condition->span),
                  "check");
  return false;
}

void Statements::execute_penalty(const ast::Penalty& statement, Body& body, Span span) {
  if (body.kind != BodyKind::layer && body.kind != BodyKind::model) {
    e_.reports.fail(span, fmt::format("'penalty' may stand only in a layer or model, not in {}", body.owner));
    return;
  }
  const Value value = e_.evaluator.evaluate(*statement.value);
  if (!e_.graphs.current().has_objective || value.is_error()) return;
  const std::optional<NodeId> node = e_.nodes.to_floating(value, statement.value->span);
  if (!node) return;
  if (!e_.graphs.builder().shape(*node).empty()) {
    e_.reports.fail(statement.value->span, fmt::format("a penalty is one number, and this has the shape {}: sum it up",
                                                       to_string(e_.graphs.builder().shape(*node))));
    return;
  }
  e_.graphs.current().penalties.push_back(e_.nodes.convert(*node, e_.graphs.current().float_type));
}

// States are fitted in a pass of their own over the training rows, which has a graph of its own.
void Statements::execute_adapt(const ast::Adapt& statement, Body& body, Span span) {
  if (body.kind != BodyKind::layer && body.kind != BodyKind::model) {
    e_.reports.fail(span, fmt::format("'adapt' may stand only in a layer or model, not in {}", body.owner));
    return;
  }
  has_adapt = true;
  if (!e_.graphs.current().adapts) return;
  e_.graphs.current().updates_states = true;
  execute(statement.block, body);
  e_.graphs.current().updates_states = false;
}

void Statements::execute_output(const ast::Output& output, Body& body, Span span) {
  if (body.kind != BodyKind::model) {
    e_.reports.fail(span, fmt::format("'output' may stand only in a model, not in {}", body.owner));
    return;
  }
  Value value =
      output.value ? e_.evaluator.evaluate(*output.value) : e_.evaluator.lookup(output.name.name, output.name.span);
  body.environment->set(output.name.name, {value, {}, Update::never});
  const Span where = output.value ? output.value->span : output.name.span;
  const std::optional<NodeId> node = value.is_error() ? std::nullopt : e_.nodes.to_node(value, std::nullopt, where);
  if (!node) return;
  const Type& type = e_.graphs.builder().type(*node);
  if (!type.per_sample) {
    e_.reports.fail(where,
                    fmt::format("the output '{}' does not depend on an input: it would be the same for every sample",
                                output.name.name));
    return;
  }
  for (const GraphResult& result : e_.graphs.current().graph.results()) {
    if (result.kind != ResultKind::output || result.name != output.name.name) continue;
    e_.reports.fail(output.name.span, fmt::format("the output '{}' is declared twice", output.name.name));
    return;
  }
  e_.graphs.current().graph.add_result(ResultKind::output, output.name.name, *node);
  if (e_.graphs.current().function.has(kPredicts))
    e_.program.outputs.push_back({output.name.name, type, "", output.name.span});
}

}  // namespace tarn::elaboration
