// What operations of windows share: `windows` shows, for each place along adjacent axes, the elements of its window
// along new axes behind them; `fold`, its adjoint, adds every element of a window where it came from. Along each axis,
// element i of window o stands at step * o + dilation * i. Source of the terms: the formulas of convolution in Dumoulin
// and Visin, "A guide to convolution arithmetic for deep learning", 2016.
#pragma once

#include <vector>

#include "ir/attributes.h"
#include "ir/diagnostics.h"
#include "ir/type.h"

namespace tarn {

// Along one axis.
struct Window {
  std::int64_t size = 1, step = 1, dilation = 1;
  // From the first to the last element of a window, both counted.
  std::int64_t reach() const { return (size - 1) * dilation + 1; }
  // How many windows lie within so many elements.
  std::int64_t places(std::int64_t extent) const { return extent < reach() ? 0 : (extent - reach()) / step + 1; }
  // How many elements from the first of the first window to the last of the last.
  std::int64_t span(std::int64_t places) const { return (places - 1) * step + reach(); }
};

// The windows along the axes `axes`, which are adjacent, of a node with the attributes of `windows`. A failure carries
// a message without a position.
Result<std::vector<Window>> windows_of(const Attributes& attributes, const Shape& shape);

// The same of `fold`, whose sizes are extents of its operand.
struct FoldedAxes {
  std::size_t first = 0;        // of the axes in the result, and of the places in the operand
  std::vector<Window> windows;  // one an axis
  std::vector<std::int64_t> places, extents, before;
};
Result<FoldedAxes> folded_axes(const Attributes& attributes, const Shape& operand);

// Of operands that take turns along the axes: how many elements the operand of this number has where all of them
// together have `whole`. Operands stand in row-major order of their places.
Shape shape_of_turn(const Shape& whole, const std::vector<std::int64_t>& axes, const std::vector<std::int64_t>& sizes,
                    std::size_t operand);
// Its place along each of the axes.
std::vector<std::int64_t> place_of_turn(const std::vector<std::int64_t>& sizes, std::size_t operand);

}  // namespace tarn
