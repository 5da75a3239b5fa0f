// Evaluates expressions: numbers, lists and functions are computed, tensors become nodes of the graph at work. Calls
// are for calls.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/elaborate/scope.h"
#include "ir/type.h"

namespace tarn::elaboration {

struct Elaborator;

class Evaluator {
 public:
  explicit Evaluator(Elaborator& elaborator) : e_(elaborator) {}

  Value evaluate(const ast::Expression& expression);
  // The name's value, an error where there is none.
  Value lookup(std::string_view name, Span span);
  // A truth value that is known now; nothing after an error.
  std::optional<bool> condition(const ast::Expression& expression, const std::string& where);
  std::optional<Shape> shape(const ast::Shape& shape, Span span);
  std::string interpolate(const ast::String& string);
  // The parts of an element of a list get names in the scope.
  bool bind_elements(const std::vector<ast::Identifier>& names, const Value& element, Span span, Environment& scope);

  bool lines_are_missing = false;  // of the main file: they could not be parsed, which was reported
  bool in_train_block = false;     // it is being elaborated
  // Batches whose gradients together make one update, in a train block with `accumulate`: there `step` counts updates.
  std::int64_t batches_per_update = 1;

 private:
  Value node(const ast::Expression& expression);
  Value list(const ast::List& list, Span span);
  Value comprehension(const ast::Comprehension& comprehension, Span span);
  Value member(const ast::Member& member, Span span);
  Value lambda(const ast::Lambda& lambda);
  Value constant(Declaration& declaration);
  Value unary(const ast::Unary& unary, Span span);
  Value binary(const ast::Binary& binary, Span span);
  Value contains(const Value& list, const Value& wanted, Span list_span, Span span);
  Value range(const ast::Binary& binary, Span span);
  Value index(const ast::Index& index, Span span);

  Elaborator& e_;
  int nesting_ = 0;
};

}  // namespace tarn::elaboration
