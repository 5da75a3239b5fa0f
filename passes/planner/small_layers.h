// Layers with few units and few weights, as a machine sees them.
//
// Where a layer has fewer units than a vector has lanes, a row of [N, units] fills no vector, and a sum over the units
// has to add lanes up. With the samples side by side every vector is full, whatever the units, and all the weights are
// single numbers to it. So products of few terms are better done by loops (passes/loop_products.cpp), and temporaries
// lie with the batch innermost (batch_layout.cpp).
#pragma once

#include "ir/graph.h"
#include "passes/plan/target.h"

namespace tarn {

class SmallLayers {
 public:
  SmallLayers(const Target& target, std::int64_t max_batch)
      : vector_bytes_(target.vector_bytes), max_batch_(max_batch) {}

  // Whether the graph has such layers and no others: it stores what it computes, and all of its products, which are
  // contractions still, are small.
  bool are_all_of(const Graph& graph) const;
  // Whether a value of this type is N times a few numbers that fill no vectors.
  bool is_narrow(const Type& type) const;
  // Whether the product is of such values, with few weights.
  bool is_small(const Graph& graph, const Node& contraction) const;

 private:
  std::int64_t vector_bytes_, max_batch_;
};

}  // namespace tarn
