// Reads the parts of a plan's text that addresses are made of: names of buffers, extents, functions of axes, bounds.
// text.h says what they look like.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/text_parts.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// No kernel has more axes than this; it bounds what a line of text may ask for.
inline constexpr std::size_t kMaxKernelAxes = 64;
// Extents and batches are at most this; strides and offsets are smaller than its square.
inline constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;

// The buffers of a plan by what the text calls them.
class BufferNames {
 public:
  // `x: `, or `x$3: ` where it is number 3. Fails where there is one of that name.
  Result<std::string> declare(Scanner& scan, BufferId id);
  Result<BufferId> read(Scanner& scan) const;

 private:
  std::vector<std::string> names_;         // by number
  std::map<std::string, BufferId> alone_;  // those that are declared without a number
};

Result<Extent> read_extent(Scanner& scan);
// A number from 0 to kMaxExtent², for offsets and the like.
Result<std::int64_t> read_size(Scanner& scan, std::string_view what);
// One from -kMaxExtent to kMaxExtent.
Result<std::int64_t> read_stride(Scanner& scan);

// The indices that an address may have in it, by name.
struct IndexNames {
  std::vector<std::string> axes;
  std::vector<std::string> repeats;  // rounds of the repeats around it
};
// "2*i + j + 3"
Result<Linear> read_linear(Scanner& scan, const IndexNames& names);
// "m + k - 1 < 28 by 6", behind "inside".
Result<Bound> read_bound(Scanner& scan, const IndexNames& names);
// Whether the bounds of an access come next.
bool bounds_follow(const Scanner& scan);
// Where in a buffer an access is, by the buffer's axes: "2*i, j + 1", up to "]" or to bounds.
Status read_indices(Scanner& scan, const IndexNames& names, const Buffer& buffer, Access& access);

}  // namespace tarn
