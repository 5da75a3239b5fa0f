// See dump.h.
#include "frontend/syntax/dump.h"

#include <fmt/format.h>

namespace tarn::ast {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      default:
        out += c;
    }
  }
  return out + '"';
}

// Writes (head part part …): parts on the line of the head, except blocks, whose statements have lines of their own.
class Dumper {
 public:
  std::string take() { return std::move(out_); }

  void file(const File& file) {
    out_ += "(file";
    statements(file.statements);
    out_ += ")\n";
  }

  void expression(const Expression& expression) { std::visit(*this, expression.node); }

  void operator()(const Number& number) { out_ += number.spelling; }
  void operator()(const Boolean& boolean) { out_ += boolean.value ? "true" : "false"; }
  void operator()(const None&) { out_ += "none"; }
  void operator()(const Name& name) { out_ += name.name; }
  void operator()(const String& string) {
    if (const auto text = string.literal()) {
      out_ += quoted(*text);
      return;
    }
    out_ += "(string";
    for (const String::Part& part : string.parts) {
      out_ += ' ';
      if (part.expression == nullptr) {
        out_ += quoted(part.text);
      } else {
        expression(*part.expression);
      }
    }
    out_ += ')';
  }
  void operator()(const List& list) { form("list", list.elements); }
  void operator()(const Comprehension& comprehension) {
    out_ += "(list-of";
    child(comprehension.element);
    form_identifiers(" (for", comprehension.names);
    child(comprehension.list);
    out_ += ')';
    optional("if", comprehension.condition);
    out_ += ')';
  }
  void operator()(const Map& map) {
    out_ += "(map";
    for (const Map::Entry& entry : map.entries) {
      out_ += " (";
      expression(*entry.key);
      child(entry.value);
      out_ += ')';
    }
    out_ += ')';
  }
  void operator()(const Unary& unary) {
    out_ += fmt::format("({}", spelling(unary.op));
    child(unary.operand);
    out_ += ')';
  }
  void operator()(const Binary& binary) {
    out_ += fmt::format("({}", spelling(binary.op));
    child(binary.left);
    child(binary.right);
    out_ += ')';
  }
  void operator()(const Pipe& pipe) {
    out_ += "(|>";
    child(pipe.value);
    child(pipe.function);
    out_ += ')';
  }
  void operator()(const Conditional& conditional) {
    out_ += "(if";
    child(conditional.condition);
    child(conditional.then_value);
    child(conditional.else_value);
    out_ += ')';
  }
  void operator()(const Call& call) {
    out_ += "(call";
    child(call.callee);
    arguments(call.arguments);
    out_ += ')';
  }
  void operator()(const Index& index) {
    out_ += "(index";
    child(index.object);
    for (const Index::Item& item : index.items) {
      if (!item.is_slice) {
        child(item.index);
        continue;
      }
      out_ += " (slice";
      child_or(item.begin, "*");
      child_or(item.end, "*");
      out_ += ')';
    }
    out_ += ')';
  }
  void operator()(const Member& member) {
    out_ += "(.";
    child(member.object);
    out_ += fmt::format(" {})", member.name.name);
  }
  void operator()(const Lambda& lambda) {
    out_ += "(=>";
    parameters(lambda.parameters);
    child(lambda.body);
    out_ += ')';
  }
  void operator()(const Scan& scan) {
    out_ += "(scan";
    for (const Scan::Sequence& sequence : scan.sequences) named("in", sequence.name, sequence.value);
    for (const Scan::Carry& carry : scan.carries) named("=", carry.name, carry.first);
    statements(scan.body.statements);
    out_ += ')';
  }

  void operator()(const Import& import) {
    out_ += fmt::format("(import {})", import.is_file ? quoted(import.name) : import.name);
  }
  void operator()(const Const& constant) { statement_of("const", constant.name, constant.value); }
  void operator()(const Function& function) {
    out_ += fmt::format("({} {}", spelling(function.kind), function.name.name);
    for (const auto& list : function.parameter_lists) parameters(list);
    if (function.direction) {
      const std::optional<Identifier>& as = function.direction->as;
      out_ += as ? fmt::format(" (better as {})", as->name)
                 : fmt::format(" (better {})", function.direction->larger ? "larger" : "smaller");
    }
    if (function.expression != nullptr) {
      child(function.expression);
    } else {
      statements(function.block.statements);
    }
    out_ += ')';
  }
  void operator()(const Model& model) { block("model " + model.name.name, model.block); }
  void operator()(const Train& train) { block("train", train.block); }
  void operator()(const Data& data) { block(data.name ? "data " + data.name->name : "data", data.block); }
  void operator()(const Variable& variable) {
    out_ += fmt::format("({} {}", spelling(variable.kind), variable.name.name);
    if (variable.shape) {
      out_ += ' ';
      form("shape", *variable.shape);
    }
    if (variable.type) out_ += fmt::format(" (type {})", variable.type->name);
    optional("initial", variable.initial);
    arguments(variable.options);
    out_ += ')';
  }
  void operator()(const Output& output) {
    out_ += "(output " + output.name.name;
    if (output.value != nullptr) child(output.value);
    out_ += ')';
  }
  void operator()(const Assignment& assignment) {
    form_identifiers("(= (", assignment.targets);
    out_ += ')';
    child(assignment.value);
    out_ += ')';
  }
  void operator()(const Update& update) { statement_of("<-", update.target, update.value); }
  void operator()(const Return& statement) { form("return", statement.values); }
  void operator()(const If& statement) {
    out_ += "(if";
    ++indent_;
    for (const If::Branch& branch : statement.branches) {
      line();
      out_ += '(';
      expression(*branch.condition);
      statements(branch.block.statements);
      out_ += ')';
    }
    if (statement.otherwise) {
      line();
      block("else", *statement.otherwise);
    }
    --indent_;
    out_ += ')';
  }
  void operator()(const For& loop) {
    form_identifiers("(for (", loop.names);
    out_ += ')';
    child(loop.list);
    statements(loop.block.statements);
    out_ += ')';
  }
  void operator()(const Repeat& loop) {
    out_ += "(repeat";
    child(loop.count);
    statements(loop.block.statements);
    out_ += ')';
  }
  void operator()(const Check& check) {
    out_ += "(check";
    child(check.condition);
    if (check.message != nullptr) child(check.message);
    out_ += ')';
  }
  void operator()(const Penalty& penalty) {
    out_ += "(penalty";
    child(penalty.value);
    out_ += ')';
  }
  void operator()(const Adapt& adapt) { block("adapt", adapt.block); }
  void operator()(const Evaluate& evaluate) {
    out_ += "(evaluate";
    child(evaluate.value);
    out_ += ')';
  }
  void operator()(const Term& term) {
    out_ += fmt::format("({}", spelling(term.kind));
    if (term.name) out_ += fmt::format(" (name {})", term.name->name);
    child(term.value);
    paths(term.paths);
    out_ += ')';
  }
  void operator()(const Setting& setting) {
    out_ += "(setting " + setting.key.name;
    arguments(setting.arguments);
    paths(setting.paths);
    out_ += ')';
  }

 private:
  void line() {
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * 2, ' ');
  }
  void statements(const std::vector<Statement>& list) {
    ++indent_;
    for (const Statement& statement : list) {
      line();
      std::visit(*this, statement.node);
    }
    --indent_;
  }
  void block(std::string_view head, const Block& block) {
    out_ += fmt::format("({}", head);
    statements(block.statements);
    out_ += ')';
  }
  void child(const ExpressionPtr& pointer) {
    out_ += ' ';
    expression(*pointer);
  }
  void child_or(const ExpressionPtr& pointer, std::string_view otherwise) {
    if (pointer != nullptr) {
      child(pointer);
    } else {
      out_ += fmt::format(" {}", otherwise);
    }
  }
  // " (head value)" where there is one
  void optional(std::string_view head, const ExpressionPtr& value) {
    if (value == nullptr) return;
    out_ += fmt::format(" ({}", head);
    child(value);
    out_ += ')';
  }
  void form(std::string_view head, const std::vector<ExpressionPtr>& children) {
    out_ += fmt::format("({}", head);
    for (const ExpressionPtr& pointer : children) child(pointer);
    out_ += ')';
  }
  void statement_of(std::string_view head, const Identifier& name, const ExpressionPtr& value) {
    out_ += fmt::format("({} {}", head, name.name);
    child(value);
    out_ += ')';
  }
  void named(std::string_view head, const Identifier& name, const ExpressionPtr& value) {
    out_ += ' ';
    statement_of(head, name, value);
  }
  // The names behind `head`, separated by spaces, with nothing to close them.
  void form_identifiers(std::string_view head, const std::vector<Identifier>& names) {
    out_ += head;
    for (const Identifier& name : names) {
      if (out_.back() != '(') out_ += ' ';
      out_ += name.name;
    }
  }
  void arguments(const std::vector<Argument>& list) {
    for (const Argument& argument : list) {
      if (argument.name) {
        named("=", *argument.name, argument.value);
      } else {
        child(argument.value);
      }
    }
  }
  void parameters(const std::vector<Parameter>& list) {
    out_ += " (";
    for (const Parameter& parameter : list) {
      if (out_.back() != '(') out_ += ' ';
      if (parameter.default_value == nullptr) {
        out_ += parameter.name.name;
      } else {
        statement_of("=", parameter.name, parameter.default_value);
      }
    }
    out_ += ')';
  }
  void paths(const std::vector<Path>& list) {
    if (list.empty()) return;
    out_ += " (for";
    for (const Path& path : list) out_ += ' ' + path.text();
    out_ += ')';
  }

  std::string out_;
  int indent_ = 0;
};

}  // namespace

std::string dump(const File& file) {
  Dumper dumper;
  dumper.file(file);
  return dumper.take();
}

std::string dump(const Expression& expression) {
  Dumper dumper;
  dumper.expression(expression);
  return dumper.take();
}

}  // namespace tarn::ast
