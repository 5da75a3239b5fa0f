#include "passes/folded.h"

#include <algorithm>
#include <numeric>

#include "ir/type_rules.h"
#include "passes/rebuild.h"

namespace tarn {
namespace {

using Axes = std::vector<std::int64_t>;

// Of windows that do not overlap, so many phases at most are computed each for itself.
constexpr std::int64_t kMostPhases = 16;

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

// Whether each element is its row-major number among the axes.
bool is_number_of(const Graph& graph, const Node& node, const Axes& axes) {
  if (node.op != Op::broadcast || node.attributes.integers(Key::axes) != axes) return false;
  const Node* counted = &graph[node.inputs[0]];
  if (counted->op == Op::reshape) counted = &graph[counted->inputs[0]];
  return counted->op == Op::iota && counted->type.shape.size() == 1;
}

}  // namespace

FoldedAxes folded_by(const Node& fold, const Shape& operand) {
  FoldedAxes folded = folded_axes(fold.attributes, operand).value();
  for (std::size_t i = 0; i < folded.windows.size(); ++i) {
    Window& window = folded.windows[i];
    if (folded.places[i] == 1) window.step = std::min(window.step, window.reach());
  }
  return folded;
}

Phase phase_of(const Window& window, std::int64_t extent, std::int64_t before, std::int64_t rest) {
  Phase phase;
  phase.extent = (extent - rest + window.step - 1) / window.step;
  const std::int64_t common = std::gcd(window.step, window.dilation);
  phase.element_step = window.step / common;
  phase.place_step = window.dilation / common;
  const std::int64_t at = rest + before;
  for (std::int64_t i = 0; i < std::min(phase.element_step, window.size); ++i) {
    if ((at - window.dilation * i) % window.step != 0) continue;
    phase.first_element = i;
    phase.first_place = (at - window.dilation * i) / window.step;
    phase.count = (window.size - i + phase.element_step - 1) / phase.element_step;
    break;
  }
  return phase;
}

double most_of_phase(const Window& window, std::int64_t extent) {
  const std::int64_t common = std::gcd(window.step, window.dilation);
  const std::int64_t apart = window.step / common, gap = window.dilation / common;
  const std::int64_t places = (extent + window.step - 1) / window.step, elements = (window.size + apart - 1) / apart;
  const auto all = static_cast<double>(places) * static_cast<double>(elements);
  return std::max(all, static_cast<double>(places) + static_cast<double>(gap) * static_cast<double>(elements - 1));
}

Axes phases_along(const FoldedAxes& folded) {
  Axes counts;
  for (std::size_t i = 0; i < folded.windows.size(); ++i) {
    counts.push_back(std::min(folded.windows[i].step, folded.extents[i]));
  }
  return counts;
}

bool is_side_by_side(const FoldedAxes& folded) {
  return std::all_of(folded.windows.begin(), folded.windows.end(),
                     [](const Window& window) { return window.dilation == 1 && window.size <= window.step; });
}

bool is_made_side_by_side(const FoldedAxes& folded, bool is_product) {
  return is_side_by_side(folded) && (is_product || element_count(phases_along(folded)) > kMostPhases);
}

bool repeats(const FoldedAxes& folded, const Node& value) {
  if (value.op != Op::broadcast) return false;
  const Axes& axes = value.attributes.integers(Key::axes);
  const auto count = static_cast<std::int64_t>(folded.windows.size()), first = static_cast<std::int64_t>(folded.first);
  for (std::int64_t axis = first; axis < first + 2 * count; ++axis) {
    const bool is_there = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (is_there != (axis < first + count)) return false;
  }
  return true;
}

std::size_t axis_of_place(const Node& repeated, const FoldedAxes& folded, std::size_t i) {
  const Axes& axes = repeated.attributes.integers(Key::axes);
  return static_cast<std::size_t>(std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(folded.first + i)) -
                                  axes.begin());
}

std::optional<FoldedProduct> product_of(const Graph& graph, const FoldedAxes& folded, NodeId value) {
  const Node& node = graph[value];
  if (node.op != Op::contract) return std::nullopt;
  const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
  FoldedProduct product{{node.inputs[0], node.inputs[1]},
                        {std::string(map.a), std::string(map.b), std::string(map.result)},
                        has(map.a, map.result[folded.first]) ? 0U : 1U};
  const std::string &with = product.letters[product.with_places], &other = product.letters[1 - product.with_places];
  for (std::size_t i = 0; i < folded.windows.size(); ++i) {
    const char place = map.result[folded.first + i], element = map.result[folded.first + folded.windows.size() + i];
    if (!has(with, place) || has(other, place) || has(with, element) || !has(other, element)) return std::nullopt;
  }
  return product;
}

std::optional<OfLargest> of_largest(const Graph& graph, const Node& fold) {
  OfLargest found{};
  found.indices = kNoNode;
  found.selected = fold.inputs[0];
  const Node& selected = graph[found.selected];
  if (selected.op != Op::where || uniform_value(graph, selected.inputs[2]) != 0.0) return std::nullopt;
  const Node &condition = graph[selected.inputs[0]], &wide = graph[selected.inputs[1]];
  if (condition.op != Op::equal || wide.op != Op::broadcast) return std::nullopt;
  const FoldedAxes folded = folded_axes(fold.attributes, selected.type.shape).value();
  const auto count = static_cast<std::int64_t>(folded.windows.size());
  for (std::int64_t i = 0; i < count; ++i)
    found.elements.push_back(static_cast<std::int64_t>(folded.first) + count + i);
  const Axes others = other_axes(selected.type.shape.size(), found.elements);
  for (const bool first : {true, false}) {
    const Node &indices = graph[condition.inputs[first ? 0 : 1]], &numbers = graph[condition.inputs[first ? 1 : 0]];
    if (indices.op != Op::broadcast || graph[indices.inputs[0]].op != Op::argmax) continue;
    if (indices.attributes.integers(Key::axes) != others || !is_number_of(graph, numbers, found.elements)) continue;
    found.indices = indices.inputs[0];
  }
  if (found.indices == kNoNode || wide.attributes.integers(Key::axes) != others) return std::nullopt;
  const Node& argmax = graph[found.indices];
  found.windows = argmax.inputs[0];
  const Node& windows = graph[found.windows];
  if (windows.op != Op::windows || argmax.attributes.integers(Key::axes) != found.elements) return std::nullopt;
  found.x = windows.inputs[0];
  for (const Key key : {Key::axes, Key::steps, Key::dilations}) {
    if (windows.attributes.integers(key) != fold.attributes.integers(key)) return std::nullopt;
  }
  const bool is_whole = graph[found.x].type.shape == fold.type.shape &&
                        std::all_of(folded.before.begin(), folded.before.end(), [](std::int64_t n) { return n == 0; });
  found.g = wide.inputs[0];
  return is_whole ? std::optional(found) : std::nullopt;
}

}  // namespace tarn
