// See short_rows.h.
#include "passes/planner/short_rows.h"

#include <algorithm>

#include "passes/planner/expression.h"

namespace tarn {
namespace {

constexpr std::uint32_t kNoRows = 0xFFFF'FFFF;

// Elements of one row that are computed from each other, without going through memory.
bool passes_on(const Node& node) {
  const OpClass op_class = info(node.op).op_class;
  return op_class == OpClass::elementwise || node.op == Op::broadcast || node.op == Op::reshape;
}

std::vector<bool> marks_of(const Node& reduction, std::size_t rank) {
  std::vector<bool> along(rank, false);
  for (const std::int64_t axis : reduction.attributes.integers(Key::axes)) along[static_cast<std::size_t>(axis)] = true;
  return along;
}

// Elements of a row; 0: unknown or too many.
std::int64_t row_length(const Shape& shape, const std::vector<bool>& along) {
  std::int64_t length = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!along[i]) continue;
    if (shape[i] == kBatch || shape[i] > ShortRows::kLongestRow) return 0;
    length *= shape[i];
  }
  return length <= ShortRows::kLongestRow ? length : 0;
}

}  // namespace

std::uint32_t ShortRows::rows_of_reduction(NodeId id) {
  const Node& node = (*graph_)[id];
  const Type& type = (*graph_)[node.inputs[0]].type;
  Rows rows{type.shape, marks_of(node, type.shape.size()), false};
  const bool has_rows = !axes_across(rows.shape, rows.along).empty();
  if (!is_floating(type.dtype) || row_length(rows.shape, rows.along) < 2 || !has_rows) return kNoRows;
  const auto known = std::find(rows_.begin(), rows_.end(), rows);
  if (known != rows_.end()) return static_cast<std::uint32_t>(known - rows_.begin());
  rows_.push_back(std::move(rows));
  return static_cast<std::uint32_t>(rows_.size() - 1);
}

ShortRows::ShortRows(const Graph& graph, const PlanOptions& options)
    : graph_(&graph), rows_of_(graph.size(), kNoRows), member_(graph.size(), false) {
  // Elements of a row lie apart in vectors that run across rows. Such vectors are cheap to load and to store where rows
  // can be loaded under masks and transposed in registers (codegen/kernels/row_groups.h).
  if (!options.fuse || !options.target.has_masks()) return;
  // By node: the last product, and the last reduction of rows, that it depends on through elements of its row. What
  // combines a product with older sums belongs into the product's epilogue.
  std::vector<NodeId> product(graph.size(), 0), sum(graph.size(), 0);
  const std::vector<bool> reachable = graph.reachable();
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (!reachable[id]) continue;
    if (node.op == Op::contract) product[id] = id;
    if (info(node.op).op_class == OpClass::reduction) {
      rows_of_[id] = rows_of_reduction(id);
      member_[id] = rows_of_[id] != kNoRows;
      sum[id] = id;
    }
    if (!passes_on(node)) continue;
    for (const NodeId input : node.inputs) {
      if (rows_of_[id] == kNoRows) rows_of_[id] = rows_of_[input];
      product[id] = std::max(product[id], product[input]);
      sum[id] = std::max(sum[id], sum[input]);
    }
    const bool computes = info(node.op).op_class == OpClass::elementwise;
    if (rows_of_[id] == kNoRows || !computes || node.type.shape != rows_[rows_of_[id]].shape) continue;
    if (product[id] > sum[id]) continue;
    rows_[rows_of_[id]].come_back = true;
    member_[id] = true;
  }
}

const std::vector<bool>& ShortRows::along(NodeId node) const {
  static const std::vector<bool> none;
  const bool is_member = node < member_.size() && member_[node] && rows_[rows_of_[node]].come_back;
  return is_member ? rows_[rows_of_[node]].along : none;
}

std::vector<std::int64_t> ShortRows::inner_axes(NodeId id) const {
  std::vector<std::int64_t> axes;
  const Node& node = (*graph_)[id];
  if (node.op != Op::reduce_sum) return axes;
  const NodeId operand = node.inputs[0];
  if (rows_of_.empty() || rows_of_[operand] == kNoRows) return axes;
  const Rows& rows = rows_[rows_of_[operand]];
  if (!rows.come_back || (*graph_)[operand].type.shape != rows.shape) return axes;
  const std::vector<bool> summed = marks_of(node, rows.shape.size());
  if (summed == rows.along) return axes;
  for (std::size_t i = 0; i < summed.size(); ++i) {
    if (rows.along[i] && !summed[i]) return {};
    if (rows.along[i]) axes.push_back(static_cast<std::int64_t>(i));
  }
  return axes;
}

std::vector<Extent> axes_across(const Shape& shape, const std::vector<bool>& along) {
  std::vector<Extent> axes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!along[i] && shape[i] != 1) axes.push_back(extent_of(shape[i]));
  }
  return axes;
}

std::vector<Coordinates> row_points(const Shape& shape, const std::vector<bool>& along) {
  const std::size_t axes = axes_across(shape, along).size();
  std::vector<Coordinates> points{{}};
  std::size_t axis = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::vector<Coordinates> longer;
    const std::int64_t count = along[i] ? shape[i] : 1;
    for (const Coordinates& point : points) {
      for (std::int64_t k = 0; k < count; ++k) {
        longer.push_back(point);
        longer.back().push_back(along[i] || shape[i] == 1 ? constant_linear(axes, k) : axis_linear(axes, axis));
      }
    }
    if (!along[i] && shape[i] != 1) ++axis;
    points = std::move(longer);
  }
  return points;
}

bool is_row_point(const Coordinates& at, const Shape& shape, const std::vector<bool>& along, std::size_t axes) {
  if (along.size() != shape.size() || at.size() != shape.size()) return false;
  std::size_t axis = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (along[i] || shape[i] == 1) {
      if (!is_constant(at[i])) return false;
    } else if (axis == axes || at[i] != axis_linear(axes, axis++)) {
      return false;
    }
  }
  return axis == axes;
}

}  // namespace tarn
