// Views: movements in which an element's place in the operand is an affine function of its place in the result, an
// integer matrix times the result's index + offset. One rule a row of the operation table says the whole meaning of a
// view: type rule, evaluator, planner and the rewrite rules of two views in a row derive from it.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace tarn {

struct ViewMap {
  // offset + sum of strides[i] * index along axis i of the result.
  struct Coordinate {
    std::vector<std::int64_t> strides;  // one an axis of the result
    std::int64_t offset = 0;
  };
  Shape shape;                      // of the result
  std::vector<Coordinate> operand;  // one an axis of the operand
  // Of a reshape: nothing of the above; an element has the row-major number in the operand that it has in the result.
  bool by_number = false;
  // What stands where a coordinate is outside of the operand; without it none is.
  std::optional<double> fill;
};

// One ViewRule a row: the map, once the attributes are there with their types. `requested` is the shape that the maker
// asks for: reshape and broadcast take theirs from it. A failure carries a message without a position.
namespace view_rules {
#define VIEW(name, ...) \
  Result<ViewMap> name(const Shape& operand, const Attributes& attributes, const Shape* requested);
#define FILLED_VIEW VIEW
#define OPERATION(...)
#include "ir/ops.def"
}  // namespace view_rules

// One ViewAttributes a row: attributes with which the view's rule gives the map, if there are such; else any.
namespace view_attributes {
#define VIEW(name, ...) Attributes name(const Shape& operand, const ViewMap& map);
#define FILLED_VIEW VIEW
#define OPERATION(...)
#include "ir/ops.def"
}  // namespace view_attributes

// That of a node which is well formed; nothing for what is no view.
std::optional<ViewMap> view_map(const Node& node, const Shape& operand);

// The outer view of the inner view of an operand, as one map where that is possible.
std::optional<ViewMap> composed(const ViewMap& outer, const ViewMap& inner, const Shape& operand);

// Whether both show the same element everywhere, of an operand of this shape.
bool same_view(const ViewMap& a, const ViewMap& b);
// Whether every element is the operand's at the same index.
bool is_identity(const ViewMap& map, const Shape& operand);

// An operation that shows the map, with its attributes; the first row of the table that can.
struct ViewOperation {
  Op op;
  Attributes attributes;
};
std::optional<ViewOperation> view_operation(const ViewMap& map, const Shape& operand);

}  // namespace tarn
