// See product_form.h.
#include "passes/tactics/product_form.h"

#include <algorithm>

#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {
namespace {

double vectors(std::int64_t extent, std::int64_t lanes) {
  const std::int64_t count = (extent + lanes - 1) / lanes;
  return static_cast<double>(count);
}

}  // namespace

ProductTimes times_of_product(const ProductShape& shape, std::int64_t lanes, const CostModel& costs) {
  const auto rows = static_cast<double>(shape.rows), inner = static_cast<double>(shape.inner);
  const std::int64_t columns = shape.columns;
  // Scattered lanes go one by one.
  const double gather = costs.epilogue_scattered_lane * static_cast<double>(lanes);
  const double store = costs.epilogue_accesses * (shape.stores == 1 || columns == 1 ? 1 : gather);
  // A vector of b serves a tile of rows.
  const double by_tiles = rows * vectors(columns, lanes) * (inner * (1 + 1 / std::min(rows, costs.tile_rows)) + store);
  // Where its lanes are scattered, b is put in order on the way, by squares in registers or one by one.
  const bool in_order = shape.b_columns == 1 || columns == 1 || shape.b_is_copied;
  const bool squares =
      shape.b_inner == 1 && columns >= costs.square && shape.inner >= costs.square && !shape.columns_times_batch;
  const auto elements = static_cast<double>(shape.inner * columns);
  const double ordering = elements * (squares ? costs.squared_element : costs.ordered_element);
  ProductTimes times;
  times.by_columns = by_tiles + (in_order ? 0 : ordering);
  times.can_dot = (shape.a_inner == 1 && shape.b_inner == 1) || shape.inner == 1;
  const double dots = static_cast<double>(columns) * (costs.dot_step * vectors(shape.inner, lanes) + costs.dot_end);
  times.by_inner = rows * (dots + vectors(columns, lanes) * store);
  return times;
}

ProductTimes times_of_product(const ContractionKernel& kernel, std::int64_t max_batch, const Target& target,
                              const CostModel& costs) {
  ProductShape shape;
  shape.rows = points_of(kernel.rows, max_batch);
  shape.columns = points_of(kernel.columns, max_batch);
  shape.inner = points_of(kernel.inner, max_batch);
  shape.columns_times_batch = kernel.columns.back().times_batch;
  const ProductStrides strides = strides_of(kernel);
  shape.a_inner = strides.a_inner;
  shape.b_inner = strides.b_inner;
  shape.b_columns = strides.b_columns;
  // What is computed, is so where it is put in order.
  shape.b_is_copied = !kernel.b.is_load();
  const std::int64_t lanes = target.vector_bytes / static_cast<std::int64_t>(size_of(kernel.dtype));
  return times_of_product(shape, std::max<std::int64_t>(1, lanes), costs);
}

CpuTactics::Form form_of(const ContractionKernel& kernel, const ProductTimes& times, std::int64_t max_batch) {
  const bool is_free = may_dot(kernel) && points_of(kernel.inner, max_batch) > 1;
  return is_free ? times.form() : CpuTactics::Form::columns;
}

}  // namespace tarn
