// Products with several axes of each role, windows, operands that are computed and loads with bounds: random plans, as
// code on every CPU that is here and by the interpreter. All numbers are small integers, so that no sum is rounded and
// both give the same; TARN_SEED draws others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "passes/plan/possible_tactics.h"
#include "passes/plan/text.h"
#include "passes/tactics/tiling.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/draw.h"
#include "tests/support/compiler/plan_text_support.h"

namespace tarn::testing {
namespace {

constexpr std::int64_t kMostSamples = 5;

// An axis of a buffer: its index is offset + the sum of factor * index of some axes of the kernel.
struct Dimension {
  std::vector<std::pair<std::size_t, std::int64_t>> factors;
  std::int64_t offset = 0, extent = 1;
  bool has_bounds = false;
};

class RandomProduct {
 public:
  RandomProduct(std::uint64_t seed, DType dtype) : draw_(seed), dtype_(dtype), hand_(kMostSamples) {
    draw_axes();
    kernel_.dtype = dtype;
    kernel_.a = operand(axes_with(kernel_, kernel_.rows, kernel_.inner), kernel_.rows.size());
    const std::vector<Extent> of_b = axes_with(kernel_, kernel_.inner, kernel_.columns);
    kernel_.b = in_order_ ? operand_of(load_along(of_b, in_order(of_b), dtype).access, dtype)
                          : operand(of_b, kernel_.inner.size());
    add_epilogue();
    hand_.add(kernel_);
  }
  const HandPlan& hand() const { return hand_; }
  const ContractionKernel& kernel() const { return kernel_; }

 private:
  // Axes of `most` points in all.
  std::vector<Extent> role(std::int64_t most_axes, std::int64_t most) {
    std::vector<Extent> axes(static_cast<std::size_t>(draw_.between(1, most_axes)));
    for (Extent& axis : axes) {
      axis.constant = draw_.one_in(6) ? 1 : draw_.between(1, std::max<std::int64_t>(most, 1));
      most /= axis.constant;
    }
    draw_.shuffle(axes);
    return axes;
  }

  enum class Size : std::uint8_t { small, long_sum, many_tiles, large_panel, many_blocks };
  Size draw_size() {
    const std::int64_t number = draw_.between(0, 18);
    if (number > 15) return Size::many_blocks;
    return number < 3 ? Size::long_sum : number < 7 ? Size::many_tiles : number < 8 ? Size::large_panel : Size::small;
  }

  // So many that the interpreter takes no longer than compilers: some with a sum in several blocks, some with an
  // epilogue behind every tile, a few with a panel that the first rows pack.
  void draw_axes() {
    const Size size = draw_size();
    if (size == Size::many_blocks) return draw_blocks();
    const bool is_large = size == Size::many_tiles || size == Size::large_panel;
    if (size == Size::small && draw_.one_in(3)) kernel_.batch = role(2, 3);
    kernel_.rows = role(3, size == Size::long_sum ? 5 : 30);
    kernel_.columns = role(2, size == Size::long_sum ? 5 : 25);
    kernel_.inner = role(3, size == Size::long_sum ? 4 : 25);
    const auto lengthen = [&](std::vector<Extent>& axes, std::int64_t first, std::int64_t last, bool last_axis) {
      if (is_large) axes.assign(axes.size(), Extent{draw_.between(1, 2)});
      const std::int64_t axis = last_axis ? std::ssize(axes) - 1 : draw_.between(0, std::ssize(axes) - 1);
      axes[static_cast<std::size_t>(axis)].constant = draw_.between(first, last);
    };
    if (size == Size::long_sum) {
      lengthen(kernel_.inner, 700, 2500, false);
      in_order_ = pads_ = draw_.one_in(2);
      if (pads_) {
        kernel_.rows = {{draw_.between(2, 3)}, {draw_.between(1, 3)}};
        kernel_.inner = {{draw_.between(3, 4)}, {draw_.between(2, 3)}, {draw_.between(500, 650)}};
        if (draw_.one_in(3)) std::swap(kernel_.inner[0], kernel_.inner[2]);
      }
    }
    if (!is_large) return draw_samples();
    lengthen(kernel_.rows, size == Size::large_panel ? 32 : 64, size == Size::large_panel ? 36 : 70, true);
    lengthen(kernel_.columns, 64, 70, true);
    lengthen(kernel_.inner, size == Size::large_panel ? 130 : 16, size == Size::large_panel ? 150 : 36, true);
    if (size == Size::large_panel) kernel_.inner = {{2, false}, kernel_.inner.back()};
    in_order_ = size == Size::large_panel;
  }

  // Like the gradient of a kernel by images: all its tiles go over block after block of k.
  void draw_blocks() {
    if (!draw_.one_in(3)) kernel_.batch = {{draw_.between(1, 2)}, {draw_.between(1, 2)}};
    kernel_.rows = {{draw_.between(1, 9)}};
    kernel_.columns = {{draw_.between(17, 50)}};
    kernel_.inner = {{draw_.between(30, 40)}, {draw_.between(7, 9)}, {draw_.between(8, 10)}};
    in_order_ = !draw_.one_in(4);
    pads_ = draw_.one_in(2);
  }

  void draw_samples() {
    // Samples stand along one axis, or none.
    std::vector<std::vector<Extent>*> roles = {&kernel_.rows, &kernel_.inner};
    if (!kernel_.batch.empty()) roles.push_back(&kernel_.batch);
    if (draw_.one_in(4)) return;
    std::vector<Extent>& role = *roles[static_cast<std::size_t>(draw_.between(0, std::ssize(roles) - 1))];
    role[static_cast<std::size_t>(draw_.between(0, std::ssize(role) - 1))] = {1, true};
  }

  // Small whole numbers.
  std::vector<double> numbers(const Shape& shape, DType dtype) {
    std::vector<double> values(static_cast<std::size_t>(element_count(with_batch(shape, kMostSamples))));
    const bool is_boolean = dtype == DType::boolean;
    for (double& value : values) value = static_cast<double>(draw_.between(is_boolean ? 0 : -3, is_boolean ? 1 : 3));
    return values;
  }

  static std::vector<Dimension> in_order(const std::vector<Extent>& axes) {
    std::vector<Dimension> result;
    for (std::size_t i = 0; i < axes.size(); ++i) result.push_back({{{i, 1}}, 0, axes[i].constant});
    return result;
  }

  // A dimension for every axis, where some pairs of one axis of the first role and one of the second make one.
  std::vector<Dimension> dimensions(const std::vector<Extent>& axes, std::size_t first_role) {
    const std::size_t batch = kernel_.batch.size(), second = batch + first_role;
    std::vector<bool> taken(axes.size());
    std::vector<Dimension> result;
    for (std::size_t i = batch; i < second; ++i) {
      const auto k = static_cast<std::size_t>(draw_.between(static_cast<std::int64_t>(second), std::ssize(axes) - 1));
      if (!draw_.one_in(2) || taken[k] || axes[i].times_batch || axes[k].times_batch) continue;
      taken[i] = taken[k] = true;
      Dimension window{{{i, draw_.between(1, 2)}, {k, draw_.between(1, 2)}}};
      for (const auto& [axis, factor] : window.factors) window.extent += factor * (axes[axis].constant - 1);
      if (draw_.one_in(2)) cut(window);
      result.push_back(window);
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (taken[i] || (!axes[i].times_batch && draw_.one_in(8))) continue;
      Dimension own{{{i, 1}}, 0, axes[i].constant};
      if (!axes[i].times_batch && draw_.one_in(6)) cut(own);
      result.push_back(own);
    }
    draw_.shuffle(result);
    return result;
  }
  // The buffer begins later and ends earlier than the index.
  void cut(Dimension& dimension) {
    const std::int64_t before = draw_.between(0, std::min<std::int64_t>(3, dimension.extent - 1)),
                       behind = draw_.between(0, std::min<std::int64_t>(3, dimension.extent - 1 - before));
    dimension.offset = -before;
    dimension.extent -= before + behind;
    dimension.has_bounds = true;
  }

  // Zeros around what loops around the tiles and inner axes go over, forwards or backwards.
  std::vector<Dimension> padded(const std::vector<Extent>& axes, std::size_t first_role) {
    const std::size_t second = kernel_.batch.size() + first_role;
    std::vector<bool> taken(axes.size());
    std::vector<Dimension> result;
    for (std::size_t k = second; k < axes.size(); ++k) {
      if (second < 2) break;
      const auto i = static_cast<std::size_t>(draw_.between(0, static_cast<std::int64_t>(second) - 2));
      if (draw_.one_in(3) || taken[i] || axes[i].times_batch || axes[k].times_batch) continue;
      taken[i] = taken[k] = true;
      const bool backwards = draw_.one_in(3);
      const std::int64_t step = draw_.between(1, 2), dilation = draw_.between(1, 2);
      const std::int64_t reach = dilation * (axes[k].constant - 1);
      Dimension window{{{i, step}, {k, backwards ? -dilation : dilation}}};
      window.extent += step * (axes[i].constant - 1) + reach;
      cut(window);
      if (backwards) window.offset += reach;
      result.push_back(window);
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (!taken[i]) result.push_back({{{i, 1}}, 0, axes[i].constant});
    }
    draw_.shuffle(result);
    return result;
  }

  // A load from a buffer made for it.
  Value load_along(const std::vector<Extent>& axes, std::vector<Dimension> dimensions, DType dtype) {
    const auto of_samples = [&](const Dimension& d) {
      return d.factors.size() == 1 && axes[d.factors[0].first].times_batch;
    };
    std::stable_partition(dimensions.begin(), dimensions.end(), of_samples);
    Shape shape;
    for (const Dimension& d : dimensions) shape.push_back(of_samples(d) ? kBatch : d.extent);
    const std::vector<std::int64_t> strides = row_major_strides(shape);
    Value value;
    value.kind = Value::Kind::load;
    value.dtype = dtype;
    const std::string name = fmt::format("t{}", hand_.plan.buffers.size());
    value.access.buffer = has_batch(shape) ? hand_.input(dtype, shape, numbers(shape, dtype))
                                           : hand_.tensor(name, dtype, shape, numbers(shape, dtype));
    value.access.at.strides.resize(axes.size());
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      const Dimension& d = dimensions[i];
      Bound bound{{std::vector<std::int64_t>(axes.size()), d.offset}, d.extent, strides[i]};
      for (const auto& [axis, factor] : d.factors) bound.index.strides[axis] += factor;
      value.access.at.offset += d.offset * strides[i];
      for (std::size_t axis = 0; axis < axes.size(); ++axis) {
        value.access.at.strides[axis] += bound.index.strides[axis] * strides[i];
      }
      if (d.has_bounds) value.access.bounds.push_back(bound);
    }
    const std::int64_t least = dtype == DType::boolean ? 0 : -1;
    if (!value.access.bounds.empty()) value.access.fill = static_cast<double>(draw_.between(least, 1));
    return value;
  }

  Operand operand(const std::vector<Extent>& axes, std::size_t first_role) {
    Operand operand;
    std::vector<Value>& values = operand.body.values;
    const auto load = [&](DType dtype) { values.push_back(load_along(axes, dimensions(axes, first_role), dtype)); };
    const auto apply = [&](Op op, DType dtype, std::vector<ValueId> of) {
      values.push_back(operation(op, dtype, std::move(of)));
    };
    const auto last = [&] { return static_cast<ValueId>(values.size() - 1); };
    const auto index = [&](std::size_t axis) {
      Value value;
      value.kind = Value::Kind::index;
      value.dtype = DType::i32;
      value.linear.strides.resize(axes.size());
      value.linear.strides[axis] = 1;
      values.push_back(value);
    };
    switch (draw_.between(pads_ ? 8 : 0, 9)) {
      case 8:
      case 9:
        values.push_back(load_along(axes, padded(axes, first_role), dtype_));
        values.back().access.fill = 0;
        break;
      case 0:  // of whole numbers
        load(DType::i32);
        apply(Op::convert, dtype_, {0});
        break;
      case 1:  // a mask by position
        load(dtype_);
        index(axes.size() - 1);
        index(kernel_.batch.size());
        apply(Op::less, DType::boolean, {1, 2});
        values.push_back(number(2, dtype_));
        apply(Op::where, dtype_, {3, 0, 4});
        break;
      case 2:  // a mask that data give
        load(DType::boolean);
        load(dtype_);
        values.push_back(number(0, dtype_));
        apply(Op::where, dtype_, {0, 1, 2});
        break;
      case 3:  // of two arrays, in another precision
        load(DType::f64);
        load(DType::f64);
        apply(Op::add, DType::f64, {0, 1});
        apply(Op::convert, dtype_, {2});
        break;
      case 4:
        values.push_back(number(2, dtype_));
        break;
      default:
        load(dtype_);
        break;
    }
    operand.value = last();
    return operand;
  }

  void add_epilogue() {
    const std::vector<Extent> axes = axes_with(kernel_, kernel_.rows, kernel_.columns);
    // The result with the samples first.
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < axes.size(); ++i) order.push_back(i);
    draw_.shuffle(order);
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return axes[i].times_batch; });
    Shape shape;
    for (const std::size_t i : order) shape.push_back(axes[i].times_batch ? kBatch : axes[i].constant);
    const std::vector<std::int64_t> along = row_major_strides(shape);
    std::vector<std::int64_t> strides(axes.size());
    for (std::size_t i = 0; i < order.size(); ++i) strides[order[i]] = along[i];
    std::vector<Dimension> of_columns;
    for (std::size_t i = kernel_.row_axis() + 1; i < axes.size(); ++i)
      of_columns.push_back({{{i, 1}}, 0, axes[i].constant});
    kernel_.epilogue.values = {simple(Value::Kind::product, dtype_), load_along(axes, of_columns, dtype_),
                               operation(Op::add, dtype_, {0, 1})};
    kernel_.epilogue.stores = {{2, at(hand_.result(dtype_, shape), strides), false}};
    if (kernel_.batch.empty() && !kernel_.one_column() && draw_.one_in(3)) add_sums(axes);
  }

  void add_sums(const std::vector<Extent>& axes) {
    Shape shape;
    std::vector<std::int64_t> strides(axes.size());
    for (const Extent& axis : kernel_.columns) shape.push_back(axis.constant);
    const std::vector<std::int64_t> along = row_major_strides(shape);
    std::copy(along.begin(), along.end(), strides.begin() + static_cast<std::ptrdiff_t>(kernel_.row_axis() + 1));
    kernel_.sums = {{Op::reduce_sum, 2, dtype_}};
    kernel_.tail.values = {simple(Value::Kind::reduced, dtype_)};
    kernel_.tail.stores = {{0, at(hand_.result(dtype_, shape), strides), false}};
  }

  Draw draw_;
  const DType dtype_;
  bool in_order_ = false;  // b lies as its axes do
  bool pads_ = false;      // a has zeros around it
  HandPlan hand_;
  ContractionKernel kernel_;
};

constexpr std::uint64_t kGroups = 8, kInGroup = 10;

std::uint64_t seed_of(std::uint64_t first, std::uint64_t group, std::uint64_t number) {
  return first * 10'000 + group * 100 + number;
}
RandomProduct product_of(std::uint64_t first, std::uint64_t group, std::uint64_t number) {
  const std::uint64_t seed = seed_of(first, group, number);
  return {seed, seed % 3 == 0 ? DType::f64 : DType::f32};
}

class ContractionRoles : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ContractionRoles, AreAsInterpreted) {
  const char* const given = std::getenv("TARN_SEED");
  const std::uint64_t first = given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  for (std::uint64_t i = 0; i < kInGroup; ++i) {
    const RandomProduct product = product_of(first, GetParam(), i);
    const HandPlan& hand = product.hand();
    const std::string what = fmt::format("seed {}\n{}", seed_of(first, GetParam(), i), print_whole(hand.plan, "test"));
    const Status verified = verify(hand.plan);
    ASSERT_TRUE(verified.has_value()) << what << verified.error().front().message;
    expect_reads_back(hand.plan);
    for (const std::int64_t batch : {kMostSamples, std::int64_t{1}}) expect_as_interpreted(hand, batch, 0, what);
    if (HasFatalFailure()) return;
  }
}

// What there is in the emitter for such products.
std::set<std::string> traits_of(const ContractionKernel& kernel, const Target& target) {
  const ContractionTiling s = tiling_of(kernel, {}, kMostSamples, target);
  const bool computes_a = !a_in_memory(kernel, s), in_tile = s.tile_inner > 1;
  std::set<std::string> traits;
  const auto add = [&](bool has, const char* trait) {
    if (has) traits.insert(trait);
  };
  add(in_tile, "several inner axes in a tile");
  add(in_tile && s.packing == ContractionTiling::Packing::many_rows, "several inner axes, packed by the first rows");
  add(in_tile && kernel.b.is_load() && s.packing == ContractionTiling::Packing::always, "several inner axes, packed");
  add(s.tile_inner < kernel.inner.size(), "inner axes around the tiles");
  add(s.tile_inner < kernel.inner.size() && in_tile, "inner axes around the tiles and in them");
  add(s.several_blocks && s.inner_block < kernel.inner.back().constant, "blocks of the last inner axis");
  add(computes_a && s.computes_along_rows, "a, computed along its rows");
  add(computes_a && !s.computes_along_rows, "a, computed along k");
  add(computes_a && s.several_blocks, "a, computed in blocks of k");
  add(computes_a && s.tile_epilogue, "a, computed for tiles with epilogues");
  add(s.skips_outside && !s.several_blocks, "what is outside left out");
  add(s.skips_outside && s.several_blocks, "what is outside left out of blocks");
  add(s.skips_outside && s.first_inner > 0, "what is outside left out of some of the first inner axis");
  add(s.first_inner > 0, "some of the first inner axis at a time");
  add(s.shared_inner > 0, "a first inner axis that is shared");
  add(s.rest_rows > 1, "rows left for a tile of their own");
  add(s.several_blocks && in_tile && s.tiles() > 1, "several tiles of columns for blocks of several inner axes");
  add(!kernel.b.is_load(), "b, computed");
  add(!kernel.b.is_load() && s.several_blocks, "b, computed in blocks of k");
  add(kernel.rows.size() > 1, "several axes of rows");
  add(kernel.columns.size() > 1, "several axes of columns");
  add(kernel.rows.size() > 1 && !kernel.sums.empty(), "sums over several axes of rows");
  add(kernel.columns.size() > 1 && !kernel.sums.empty(), "sums of several axes of columns");
  return traits;
}

TEST(ContractionRolesCoverage, RandomProductsTakeEveryWay) {
  for (const Target& target : {Target{32, 16, true}, Target{64, 32, true}}) {
    std::set<std::string> found;
    for (std::uint64_t group = 0; group < kGroups; ++group) {
      for (std::uint64_t i = 0; i < kInGroup; ++i) found.merge(traits_of(product_of(1, group, i).kernel(), target));
    }
    EXPECT_EQ(found.size(), 23U) << fmt::format("{}", fmt::join(found, "\n"));
  }
}

INSTANTIATE_TEST_SUITE_P(Random, ContractionRoles, ::testing::Range<std::uint64_t>(0, kGroups));

}  // namespace
}  // namespace tarn::testing
