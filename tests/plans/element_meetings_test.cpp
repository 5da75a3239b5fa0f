// Which points touch one element: against looking at all points of small spaces.
#include "passes/plan/element_meetings.h"

#include <gtest/gtest.h>

#include <random>

namespace tarn {
namespace {

std::vector<std::vector<std::int64_t>> all_points(const std::vector<std::int64_t>& extents) {
  std::vector<std::vector<std::int64_t>> points{{}};
  for (const std::int64_t extent : extents) {
    std::vector<std::vector<std::int64_t>> longer;
    for (const auto& point : points) {
      for (std::int64_t i = 0; i < extent; ++i) {
        longer.push_back(point);
        longer.back().push_back(i);
      }
    }
    points = std::move(longer);
  }
  return points;
}

std::int64_t element_of(const Linear& linear, const std::vector<std::int64_t>& point) {
  std::int64_t element = linear.offset;
  for (std::size_t i = 0; i < point.size(); ++i) element += linear.strides[i] * point[i];
  return element;
}

// Few points: the answers are exact.
TEST(ElementMeetings, AreThoseOfAllPoints) {
  const unsigned seed = 5;
  std::mt19937 random(seed);
  const auto below = [&](int limit) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(limit)); };
  int found[3] = {0, 0, 0};
  for (int trial = 0; trial < 3000; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial) + " of seed " + std::to_string(seed));
    std::vector<std::int64_t> extents;
    Linear a, b;
    for (std::int64_t axis = 1 + below(3); axis > 0; --axis) {
      extents.push_back(1 + below(4));
      a.strides.push_back(below(25) - 8);
      b.strides.push_back(below(2) == 0 ? a.strides.back() : below(25) - 8);
    }
    a.offset = below(9);
    b.offset = below(2) == 0 ? a.offset : below(40) - 20;
    const std::size_t across = static_cast<std::size_t>(below(static_cast<int>(extents.size())));
    bool meet = false, itself = false, differ = false;
    const auto points = all_points(extents);
    for (std::size_t i = 0; i < points.size(); ++i) {
      for (std::size_t k = 0; k < points.size(); ++k) {
        itself = itself || (i != k && element_of(a, points[i]) == element_of(a, points[k]));
        if (element_of(a, points[i]) != element_of(b, points[k])) continue;
        meet = true;
        differ = differ || points[i][across] != points[k][across];
      }
    }
    EXPECT_EQ(may_meet(a, b, extents), meet);
    EXPECT_EQ(may_meet_itself(a, extents), itself);
    // Exact where both go equally far along the axis, else never wrong.
    if (a.strides[across] == b.strides[across]) {
      EXPECT_EQ(may_meet_across(a, b, extents, across), differ);
    }
    EXPECT_TRUE(may_meet_across(a, b, extents, across) || !differ);
    found[0] += meet, found[1] += itself, found[2] += differ;
  }
  for (const int count : found) EXPECT_TRUE(count > 300 && count < 2700) << count;
}

// Arrays of any size: their own strides never meet, those of overlapping rows do.
TEST(ElementMeetings, OfLargeArraysAreKnown) {
  const std::vector<std::int64_t> extents = {4096, 512, 784};
  EXPECT_FALSE(may_meet_itself({{512 * 784, 784, 1}, 5}, extents));
  EXPECT_FALSE(may_meet_itself({{1, 4096, 4096 * 512}, 0}, extents));
  EXPECT_FALSE(may_meet_itself({{-512 * 784, 784, -1}, 512 * 784 * 4096}, extents));
  EXPECT_TRUE(may_meet_itself({{512 * 784, 783, 1}, 0}, extents));
  EXPECT_TRUE(may_meet_itself({{512 * 784, 784, 0}, 0}, extents));
  EXPECT_FALSE(may_meet_across({{512 * 784, 784, 0}, 0}, {{512 * 784, 784, 0}, 0}, extents, 1));
  EXPECT_TRUE(may_meet_across({{512 * 784, 784, 0}, 0}, {{512 * 784, 784, 0}, 0}, extents, 2));
  // Halves of rows.
  EXPECT_FALSE(may_meet({{2, 2 * 4096, 2 * 4096 * 512}, 0}, {{2, 2 * 4096, 2 * 4096 * 512}, 1}, extents));
}

}  // namespace
}  // namespace tarn
