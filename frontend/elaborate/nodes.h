// Nodes out of values: constants, conversions, broadcasting, the batch.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/elaborate/names.h"
#include "frontend/elaborate/readings.h"

namespace tarn::elaboration {

class Nodes {
 public:
  Nodes(Reports& reports, Graphs& graphs, const NamesAtWork& names, Readings& readings)
      : reports_(reports), graphs_(graphs), names_(names), readings_(readings) {}

  // A value of this graph: numbers, truth values and lists become constants of the wanted type (none: what fits them
  // best).
  std::optional<NodeId> to_node(const Value& value, std::optional<DType> dtype, Span span);
  // As above, and truth values and integers become numbers that can be divided.
  std::optional<NodeId> to_floating(const Value& value, Span span);
  // The node made the tensor's type; reports what depends on one sample and shapes that do not fit.
  std::optional<NodeId> fit(const Value& value, const Type& type, const std::string& name, Span span,
                            std::string_view how);
  std::optional<Shape> shape_of(const Value& value, Span span);

  // Makes a node; reports what the type rule says.
  std::optional<NodeId> make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested, Span span,
                             const std::string& what = "");
  NodeId convert(NodeId node, DType dtype);
  std::optional<NodeId> broadcast_to(NodeId node, const Shape& shape, Span span);
  NodeId ones_in_batch(DType dtype);  // the number of samples
  // Mean over the samples; the node itself where it does not depend on one.
  NodeId batch_mean(NodeId node);
  NodeId mean_of_all(NodeId node);
  // New nodes belong to this place.
  void locate(Span span);

 private:
  Reports& reports_;
  Graphs& graphs_;
  const NamesAtWork& names_;
  Readings& readings_;
};

}  // namespace tarn::elaboration
