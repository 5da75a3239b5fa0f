// Loop kernels as native code against the interpreter of plans: every kind of stride, every length of the vector axis,
// reductions over every set of axes, ties and NaN in argmax, gathers and scatters.
#include <gtest/gtest.h>
#include <bit>

#include <cmath>
#include <limits>

#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

using Strides = std::vector<std::int64_t>;

// Sums of at most a few thousand terms below 10 in f32; f64.
double loop_tolerance(DType dtype) { return dtype == DType::f64 ? 1e-12 : 1e-4; }

TEST(CodegenLoops, EveryLengthOfTheVectorAxis) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    for (std::int64_t length = 1; length <= 40; ++length) {
      HandPlan hand;
      const BufferId x = hand.tensor("x", dtype, {3, length}, random_numbers(length, 3 * length, dtype, 9));
      const BufferId bias = hand.tensor("bias", dtype, {length}, random_numbers(length + 1, length, dtype, 9));
      const BufferId scale = hand.tensor("scale", dtype, {3}, random_numbers(length + 2, 3, dtype, 9));
      const BufferId y = hand.result(dtype, {3, length});
      LoopKernel kernel;
      kernel.axes = {{3, false}, {length, false}};
      kernel.reduced = {false, false};
      kernel.body.values = {load(x, {length, 1}, dtype), load(bias, {0, 1}, dtype), load(scale, {1, 0}, dtype),
                            operation(Op::mul, dtype, {0, 2}), operation(Op::add, dtype, {3, 1})};
      kernel.body.stores = {{4, at(y, {length, 1}), false}};
      hand.add(kernel, along(1));
      expect_as_interpreted(hand, 1, loop_tolerance(dtype), "length " + std::to_string(length));
      if (HasFatalFailure()) return;
    }
  }
}

// Transposes, reversals, steps of two, in loads and in stores, with each axis as the vector axis.
TEST(CodegenLoops, EveryKindOfStride) {
  struct Case {
    const char* name;
    Strides load, store;
    std::int64_t load_offset, store_offset;
  };
  const Case cases[] = {
      {"contiguous", {19, 1}, {19, 1}, 0, 0},         {"transposed load", {1, 7}, {19, 1}, 0, 0},
      {"transposed store", {19, 1}, {1, 7}, 0, 0},    {"reversed load", {19, -1}, {19, 1}, 18, 0},
      {"reversed store", {19, 1}, {-19, -1}, 0, 132}, {"broadcast", {0, 0}, {19, 1}, 5, 0},
      {"every second", {38, 2}, {38, 2}, 0, 1},       {"repeated row", {0, 1}, {19, 1}, 3, 0},
  };
  for (const Case& c : cases) {
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
      for (std::uint32_t vector_axis = 0; vector_axis < 2; ++vector_axis) {
        HandPlan hand;
        const BufferId x = hand.tensor("x", dtype, {266}, random_numbers(7, 266, dtype, 9));
        const BufferId y = hand.tensor("y", dtype, {267}, std::vector<double>(267, 0));
        LoopKernel kernel;
        kernel.axes = {{7, false}, {19, false}};
        kernel.reduced = {false, false};
        kernel.body.values = {load(x, c.load, dtype, c.load_offset)};
        kernel.body.stores = {{0, at(y, c.store, c.store_offset), false}};
        hand.add(kernel, along(vector_axis));
        expect_as_interpreted(hand, 1, 0, c.name);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// x[N, 3, 29, 41] copied to y[N, 3, 41, 29]: large enough for blocks in registers, with both extents odd.
TEST(CodegenLoops, TransposingCopies) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    for (const std::int64_t batch : {1, 2}) {
      HandPlan hand(2);
      const BufferId x = hand.input(dtype, {kBatch, 3, 29, 41}, random_numbers(1, 7134, dtype, 99));
      const BufferId y = hand.result(dtype, {kBatch, 3, 41, 29});
      LoopKernel kernel;
      kernel.axes = {{1, true}, {3, false}, {41, false}, {29, false}};
      kernel.reduced = {false, false, false, false};
      kernel.body.values = {load(x, {3567, 1189, 1, 41}, dtype)};
      kernel.body.stores = {{0, at(y, {3567, 1189, 29, 1}), false}};
      CpuTactics by_squares;
      by_squares.copy = CpuTactics::Copy::by_squares;
      hand.add(kernel, by_squares);
      expect_as_interpreted(hand, batch, 0, "transposing copy");
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CodegenLoops, MixedTypesAndTheBatchAxis) {
  for (const std::int64_t batch : {1, 2, 15, 16, 17, 64}) {
    HandPlan hand;
    const BufferId x = hand.input(DType::f32, {kBatch, 3}, random_numbers(1, 192, DType::f32));
    const BufferId labels = hand.input(DType::i32, {kBatch}, random_numbers(2, 64, DType::i32, 5));
    const BufferId rate = hand.tensor("rate", DType::f64, {}, {0.25});
    const BufferId y = hand.result(DType::f32, {kBatch, 3});
    const BufferId positive = hand.result(DType::boolean, {kBatch, 3});
    const BufferId wide = hand.result(DType::f64, {kBatch, 3});
    LoopKernel kernel;
    kernel.axes = {{1, true}, {3, false}};
    kernel.reduced = {false, false};
    Value number_of_row = simple(Value::Kind::index, DType::f64);
    number_of_row.linear = {{3, 1}, 2};
    kernel.body.values = {load(x, {3, 1}, DType::f32),
                          load(labels, {1, 0}, DType::i32),
                          load(rate, {0, 0}, DType::f64),
                          operation(Op::convert, DType::f32, {1}),
                          operation(Op::convert, DType::f32, {2}),
                          operation(Op::mul, DType::f32, {0, 4}),
                          operation(Op::add, DType::f32, {5, 3}),
                          number(0, DType::f32),
                          operation(Op::less, DType::boolean, {7, 6}),
                          number_of_row,
                          simple(Value::Kind::batch_size, DType::f64),
                          operation(Op::mul, DType::f64, {9, 10})};
    kernel.body.stores = {{6, at(y, {3, 1}), false}, {8, at(positive, {3, 1}), false}, {11, at(wide, {3, 1}), false}};
    hand.add(kernel, along(0));
    expect_as_interpreted(hand, batch, 1e-6, "mixed types");
    if (HasFatalFailure()) return;
  }
}

TEST(CodegenLoops, ScalarKernel) {
  HandPlan hand;
  const BufferId step = hand.tensor("count", DType::f64, {}, {41});
  const BufferId y = hand.result(DType::f64, {});
  LoopKernel kernel;
  kernel.body.values = {load(step, {}, DType::f64), number(1, DType::f64), operation(Op::add, DType::f64, {0, 1})};
  kernel.body.stores = {{2, at(step, {}), false}, {0, at(y, {}), false}};
  hand.add(kernel);
  expect_as_interpreted(hand, 1, 0, "scalar");
}

// x[4 or N, 5, 37] reduced over every set of axes, with every vector axis.
void reduce_and_compare(Op op, DType dtype, unsigned reduced_axes, std::uint32_t vector_axis, bool over_batch,
                        std::int64_t batch, std::int64_t last) {
  HandPlan hand;
  const Shape shape = {over_batch ? kBatch : 4, 5, last};
  const auto count = static_cast<std::size_t>(element_count(with_batch(shape, 64)));
  std::vector<double> values = random_numbers(count + vector_axis, count, dtype, op == Op::reduce_prod ? 1.1 : 5);
  const BufferId x = over_batch ? hand.input(dtype, shape, values) : hand.tensor("x", dtype, shape, values);
  const BufferId scale = hand.tensor("scale", dtype, {5}, random_numbers(3, 5, dtype, 3));
  LoopKernel kernel;
  Shape kept;
  Strides strides;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    kernel.axes.push_back(shape[axis] == kBatch ? Extent{1, true} : Extent{shape[axis], false});
    kernel.reduced.push_back((reduced_axes >> axis & 1U) != 0);
    if (!kernel.reduced.back()) kept.push_back(shape[axis]);
  }
  const Strides kept_strides = row_major_strides(kept);
  for (std::size_t axis = 0, at_kept = 0; axis < 3; ++axis) {
    strides.push_back(kernel.reduced[axis] ? 0 : kept_strides[at_kept++]);
  }
  const bool finds = op == Op::argmax || op == Op::argmin;
  const DType result_dtype = finds ? DType::i32 : dtype;
  const BufferId y = hand.result(result_dtype, kept);
  const BufferId z = hand.result(dtype, kept);
  kernel.body.values = {load(x, {5 * last, last, 1}, dtype)};
  kernel.reductions = {{op, 0, result_dtype}};
  // A second reduction beside the first, and a tail that reads what the kept axes have.
  kernel.reductions.push_back({dtype == DType::boolean ? Op::reduce_min : Op::reduce_max, 0, dtype});
  Value first = simple(Value::Kind::reduced, result_dtype), second = simple(Value::Kind::reduced, dtype);
  second.reduction = 1;
  kernel.tail.values = {first, second};
  ValueId stored = 1;
  if (!kernel.reduced[1] && dtype != DType::boolean) {
    kernel.tail.values.push_back(load(scale, {0, 1, 0}, dtype));
    kernel.tail.values.push_back(operation(Op::add, dtype, {1, 2}));
    stored = 3;
  }
  kernel.tail.stores = {{0, at(y, strides), false}, {stored, at(z, strides), false}};
  // Lanes meet the points of an argmax in the order of their indices.
  if (finds && kernel.reduced[vector_axis]) vector_axis = static_cast<std::uint32_t>(std::bit_width(reduced_axes)) - 1;
  hand.add(kernel, along(vector_axis));
  expect_as_interpreted(hand, batch, loop_tolerance(dtype),
                        std::string(name_of(op)) + " of " + std::string(name_of(dtype)) + " over axes " +
                            std::to_string(reduced_axes) + ", vector axis " + std::to_string(vector_axis));
}

TEST(CodegenLoops, ReductionsOverEverySetOfAxes) {
  for (unsigned reduced_axes = 1; reduced_axes < 8; ++reduced_axes) {
    for (std::uint32_t vector_axis = 0; vector_axis < 3; ++vector_axis) {
      reduce_and_compare(Op::reduce_sum, DType::f32, reduced_axes, vector_axis, false, 1, 37);
      reduce_and_compare(Op::reduce_sum, DType::f64, reduced_axes, vector_axis, true, 19, 3);
      reduce_and_compare(Op::reduce_max, DType::f32, reduced_axes, vector_axis, true, 3, 130);
      reduce_and_compare(Op::argmax, DType::f32, reduced_axes, vector_axis, false, 1, 10);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CodegenLoops, EveryReductionOfEveryType) {
  const Op ops[] = {Op::reduce_sum, Op::reduce_prod, Op::reduce_max, Op::reduce_min, Op::argmax, Op::argmin};
  for (const Op op : ops) {
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
      if (dtype == DType::boolean && (op == Op::reduce_sum || op == Op::reduce_prod)) continue;
      for (const std::uint32_t vector_axis : {1U, 2U}) {
        reduce_and_compare(op, dtype, 4, vector_axis, true, 7, op == Op::reduce_prod ? 6 : 33);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// One number stands in `places` of a row, zeros elsewhere: the first place is found.
TEST(CodegenLoops, FirstOfEqualsWinsAndNanIsNeverLargest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    std::vector<double> row;
    double first_largest, largest_or_nan;
  };
  std::vector<Case> cases = {{{1, nan, 3, 2}, 2, nan},
                             {{-infinity, -infinity, -infinity, -infinity}, 0, -infinity},
                             {{nan, nan, nan, nan}, 0, nan},
                             {{2, infinity, infinity, 0}, 1, infinity}};
  for (std::size_t place = 0; place < 40; ++place) {
    std::vector<double> row(40, 0);
    row[place] = row[39] = 1;
    cases.push_back({row, static_cast<double>(place), 1});
  }
  for (const Case& c : cases) {
    const auto length = static_cast<std::int64_t>(c.row.size());
    HandPlan hand;
    const BufferId x = hand.tensor("x", DType::f32, {length}, c.row);
    const BufferId place = hand.result(DType::i32, {}), largest = hand.result(DType::f32, {});
    LoopKernel kernel;
    kernel.axes = {{length, false}};
    kernel.reduced = {true};
    kernel.body.values = {load(x, {1}, DType::f32)};
    kernel.reductions = {{Op::argmax, 0, DType::i32}, {Op::reduce_max, 0, DType::f32}};
    Value first = simple(Value::Kind::reduced, DType::i32), second = simple(Value::Kind::reduced, DType::f32);
    second.reduction = 1;
    kernel.tail.values = {first, second};
    kernel.tail.stores = {{0, at(place, {0}), false}, {1, at(largest, {0}), false}};
    hand.add(kernel);
    for (const std::string& cpu : cpus()) {
      const NativeRun run = run_native(hand, options_for(cpu), 1);
      EXPECT_EQ(run.results[0].data[0], c.first_largest) << cpu;
      if (std::isnan(c.largest_or_nan)) {
        EXPECT_TRUE(std::isnan(run.results[1].data[0])) << cpu;
      } else {
        EXPECT_EQ(run.results[1].data[0], c.largest_or_nan) << cpu;
      }
    }
  }
}

TEST(CodegenLoops, RowsAreGatheredAndAddedUp) {
  for (const std::uint32_t vector_axis : {0U, 1U}) {
    for (const std::int64_t width : {1, 3, 16, 21}) {
      HandPlan hand;
      // Indices beyond both ends are clamped.
      const BufferId index = hand.tensor("index", DType::i32, {9}, {3, 0, -7, 3, 5, 99, 1, 3, 0});
      const BufferId table = hand.tensor("table", DType::f32, {6, width}, random_numbers(1, 6 * width, DType::f32));
      const BufferId sums = hand.tensor("sums", DType::f32, {6, width}, random_numbers(2, 6 * width, DType::f32));
      const BufferId y = hand.result(DType::f32, {9, width});
      LoopKernel kernel;
      kernel.axes = {{9, false}, {width, false}};
      kernel.reduced = {false, false};
      Value row = load(table, {0, 1}, DType::f32);
      row.access.row = 0;
      row.access.row_stride = width;
      row.access.row_limit = 6;
      kernel.body.values = {load(index, {1, 0}, DType::i32), row};
      kernel.body.stores = {{1, at(y, {width, 1}), false}};
      hand.add(kernel, "gather", along(vector_axis));
      LoopKernel scatter = kernel;
      scatter.body.values = {load(index, {1, 0}, DType::i32), load(y, {width, 1}, DType::f32)};
      Store store{1, at(sums, {0, 1}), true};
      store.access.row = 0;
      store.access.row_stride = width;
      store.access.row_limit = 6;
      scatter.body.stores = {store};
      hand.add(scatter, "scatter", along(vector_axis));
      expect_as_interpreted(hand, 1, 1e-6, "rows of " + std::to_string(width));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CodegenLoops, EmptyAxes) {
  HandPlan hand;
  const BufferId x = hand.tensor("x", DType::f32, {3, 0}, {});
  const BufferId y = hand.result(DType::f32, {3});
  LoopKernel kernel;
  kernel.axes = {{3, false}, {0, false}};
  kernel.reduced = {false, true};
  kernel.body.values = {load(x, {0, 1}, DType::f32)};
  kernel.reductions = {{Op::reduce_sum, 0, DType::f32}};
  kernel.tail.values = {simple(Value::Kind::reduced, DType::f32)};
  kernel.tail.stores = {{0, at(y, {1, 0}), false}};
  hand.add(kernel, along(1));
  LoopKernel nothing = kernel;
  nothing.reduced = {false, false};
  nothing.reductions.clear();
  nothing.tail = {};
  hand.add(nothing);
  expect_as_interpreted(hand, 1, 0, "empty");
}

TEST(CodegenLoops, ConstantsOfThePlan) {
  HandPlan hand;
  hand.constant(DType::f64, {3}, {1, 2, 3});
  const BufferId c = hand.constant(DType::f32, {2, 9}, random_numbers(5, 18, DType::f32));
  const BufferId y = hand.result(DType::f32, {2, 9});
  LoopKernel kernel;
  kernel.axes = {{18, false}};
  kernel.reduced = {false};
  kernel.body.values = {load(c, {1}, DType::f32)};
  kernel.body.stores = {{0, at(y, {1}), false}};
  hand.add(kernel);
  expect_as_interpreted(hand, 1, 0, "constants");
}

}  // namespace
}  // namespace tarn::testing
