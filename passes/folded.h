// What is folded: the phases of a fold along its axes, and the forms of folded values that the pass `folds` knows
// better than element by element. Pure functions of a graph.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/windows.h"

namespace tarn {

// The axes that a fold names. Of a single window the stride says nothing: it is no longer than the window.
FoldedAxes folded_by(const Node& fold, const Shape& operand);

// One phase along one axis.
struct Phase {
  std::int64_t extent = 0;                           // of q
  std::int64_t count = 0;                            // of the elements that meet it: t from 0
  std::int64_t first_element = 0, element_step = 1;  // i = first_element + element_step * t
  std::int64_t first_place = 0, place_step = 1;      // o = q + first_place - place_step * t
};

// The phase of the places that leave this rest, of a fold whose places begin `before` elements behind the first.
Phase phase_of(const Window& window, std::int64_t extent, std::int64_t before, std::int64_t rest);
// The elements of the windows of shifted places that make a phase, at most.
double most_of_phase(const Window& window, std::int64_t extent);
// The number of phases along each axis.
std::vector<std::int64_t> phases_along(const FoldedAxes& folded);

// Windows that do not overlap, one behind the other.
bool is_side_by_side(const FoldedAxes& folded);
// Whether such are made as one: rather than each phase for itself, if they are more than a few or a product.
bool is_made_side_by_side(const FoldedAxes& folded, bool is_product);

// Whether all elements of a window are the same, and places are axes of what is repeated.
bool repeats(const FoldedAxes& folded, const Node& value);
// The axis of what is repeated that is the i-th of places.
std::size_t axis_of_place(const Node& repeated, const FoldedAxes& folded, std::size_t i);

// A product whose places and elements of windows stand in one operand each.
struct FoldedProduct {
  std::array<NodeId, 2> operands;
  std::array<std::string, 3> letters;  // of both operands, and of the product
  std::size_t with_places = 0;         // which operand has the places
};
std::optional<FoldedProduct> product_of(const Graph& graph, const FoldedAxes& folded, NodeId value);

// fold(where(number of the element == argmax(windows(x)), g, 0)), the windows being those of the fold, whole.
struct OfLargest {
  NodeId x, windows, indices, g, selected;
  std::vector<std::int64_t> elements;  // the axes of elements in the windows
};
std::optional<OfLargest> of_largest(const Graph& graph, const Node& fold);

}  // namespace tarn
