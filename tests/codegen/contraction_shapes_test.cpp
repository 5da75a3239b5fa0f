// Products of shapes around every constant of their tilings, between pages without access: one shape of every kind of
// tiling that thousands of drawn shapes have, in each layout of the operands, with the batch in each place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "codegen/kernels/transpose.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/draw.h"

namespace tarn::testing {
namespace {

enum class Samples : std::uint8_t { none, rows, columns, inner };  // what of a product the batch is
constexpr std::array<const char*, 4> kSamplesNames = {"", " of N rows", " of N columns", " summed over N"};

struct ProductShape {
  std::int64_t rows = 1, columns = 1, inner = 1;
  bool a_transposed = false, b_transposed = false, often_few_rows = false;
  CpuTactics::Form form = CpuTactics::Form::columns;
  DType dtype = DType::f32;
  Samples samples = Samples::none;
  std::int64_t work() const { return rows * columns * inner; }
};

std::string describe(const ProductShape& p) {
  return fmt::format("{} x {} x {}{}{}{}{} {}{}", p.rows, p.columns, p.inner, p.a_transposed ? " a'" : "",
                     p.b_transposed ? " b'" : "", p.form == CpuTactics::Form::inner ? " dots" : "",
                     kSamplesNames[static_cast<std::size_t>(p.samples)], name_of(p.dtype),
                     p.often_few_rows ? ", often few rows" : "");
}

// The kernel without its buffers, at so many samples at most: whatever they are is one of the extents.
ContractionKernel kernel_of(const ProductShape& p, std::int64_t max_batch) {
  const auto extent = [&](std::int64_t count, Samples which) {
    return p.samples == which ? Extent{count / max_batch, true} : Extent{count, false};
  };
  ContractionKernel kernel;
  kernel.rows = {extent(p.rows, Samples::rows)};
  kernel.columns = {extent(p.columns, Samples::columns)};
  kernel.inner = {extent(p.inner, Samples::inner)};
  kernel.dtype = p.dtype;
  kernel.a = operand_of(p.a_transposed ? at(0, {1, p.rows}) : at(0, {p.inner, 1}), p.dtype);
  kernel.b = operand_of(p.b_transposed ? at(0, {1, p.inner}) : at(0, {p.columns, 1}), p.dtype);
  return kernel;
}

bool is_dot(const ProductShape& p) { return p.form == CpuTactics::Form::inner && p.inner > 1; }

CpuTactics tactics_of(const ProductShape& p) {
  CpuTactics tactics = in_form(p.inner > 1 ? p.form : CpuTactics::Form::columns);
  tactics.often_few_rows = p.often_few_rows;
  return tactics;
}

// An extent beside what it is cut into: less than one piece, one, several; and what is left, next to nothing or to all.
std::string cut(std::int64_t extent, std::int64_t piece) {
  const std::int64_t left = extent % piece;
  const char* const rest = left == 0 ? "whole" : left == 1 ? "one" : left + 1 == piece ? "all but one" : "some";
  return fmt::format("{}{}", extent < piece ? "<" : extent < 2 * piece ? "=" : ">", rest);
}

using Traits = std::set<std::string>;

// What there is in the emitter that a tiling may or may not take.
Traits traits_of(const ProductShape& p, const ContractionTiling& s) {
  using Packing = ContractionTiling::Packing;
  const std::int64_t tile = s.tile_columns, last = p.columns % s.panel;
  Traits traits;
  const auto add = [&](bool has, const char* trait) {
    if (has) traits.insert(trait);
  };
  add(is_dot(p), "dots");
  add(s.several_blocks, "blocks of k");
  add(s.tile_epilogue, "epilogue behind every tile");
  add(s.left_rows > 0, "copied rows of a");
  add(s.streams, "streamed rows");
  add(s.fetches_epilogue, "fetches");
  add(s.fetches_panels, "fetches the next panel");
  add(s.fetches_rows, "fetches the next rows");
  add(s.fetches_groups, "fetches the next group");
  add(s.inner_steps > 1, p.inner % s.inner_steps == 0 ? "whole steps" : "steps and a rest");
  add(s.packing == Packing::many_rows, "packs many rows");
  add(s.packing == Packing::always, "packs always");
  add(p.columns > s.panel, "panels");
  add(p.columns > s.panel && last > 0 && last < tile, "a last panel narrower than a tile");
  add(p.columns > s.panel && last > tile && last % tile != 0, "a last panel of tiles and a part of one");
  add(p.columns < tile, "columns that are no tile");
  add(p.columns > tile && p.columns % tile != 0, "a last tile that is moved back");
  add(p.rows % s.tile_rows != 0, s.moves_rows ? "a last tile of rows that is moved back" : "single rows");
  add(p.inner >= kTransposeBlock && p.b_transposed && s.packing == Packing::always, "packs by transposing");
  return traits;
}

// What a shape shows: its traits, each with every way in which an extent is cut.
Traits features_of(const ProductShape& p, const ContractionTiling& s) {
  const Traits traits = traits_of(p, s);
  const std::string cuts[] = {
      "rows " + cut(p.rows, s.tile_rows), "columns " + cut(p.columns, s.tile_columns),
      "inner " +
          (is_dot(p) ? cut(p.inner, s.lanes) : cut(p.inner, s.several_blocks ? s.inner_block : kTransposeBlock))};
  Traits features;
  for (const std::string& trait : traits) {
    features.insert(trait);
    for (const std::string& extent : cuts) features.insert(trait + ", " + extent);
  }
  features.insert(std::begin(cuts), std::end(cuts));
  return features;
}

constexpr std::int64_t kMaxBatch = 40;

ProductShape draw_shape(Draw& draw, Samples samples, DType dtype) {
  ProductShape p;
  p.samples = samples;
  p.dtype = dtype;
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  p.rows = draw.one_in(2)   ? draw.between(1, 30)
           : draw.one_in(4) ? 4096 / size
                            : draw.near({kCosts.streamed_rows, kCosts.packing_rows, 2 * kCosts.packing_rows, 70});
  p.inner =
      draw.one_in(4)
          ? draw.between(1, 70)
          : draw.near({kTransposeBlock, 32, kCosts.fetched_lines, kCosts.inner_block, kCosts.longest_inner,
                       kCosts.longest_inner, kCosts.longest_inner + kTransposeBlock, kCosts.panel / (200 * size)});
  p.columns = draw.one_in(2)   ? draw.between(1, 70)
              : draw.one_in(2) ? draw.between(70, 700)
                               : 16 * draw.between(1, 20) + draw.between(-1, 1);
  p.form = draw.one_in(4) ? CpuTactics::Form::inner : CpuTactics::Form::columns;
  p.a_transposed = p.form == CpuTactics::Form::columns && draw.one_in(2);
  p.b_transposed = p.form == CpuTactics::Form::inner || draw.one_in(2);
  // Samples lie behind each other in an input; a sample is one row, column or k, or a few.
  const auto of_samples = [&](std::int64_t& extent, std::vector<std::int64_t> numbers) {
    extent = kMaxBatch * (draw.one_in(2) ? 1 : numbers[static_cast<std::size_t>(draw.between(1, 4)) - 1]);
  };
  if (samples == Samples::rows) {
    of_samples(p.rows, {2, 3, 5, 8});
    p.a_transposed = false;
  } else if (samples == Samples::columns) {
    of_samples(p.columns, {2, 3, 5, 8});
    p.b_transposed = true;
  } else if (samples == Samples::inner) {
    of_samples(p.inner, {2, kTransposeBlock, 13, kCosts.longest_inner / kMaxBatch + 1});
    p.form = CpuTactics::Form::columns;
    p.a_transposed = true;
    p.b_transposed = false;
  }
  p.often_few_rows = samples == Samples::rows && draw.one_in(3);
  return p;
}

// Of many shapes, the cheap ones first, those that show something new.
std::vector<ProductShape> shapes_for(const Target& target, Samples samples, Traits& shown) {
  constexpr int kDrawn = 6000;
  constexpr std::int64_t kMostWork = 10'000'000;
  Draw draw(1 + static_cast<std::uint64_t>(samples));
  std::vector<ProductShape> drawn, shapes;
  while (drawn.size() < kDrawn) {
    const ProductShape p = draw_shape(draw, samples, draw.one_in(3) ? DType::f64 : DType::f32);
    if (p.work() <= kMostWork) drawn.push_back(p);
  }
  std::ranges::stable_sort(drawn, {}, &ProductShape::work);
  for (const ProductShape& p : drawn) {
    const std::size_t before = shown.size();
    shown.merge(features_of(p, tiling_of(kernel_of(p, kMaxBatch), tactics_of(p), kMaxBatch, target)));
    if (shown.size() > before) shapes.push_back(p);
  }
  return shapes;
}

// Stores to `result`: the product; or max(product + bias, 0); or that and its sums down the columns.
enum class Epilogue : std::uint8_t { none, relu, sums };

struct ShapedProduct {
  ProductShape shape;
  Epilogue epilogue = Epilogue::none;
  std::vector<double> a, b, bias;
};

ShapedProduct add_product(HandPlan& hand, const ProductShape& p, Epilogue epilogue, std::uint64_t seed) {
  const auto numbers = [&](std::int64_t count) {
    return random_numbers(++seed, static_cast<std::size_t>(count), p.dtype);
  };
  ShapedProduct product{p, epilogue, numbers(p.rows * p.inner), numbers(p.inner * p.columns), numbers(p.columns)};
  const auto operand = [&](const std::vector<double>& values, bool of_samples) {
    const auto count = static_cast<std::int64_t>(values.size());
    if (of_samples) return hand.input(p.dtype, {kBatch, count / kMaxBatch}, values);
    return hand.tensor("t" + std::to_string(hand.program.tensors.size()), p.dtype, {count}, values);
  };
  ContractionKernel kernel = kernel_of(p, kMaxBatch);
  const bool over_samples = p.samples == Samples::inner;
  kernel.a.access().buffer = operand(product.a, over_samples || p.samples == Samples::rows);
  kernel.b.access().buffer = operand(product.b, over_samples || p.samples == Samples::columns);
  BufferId result = 0;
  if (p.samples == Samples::rows) {
    result = hand.result(p.dtype, {kBatch, p.rows / kMaxBatch * p.columns});
  } else if (p.samples == Samples::columns) {
    result = hand.result(p.dtype, {kBatch, p.columns / kMaxBatch * p.rows});
  } else {
    result = hand.result(p.dtype, {p.rows, p.columns});
  }
  const bool by_columns = p.samples == Samples::columns;
  const Access place = by_columns ? at(result, {1, p.rows}) : at(result, {p.columns, 1});
  kernel.epilogue.values = {simple(Value::Kind::product, p.dtype)};
  kernel.epilogue.stores = {{0, place, false}};
  if (epilogue != Epilogue::none) {
    const BufferId bias = operand(product.bias, false);
    kernel.epilogue.values.insert(kernel.epilogue.values.end(),
                                  {load(bias, {0, 1}, p.dtype), operation(Op::add, p.dtype, {0, 1}), number(0, p.dtype),
                                   operation(Op::maximum, p.dtype, {2, 3})});
    kernel.epilogue.stores = {{4, place, false}};
  }
  if (epilogue == Epilogue::sums) {
    const BufferId sums = hand.result(p.dtype, {p.columns});
    kernel.sums = {{Op::reduce_sum, 4, p.dtype}};
    kernel.tail.values = {simple(Value::Kind::reduced, p.dtype)};
    kernel.tail.stores = {{0, at(sums, {0, 1}), false}};
  }
  hand.add(kernel, tactics_of(p));
  return product;
}

// Bounds as in contractions_test.cpp. `results` begin with those of the product; how many these are.
std::size_t expect_product(const ShapedProduct& product, const HostTensor* results, std::int64_t batch,
                           const std::string& where) {
  const ProductShape& p = product.shape;
  const auto now = [&](std::int64_t extent, Samples which) {
    return p.samples == which ? extent / kMaxBatch * batch : extent;
  };
  const std::int64_t rows = now(p.rows, Samples::rows), columns = now(p.columns, Samples::columns),
                     inner = now(p.inner, Samples::inner);
  const double eps =
      p.dtype == DType::f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  const auto wrong = [&](double actual, double expected, double bound) {
    return !(std::fabs(actual - expected) <= bound);
  };
  for (std::int64_t n = 0; n < columns; ++n) {
    double column_sum = 0, column_magnitude = 0;
    for (std::int64_t m = 0; m < rows; ++m) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < inner; ++k) {
        const double term = product.a[static_cast<std::size_t>(p.a_transposed ? k * p.rows + m : m * p.inner + k)] *
                            product.b[static_cast<std::size_t>(p.b_transposed ? n * p.inner + k : k * p.columns + n)];
        sum += term;
        magnitude += std::fabs(term);
      }
      if (product.epilogue != Epilogue::none) {
        const double bias = product.bias[static_cast<std::size_t>(n)];
        magnitude += std::fabs(bias);
        sum = std::max(sum + bias, 0.0);
      }
      column_sum += sum;
      column_magnitude += magnitude;
      const std::int64_t place = p.samples == Samples::columns ? n * p.rows + m : m * p.columns + n;
      const double actual = results[0].data[static_cast<std::size_t>(place)];
      const double bound = static_cast<double>(inner + 2) * eps * magnitude;
      if (wrong(actual, sum, bound)) {
        ADD_FAILURE() << where << ": element " << m << ", " << n << " is " << actual << ", expected " << sum;
        return 0;
      }
    }
    if (product.epilogue != Epilogue::sums) continue;
    const double actual = results[1].data[static_cast<std::size_t>(n)];
    const double bound = static_cast<double>(inner + rows + 2) * eps * column_magnitude;
    if (wrong(actual, column_sum, bound)) {
      ADD_FAILURE() << where << ": the sum of column " << n << " is " << actual << ", expected " << column_sum;
      return 0;
    }
  }
  return product.epilogue == Epilogue::sums ? 2 : 1;
}

Epilogue epilogue_for(const ProductShape& p, std::size_t number) {
  const bool has_sums = p.samples == Samples::rows && p.form == CpuTactics::Form::columns && p.columns > 1;
  if (p.samples == Samples::columns || number % 3 == 0) return Epilogue::none;
  return number % 3 == 1 && has_sums && !p.often_few_rows ? Epilogue::sums : Epilogue::relu;
}

void check_together(const std::vector<ProductShape>& shapes, Samples samples, const std::string& cpu) {
  HandPlan hand(kMaxBatch);
  std::vector<ShapedProduct> products;
  for (const ProductShape& p : shapes) {
    const std::size_t number = products.size();
    const Epilogue epilogue = epilogue_for(p, number);
    products.push_back(add_product(hand, p, epilogue, 31 * number));
  }
  const NativePlan apart(hand, options_for(cpu), "adapt", NativePlan::Memory::apart);
  for (const std::int64_t batch : {kMaxBatch, kMaxBatch - 1, std::int64_t{7}, std::int64_t{1}}) {
    if (samples == Samples::none && batch > 1) continue;
    const NativeRun run = apart.run(hand.context, batch, 1);
    ASSERT_EQ(run.outcome, Outcome::done);
    if (batch > 1) expect_same_bits(apart.run(hand.context, batch, 3), run, "in 3 parts");
    if (batch == kMaxBatch - 1) continue;  // as right as the others, and a matter of memory alone
    const HostTensor* results = run.results.data();
    for (const ShapedProduct& product : products) {
      const std::size_t count = expect_product(
          product, results, batch, fmt::format("{} on {}, {} samples", describe(product.shape), cpu, batch));
      if (::testing::Test::HasFailure()) return;
      results += count;
    }
  }
}

struct Coverage {
  Samples samples;
  std::set<std::string> traits;  // that there must be on every machine
};

std::string name_of(Samples samples) {
  constexpr std::array<const char*, 4> kNames = {"NoSamples", "Rows", "Columns", "Inner"};
  return kNames[static_cast<std::size_t>(samples)];
}

void PrintTo(const Coverage& coverage, std::ostream* stream) { *stream << name_of(coverage.samples); }

class ContractionShapes : public ::testing::TestWithParam<Coverage> {};

TEST_P(ContractionShapes, OfEveryKindStayInTheirOperands) {
  const auto& [samples, wanted] = GetParam();
  std::vector<Target> done;
  for (const std::string& cpu : cpus()) {
    const Target target = *target_of(options_for(cpu));
    if (std::ranges::find(done, target) != done.end()) continue;
    done.push_back(target);
    Traits shown;
    const std::vector<ProductShape> shapes = shapes_for(target, samples, shown);
    for (const std::string& trait : wanted) EXPECT_TRUE(shown.contains(trait)) << cpu << ": " << trait;
    constexpr std::size_t kTogether = 24;
    for (std::size_t first = 0; first < shapes.size(); first += kTogether) {
      const auto begin = shapes.begin() + static_cast<std::ptrdiff_t>(first);
      check_together({begin, begin + static_cast<std::ptrdiff_t>(std::min(kTogether, shapes.size() - first))}, samples,
                     cpu);
      if (HasFailure()) return;
    }
  }
}

const Coverage kCoverage[] = {
    {Samples::none,
     {"dots", "blocks of k", "epilogue behind every tile", "copied rows of a", "fetches", "fetches the next panel",
      "packs many rows", "packs always", "panels", "a last panel narrower than a tile",
      "a last panel of tiles and a part of one", "columns that are no tile", "a last tile that is moved back",
      "single rows", "packs by transposing"}},
    {Samples::rows,
     {"dots", "blocks of k", "epilogue behind every tile", "streamed rows", "packs many rows", "packs always", "panels",
      "a last panel narrower than a tile"}},
    {Samples::columns, {"dots", "blocks of k", "packs always"}},
    {Samples::inner, {"blocks of k", "packs many rows", "panels"}}};

INSTANTIATE_TEST_SUITE_P(Of, ContractionShapes, ::testing::ValuesIn(kCoverage),
                         [](const auto& coverage) { return name_of(coverage.param.samples); });

}  // namespace
}  // namespace tarn::testing
