// Gradients of elementwise operations as formulas: what stands in BY(…) in ops.def.
//
// A term is a node of the graph that the builder writes, or a number, which becomes a constant of the type of what it
// meets. Every elementwise operation is a function of terms of the same name; + - * / and <= are operators as well.
#pragma once

#include <initializer_list>
#include <numbers>
#include <vector>

#include "ir/builder.h"

namespace tarn::gradient_terms {

class Term {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): numbers stand in formulas.
  constexpr Term(double number) : number_(number) {}
  constexpr Term(Builder& builder, NodeId node) : builder_(&builder), node_(node) {}

  bool is_number() const { return builder_ == nullptr; }
  Builder& builder() const { return *builder_; }
  NodeId node() const { return node_; }  // of a number, kNoNode
  double number() const { return number_; }
  // The node; a number as one of the type of `like`.
  NodeId node_like(const Term& like) const;

 private:
  Builder* builder_ = nullptr;
  NodeId node_ = kNoNode;
  double number_ = 0;
};

inline constexpr Term none(0);  // for an operand through which no gradient flows

// Operand `number` of the node; none where it has fewer.
Term operand(const Term& node, std::size_t number);
// The operation of terms, at least one of which is a node.
Term apply(Op op, std::initializer_list<Term> terms);
// For an operand each; a number but `none` is no gradient.
std::vector<NodeId> nodes_of(std::initializer_list<Term> terms);

#define ELEMENTWISE(name, ...)                \
  template <class... Terms>                   \
  Term name(const Terms&... terms) {          \
    return apply(Op::name, {Term(terms)...}); \
  }
#define OPERATION(...)
#include "ir/ops.def"

inline Term operator-(const Term& a) { return neg(a); }
inline Term operator+(const Term& a, const Term& b) { return add(a, b); }
inline Term operator-(const Term& a, const Term& b) { return sub(a, b); }
inline Term operator*(const Term& a, const Term& b) { return mul(a, b); }
inline Term operator/(const Term& a, const Term& b) { return div(a, b); }
inline Term operator<=(const Term& a, const Term& b) { return less_equal(a, b); }

inline constexpr double kSlopeOfErf = 2 * std::numbers::inv_sqrtpi;  // at 0

}  // namespace tarn::gradient_terms
