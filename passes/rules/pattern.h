// Patterns that read as algebra: `x + 0`, `where(c, x, x)`, `pow(x, 2)`. A pattern is a small tree; the same tree is
// matched against a graph, built into one, printed as an equation, and turned into random examples.
//
// A variable stands for any node, the same node at every occurrence. A number stands for a constant with that value
// everywhere, of any shape. `k` and `l` stand for such constants with any value. add, mul, minimum, maximum, equal and
// the logical operations match in both orders of their operands.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "passes/rules/rules.h"

namespace tarn {

class Pattern {
 public:
  enum class Kind : std::uint8_t { variable, any_number, number, operation };

  // NOLINTNEXTLINE(google-explicit-constructor): numbers stand in patterns as they are.
  Pattern(double value) : kind(Kind::number), number(value) {}
  Pattern(Op op, std::vector<Pattern> operands) : kind(Kind::operation), op(op), operands(std::move(operands)) {}
  static Pattern variable(char name) { return Pattern(Kind::variable, name); }
  static Pattern any_number(char name) { return Pattern(Kind::any_number, name); }

  Kind kind;
  Op op = Op::add;
  char name = 0;  // variables
  double number = 0;
  std::vector<Pattern> operands;

 private:
  Pattern(Kind kind, char name) : kind(kind), name(name) {}
};

// What the variables of a pattern stand for, by their letter.
struct Bindings {
  std::array<NodeId, 26> nodes;
  std::array<double, 26> numbers;  // of any_number variables
  Bindings() : nodes(), numbers() { nodes.fill(kNoNode); }
  NodeId node(char name) const { return nodes[static_cast<std::size_t>(name - 'a')]; }
  double number(char name) const { return numbers[static_cast<std::size_t>(name - 'a')]; }
};

using Guard = bool (*)(const Bindings&);

// Whether the node has the form of the pattern; fills in the bindings.
bool match(const Pattern& pattern, const Graph& graph, NodeId id, Bindings& bindings);
// The node that the pattern stands for; numbers that stand alone take the type `like`.
NodeId build(const Pattern& pattern, const Bindings& bindings, Builder& builder, const Type& like);
std::string to_string(const Pattern& pattern);

// The rule `pattern = replacement`, where the guard (if there is one) holds.
Rule equation(std::string name, Pattern pattern, Pattern replacement, Guard guard = nullptr);
// The same, marked as changing floating-point meaning.
Rule fast_equation(std::string name, Pattern pattern, Pattern replacement, Guard guard = nullptr);

// The words of the rows: variables, numbers, and a function for each elementwise operation of the table.
namespace algebra {
inline const Pattern x = Pattern::variable('x');
inline const Pattern y = Pattern::variable('y');
inline const Pattern z = Pattern::variable('z');
inline const Pattern c = Pattern::variable('c');  // a condition
inline const Pattern d = Pattern::variable('d');  // a condition
inline const Pattern k = Pattern::any_number('k');
inline const Pattern l = Pattern::any_number('l');

#define ELEMENTWISE(name, ...)                        \
  template <class... Operands>                        \
  Pattern name(const Operands&... operands) {         \
    return Pattern(Op::name, {Pattern(operands)...}); \
  }
#define OPERATION(...)
#include "ir/ops.def"

inline Pattern operator-(const Pattern& a) { return neg(a); }
inline Pattern operator+(const Pattern& a, const Pattern& b) { return add(a, b); }
inline Pattern operator-(const Pattern& a, const Pattern& b) { return sub(a, b); }
inline Pattern operator*(const Pattern& a, const Pattern& b) { return mul(a, b); }
inline Pattern operator/(const Pattern& a, const Pattern& b) { return div(a, b); }
inline Pattern operator<(const Pattern& a, const Pattern& b) { return less(a, b); }
}  // namespace algebra

}  // namespace tarn
