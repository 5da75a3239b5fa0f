// The check of values in one pass against the definition of each range, value by value.
#include "runtime/files/value_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tarn {
namespace {

using RangeKind = ValueRange::Kind;

struct Case {
  std::string name;
  ValueRange range;
};

std::vector<Case> cases() {
  std::vector<Case> all = {
      {"any", {}}, {"probability", {RangeKind::probability, 0, {}}}, {"sign", {RangeKind::sign, 0, {}}}};
  for (const std::int64_t count : {1, 3, 1'000'000}) {
    all.push_back({"index", {RangeKind::index, count, {}}});
    all.push_back({"class", {RangeKind::class_number, count, {}}});
    for (const std::int64_t ignored : {-1, 0, 255})
      all.push_back({"ignoring", {RangeKind::class_number, count, ignored}});
  }
  return all;
}

// In the middle of values that every range but `any` holds: 0.
template <class T>
void expect_found(const InputInfo& input, const std::vector<double>& candidates) {
  for (const double candidate : candidates) {
    const T value = static_cast<T>(candidate);
    const bool is_right = std::isfinite(static_cast<double>(value)) && input.values.holds(static_cast<double>(value));
    for (const std::size_t size : {1U, 7U, 1024U, 1025U, 5000U}) {
      for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
        std::vector<T> values(size, T{0});
        values[at] = value;
        const std::optional<std::size_t> found = first_wrong_value(input, values.data(), size);
        EXPECT_EQ(found.value_or(size), is_right ? size : at) << candidate << " at " << at << " of " << size;
      }
    }
    EXPECT_EQ(may_hold(input, 0, static_cast<double>(value)), is_right) << candidate;
  }
}

TEST(ValueCheck, FindsWhatARangeDoesNotHold) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> whole = {0, 1, 2, 3, -1, -2, 254, 255, 256, 999'999, 1'000'000, 2'147'483'647};
  std::vector<double> real = {0.5, -0.0, 1e-30, 1.5, 1e30, -1e30, kInfinity, -kInfinity, kNan, -kNan};
  real.insert(real.end(), whole.begin(), whole.end());
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name + " of " + std::to_string(c.range.count));
    InputInfo input;
    input.values = c.range;
    input.type.dtype = DType::f32;
    expect_found<float>(input, real);
    input.type.dtype = DType::f64;
    expect_found<double>(input, real);
    input.type.dtype = DType::i32;
    expect_found<std::int32_t>(input, whole);
  }
}

TEST(ValueCheck, ElementsMayHaveRangesOfTheirOwn) {
  InputInfo input;
  input.type = {DType::f32, true, {2}};
  input.elements = {{}, {RangeKind::index, 3, {}}};
  const std::vector<float> right = {7.5F, 2, -4, 0}, wrong = {7.5F, 2, -4, 3}, infinite = {7.5F, 2, INFINITY, 0};
  EXPECT_FALSE(first_wrong_value(input, right.data(), 4).has_value());
  EXPECT_EQ(first_wrong_value(input, wrong.data(), 4), 3U);
  EXPECT_EQ(first_wrong_value(input, infinite.data(), 4), 2U);
  EXPECT_EQ(wanted_instead(input, 1, 3), "an index from 0 to 2");
  EXPECT_EQ(wanted_instead(input, 0, INFINITY), "a finite number");
}

TEST(ValueCheck, NumbersMustFitTheType) {
  InputInfo input;
  input.type.dtype = DType::f32;
  EXPECT_FALSE(may_hold(input, 0, 1e39));
  EXPECT_EQ(wanted_instead(input, 0, 1e39), "a finite number (f32)");
  input.type.dtype = DType::f64;
  EXPECT_TRUE(may_hold(input, 0, 1e39));
  input.type.dtype = DType::i32;
  EXPECT_TRUE(may_hold(input, 0, -2'147'483'648.0));
  for (const double value : {2'147'483'648.0, 0.5, -1e10}) EXPECT_FALSE(may_hold(input, 0, value)) << value;
}

}  // namespace
}  // namespace tarn
