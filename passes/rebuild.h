// Copying a graph node by node, which is how every pass changes one: nodes are immutable, so a pass makes a new graph
// and keeps a map from old to new.
//
// Invariant: a node is copied after its operands, so the map holds them already.
#pragma once

#include <optional>

#include "ir/builder.h"

namespace tarn {

// The node with its operands replaced by what the map gives for them; its type stays, so operands must keep theirs.
NodeId copy_node(Graph& to, const Node& node, const NodeMap& map);

// Gives `to` the results of `from`, mapped. Every result of `from` must be in the map.
void copy_results(const Graph& from, Graph& to, const NodeMap& map);

// The graph without nodes that no result needs. The others keep their order.
Graph without_dead_nodes(const Graph& graph);

// The value of a constant that is the same everywhere: a constant with 'value', or a broadcast of one.
std::optional<double> uniform_value(const Graph& graph, NodeId id);

// The axes 0 … rank - 1.
std::vector<std::int64_t> all_axes(std::size_t rank);
// Those of them that are not among `axes`, rising.
std::vector<std::int64_t> other_axes(std::size_t rank, const std::vector<std::int64_t>& axes);
// The shape without extents of 1.
Shape without_units(const Shape& shape);

}  // namespace tarn
