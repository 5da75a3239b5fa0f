// The arena of nodes, hash-consing, results and locations. See graph.h.
#include "ir/graph.h"

#include <array>

#include "ir/hash.h"

namespace tarn {

namespace {

std::size_t hash_of(const Node& node) {
  std::size_t hash = hash_with(static_cast<std::size_t>(node.op), static_cast<std::size_t>(node.type.dtype));
  hash = hash_with(hash, node.type.per_sample ? 1 : 0);
  for (const std::int64_t extent : node.type.shape) hash = hash_with(hash, static_cast<std::size_t>(extent));
  for (const NodeId input : node.inputs) hash = hash_with(hash, input);
  return hash_with(hash, node.attributes.hash());
}

bool equal_but_for_location(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs == b.inputs && a.type == b.type && a.attributes == b.attributes;
}

}  // namespace

LocationId Locations::add(Location location) {
  // Callers are older than their callees, so following them ends.
  TARN_CHECK(location.caller < locations_.size(), "caller of a location");
  std::size_t hash = std::hash<std::string>{}(location.context);
  for (const std::uint32_t part :
       {location.span.file, location.span.line, location.span.column, location.span.length, location.caller}) {
    hash = hash_with(hash, part);
  }
  std::vector<LocationId>& same_hash = by_hash_[hash];
  for (const LocationId id : same_hash) {
    if (locations_[id] == location) return id;
  }
  const LocationId id = static_cast<LocationId>(locations_.size());
  locations_.push_back(std::move(location));
  same_hash.push_back(id);
  return id;
}

Span Locations::outermost(LocationId id) const {
  while (locations_[id].caller != 0) id = locations_[id].caller;
  return locations_[id].span;
}

std::vector<Note> Locations::backtrace(LocationId id) const {
  std::vector<Note> notes;
  for (; locations_[id].caller != 0; id = locations_[id].caller) {
    const std::string& context = locations_[id].context;
    notes.push_back(
        {locations_[locations_[id].caller].span, context.empty() ? "called here" : "in " + context + ", called here"});
  }
  return notes;
}

std::string_view name_of(ResultKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"output", "loss", "store", "value"};
  return kNames[static_cast<std::size_t>(kind)];
}

NodeId Graph::add(Node node) {
  const std::size_t hash = hash_of(node);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (equal_but_for_location(nodes_[it->second], node)) return it->second;
  }
  for (const NodeId input : node.inputs) TARN_CHECK(input < nodes_.size(), std::string(name_of(node.op)));
  TARN_CHECK(nodes_.size() < kNoNode, "node ids are used up");
  const NodeId id = size();
  nodes_.push_back(std::move(node));
  by_hash_.emplace(hash, id);
  return id;
}

NodeId Graph::result(ResultKind kind, std::string_view name) const {
  for (const GraphResult& result : results_) {
    if (result.kind == kind && result.name == name) return result.node;
  }
  return kNoNode;
}

std::vector<bool> Graph::reachable() const {
  std::vector<bool> needed(nodes_.size());
  for (const GraphResult& result : results_) needed[result.node] = true;
  for (std::size_t id = nodes_.size(); id-- > 0;) {
    if (!needed[id]) continue;
    for (const NodeId input : nodes_[id].inputs) needed[input] = true;
  }
  return needed;
}

std::vector<bool> Graph::reachable_from(NodeId node, const std::function<bool(NodeId)>& ends) const {
  std::vector<bool> needed(node + 1);
  needed[node] = true;
  for (NodeId id = node + 1; id-- > 0;) {
    if (!needed[id] || (ends && ends(id))) continue;
    for (const NodeId input : nodes_[id].inputs) needed[input] = true;
  }
  return needed;
}

std::vector<std::uint32_t> Graph::use_counts() const {
  const std::vector<bool> needed = reachable();
  std::vector<std::uint32_t> counts(nodes_.size());
  for (const GraphResult& result : results_) ++counts[result.node];
  for (std::size_t id = 0; id < nodes_.size(); ++id) {
    if (!needed[id]) continue;
    for (const NodeId input : nodes_[id].inputs) ++counts[input];
  }
  return counts;
}

}  // namespace tarn
