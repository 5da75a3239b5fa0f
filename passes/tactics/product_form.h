// Whether the vectors of a product lie along its columns or along its sums, and what that costs: for the planner, which
// looks for the best way to see a contraction as a product, and for the tactics of the product that it has become.
#pragma once

#include <cstdint>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

// A product as far as its form goes: extents at the largest batch, and strides along the axes.
struct ProductShape {
  std::int64_t rows = 1, columns = 1, inner = 1;
  bool columns_times_batch = false;
  std::int64_t a_inner = 0, b_inner = 0, b_columns = 0;
  std::int64_t stores = 1;   // along the columns, of what the epilogue stores
  bool b_is_copied = false;  // b is put in order first
};

// Time in vector operations, without what the batch axes repeat.
struct ProductTimes {
  double by_columns = 0;
  double by_inner = 0;   // meaningless where there can be no dot products
  bool can_dot = false;  // both operands are contiguous along the sum
  CpuTactics::Form form() const {
    return can_dot && by_inner < by_columns ? CpuTactics::Form::inner : CpuTactics::Form::columns;
  }
};
ProductTimes times_of_product(const ProductShape& shape, std::int64_t lanes, const CostModel& costs = kCosts);

// The same of a kernel. Its form is `columns` whatever the times are where the kernel has sums, which go down rows that
// lie side by side, and where there are no dot products of more than one element.
ProductTimes times_of_product(const ContractionKernel& kernel, std::int64_t max_batch, const Target& target,
                              const CostModel& costs = kCosts);
CpuTactics::Form form_of(const ContractionKernel& kernel, const ProductTimes& times, std::int64_t max_batch);

}  // namespace tarn
