// See element_meetings.h.
#include "passes/plan/element_meetings.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

namespace tarn {
namespace {

// sum of stride * d, where d goes over a range of integers of its own for each stride.
class Sums {
 public:
  void add(std::int64_t stride, std::int64_t low, std::int64_t high) {
    if (stride == 0) return;
    Range& range = multiples_[std::abs(stride)];
    range.low += stride < 0 ? -high : low;
    range.high += stride < 0 ? -low : high;
  }

  // Whether one of the sums may be `wanted`. The widest stride first: few of its multiples leave a rest that the others
  // reach.
  bool may_be(std::int64_t wanted) const {
    std::int64_t low = 0, high = 0;
    for (const auto& [stride, range] : multiples_) {
      low += stride * range.low;
      high += stride * range.high;
    }
    std::set<std::int64_t> rests{wanted};
    for (const auto& [stride, range] : multiples_) {
      low -= stride * range.low;
      high -= stride * range.high;
      std::set<std::int64_t> next;
      for (const std::int64_t rest : rests) {
        // rest - d * stride must lie in [low, high].
        const std::int64_t first = std::max(range.low, (rest - high) / stride - 1);
        const std::int64_t last = std::min(range.high, (rest - low) / stride + 1);
        for (std::int64_t d = first; d <= last && next.size() <= kManyRests; ++d) {
          const std::int64_t left = rest - d * stride;
          if (left >= low && left <= high) next.insert(left);
        }
      }
      if (next.size() > kManyRests) return true;
      rests = std::move(next);
    }
    return rests.contains(0);
  }

 private:
  static constexpr std::size_t kManyRests = 1000;
  struct Range {
    std::int64_t low = 0, high = 0;
  };
  std::map<std::int64_t, Range, std::greater<>> multiples_;  // by stride
};

}  // namespace

// b(y) - a(x) = 0, with x and y free of each other.
bool may_meet(const Linear& a, const Linear& b, PointExtents extents) {
  Sums differences;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    differences.add(b.strides[i], 0, extents[i] - 1);
    differences.add(a.strides[i], 1 - extents[i], 0);
  }
  return differences.may_be(a.offset - b.offset);
}

// a(y) - a(x) is a function of y - x. The axis with the widest stride along which these differ goes forward.
bool may_meet_itself(const Linear& a, PointExtents extents) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] == 1) continue;
    if (a.strides[i] == 0) return true;
    axes.push_back(i);
  }
  std::sort(axes.begin(), axes.end(),
            [&](std::size_t i, std::size_t k) { return std::abs(a.strides[i]) > std::abs(a.strides[k]); });
  for (std::size_t first = 0; first < axes.size(); ++first) {
    Sums differences;
    differences.add(a.strides[axes[first]], 1, extents[axes[first]] - 1);
    for (std::size_t k = first + 1; k < axes.size(); ++k) {
      differences.add(a.strides[axes[k]], 1 - extents[axes[k]], extents[axes[k]] - 1);
    }
    if (differences.may_be(0)) return true;
  }
  return false;
}

bool may_meet_across(const Linear& a, const Linear& b, PointExtents extents, std::size_t axis) {
  const std::int64_t most = extents[axis] - 1;
  if (most == 0) return false;
  if (a.strides[axis] != b.strides[axis]) return may_meet(a, b, extents);
  for (const bool forward : {true, false}) {
    if (a.strides[axis] == 0 && !forward) continue;
    Sums differences;
    differences.add(a.strides[axis], forward ? 1 : -most, forward ? most : -1);
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (i == axis) continue;
      differences.add(b.strides[i], 0, extents[i] - 1);
      differences.add(a.strides[i], 1 - extents[i], 0);
    }
    if (differences.may_be(a.offset - b.offset)) return true;
  }
  return false;
}

}  // namespace tarn
