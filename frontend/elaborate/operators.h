// Operators: numbers and lists fold, tensors become nodes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontend/elaborate/nodes.h"

namespace tarn::elaboration {

class Operators {
 public:
  Operators(Reports& reports, Graphs& graphs, Readings& readings, Nodes& nodes)
      : reports_(reports), graphs_(graphs), readings_(readings), nodes_(nodes) {}

  // An elementwise operation on numbers, lists and tensors; `symbol` is how messages spell it.
  Value elementwise(Op op, std::vector<Value> operands, Span span, std::string_view symbol);
  Value matrix_product(const Value& left, const Value& right, Span span);
  Value equality(const Value& left, const Value& right, bool negated, Span span);

 private:
  // What the operands are together.
  struct Operands {
    bool has_tensor = false;
    bool known = true;  // the values of all are, at compile time
  };
  std::optional<Operands> check_operands(const std::vector<Value>& operands, Span span, std::string_view symbol);
  std::optional<std::vector<NodeId>> operand_nodes(Op op, const std::vector<Value>& operands, DType type, Span span);
  // The shape that the nodes have together.
  std::optional<Shape> common_shape(const std::vector<NodeId>& nodes, Span span, std::string_view symbol);
  Value fold(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol);
  Value fold_numbers(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol);
  std::optional<DType> operand_type(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol,
                                    bool& weak);

  Reports& reports_;
  Graphs& graphs_;
  Readings& readings_;
  Nodes& nodes_;
};

}  // namespace tarn::elaboration
