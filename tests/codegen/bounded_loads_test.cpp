// Loads with bounds, in loops and in operands of products, along vectors and across them: what is inside is read by
// code without tests, what is outside is not read, between pages without access.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

// x[rows, columns], of which a kernel reads element (row_stride * i + row_offset, stride * j + offset).
struct Window {
  std::int64_t stride = 1, offset = 0, row_stride = 1, row_offset = 0;
};
// Inside everywhere, nowhere, or from some vector on to some other one; by steps that divide and others, both ways.
constexpr Window kWindows[] = {
    {1, 0},   {1, -1},  {1, 5},        {1, -40},      {1, 60},       {1, -3, 1, -2}, {2, -1},
    {2, -17}, {3, -10}, {4, 2},        {-1, 36},      {-1, 30},      {-1, 60},       {-2, 50},
    {0, 3},   {0, -1},  {0, 0, -1, 3}, {1, -9, 0, 2}, {1, -9, 0, 7}, {1, -8},        {1, 8},
};
constexpr std::int64_t kRows = 4, kColumns = 37;  // of x, and points of the loop

std::string describe(const Window& w, std::int64_t columns) {
  return fmt::format("rows {} * i + {}, columns {} * j + {} of {}", w.row_stride, w.row_offset, w.stride, w.offset,
                     columns);
}

// Along i and j, out of `axes` in all, those being number i_axis and j_axis.
Access window_of(BufferId x, const Window& w, std::int64_t columns, std::size_t axes, std::size_t i_axis,
                 std::size_t j_axis) {
  Access access = at(x, std::vector<std::int64_t>(axes), w.row_offset * columns + w.offset);
  Bound of_row{{std::vector<std::int64_t>(axes), w.row_offset}, kRows, columns};
  Bound of_column{{std::vector<std::int64_t>(axes), w.offset}, columns, 1};
  of_row.index.strides[i_axis] = w.row_stride;
  of_column.index.strides[j_axis] = w.stride;
  access.at.strides[i_axis] += w.row_stride * columns;
  access.at.strides[j_axis] += w.stride;
  access.bounds = {of_row, of_column};
  access.fill = 7;
  return access;
}

std::vector<double> whole_numbers(std::int64_t count, DType dtype) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i % 11) - 5;
  if (dtype == DType::boolean) {
    for (double& number : numbers) number = number > 0 ? 1 : 0;
  }
  return numbers;
}

TEST(CodegenBoundedLoads, InLoops) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    for (const std::uint32_t vector_axis : {0U, 1U}) {
      if (vector_axis == 0 && dtype != DType::f32) continue;
      HandPlan hand;
      std::string what = vector_axis == 0 ? "along i: " : "along j: ";
      for (const Window& w : kWindows) {
        const std::int64_t columns = kColumns + (w.stride == 1 ? 0 : 9);
        const BufferId x = hand.tensor(fmt::format("x{}", hand.plan.buffers.size()), dtype, {kRows, columns},
                                       whole_numbers(kRows * columns, dtype));
        LoopKernel kernel;
        kernel.axes = {{kRows, false}, {kColumns, false}};
        kernel.reduced = {false, false};
        Value value = load(x, {}, dtype);
        value.access = window_of(x, w, columns, 2, 0, 1);
        kernel.body.values = {value, operation(Op::add, dtype, {0, 0})};
        kernel.body.stores = {{1, at(hand.result(dtype, {kRows, kColumns}), {kColumns, 1}), false}};
        hand.add(kernel, along(vector_axis));
        what += describe(w, columns) + "; ";
      }
      expect_as_interpreted(hand, 1, 0, what);
      if (HasFatalFailure()) return;
    }
  }
}

// The left operand, a[i, j] of a[i, j] * b[j, n], and the right one, b[j, n]; the window also with i and j changed, so
// that vectors lie along either.
TEST(CodegenBoundedLoads, InOperandsOfProducts) {
  for (const bool left : {true, false}) {
    const DType dtype = left ? DType::f32 : DType::f64;
    HandPlan hand;
    std::string what = left ? "a: " : "b: ";
    for (const Window& w : kWindows) {
      for (const bool turned : {false, true}) {
        const std::int64_t columns = kColumns + (w.stride == 1 ? 0 : 9);
        const std::int64_t rows = turned ? kColumns : kRows, others = turned ? kRows : kColumns;
        const auto tensor = [&](const Shape& shape) {
          return hand.tensor(fmt::format("x{}", hand.plan.buffers.size()), dtype, shape,
                             whole_numbers(shape[0] * shape[1], dtype));
        };
        const BufferId x = tensor({kRows, columns});
        Value value = load(x, {}, dtype);
        value.access = window_of(x, w, columns, 2, turned ? 1 : 0, turned ? 0 : 1);
        ContractionKernel kernel;
        kernel.dtype = dtype;
        kernel.rows = {{left ? rows : 9, false}};
        kernel.inner = {{left ? others : rows, false}};
        kernel.columns = {{left ? 20 : others, false}};
        const std::int64_t m = kernel.rows[0].constant, k = kernel.inner[0].constant, n = kernel.columns[0].constant;
        Operand computed;
        computed.body.values = {value};
        kernel.a = left ? computed : operand_of(at(tensor({m, k}), {k, 1}), dtype);
        kernel.b = left ? operand_of(at(tensor({k, n}), {n, 1}), dtype) : computed;
        kernel.epilogue.values = {simple(Value::Kind::product, dtype)};
        kernel.epilogue.stores = {{0, at(hand.result(dtype, {m, n}), {n, 1}), false}};
        hand.add(kernel);
        what += describe(w, columns) + (turned ? ", turned; " : "; ");
      }
    }
    expect_as_interpreted(hand, 1, 0, what);
    if (HasFatalFailure()) return;
  }
}

// One product goes over all of k; the other, which stands behind it and has tiles of the same size, over those where a
// window of a signal is inside, which of the first and of the last window is none.
TEST(CodegenBoundedLoads, NothingInsideOfAProductWithTilesOfAnothers) {
  const DType dtype = DType::f32;
  const std::int64_t m = 9, k = 37, n = 20, places = 130, before = 60;
  HandPlan hand;
  const BufferId whole = hand.tensor("whole", dtype, {m, k}, whole_numbers(m * k, dtype));
  const BufferId x = hand.tensor("x", dtype, {m, k}, whole_numbers(m * k, dtype));
  const BufferId b = hand.tensor("b", dtype, {k, n}, whole_numbers(k * n, dtype));
  ContractionKernel all;
  all.dtype = dtype;
  all.rows = {{m, false}};
  all.inner = {{k, false}};
  all.columns = {{n, false}};
  all.a = operand_of(at(whole, {k, 1}), dtype);
  all.b = operand_of(at(b, {n, 1}), dtype);
  all.epilogue.values = {simple(Value::Kind::product, dtype)};
  ContractionKernel inside = all;
  all.epilogue.stores = {{0, at(hand.result(dtype, {m, n}), {n, 1}), false}};
  hand.add(all);
  inside.batch = {{places, false}};
  Value value = load(x, {}, dtype);
  value.access = at(x, {1, k, 1}, -before);
  value.access.bounds = {{{{1, 0, 1}, -before}, k, 1}};
  Operand window;
  window.body.values = {value};
  inside.a = window;
  inside.b = operand_of(at(b, {0, n, 1}), dtype);
  inside.epilogue.stores = {{0, at(hand.result(dtype, {places, m, n}), {m * n, n, 1}), false}};
  hand.add(inside);
  expect_as_interpreted(hand, 1, 0, "windows beyond both ends");
}

}  // namespace
}  // namespace tarn::testing
