// The graph: an arena of immutable nodes in topological order.
//
// Invariants (checked by verify()): every input of a node has a smaller id than the node, so a traversal is a loop; the
// type of a node is what its row's type rule gives; attributes are among the row's keys; no two nodes are equal in
// operation, type, inputs and attributes (nodes are hash-consed as they are made; locations stay out of the key);
// result nodes exist; per_sample types and kBatch never stand in one graph.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/op.h"
#include "ir/type.h"

namespace tarn {

// Index into Locations; 0 is "nowhere".
using LocationId = std::uint32_t;

// Where a node comes from: a place in the source and, if that place is inside a function or layer, the call that led
// there.
struct Location {
  Span span;
  // "layer 'dense'" or "function 'relu'": what `span` is inside of; empty at the top level.
  std::string context;
  LocationId caller = 0;
  friend bool operator==(const Location&, const Location&) = default;
};

// The interned locations of a program; shared by its graphs.
class Locations {
 public:
  Locations() : locations_(1) {}
  LocationId add(Location location);
  const Location& operator[](LocationId id) const { return locations_[id]; }
  std::size_t size() const { return locations_.size(); }
  // The outermost call that led to a location: the line in the user's model rather than in the prelude.
  Span outermost(LocationId id) const;
  // Notes "in layer 'dense', called here" for each caller, innermost first.
  std::vector<Note> backtrace(LocationId id) const;

 private:
  std::vector<Location> locations_;
  std::unordered_map<std::size_t, std::vector<LocationId>> by_hash_;
};

struct Node {
  Op op;
  Type type;
  std::vector<NodeId> inputs;
  Attributes attributes;
  LocationId location = 0;
};

// What a graph delivers.
enum class ResultKind : std::uint8_t {
  output,  // a named output of the model
  loss,    // the scalar objective of the batch; one, called "loss"
  store,   // the next value of the tensor with this name
  value,   // a named value for others to read: a metric at the end of an epoch
};
std::string_view name_of(ResultKind kind);

struct GraphResult {
  ResultKind kind;
  std::string name;
  NodeId node;
  friend bool operator==(const GraphResult&, const GraphResult&) = default;
};

class Graph {
 public:
  explicit Graph(std::shared_ptr<Locations> locations = std::make_shared<Locations>())
      : locations_(std::move(locations)) {}

  // The node, or an equal one that is there already. The caller vouches for the type (Builder infers it).
  NodeId add(Node node);
  const Node& operator[](NodeId id) const { return nodes_[id]; }
  NodeId size() const { return static_cast<NodeId>(nodes_.size()); }

  void add_result(ResultKind kind, std::string name, NodeId node) { results_.push_back({kind, std::move(name), node}); }
  const std::vector<GraphResult>& results() const { return results_; }
  std::vector<GraphResult>& results() { return results_; }
  // kNoNode where there is none.
  NodeId result(ResultKind kind, std::string_view name) const;

  const std::shared_ptr<Locations>& locations() const { return locations_; }

  // For every node, whether a result needs it.
  std::vector<bool> reachable() const;
  // For every node up to this one, whether this one needs it, itself among them. What is needed only by nodes for which
  // `ends` says so does not count.
  std::vector<bool> reachable_from(NodeId node, const std::function<bool(NodeId)>& ends = {}) const;
  // For every node, how many uses it has by reachable nodes and results.
  std::vector<std::uint32_t> use_counts() const;

 private:
  std::vector<Node> nodes_;
  std::unordered_multimap<std::size_t, NodeId> by_hash_;
  std::vector<GraphResult> results_;
  std::shared_ptr<Locations> locations_;
};

// Copies nodes of one graph into another while a pass rewrites them: map[old] is the new node.
using NodeMap = std::vector<NodeId>;

// Checks the invariants above; the diagnostics name the node.
Status verify(const Graph& graph);

}  // namespace tarn
