// See gradient_terms.h.
#include "ir/gradient_terms.h"

#include <algorithm>

namespace tarn::gradient_terms {

NodeId Term::node_like(const Term& like) const {
  if (!is_number()) return node_;
  return like.builder().constant(number_, like.builder().type(like.node()).dtype);
}

Term operand(const Term& node, std::size_t number) {
  const std::vector<NodeId>& inputs = node.builder().node(node.node()).inputs;
  return number < inputs.size() ? Term(node.builder(), inputs[number]) : none;
}

Term apply(Op op, std::initializer_list<Term> terms) {
  // The last node has the type of the values: a condition stands first.
  const Term* like = nullptr;
  for (const Term& term : terms) like = term.is_number() ? like : &term;
  TARN_CHECK(like != nullptr && terms.size() == static_cast<std::size_t>(info(op).arity), std::string(name_of(op)));
  std::vector<NodeId> nodes;
  for (const Term& term : terms) nodes.push_back(term.node_like(*like));
  Builder& b = like->builder();
  if (nodes.size() == 1) return {b, b.unary(op, nodes[0])};
  if (nodes.size() == 2) return {b, b.binary(op, nodes[0], nodes[1])};
  return {b, b.where(nodes[0], nodes[1], nodes[2])};
}

std::vector<NodeId> nodes_of(std::initializer_list<Term> terms) {
  std::vector<NodeId> nodes;
  for (const Term& term : terms) {
    TARN_CHECK(!term.is_number() || term.number() == 0, "a gradient has g as a factor");
    nodes.push_back(term.node());
  }
  return nodes;
}

}  // namespace tarn::gradient_terms
