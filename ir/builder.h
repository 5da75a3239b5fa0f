// Makes nodes: infers types, broadcasts, and offers one function an operation, so that gradients and passes read as
// algebra.
//
// Contract: operands belong to the builder's graph. The short forms TARN_CHECK what the type rules refuse; try_make
// returns the refusal, for callers whose operands come from a user.
#pragma once

#include <initializer_list>
#include <string>

#include "ir/graph.h"

namespace tarn {

class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  Graph& graph() { return graph_; }
  const Node& node(NodeId id) const { return graph_[id]; }
  const Type& type(NodeId id) const { return graph_[id].type; }
  const Shape& shape(NodeId id) const { return graph_[id].type.shape; }

  // New nodes get this location until it is set again.
  void set_location(LocationId location) { location_ = location; }
  LocationId location() const { return location_; }

  // Fails where the type rule refuses, and where the graph has kMaxNodes nodes already.
  Result<NodeId> try_make(Op op, std::vector<NodeId> inputs, Attributes attributes = {},
                          const Type* requested = nullptr);
  NodeId make(Op op, std::vector<NodeId> inputs, Attributes attributes = {}, const Type* requested = nullptr);

  // Elementwise operations. Operands of one shape; a scalar operand is broadcast to the shape of the other (batch axis
  // included).
  NodeId unary(Op op, NodeId a) { return make(op, {a}); }
  NodeId binary(Op op, NodeId a, NodeId b);
  NodeId add(NodeId a, NodeId b) { return binary(Op::add, a, b); }
  NodeId sub(NodeId a, NodeId b) { return binary(Op::sub, a, b); }
  NodeId mul(NodeId a, NodeId b) { return binary(Op::mul, a, b); }
  NodeId div(NodeId a, NodeId b) { return binary(Op::div, a, b); }
  NodeId neg(NodeId a) { return unary(Op::neg, a); }
  NodeId where(NodeId condition, NodeId a, NodeId b);
  NodeId convert(NodeId a, DType dtype);

  // Sources.
  NodeId source(Op op, Type type, Attributes attributes);
  // A scalar of the dtype.
  NodeId constant(double value, DType dtype);
  // A constant of the shape and dtype of `like` (its batch axis and per-sample mark included for shape purposes: the
  // value is broadcast).
  NodeId constant_like(double value, NodeId like);

  // Reductions and movements. Axes count from 0; an empty list reduces nothing and returns the operand.
  NodeId reduce(Op op, NodeId a, std::vector<std::int64_t> axes);
  NodeId sum(NodeId a, std::vector<std::int64_t> axes) { return reduce(Op::reduce_sum, a, std::move(axes)); }
  NodeId reshape(NodeId a, Shape shape);
  // Operand axis i becomes axis axes[i] of `shape`. Returns the operand where nothing changes.
  NodeId broadcast(NodeId a, Shape shape, std::vector<std::int64_t> axes);
  // NumPy's broadcasting of a to `shape`: axes are aligned at the end, extents of 1 repeat.
  NodeId broadcast_to(NodeId a, Shape shape);
  NodeId transpose(NodeId a, std::vector<std::int64_t> axes);
  NodeId slice(NodeId a, std::vector<std::int64_t> starts, std::vector<std::int64_t> limits,
               std::vector<std::int64_t> strides);
  NodeId pad(NodeId a, std::vector<std::int64_t> low, std::vector<std::int64_t> high, double value);
  NodeId spread(NodeId a, std::vector<std::int64_t> strides);
  NodeId reverse(NodeId a, std::vector<std::int64_t> axes);
  // ir/windows.h says what these are.
  NodeId windows(NodeId a, std::vector<std::int64_t> axes, std::vector<std::int64_t> sizes,
                 std::vector<std::int64_t> steps, std::vector<std::int64_t> dilations);
  NodeId fold(NodeId a, std::vector<std::int64_t> axes, std::vector<std::int64_t> extents,
              std::vector<std::int64_t> steps, std::vector<std::int64_t> dilations, std::vector<std::int64_t> before);
  NodeId interleave(std::vector<NodeId> parts, std::vector<std::int64_t> axes, std::vector<std::int64_t> sizes);
  NodeId concat(std::vector<NodeId> parts, std::int64_t axis);
  NodeId gather(NodeId table, NodeId indices, std::int64_t axis);
  // Adds the slices of `a` to zeros of the type of a table.
  NodeId scatter_add(NodeId a, NodeId indices, std::int64_t axis, const Type& table);
  NodeId contract(NodeId a, NodeId b, std::string map);

  // The shape that NumPy's broadcasting gives two shapes, or why it gives none: "shapes do not agree: [3] and [4]".
  static Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);

 private:
  Graph& graph_;
  LocationId location_ = 0;
};

}  // namespace tarn
