// How a CPU runs a kernel. What the kernel means stands in its body (passes/plan/kernel_plan.h), which would be as true
// on any other machine: plans with other tactics give the same results, in another time.
//
// choose_cpu_tactics() makes them (passes/tactics), and nobody else; code generation does as they say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "passes/plan/contraction_tiling.h"

namespace tarn {

// How threads share a kernel: each has a part of one axis (of a product: of batch…, rows, columns), from a number of
// samples on that makes it worth while. Parts of a loop's vector axis begin at multiples of kSplitVectors.
struct Split {
  std::uint32_t axis = 0;
  std::int64_t from_batch = 1;
  friend bool operator==(const Split&, const Split&) = default;
};
// As many elements as the longest vector has bytes: whole vectors of any type, and whole cache lines.
inline constexpr std::int64_t kSplitVectors = 64;

struct CpuTactics {
  std::optional<Split> split;

  // Of loops. The axis whose points go side by side into a vector; meaningless without axes.
  std::uint32_t vector_axis = 0;
  // How many, 1 where they go one by one; 0: nobody has chosen, and there is no code of it. A sum has as many
  // accumulators in each lane, a power of two, to which its steps go in turn.
  unsigned lanes = 0, accumulators = 1;
  // Whether the loop only copies, and how: point by point as any other loop; by squares that are transposed in
  // registers; or an input that no other kernel reads, whose samples are taken from wherever they are and not gathered
  // first.
  enum class Copy : std::uint8_t { by_points, by_squares, of_samples } copy = Copy::by_points;

  // Of products. Which axis goes into the lanes of vectors. columns: b (or, with stride 0 or other, by gathering) and
  // the stores run along it; inner: a dot product an element.
  enum class Form : std::uint8_t { columns, inner } form = Form::columns;
  // Calls with very few rows are as likely as others: prediction.
  bool often_few_rows = false;
  // The part of b for one index of the batch axis is one stretch of memory, as packed weights are.
  bool weights_in_groups = false;
  // `a` is an input whose samples may be anywhere: their addresses stand in a table.
  bool rows_in_place = false;
  // Cache lines of `b` are asked for as if they were to be written.
  bool b_for_writing = false;
  // Nothing: nobody has chosen, and there is no code of it.
  std::optional<ContractionTiling> tiling;

  friend bool operator==(const CpuTactics&, const CpuTactics&) = default;
};

// Why the tactics of a kernel are what they are, choice by choice, in words; empty where there was nothing to choose.
struct TacticsReasons {
  std::string vectors, lanes, copy, threads, rows, b, tiles, around;
};

}  // namespace tarn
