// See verify_accesses.h.
#include "passes/plan/verify_accesses.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "passes/plan/access.h"

namespace tarn {
namespace {

Wide wide_largest(const Extent& extent, std::int64_t max_batch) {
  return Wide{extent.constant} * (extent.times_batch ? max_batch : 1);
}

}  // namespace

ElementRange element_range(const Access& access, const std::vector<Extent>& axes,
                           const std::vector<std::int64_t>& repeats, std::int64_t max_batch) {
  // Where it is inside of its bounds: the bounded indices take all values that they may have, the rest of the address
  // those that it has anywhere.
  std::vector<Wide> along(access.at.strides.begin(), access.at.strides.end());
  along.resize(axes.size() + repeats.size());
  std::copy(access.at.repeat_strides.begin(), access.at.repeat_strides.end(), along.begin() + std::ssize(axes));
  ElementRange range{access.at.offset, access.at.offset};
  const auto reach = [&](Wide by) { (by < 0 ? range.first : range.last) += by; };
  for (const Bound& bound : access.bounds) {
    const Linear& index = bound.index;
    range.first -= Wide{bound.stride} * index.offset;
    range.last -= Wide{bound.stride} * index.offset;
    for (std::size_t i = 0; i < axes.size(); ++i) along[i] -= Wide{bound.stride} * index.strides[i];
    for (std::size_t d = 0; d < index.repeat_strides.size(); ++d) {
      along[axes.size() + d] -= Wide{bound.stride} * index.repeat_strides[d];
    }
    reach(Wide{bound.stride} * (bound.limit - 1));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) reach(along[i] * (wide_largest(axes[i], max_batch) - 1));
  for (std::size_t d = 0; d < repeats.size(); ++d) reach(along[axes.size() + d] * (repeats[d] - 1));
  if (access.row != kNoValue) reach(Wide{access.row_stride} * (access.row_limit - 1));
  return range;
}

void check_buffer(Verification& verification, const Buffer& buffer) {
  verification.require(buffer.strides.size() == buffer.shape.size(),
                       fmt::format("'{}' has not one stride an axis", buffer.name));
  if (!verification.is_good()) return;
  Wide span = 1;
  for (std::size_t i = 0; i < buffer.shape.size(); ++i) {
    verification.require(buffer.shape[i] >= 0 || (buffer.shape[i] == kBatch && i == 0), "the batch axis stands first");
    verification.require(buffer.strides[i] >= 0, fmt::format("'{}' has a negative stride", buffer.name));
    span += Wide{buffer.strides[i]} * (buffer.shape[i] == kBatch ? verification.plan.max_batch : buffer.shape[i]);
  }
  verification.require(span < kMostInPlan && buffer.offset < static_cast<std::uint64_t>(kMostInPlan),
                       fmt::format("'{}' is too large", buffer.name));
  if (!verification.is_good()) return;
  const std::uint64_t end = buffer.offset + bytes_of(buffer, verification.plan.max_batch);
  verification.require(buffer.space != Space::arena || end <= verification.plan.arena_bytes,
                       fmt::format("'{}' lies outside of the arena", buffer.name));
  verification.require(buffer.space != Space::constants || end <= verification.plan.constants.size(),
                       fmt::format("'{}' lies outside of the constants", buffer.name));
}

void check_axes(Verification& verification, const std::vector<Extent>& axes) {
  for (const Extent& axis : axes) {
    verification.require(axis.constant >= 0, "an axis has a negative extent");
    verification.require(wide_largest(axis, verification.plan.max_batch) < kMostInPlan, "an axis is too long");
  }
}

void check_repeat_strides(Verification& verification, const Linear& linear) {
  const std::vector<std::int64_t>& along = linear.repeat_strides;
  verification.require(along.size() <= verification.repeats.size(),
                       "there is a stride along a repeat that is not there");
  verification.require(along.empty() || along.back() != 0, "the last stride along a repeat is 0");
}

void check_access(Verification& verification, const Access& access, const std::vector<Extent>& axes) {
  verification.require(access.buffer < verification.plan.buffers.size(), "an access names no buffer");
  verification.require(access.at.strides.size() == axes.size(), "an access has not one stride an axis");
  check_repeat_strides(verification, access.at);
  verification.require(access.row == kNoValue || access.row_limit >= 1, "an access has no row to choose from");
  for (const Bound& bound : access.bounds) {
    verification.require(bound.index.strides.size() == axes.size(), "a bound has not one stride an axis");
    verification.require(bound.limit >= 1 && std::abs(bound.stride) < kMostInPlan, "a bound leaves nothing inside");
    // Code compares it with the index as numbers of 32 bits.
    verification.require(bound.limit <= std::int64_t{1} << 31, "a bound does not fit 32 bits");
    check_repeat_strides(verification, bound.index);
  }
  if (!verification.is_good() || is_empty(axes)) return;
  const Buffer& buffer = verification.plan.buffers[access.buffer];
  if (!access.bounds.empty()) {
    // Those who look for points that meet count with this.
    constexpr Wide kFarthest = Wide{1} << 60;
    const ElementRange anywhere =
        element_range({access.buffer, access.at}, axes, verification.repeats, verification.plan.max_batch);
    verification.require(anywhere.first > -kFarthest && anywhere.last < kFarthest,
                         "an access goes too far beyond its bounds");
  }
  for (const Bound& bound : access.bounds) {
    using Limits = std::numeric_limits<std::int32_t>;
    const ElementRange index =
        element_range({access.buffer, bound.index}, axes, verification.repeats, verification.plan.max_batch);
    verification.require(index.first >= Limits::min() && index.last <= Limits::max(),
                         "an index with bounds does not fit 32 bits");
  }
  const ElementRange range = element_range(access, axes, verification.repeats, verification.plan.max_batch);
  verification.require(range.first >= 0 && range.last < span_of(buffer, verification.plan.max_batch),
                       fmt::format("an access to '{}' leaves it", buffer.name));
}

}  // namespace tarn
