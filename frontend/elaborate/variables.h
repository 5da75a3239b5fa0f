// input, target, param, state, slot, and `<-`: everything that has an entry in a table of the program.
#pragma once

#include <optional>
#include <string>

#include "frontend/elaborate/statements.h"
#include "ir/type.h"

namespace tarn::elaboration {

class Variables {
 public:
  explicit Variables(Elaborator& elaborator) : e_(elaborator) {}

  void declare(const ast::Variable& variable, Body& body, Span span);
  void update(const ast::Update& update, Body& body, Span span);
  // A store of the tensor in the init graph.
  void initialize(const std::string& name, const Type& type, const Value& initial, Span span);

 private:
  void declare_input(const ast::Variable& variable, Body& body, Span span);
  void declare_parameter(const ast::Variable& variable, Body& body, Span span);
  void declare_state(const ast::Variable& variable, Body& body, Span span);
  void declare_slot(const ast::Variable& variable, Body& body, Span span);
  void declare_metric_state(const ast::Variable& variable, Body& body, Span span);
  std::optional<Type> variable_type(const ast::Variable& variable, const Value* initial, Span span,
                                    const Type& otherwise);
  struct ParameterOptions {
    Value regularizer, constraint;
    Span regularizer_span, constraint_span;
    bool trainable = true;
  };
  std::optional<ParameterOptions> parameter_options(const ast::Variable& variable);
  // What a parameter adds to the objective.
  void regularize(const Value& parameter, const ParameterOptions& options, const void* place);

  Elaborator& e_;
};

}  // namespace tarn::elaboration
