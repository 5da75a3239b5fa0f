// Runs the statements of models, train blocks and bodies. Declarations are for variables.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/elaborate/scope.h"

namespace tarn::elaboration {

struct Elaborator;

enum class BodyKind : std::uint8_t { model, train, function, layer, optimizer, metric };

// The statements of one body while they run.
struct Body {
  BodyKind kind;
  Environment* environment;
  std::string owner;  // "function 'relu'"
  Value result;
  bool returned = false;
};

class Statements {
 public:
  explicit Statements(Elaborator& elaborator) : e_(elaborator) {}

  void execute(const ast::Block& block, Body& body);
  void execute(const ast::Statement& statement, Body& body);

  bool has_adapt = false;  // a layer has an `adapt` block

 private:
  void assign(const std::vector<ast::Identifier>& targets, const Value& value, Span span, Body& body);
  void execute_return(const ast::Return& statement, Body& body);
  void execute_for(const ast::For& statement, Body& body, Span span);
  void execute_repeat(const ast::Repeat& statement, Body& body, Span span);
  void execute_if(const ast::If& statement, Body& body);
  bool execute_check(const ast::Check& statement, Span span);
  void execute_penalty(const ast::Penalty& statement, Body& body, Span span);
  void execute_adapt(const ast::Adapt& statement, Body& body, Span span);
  void execute_output(const ast::Output& statement, Body& body, Span span);

  Elaborator& e_;
};

}  // namespace tarn::elaboration
