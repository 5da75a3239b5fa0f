// The maps of views: attributes that a map gives back give the map again, and one map of two views shows what the two
// show one after the other. (What a single view shows, values_test.cpp compares with NumPy.) A view without cases
// fails.
#include "ir/views.h"

#include <gtest/gtest.h>

#include <set>

#include "ir/op.h"
#include "ir/tensor_functions.h"

namespace tarn {
namespace {

using Integers = std::vector<std::int64_t>;

struct ViewCase {
  Op op;
  Attributes attributes;
  Shape requested;  // of those that take it from their maker
};

// Of an operand of this shape.
const Shape kOperand = {2, 3, 4};
std::vector<ViewCase> view_cases() {
  const auto slice = [](Integers starts, Integers limits, Integers strides) -> Attributes {
    return {{Key::starts, std::move(starts)}, {Key::limits, std::move(limits)}, {Key::strides, std::move(strides)}};
  };
  const auto pad = [](Integers low, Integers high, double value) -> Attributes {
    return {{Key::low, std::move(low)}, {Key::high, std::move(high)}, {Key::value, value}};
  };
  const auto windows = [](Integers axes, Integers sizes, Integers steps, Integers dilations) -> Attributes {
    return {{Key::axes, std::move(axes)},
            {Key::sizes, std::move(sizes)},
            {Key::steps, std::move(steps)},
            {Key::dilations, std::move(dilations)}};
  };
  return {
      {Op::windows, windows({1}, {2}, {1}, {1}), {}},
      {Op::windows, windows({2}, {2}, {2}, {1}), {}},
      {Op::windows, windows({2}, {2}, {1}, {3}), {}},
      {Op::windows, windows({0, 1}, {1, 3}, {1, 1}, {1, 1}), {}},
      {Op::windows, windows({1, 2}, {2, 2}, {1, 2}, {2, 1}), {}},
      {Op::reshape, {}, {4, 6}},
      {Op::reshape, {}, {2, 3, 4}},
      {Op::broadcast, {{Key::axes, Integers{0, 1, 2}}}, {2, 3, 4}},
      {Op::broadcast, {{Key::axes, Integers{0, 2, 3}}}, {2, 5, 3, 4}},
      {Op::transpose, {{Key::axes, Integers{0, 2, 1}}}, {}},
      {Op::transpose, {{Key::axes, Integers{2, 0, 1}}}, {}},
      {Op::slice, slice({0, 0, 0}, {2, 3, 4}, {1, 1, 1}), {}},
      {Op::slice, slice({1, 0, 1}, {2, 3, 4}, {1, 2, 2}), {}},
      {Op::slice, slice({0, 2, 1}, {2, 3, 2}, {1, 1, 1}), {}},
      {Op::reverse, {{Key::axes, Integers{1}}}, {}},
      {Op::reverse, {{Key::axes, Integers{0, 2}}}, {}},
      {Op::pad, pad({0, 0, 0}, {0, 0, 0}, 7), {}},
      {Op::pad, pad({0, 1, 2}, {0, 0, 1}, 7), {}},
      {Op::pad, pad({1, 0, 0}, {1, 2, 0}, 9), {}},
  };
}

Result<ViewMap> map_of(const ViewCase& view, const Shape& operand) {
  return info(view.op).view_rule(operand, view.attributes, &view.requested);
}

HostTensor numbered(const Shape& shape) {
  HostTensor result{shape, {}};
  for (std::int64_t i = 0; i < element_count(shape); ++i) result.data.push_back(static_cast<double>(100 + i));
  return result;
}

TEST(Views, EveryMapGivesItsAttributesBack) {
  std::set<Op> tried;
  for (const ViewCase& view : view_cases()) {
    SCOPED_TRACE(name_of(view.op));
    const ViewMap map = map_of(view, kOperand).value();
    const Attributes attributes = info(view.op).view_attributes(kOperand, map);
    const Result<ViewMap> again = info(view.op).view_rule(kOperand, attributes, &map.shape);
    ASSERT_TRUE(again.has_value()) << again.error().front().message;
    EXPECT_TRUE(same_view(*again, map));
    EXPECT_TRUE(view_operation(map, kOperand).has_value());
    tried.insert(view.op);
  }
  for (const OpInfo& row : all_operations()) EXPECT_EQ(row.view_rule != nullptr, tried.contains(row.op)) << row.name;
}

// Pairs of which one map shows both; of the cases above, so many do.
TEST(Views, OneMapOfTwoShowsWhatTheyShow) {
  const HostTensor x = numbered(kOperand);
  int composed_pairs = 0, named_pairs = 0;
  for (const ViewCase& first : view_cases()) {
    const ViewMap inner = map_of(first, kOperand).value();
    const HostTensor between = tensor_functions::view(inner, x, inner.shape);
    for (const ViewCase& second : view_cases()) {
      const Result<ViewMap> outer = map_of(second, inner.shape);
      if (!outer) continue;
      const std::optional<ViewMap> both = composed(*outer, inner, kOperand);
      if (!both) continue;
      ++composed_pairs;
      const HostTensor expected = tensor_functions::view(*outer, between, outer->shape);
      EXPECT_EQ(tensor_functions::view(*both, x, both->shape).data, expected.data)
          << name_of(second.op) << "(" << name_of(first.op) << "(x))";
      EXPECT_EQ(is_identity(*both, kOperand), both->shape == kOperand && expected.data == x.data);
      const std::optional<ViewOperation> named = view_operation(*both, kOperand);
      if (!named) continue;
      ++named_pairs;
      const ViewMap one = info(named->op).view_rule(kOperand, named->attributes, &both->shape).value();
      EXPECT_EQ(tensor_functions::view(one, x, one.shape).data, expected.data);
    }
  }
  EXPECT_GT(composed_pairs, 60);
  EXPECT_GT(named_pairs, 30);
}

TEST(Views, ABorderIsNotLookedForInWhatASliceLeftOut) {
  // pad(slice(x)) shows 7 where x has elements that the slice leaves out: no one map says that.
  const Attributes left{{Key::starts, Integers{1}}, {Key::limits, Integers{3}}, {Key::strides, Integers{1}}};
  const Attributes around{{Key::low, Integers{1}}, {Key::high, Integers{1}}, {Key::value, 7.0}};
  const ViewMap inner = view_rules::slice({5}, left, nullptr).value();
  const ViewMap outer = view_rules::pad({2}, around, nullptr).value();
  EXPECT_FALSE(composed(outer, inner, {5}).has_value());
  // Two borders of one number are one; of two numbers they are not.
  const ViewMap border = view_rules::pad({5}, around, nullptr).value();
  EXPECT_TRUE(composed(view_rules::pad({7}, around, nullptr).value(), border, {5}).has_value());
  const Attributes other{{Key::low, Integers{1}}, {Key::high, Integers{1}}, {Key::value, 8.0}};
  EXPECT_FALSE(composed(view_rules::pad({7}, other, nullptr).value(), border, {5}).has_value());
}

}  // namespace
}  // namespace tarn
