// Contractions as native code against sums in double precision: every combination of small extents, every layout of
// the operands, products cut into blocks, epilogues, and the batch in each place.
//
// A sum of K products in any order, each rounded once or twice, is within (K + 1) eps * sum of |products| of the exact
// one (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

struct ProductCase {
  std::int64_t rows, columns, inner;
  bool a_transposed, b_transposed;
  CpuTactics::Form form;
  DType dtype;
};

std::string describe(const ProductCase& c) {
  return std::to_string(c.rows) + "x" + std::to_string(c.columns) + "x" + std::to_string(c.inner) +
         (c.a_transposed ? " a'" : "") + (c.b_transposed ? " b'" : "") +
         (c.form == CpuTactics::Form::inner ? " inner " : " columns ") + std::string(name_of(c.dtype));
}

// Dot products are of operands that are contiguous along k, and longer than one element.
CpuTactics::Form form_here(const ProductCase& c) {
  const bool contiguous = (!c.a_transposed || c.rows == 1) && (c.b_transposed || c.columns == 1);
  return contiguous && c.inner > 1 ? c.form : CpuTactics::Form::columns;
}

struct Product {
  std::vector<double> a, b;
  ContractionKernel kernel;  // epilogue: stores to `result`
  BufferId result = 0;
};

Product make_product(HandPlan& hand, const ProductCase& c, std::uint64_t seed) {
  Product p;
  p.a = random_numbers(seed, static_cast<std::size_t>(c.rows * c.inner), c.dtype);
  p.b = random_numbers(seed + 1, static_cast<std::size_t>(c.inner * c.columns), c.dtype);
  const std::string number = std::to_string(hand.program.tensors.size());
  const BufferId a = hand.tensor("a" + number, c.dtype, {c.rows * c.inner}, p.a);
  const BufferId b = hand.tensor("b" + number, c.dtype, {c.inner * c.columns}, p.b);
  p.result = hand.result(c.dtype, {c.rows, c.columns});
  p.kernel.rows = {{c.rows, false}};
  p.kernel.columns = {{c.columns, false}};
  p.kernel.inner = {{c.inner, false}};
  p.kernel.dtype = c.dtype;
  p.kernel.a = operand_of(c.a_transposed ? at(a, {1, c.rows}) : at(a, {c.inner, 1}), p.kernel.dtype);
  p.kernel.b = operand_of(c.b_transposed ? at(b, {1, c.inner}) : at(b, {c.columns, 1}), p.kernel.dtype);
  p.kernel.epilogue.values = {simple(Value::Kind::product, c.dtype)};
  p.kernel.epilogue.stores = {{0, at(p.result, {c.columns, 1}), false}};
  return p;
}

void expect_product(const HostTensor& actual, const Product& p, const ProductCase& c, const std::string& where) {
  const double eps =
      c.dtype == DType::f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  for (std::int64_t m = 0; m < c.rows; ++m) {
    for (std::int64_t n = 0; n < c.columns; ++n) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < c.inner; ++k) {
        const double term = p.a[c.a_transposed ? k * c.rows + m : m * c.inner + k] *
                            p.b[c.b_transposed ? n * c.inner + k : k * c.columns + n];
        sum += term;
        magnitude += std::fabs(term);
      }
      const double bound = (static_cast<double>(c.inner) + 1) * eps * magnitude;
      ASSERT_LE(std::fabs(actual.data[static_cast<std::size_t>(m * c.columns + n)] - sum), bound)
          << where << ": element " << m << ", " << n;
    }
  }
}

// Many products in one function, since compiling costs more than running. Each on every CPU, or on one of them in turn.
void check_all(const std::vector<ProductCase>& cases, bool every_cpu = true) {
  constexpr std::size_t kTogether = 48;
  for (std::size_t first = 0; first < cases.size(); first += kTogether) {
    HandPlan hand;
    std::vector<Product> products;
    const std::size_t last = std::min(first + kTogether, cases.size());
    for (std::size_t i = first; i < last; ++i) {
      products.push_back(make_product(hand, cases[i], 17 * i + 1));
      hand.add(products.back().kernel, in_form(form_here(cases[i])));
    }
    for (std::size_t c = 0; c < cpus().size(); ++c) {
      if (!every_cpu && c != first / kTogether % cpus().size()) continue;
      const std::string& cpu = cpus()[c];
      const NativeRun run = run_native(hand, options_for(cpu), 1);
      for (std::size_t i = first; i < last; ++i) {
        expect_product(run.results[i - first], products[i - first], cases[i], describe(cases[i]) + " on " + cpu);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

// Every shape with extents in the list; layout, form and dtype go round from shape to shape, with a period that is
// prime to the list's length.
TEST(CodegenContractions, EveryShape) {
  const std::int64_t extents[] = {1, 2, 3, 5, 6, 10, 16, 17, 20, 31, 64, 100};
  std::vector<ProductCase> cases;
  unsigned turn = 0;
  for (const std::int64_t rows : extents) {
    for (const std::int64_t columns : extents) {
      for (const std::int64_t inner : extents) {
        const unsigned t = turn++ % 11;
        const bool dots = t >= 8;
        cases.push_back({rows, columns, inner, !dots && (t & 1U) != 0, dots || (t & 2U) != 0,
                         dots ? CpuTactics::Form::inner : CpuTactics::Form::columns,
                         t % 3 == 0 ? DType::f64 : DType::f32});
      }
    }
  }
  // In an order that gives each CPU shapes of all kinds.
  std::shuffle(cases.begin(), cases.end(), std::mt19937(1));
  if (TARN_SANITIZED) cases.resize(cases.size() / 4);
  check_all(cases, /*every_cpu=*/false);
}

TEST(CodegenContractions, EveryLayoutOfAFewShapes) {
  std::vector<ProductCase> cases;
  const std::int64_t shapes[][3] = {{1, 1, 7}, {5, 20, 32}, {32, 1, 20}, {33, 10, 128}, {7, 66, 9}};
  for (const auto& shape : shapes) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (unsigned layout = 0; layout < 4; ++layout) {
        for (const auto form : {CpuTactics::Form::columns, CpuTactics::Form::inner}) {
          cases.push_back({shape[0], shape[1], shape[2], (layout & 1U) != 0, (layout & 2U) != 0, form, dtype});
        }
      }
    }
  }
  check_all(cases);
}

// Long enough for several blocks of k, panels and blocks of rows, with packing.
TEST(CodegenContractions, LargeProducts) {
  check_all({{70, 150, 2500, false, false, CpuTactics::Form::columns, DType::f32},
             {40, 70, 2501, false, true, CpuTactics::Form::columns, DType::f32},
             {40, 1000, 300, false, false, CpuTactics::Form::columns, DType::f32},
             {35, 333, 500, true, true, CpuTactics::Form::columns, DType::f64},
             {131, 77, 900, true, true, CpuTactics::Form::columns, DType::f64},
             {300, 128, 784, false, false, CpuTactics::Form::columns, DType::f32},
             // Rows of a transposed left operand a multiple of 4 KiB apart, which are copied first.
             {1024, 300, 40, true, false, CpuTactics::Form::columns, DType::f32},
             {512, 150, 33, true, true, CpuTactics::Form::columns, DType::f64},
             {200, 130, 300, false, true, CpuTactics::Form::inner, DType::f32}});
}

TEST(CodegenContractions, NothingToSumIsZero) {
  check_all({{3, 5, 0, false, false, CpuTactics::Form::columns, DType::f32},
             {3, 1, 0, false, true, CpuTactics::Form::inner, DType::f64}});
}

// x[N, 12] w[12, 20] + bias, relu, and the sign as a mask; several batch sizes up to the largest, which meets every
// remainder of rows.
TEST(CodegenContractions, EpilogueOverTheBatch) {
  for (const std::int64_t columns : {1, 4, 20, 70}) {
    HandPlan hand(40);
    const BufferId x = hand.input(DType::f32, {kBatch, 12}, random_numbers(1, 480, DType::f32));
    const BufferId w = hand.tensor("w", DType::f32, {12, columns}, random_numbers(2, 12 * columns, DType::f32));
    const BufferId bias = hand.tensor("bias", DType::f32, {columns}, random_numbers(3, columns, DType::f32));
    const BufferId y = hand.result(DType::f32, {kBatch, columns});
    const BufferId positive = hand.result(DType::boolean, {kBatch, columns});
    ContractionKernel kernel;
    kernel.rows = {{1, true}};
    kernel.columns = {{columns, false}};
    kernel.inner = {{12, false}};
    kernel.a = operand_of(at(x, {12, 1}), kernel.dtype);
    kernel.b = operand_of(at(w, {columns, 1}), kernel.dtype);
    kernel.epilogue.values = {simple(Value::Kind::product, DType::f32),   load(bias, {0, 1}, DType::f32),
                              operation(Op::add, DType::f32, {0, 1}),     number(0, DType::f32),
                              operation(Op::maximum, DType::f32, {2, 3}), operation(Op::less, DType::boolean, {3, 2})};
    kernel.epilogue.stores = {{4, at(y, {columns, 1}), false}, {5, at(positive, {columns, 1}), false}};
    hand.add(kernel);
    for (const std::int64_t batch : {1, 2, 3, 7, 8, 31, 40}) {
      expect_as_interpreted(hand, batch, 1e-5, "dense of " + std::to_string(columns));
      if (HasFatalFailure()) return;
    }
  }
}

// Few rows go through a large b without tiles, and give the bits of the same rows among many.
TEST(CodegenContractions, StreamedRows) {
  for (const std::int64_t columns : {64, 333}) {
    constexpr std::int64_t kInner = 203;
    HandPlan hand(40);
    const BufferId x = hand.input(DType::f32, {kBatch, kInner}, random_numbers(1, 40 * kInner, DType::f32));
    const BufferId w = hand.tensor("w", DType::f32, {kInner, columns},
                                   random_numbers(2, static_cast<std::size_t>(kInner * columns), DType::f32));
    const BufferId bias =
        hand.tensor("bias", DType::f32, {columns}, random_numbers(3, static_cast<std::size_t>(columns), DType::f32));
    const BufferId y = hand.result(DType::f32, {kBatch, columns});
    ContractionKernel kernel;
    kernel.rows = {{1, true}};
    kernel.columns = {{columns, false}};
    kernel.inner = {{kInner, false}};
    kernel.a = operand_of(at(x, {kInner, 1}), kernel.dtype);
    kernel.b = operand_of(at(w, {columns, 1}), kernel.dtype);
    kernel.epilogue.values = {simple(Value::Kind::product, DType::f32), load(bias, {0, 1}, DType::f32),
                              operation(Op::add, DType::f32, {0, 1})};
    kernel.epilogue.stores = {{2, at(y, {columns, 1}), false}};
    CpuTactics tactics;
    tactics.often_few_rows = true;
    hand.add(kernel, tactics);
    for (const std::string& cpu : cpus()) {
      const HostTensor many = run_native(hand, options_for(cpu), 40).results.back();
      for (const std::int64_t batch : {1, 2, 3, 4, 20}) {
        const HostTensor few = run_native(hand, options_for(cpu), batch).results.back();
        for (std::size_t i = 0; i < static_cast<std::size_t>(batch * columns); ++i) {
          ASSERT_EQ(few.data[i], many.data[i]) << batch << " rows, element " << i << " on " << cpu;
        }
      }
    }
    expect_as_interpreted(hand, 2, 1e-4, "streamed rows");
    expect_as_interpreted(hand, 40, 1e-4, "rows in tiles");
  }
}

// dw = x' dz summed over the batch, and the update of w in place; f64 numbers of the optimizer beside f32 weights.
TEST(CodegenContractions, UpdateInPlace) {
  HandPlan hand(40);
  const BufferId x = hand.input(DType::f32, {kBatch, 5}, random_numbers(1, 200, DType::f32));
  const BufferId dz = hand.input(DType::f32, {kBatch, 20}, random_numbers(2, 800, DType::f32));
  const BufferId w = hand.tensor("w", DType::f32, {5, 20}, random_numbers(3, 100, DType::f32));
  const BufferId rate = hand.tensor("rate", DType::f64, {}, {0.125});
  ContractionKernel kernel;
  kernel.rows = {{5, false}};
  kernel.columns = {{20, false}};
  kernel.inner = {{1, true}};
  kernel.a = operand_of(at(x, {1, 5}), kernel.dtype);
  kernel.b = operand_of(at(dz, {20, 1}), kernel.dtype);
  kernel.epilogue.values = {
      simple(Value::Kind::product, DType::f32), load(rate, {0, 0}, DType::f64), operation(Op::convert, DType::f32, {1}),
      operation(Op::mul, DType::f32, {2, 0}),   load(w, {20, 1}, DType::f32),   operation(Op::sub, DType::f32, {4, 3})};
  kernel.epilogue.stores = {{5, at(w, {20, 1}), false}};
  hand.add(kernel);
  for (const std::int64_t batch : {1, 5, 32, 40}) {
    expect_as_interpreted(hand, batch, 1e-5, "update");
    if (HasFatalFailure()) return;
  }
}

// dz = where(h <= 0, 0, g w'), and what its sums over the samples do to a bias: panels, blocks of k, tiles that are
// moved back and lanes beyond the last column. N sums of K products below 4 are below 4 K N; rounding errors come with
// both signs, so that they amount to less than one eps of that.
TEST(CodegenContractions, SumsOverTheRows) {
  struct Sums {
    std::int64_t columns, inner;
    DType dtype;
  };
  for (const Sums& c : {Sums{2, 3, DType::f32}, Sums{70, 40, DType::f32}, Sums{150, 33, DType::f32},
                        Sums{20, 2100, DType::f32}, Sums{300, 12, DType::f64}}) {
    HandPlan hand(40);
    const auto numbers = [&](std::uint64_t seed, std::int64_t count) {
      return random_numbers(seed, static_cast<std::size_t>(count), c.dtype);
    };
    const BufferId g = hand.input(c.dtype, {kBatch, c.inner}, numbers(1, 40 * c.inner));
    const BufferId h = hand.input(c.dtype, {kBatch, c.columns}, numbers(2, 40 * c.columns));
    const BufferId w = hand.tensor("w", c.dtype, {c.columns, c.inner}, numbers(3, c.columns * c.inner));
    const BufferId bias = hand.tensor("bias", c.dtype, {c.columns}, numbers(4, c.columns));
    const BufferId rate = hand.tensor("rate", DType::f64, {}, {0.125});
    const BufferId dz = hand.result(c.dtype, {kBatch, c.columns});
    const BufferId squares = hand.result(c.dtype, {c.columns});
    ContractionKernel kernel;
    kernel.rows = {{1, true}};
    kernel.columns = {{c.columns, false}};
    kernel.inner = {{c.inner, false}};
    kernel.dtype = c.dtype;
    kernel.a = operand_of(at(g, {c.inner, 1}), kernel.dtype);
    kernel.b = operand_of(at(w, {1, c.inner}), kernel.dtype);
    kernel.epilogue.values = {simple(Value::Kind::product, c.dtype),
                              load(h, {c.columns, 1}, c.dtype),
                              number(0, c.dtype),
                              operation(Op::less_equal, DType::boolean, {1, 2}),
                              operation(Op::where, c.dtype, {3, 2, 0}),
                              operation(Op::mul, c.dtype, {4, 4})};
    kernel.epilogue.stores = {{4, at(dz, {c.columns, 1}), false}};
    kernel.sums = {{Op::reduce_sum, 4, c.dtype}, {Op::reduce_sum, 5, c.dtype}};
    Value second = simple(Value::Kind::reduced, c.dtype);
    second.reduction = 1;
    kernel.tail.values = {simple(Value::Kind::reduced, c.dtype), second,
                          load(bias, {0, 1}, c.dtype),           load(rate, {0, 0}, DType::f64),
                          operation(Op::convert, c.dtype, {3}),  operation(Op::mul, c.dtype, {4, 0}),
                          operation(Op::sub, c.dtype, {2, 5})};
    kernel.tail.stores = {{6, at(bias, {0, 1}), false}, {1, at(squares, {0, 1}), false}};
    hand.add(kernel);
    const double eps =
        c.dtype == DType::f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
    for (const std::int64_t batch : {1, 7, 40}) {
      expect_as_interpreted(hand, batch, 4 * static_cast<double>(c.inner * batch) * eps,
                            "sums of " + std::to_string(c.columns) + " columns");
      if (HasFatalFailure()) return;
    }
  }
}

// Products of every sample: batch axes, and N in each of rows, columns and inner.
TEST(CodegenContractions, BatchAxes) {
  for (const std::int64_t batch : {1, 6, 40}) {
    HandPlan hand(40);
    const BufferId a = hand.input(DType::f64, {kBatch, 2, 3, 4}, random_numbers(1, 960, DType::f64));
    const BufferId b = hand.input(DType::f64, {kBatch, 2, 4, 9}, random_numbers(2, 2880, DType::f64));
    const BufferId y = hand.result(DType::f64, {kBatch, 2, 3, 9});
    ContractionKernel kernel;
    kernel.batch = {{1, true}, {2, false}};
    kernel.rows = {{3, false}};
    kernel.columns = {{9, false}};
    kernel.inner = {{4, false}};
    kernel.dtype = DType::f64;
    kernel.a = operand_of(at(a, {24, 12, 4, 1}), kernel.dtype);
    kernel.b = operand_of(at(b, {72, 36, 9, 1}), kernel.dtype);
    kernel.epilogue.values = {simple(Value::Kind::product, DType::f64)};
    kernel.epilogue.stores = {{0, at(y, {54, 27, 9, 1}), false}};
    hand.add(kernel);
    // One row a sample times a table; the samples are the columns.
    const BufferId z = hand.result(DType::f64, {kBatch, 5});
    const BufferId table = hand.tensor("table", DType::f64, {5, 24}, random_numbers(3, 120, DType::f64));
    ContractionKernel turned;
    turned.rows = {{5, false}};
    turned.columns = {{1, true}};
    turned.inner = {{24, false}};
    turned.dtype = DType::f64;
    turned.a = operand_of(at(table, {24, 1}), turned.dtype);
    turned.b = operand_of(at(a, {1, 24}), turned.dtype);
    turned.epilogue.values = {simple(Value::Kind::product, DType::f64)};
    turned.epilogue.stores = {{0, at(z, {1, 5}), false}};
    hand.add(turned);
    const BufferId again = hand.result(DType::f64, {kBatch, 5});
    turned.epilogue.stores = {{0, at(again, {1, 5}), false}};
    hand.add(turned, in_form(CpuTactics::Form::inner));
    expect_as_interpreted(hand, batch, 1e-13, "batch axes");
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tarn::testing
