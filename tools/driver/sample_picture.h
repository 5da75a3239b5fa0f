// Samples of images as small pictures that a page holds itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/rows.h"

namespace tarn {

// The first input whose samples are images: [height, width], of 8 x 8 at least, since few numbers in rows are mostly
// something else; [height, width, 1] or [height, width, 3].
std::optional<std::size_t> image_input(const Program& program);

// These rows of it as PNG files in `data:` addresses, at most kMostSide pixels high and wide. Grey and colours go from
// the least to the largest of all values that are shown, so that the pictures are like one another.
std::vector<std::string> sample_pictures(const Program& program, std::size_t input, const Rows& rows,
                                         const std::vector<std::uint64_t>& shown);

inline constexpr std::int64_t kMostSide = 96;

}  // namespace tarn
