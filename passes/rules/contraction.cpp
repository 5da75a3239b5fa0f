// Rules around products: a contraction reads and writes its axes in any order, so transposes go into its map, and
// extents of 1 need not be in it.
#include <algorithm>
#include <array>

#include "ir/type_rules.h"
#include "passes/rebuild.h"
#include "passes/rules/structure.h"

namespace tarn {

namespace {

using Integers = std::vector<std::int64_t>;

// The map of a contraction with the letters of operand 0, operand 1 and the result.
std::array<std::string, 3> letters_of(Builder& b, NodeId id) {
  const ContractionMap map = parse_contraction_map(b.node(id).attributes.text(Key::map)).value();
  return {std::string(map.a), std::string(map.b), std::string(map.result)};
}

NodeId make_contract(Builder& b, const std::array<NodeId, 2>& operands, const std::array<std::string, 3>& letters) {
  return b.contract(operands[0], operands[1], letters[0] + "," + letters[1] + "->" + letters[2]);
}

NodeId contract_of_transpose(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  std::array<NodeId, 2> operands = {operand(b, id, 0), operand(b, id, 1)};
  std::array<std::string, 3> letters = letters_of(b, id);
  bool found = false;
  for (std::size_t i = 0; i < 2; ++i) {
    if (b.node(operands[i]).op != Op::transpose) continue;
    const Integers& axes = b.node(operands[i]).attributes.integers(Key::axes);
    const std::string after = letters[i];
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
      letters[i][static_cast<std::size_t>(axes[axis])] = after[axis];
    operands[i] = operand(b, operands[i]);
    found = true;
  }
  return found ? make_contract(b, operands, letters) : kNoNode;
}

NodeId transpose_of_contract(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  const NodeId inner = operand(b, id);
  // Where the product is used elsewhere too, it would be made twice.
  if (b.node(inner).op != Op::contract || site.uses(inner) != 1) return kNoNode;
  std::array<std::string, 3> letters = letters_of(b, inner);
  std::string result;
  for (const std::int64_t axis : b.node(id).attributes.integers(Key::axes))
    result += letters[2][static_cast<std::size_t>(axis)];
  letters[2] = result;
  return make_contract(b, {operand(b, inner, 0), operand(b, inner, 1)}, letters);
}

// Axes of extent 1 that a reshape gave to one operand alone add nothing to a product.
NodeId contract_of_unit_reshape(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  std::array<NodeId, 2> operands = {operand(b, id, 0), operand(b, id, 1)};
  std::array<std::string, 3> letters = letters_of(b, id);
  bool found = false;
  for (std::size_t i = 0; i < 2; ++i) {
    const NodeId x = operands[i];
    if (b.node(x).op != Op::reshape || without_units(b.shape(x)) != without_units(b.shape(operand(b, x)))) continue;
    std::string kept;
    Shape shape;
    for (std::size_t axis = 0; axis < letters[i].size(); ++axis) {
      const char letter = letters[i][axis];
      if (b.shape(x)[axis] == 1 && letters[1 - i].find(letter) == std::string::npos) {
        std::erase(letters[2], letter);
        found = true;
        continue;
      }
      kept += letter;
      shape.push_back(b.shape(x)[axis]);
    }
    letters[i] = kept;
    operands[i] = b.reshape(x, shape);
  }
  return found ? b.reshape(make_contract(b, operands, letters), Shape(b.shape(id))) : kNoNode;
}

NodeId contract_of_neg(RewriteSite& site, NodeId id) {
  Builder& b = site.builder();
  std::array<NodeId, 2> operands = {operand(b, id, 0), operand(b, id, 1)};
  const std::array<std::string, 3> letters = letters_of(b, id);
  for (NodeId& side : operands) {
    if (b.node(side).op != Op::neg) continue;
    side = operand(b, side);
    return b.neg(make_contract(b, operands, letters));
  }
  return kNoNode;
}

}  // namespace

std::vector<Rule> contraction_structure_rules() {
  return {
      {"contract_transpose",
       "contract(transpose(x), y) = contract(x, y) with another map",
       {Op::contract},
       contract_of_transpose,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId turned = b.transpose(m.variable({4, 2, 3}), {1, 2, 0});
         if (m.below(2) == 0) return b.contract(turned, m.variable({4, 5}), "bmk,kn->bmn");
         return b.contract(m.variable({kBatch, 4}), turned, "xk,bmk->xmb");
       }},
      {"transpose_contract",
       "transpose(contract(x, y)) = contract(x, y) with another map",
       {Op::transpose},
       transpose_of_contract,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         return b.transpose(b.contract(m.variable({2, 3}), m.variable({3, 4}), "mk,kn->mn"), {1, 0});
       }},
      {"contract_units",
       "contract(reshape(x), y) = reshape(contract(x, y)), where the reshape adds extents of 1",
       {Op::contract},
       contract_of_unit_reshape,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId row = b.reshape(m.variable({kBatch, 3}), {kBatch, 1, 3});
         if (m.below(2) == 0) return b.contract(row, m.variable({3, 4}), "bmk,kn->bmn");
         return b.contract(m.variable({3, 4}), row, "kn,bmk->bmn");
       }},
      {"contract_neg",
       "contract(-x, y) = -contract(x, y)",
       {Op::contract},
       contract_of_neg,
       [](ExampleMaker& m) {
         Builder& b = m.builder();
         const NodeId x = b.neg(m.variable({2, 3}));
         const NodeId y = m.variable({3, 4});
         return m.below(2) == 0 ? b.contract(x, y, "mk,kn->mn") : b.contract(y, x, "kn,mk->mn");
       }},
  };
}

}  // namespace tarn
