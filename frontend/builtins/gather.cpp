// gather(table, i, axis = 0): the rows of a table by index, which is what an embedding is.
#include <algorithm>
#include <numeric>

#include "frontend/builtins/builtins.h"
#include "frontend/builtins/value_ranges.h"

namespace tarn::elaboration {

namespace {

std::vector<std::int64_t> axes_to(std::size_t count) {
  std::vector<std::int64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Indices that depend on the sample pick from the first axis: [before, rows, after] is turned around, and so is the
// result.
NodeId gather_first(Builder& b, NodeId table, NodeId index, std::size_t axis) {
  std::vector<std::int64_t> axes = axes_to(b.shape(table).size());
  std::rotate(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(axis),
              axes.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  const NodeId found = b.gather(b.transpose(table, axes), index, 0);
  const std::size_t index_rank = b.shape(index).size();
  std::vector<std::int64_t> back = axes_to(b.shape(found).size());
  const auto first = back.begin() + static_cast<std::ptrdiff_t>(index_rank);
  std::rotate(back.begin(), first, first + static_cast<std::ptrdiff_t>(axis));
  return b.transpose(found, back);
}

// A table that depends on the sample: sum over k of table[…, k, …] where k is the index, else 0.
std::optional<NodeId> gather_of_sample(Elaborator& e, NodeId table, NodeId index, std::size_t axis, Span span) {
  Builder& b = e.graphs.builder();
  const Shape from = b.shape(table), picks = b.shape(index);
  const auto at = static_cast<std::ptrdiff_t>(axis);
  Shape wide(from.begin(), from.begin() + at);
  wide.insert(wide.end(), picks.begin(), picks.end());
  Shape narrow(from.begin(), from.begin() + at), numbers(axis, 1);
  narrow.resize(axis + picks.size(), 1);
  numbers.insert(numbers.end(), picks.begin(), picks.end());
  wide.insert(wide.end(), from.begin() + at, from.end());
  narrow.insert(narrow.end(), from.begin() + at, from.end());
  numbers.resize(wide.size(), 1);
  if (!e.readings.check_shape(wide, span)) return std::nullopt;
  const NodeId last = b.constant(static_cast<double>(from[axis] - 1), DType::i32);
  const NodeId row = b.binary(Op::minimum, b.binary(Op::maximum, index, b.constant(0, DType::i32)), last);
  const Type rows{DType::i32, false, wide};
  const std::size_t row_axis = axis + picks.size();
  const NodeId is_row =
      b.make(Op::equal, {b.broadcast_to(b.reshape(row, numbers), wide),
                         b.source(Op::iota, rows, {{Key::axis, static_cast<std::int64_t>(row_axis)}})});
  const NodeId repeated = b.broadcast_to(b.reshape(table, narrow), wide);
  return b.sum(b.where(is_row, repeated, b.constant_like(0, repeated)), {static_cast<std::int64_t>(row_axis)});
}

}  // namespace

Value run_gather(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> table = e.nodes.to_node(call.value(0), std::nullopt, call.span_of(0));
  const std::optional<NodeId> index = e.nodes.to_node(call.value(1), DType::i32, call.span_of(1));
  if (!table || !index || !e.reports.spend(1, call.span)) return ErrorValue{};
  Builder& b = e.graphs.builder();
  const Type type = b.type(*table);
  if (type.shape.empty())
    return e.reports.fail(call.span_of(0), "gather needs a table with rows, and this is a scalar");
  const auto given = axis_argument(call, 2, 0, type.shape.size());
  if (!given) return ErrorValue{};
  const auto axis = static_cast<std::size_t>(*given);
  limit_inputs(e, *index, {ValueRange::Kind::index, type.shape[axis], {}});
  e.nodes.locate(call.span);
  if (type.per_sample) {
    if (type.dtype == DType::boolean)
      return e.reports.fail(call.span_of(0), "a table that depends on the sample holds numbers");
    const auto node = gather_of_sample(e, *table, *index, axis, call.span);
    return moved(call, node);
  }
  if (b.type(*index).per_sample && axis > 0) {
    Shape shape = type.shape;
    shape.erase(shape.begin() + *given);
    const Shape picks = b.shape(*index);
    shape.insert(shape.begin(), picks.begin(), picks.end());
    return e.readings.check_shape(shape, call.span) ? moved(call, gather_first(b, *table, *index, axis))
                                                    : Value(ErrorValue{});
  }
  const auto node = e.nodes.make(Op::gather, {*table, *index}, {{Key::axis, *given}}, nullptr, call.span, "gather");
  return moved(call, node);
}

}  // namespace tarn::elaboration
