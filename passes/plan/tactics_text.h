// The text of tactics, behind that of the plan whose kernels they are of (passes/plan/text.h). It reads back:
//
//   tactics train {
//   kernel 0 "dense.bias update"   # iris.tarn:4, layer 'dense'
//     vectors along i   # operations a point, by axis: 0.31, 0.12
//     lanes 8, accumulators 4   # of 32 bytes
//     threads share j from N = 12 on   # 4200 ns of work
//   kernel 1 "dense.kernel update"
//     vectors along n
//     reads a in place
//     prefetches b for writing
//     tiles of 6 x 16 in vectors of 8, panels of 64, blocks of 96 rows and all 784 k   # 6.5 cycles a k
//     around tiles: b packed for many rows, jumps every 4 k, epilogue behind each in vectors of 8
//   }
//
// Axes have the names that they have in the plan. What stands for itself in a line, and may be left out: "copies
// samples", "copies by squares", "expects few rows", "reads weights in groups", "one thread". A kernel that is left out
// has its tactics from nobody: vectors along its first axis, or along the columns, and one thread.
//
// Rows x columns are those of a tile. "512 k" instead of "all 784 k": blocks of k. Around tiles may stand: "over 2
// inner axes"; "b packed", "b packed for many rows"; "a by 48 rows", that are copied or computed at a time, "a by 48
// rows along rows"; of what is computed, "a in vectors of 8", "b in vectors of 8"; "jumps every 4 k"; "rows moved
// back"; "few rows streamed"; "fetches panels", "fetches rows", "fetches groups", "fetches for epilogues"; and always
// the epilogue.
#pragma once

#include <span>
#include <string>

#include "ir/diagnostics.h"
#include "ir/text_parts.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// `reasons`: behind each choice, one an entry of plan.kernels. `locations`: of the graph that was planned, for the line
// of the source that a kernel comes from. Where nobody has chosen anything yet, and there are no reasons, there is no
// text.
std::string print_tactics(const KernelPlan& plan, const std::string& name, std::span<const TacticsReasons> reasons = {},
                          const Locations* locations = nullptr, const Sources& sources = Sources());

// Reads what stands behind the word "tactics".
Status read_tactics(Scanner& scan, KernelPlan& plan);

}  // namespace tarn
