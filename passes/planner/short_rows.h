// Rows that are so short that a kernel computes all of their elements at once: the classes of an output, the features
// of a normalized layer.
//
// Softmax goes over a row for its maximum, then for the sum, then for the quotients, and its gradient once more. As
// loops these are kernels of their own, since each pass waits for a sum of the one before. A row of few elements whose
// number is known is arithmetic instead: a sum is a chain of additions, and a kernel whose points are rows, which lie
// side by side in vectors, does all of it in one pass.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "passes/plan/access.h"
#include "passes/planner/plan_kernels.h"

namespace tarn {

class ShortRows {
 public:
  ShortRows() = default;
  // Looks for reductions along rows of 2 to kLongestRow elements whose results come back to the elements of the row.
  ShortRows(const Graph& graph, const PlanOptions& options);

  static constexpr std::int64_t kLongestRow = 16;

  // Whether the node is such a reduction, or an element of such a row that depends on one.
  bool contains(NodeId node) const { return !along(node).empty(); }
  // By axis of the row's shape, whether the row runs along it; empty for nodes that are not contained.
  const std::vector<bool>& along(NodeId node) const;
  // Of a sum over a whole array of such rows: the axes of the row, to be summed first; else empty.
  std::vector<std::int64_t> inner_axes(NodeId node) const;

 private:
  struct Rows {
    Shape shape;
    std::vector<bool> along;
    bool come_back = false;
    friend bool operator==(const Rows& a, const Rows& b) { return a.shape == b.shape && a.along == b.along; }
  };
  std::uint32_t rows_of_reduction(NodeId node);

  const Graph* graph_ = nullptr;
  std::vector<Rows> rows_;
  std::vector<std::uint32_t> rows_of_;  // by node: which rows it has to do with
  std::vector<bool> member_;            // by node
};

// The points of all elements of a row in a kernel whose axes are those across rows, first element first.
std::vector<Coordinates> row_points(const Shape& shape, const std::vector<bool>& along);
// Whether the coordinates are those of an element of the row of the kernel's own point.
bool is_row_point(const Coordinates& at, const Shape& shape, const std::vector<bool>& along, std::size_t axes);
// The axes of a kernel whose points are rows.
std::vector<Extent> axes_across(const Shape& shape, const std::vector<bool>& along);

}  // namespace tarn
