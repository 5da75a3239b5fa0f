// From nodes to values: an expression is the body of a kernel before its loads have buffers.
//
// A point is an element of a node: the node, and coordinates that are affine in the axes of the kernel. Points are
// resolved from the results down: movements change coordinates, elementwise nodes ask for their operands at the same
// coordinates, leaves (sources that lie in memory, and nodes that are materialized) end as loads. Equal points are one
// value. Nodes are resolved in falling order of their ids, so nothing recurses.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "passes/plan/access.h"

namespace tarn {

// An edge of an array that has a border: within it, 0 <= index < limit.
struct Edge {
  Linear index;  // over the axes of the kernel and the edges that were crossed before
  std::int64_t limit = 0;
  friend bool operator==(const Edge&, const Edge&) = default;
};

struct Point {
  NodeId node = 0;
  // `at` holds one Linear, the row-major number of the element.
  bool flat = false;
  // Behind the axes of the kernel, a Linear has a stride for each edge: by the index that is within it.
  Coordinates at;
  // The edges that the way led across; outside of any of them, the value is `fill`, any where that is nothing, and
  // there is no element.
  std::vector<Edge> edges = {};
  std::optional<double> fill = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

// The indices within edges as functions of so many axes of the kernel alone; and a function of both, likewise.
std::vector<Linear> indices_within(const std::vector<Edge>& edges, std::size_t axes);
Linear over_axes(const Linear& linear, const std::vector<Linear>& within, std::size_t axes);

// A value that may still be a load from a leaf.
struct Term {
  Value value;  // operands and access.row are numbers of terms
  // For loads: where, in terms of the leaf. Where access.row is set, every Linear has one stride more, by the row.
  Point leaf;
};

// Whether the node is a reduction over axes of extent 1 only, which moves elements and adds nothing.
bool reduces_nothing(const Graph& graph, NodeId node);

// Which nodes are leaves.
struct Leaves {
  const Graph& graph;
  // Per node: its value is in memory before the kernel runs, because it is materialized.
  std::vector<bool> materialized;

  bool is_source(NodeId node) const;
  bool contains(NodeId node) const { return materialized[node] || is_source(node); }
};

// The element of a leaf (or of the node that stopped the way, if that is no leaf) that a point is, following views.
// `defined`, if given, is a materialized node through which the way goes on at this point.
Point follow(Point point, const Leaves& leaves, const IterationSpace& space, bool defined = false);

// The whole of a node as an affine view of a leaf: coordinates over axes_of(shape of node). If no such view exists,
// `leaf.node` is the node which would have to be materialized, and is_view is false.
struct View {
  Point leaf;
  bool is_view = false;
  bool has_border() const { return !leaf.edges.empty(); }
};
View view_of(NodeId node, const Leaves& leaves, std::int64_t max_batch);

class Expression {
 public:
  Expression(const Leaves& leaves, IterationSpace space) : leaves_(leaves), space_(std::move(space)) {}

  // The materialized node is computed here: at its own point it is resolved, not loaded.
  void define(NodeId node) { defined_[node] = std::nullopt; }
  // The same for a node whose rows are computed here, as short_rows.h says: it is resolved at every element of the own
  // point's row; a reduction along the row is a chain over its elements.
  void define_row(NodeId node, const std::vector<bool>& along) {
    define(node);
    along_[node] = along;
  }
  // At its own point, the node has this value (the product of a contraction, the result of a reduction).
  void give(NodeId node, Value value) { defined_[node] = std::move(value); }
  // With more terms than this, nodes are cut off and listed in missing().
  void limit_terms(std::size_t limit) { limit_ = limit; }

  // Asks for a point; the number names it in term_of().
  std::size_t demand(Point point);
  // Asks for a number.
  std::size_t demand_constant(double number, DType dtype);
  // Resolves everything that was asked for. Then terms() are in order: operands stand before their users.
  void resolve();

  const std::vector<Term>& terms() const { return terms_; }
  ValueId term_of(std::size_t demand) const { return position_[demands_[demand]]; }
  // Nodes which are no leaves, but have to become some.
  const std::vector<NodeId>& missing() const { return missing_; }

 private:
  struct Pending {
    Point point;
    std::uint32_t term;
  };
  std::uint32_t term_at(Point point);
  bool is_defined_at(const Point& point) const;
  void resolve(const Pending& pending);
  void resolve_load(const Pending& pending);
  void resolve_chain(const Pending& pending, const Node& node);
  void resolve_gather(const Pending& pending, const Node& node);
  void resolve_draw(const Pending& pending, const Node& node);
  void resolve_missing(const Pending& pending);
  void resolve_operation(const Pending& pending, const Node& node);
  void resolve_source(const Pending& pending, const Node& node);
  void resolve_within(const Pending& pending, const Node& node);
  ValueId inside_of(NodeId node, const std::vector<Edge>& edges);
  ValueId add_term(NodeId node, Value value);

  const Leaves& leaves_;
  IterationSpace space_;
  std::map<NodeId, std::optional<Value>> defined_;
  std::map<NodeId, std::vector<bool>> along_;  // of nodes defined by rows
  std::size_t limit_ = SIZE_MAX;
  std::map<NodeId, std::vector<Pending>, std::greater<>> pending_;
  std::vector<Term> terms_;
  std::vector<NodeId> nodes_;  // of each term
  std::vector<std::uint32_t> demands_;
  std::vector<ValueId> position_;
  std::vector<NodeId> missing_;
};

}  // namespace tarn
