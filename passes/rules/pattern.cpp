// Matching, building, printing and examples of patterns. See pattern.h. Recursion follows a pattern, which is
// written in this folder and a few levels deep, never a graph.
#include "passes/rules/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/rebuild.h"

namespace tarn {

namespace {

using Kind = Pattern::Kind;

std::size_t slot(const Pattern& pattern) { return static_cast<std::size_t>(pattern.name - 'a'); }

bool bind(const Pattern& pattern, NodeId id, Bindings& bindings) {
  NodeId& bound = bindings.nodes[slot(pattern)];
  if (bound == kNoNode) bound = id;
  return bound == id;
}

// What is left to match: a pattern and its node, then the next.
struct Goal {
  const Pattern* pattern;
  NodeId id;
  const Goal* next;
};

bool match_goals(const Goal* goal, const Graph& graph, Bindings& bindings);

// The operands of a goal, in order or backwards, and after them the goals behind it.
bool match_operands(const Goal& goal, const Graph& graph, Bindings& bindings, bool backwards) {
  constexpr std::size_t kMaxArity = 3;
  const std::vector<NodeId>& inputs = graph[goal.id].inputs;
  std::array<Goal, kMaxArity> goals;
  const Goal* next = goal.next;
  for (std::size_t i = inputs.size(); i-- > 0;) {
    goals[i] = {&goal.pattern->operands[i], inputs[backwards ? inputs.size() - 1 - i : i], next};
    next = &goals[i];
  }
  return match_goals(next, graph, bindings);
}

// Tries both orders of every commutative operation: a choice that fails later is taken back.
bool match_goals(const Goal* goal, const Graph& graph, Bindings& bindings) {
  if (goal == nullptr) return true;
  const Pattern& pattern = *goal->pattern;
  switch (pattern.kind) {
    case Kind::variable:
      return bind(pattern, goal->id, bindings) && match_goals(goal->next, graph, bindings);
    case Kind::number:
      return uniform_value(graph, goal->id) == pattern.number && match_goals(goal->next, graph, bindings);
    case Kind::any_number: {
      const std::optional<double> value = uniform_value(graph, goal->id);
      if (!value) return false;
      bindings.numbers[slot(pattern)] = *value;
      return bind(pattern, goal->id, bindings) && match_goals(goal->next, graph, bindings);
    }
    case Kind::operation:
      break;
  }
  if (graph[goal->id].op != pattern.op) return false;
  if (!info(pattern.op).has(kCommutative)) return match_operands(*goal, graph, bindings, false);
  const Bindings before = bindings;
  if (match_operands(*goal, graph, bindings, false)) return true;
  bindings = before;
  return match_operands(*goal, graph, bindings, true);
}

bool is_number(const Pattern& pattern) { return pattern.kind == Kind::number; }

// A number takes the type of another operand of the same operation; a condition is none of them.
std::size_t operand_with_type(const Pattern& pattern) {
  for (std::size_t i = info(pattern.op).signature == Signature::select ? 1 : 0; i < pattern.operands.size(); ++i) {
    if (!is_number(pattern.operands[i])) return i;
  }
  return pattern.operands.size();
}

NodeId number_of_type(Builder& builder, double value, const Type& type) {
  return builder.broadcast(builder.constant(value, type.dtype), type.shape, {});
}

// Builds the left side of a rule over new variables.
class PatternExample {
 public:
  PatternExample(ExampleMaker& maker, Guard guard) : maker_(maker), shape_(maker.shape()), guard_(guard) {}

  NodeId make(const Pattern& pattern) {
    choose_numbers();
    return node(pattern, DType::f64);
  }

 private:
  // Values for k and l that the guard accepts.
  void choose_numbers() {
    static constexpr std::array kValues = {2.0, 0.5, -1.5, 4.0, 1.0, 0.0, -1.0, 3.0, 1e-7, 1 - 1e-7};
    for (int attempt = 0; attempt < 1000; ++attempt) {
      for (double& number : bindings_.numbers) number = kValues[static_cast<std::size_t>(maker_.below(kValues.size()))];
      if (guard_ == nullptr || guard_(bindings_)) return;
    }
    TARN_CHECK(false, "no example satisfies the guard of a rule");
  }

  NodeId node(const Pattern& pattern, DType dtype) {
    const Type type{dtype, false, shape_};
    switch (pattern.kind) {
      case Kind::number:
        return number_of_type(maker_.builder(), pattern.number, type);
      case Kind::any_number:
        return number_of_type(maker_.builder(), bindings_.number(pattern.name), type);
      case Kind::variable: {
        NodeId& bound = bindings_.nodes[slot(pattern)];
        if (bound == kNoNode) bound = maker_.variable(shape_, dtype);
        return bound;
      }
      case Kind::operation:
        break;
    }
    std::vector<NodeId> operands;
    operands.reserve(pattern.operands.size());
    for (std::size_t i = 0; i < pattern.operands.size(); ++i) {
      operands.push_back(node(pattern.operands[i], operand_dtype(pattern.op, i, dtype)));
    }
    return maker_.builder().make(pattern.op, operands);
  }

  static DType operand_dtype(Op op, std::size_t index, DType result) {
    const Signature signature = info(op).signature;
    if (signature == Signature::select) return index == 0 ? DType::boolean : result;
    return signature == Signature::logical ? DType::boolean : DType::f64;
  }

  ExampleMaker& maker_;
  Shape shape_;
  Guard guard_;
  Bindings bindings_;
};

}  // namespace

bool match(const Pattern& pattern, const Graph& graph, NodeId id, Bindings& bindings) {
  const Goal goal{&pattern, id, nullptr};
  return match_goals(&goal, graph, bindings);
}

NodeId build(const Pattern& pattern, const Bindings& bindings, Builder& builder, const Type& like) {
  switch (pattern.kind) {
    case Kind::variable:
    case Kind::any_number:
      return bindings.node(pattern.name);
    case Kind::number:
      return number_of_type(builder, pattern.number, like);
    case Kind::operation:
      break;
  }
  std::vector<NodeId> operands(pattern.operands.size(), kNoNode);
  Type type = like;
  const std::size_t typed = operand_with_type(pattern);
  if (typed < operands.size()) {
    operands[typed] = build(pattern.operands[typed], bindings, builder, like);
    type = builder.type(operands[typed]);
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == kNoNode) operands[i] = build(pattern.operands[i], bindings, builder, type);
  }
  return builder.make(pattern.op, operands);
}

std::string to_string(const Pattern& pattern) {
  if (pattern.kind == Kind::number) return fmt::format("{}", pattern.number);
  if (pattern.kind != Kind::operation) return std::string(1, pattern.name);
  const auto operand = [&](std::size_t i) { return to_string(pattern.operands[i]); };
  const OpInfo& row = info(pattern.op);
  if (const std::string_view sign = row.notation.sign; !sign.empty())
    return row.arity == 1 ? fmt::format("{}{}", sign, operand(0))
                          : fmt::format("({} {} {})", operand(0), sign, operand(1));
  std::string text = std::string(name_of(pattern.op)) + "(";
  for (std::size_t i = 0; i < pattern.operands.size(); ++i) text += (i == 0 ? "" : ", ") + operand(i);
  return text + ")";
}

Rule equation(std::string name, Pattern pattern, Pattern replacement, Guard guard) {
  Rule rule;
  rule.name = std::move(name);
  rule.equation = to_string(pattern) + " = " + to_string(replacement);
  rule.roots = {pattern.op};
  rule.example = [pattern, guard](ExampleMaker& maker) { return PatternExample(maker, guard).make(pattern); };
  rule.apply = [pattern = std::move(pattern), replacement = std::move(replacement), guard](RewriteSite& site,
                                                                                           NodeId id) {
    Bindings bindings;
    Builder& builder = site.builder();
    if (!match(pattern, builder.graph(), id, bindings)) return kNoNode;
    if (guard != nullptr && !guard(bindings)) return kNoNode;
    return build(replacement, bindings, builder, Type(builder.type(id)));
  };
  return rule;
}

Rule fast_equation(std::string name, Pattern pattern, Pattern replacement, Guard guard) {
  Rule rule = equation(std::move(name), std::move(pattern), std::move(replacement), guard);
  rule.changes_rounding = true;
  return rule;
}

}  // namespace tarn
