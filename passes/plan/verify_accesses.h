// The part of the verifier that looks at buffers and at accesses to them: whatever the numbers, an access stays inside
// of its buffer, and a buffer inside of its space.
#pragma once

#include <cstdint>
#include <vector>

#include "passes/plan/verification.h"

namespace tarn {

// Bytes of a space, elements of a buffer and points of an axis are fewer.
inline constexpr std::int64_t kMostInPlan = std::int64_t{1} << 48;
// Products of two numbers of a plan, and sums of these.
__extension__ using Wide = __int128;

// Elements of a buffer that an access touches, first and last, at the largest batch and in all rounds.
struct ElementRange {
  Wide first = 0, last = 0;
};
ElementRange element_range(const Access& access, const std::vector<Extent>& axes,
                           const std::vector<std::int64_t>& repeats, std::int64_t max_batch);

void check_buffer(Verification& verification, const Buffer& buffer);
void check_axes(Verification& verification, const std::vector<Extent>& axes);
// That the strides along repeats are those of repeats that are there.
void check_repeat_strides(Verification& verification, const Linear& linear);
// An access of a kernel with these axes.
void check_access(Verification& verification, const Access& access, const std::vector<Extent>& axes);

}  // namespace tarn
