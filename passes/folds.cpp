// Folds become sums that are computed where they are stored: nothing is scattered, and no window has memory of its own.
//
// Element p of a fold with step s and dilation d along an axis is the sum of what windows o have at their element i
// where s o + d i = p. Places p that leave the same rest modulo s, p = s q + r, are one phase. With g = gcd(s, d), a
// phase is met by the elements i0 + (s / g) t, if by any, in the windows o = q + c - (d / g) t. So each phase is a sum
// over t of shifted places, and a fold is its phases in turn. Where the folded value is a product of what only the
// places have and what only the elements have, as in the gradient of a convolution, each phase is again a product of
// windows, with the elements that meet it and no others.
//
// The gradient of largest elements, g where the number of an element is that of the first largest, else 0, is known
// better still: each window hands on its g once. So a sum over all elements of the fold is the sum of g; and where the
// gradient passes relu, which looks at the element that was the largest, that is the result of the maximum itself. Then
// nobody needs the elements any more. (Where one is NaN, the loss is.)
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "ir/type_rules.h"
#include "ir/windows.h"
#include "passes/folded.h"
#include "passes/graph_passes.h"
#include "passes/rebuild.h"

namespace tarn {
namespace {

using Axes = std::vector<std::int64_t>;

// So many operations at most add windows up: an hour of compiling, of a model that nobody means.
constexpr std::int64_t kMostParts = 4096;

class FoldRewriter {
 public:
  explicit FoldRewriter(const Graph& graph)
      : graph_(graph), result_(graph.locations()), builder_(result_), uses_(graph.use_counts()) {}

  Result<Graph> rewrite() {
    NodeMap map(graph_.size(), kNoNode);
    const std::vector<bool> reachable = graph_.reachable();
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (!reachable[id]) continue;
      const Node& node = graph_[id];
      if (node.op == Op::fold) TARN_RETURN_IF_ERROR(check(node));
      builder_.set_location(node.location);
      map[id] = rewrite(id, map);
    }
    copy_results(graph_, result_, map);
    return without_dead_nodes(result_);
  }

 private:
  // Each phase is an operation at least, and where elements are added up one by one each of these; and what is made on
  // the way is a value like others.
  Status check(const Node& node) const {
    const NodeId value = node.inputs[0];
    const FoldedAxes folded = folded_by(node, graph_[value].type.shape);
    const std::optional<FoldedProduct> product = product_of(graph_, folded, value);
    const double elements = elements_on_the_way(folded, product, value);
    if (elements > kMaxElements) {
      return refused(node, fmt::format("adding up these windows takes a value of {:.0f} elements, over the limit of {}",
                                       elements, kMaxElements));
    }
    if (is_side_by_side(folded)) return Done{};
    double parts = 1;
    for (const std::int64_t count : phases_along(folded)) parts *= static_cast<double>(count);
    if (!product && !repeats(folded, graph_[value])) {
      for (const Window& window : folded.windows) {
        const std::int64_t added = (window.size + window.step - 1) / window.step;
        parts *= static_cast<double>(added);
      }
    }
    if (parts <= kMostParts) return Done{};
    return refused(node,
                   fmt::format("windows that overlap are added up in {:.0f} parts here, over the limit of {}; larger "
                               "strides or smaller windows have fewer",
                               parts, kMostParts));
  }
  Diagnostic refused(const Node& node, const std::string& message) const {
    return error_at((*graph_.locations())[node.location].span, message, graph_.locations()->backtrace(node.location));
  }

  // Of one sample, at most, of what is larger than the fold and its operand.
  double elements_on_the_way(const FoldedAxes& folded, const std::optional<FoldedProduct>& product,
                             NodeId value) const {
    const Node& node = graph_[value];
    const std::size_t count = folded.windows.size();
    NodeId changed = value;
    std::map<std::size_t, double> extents;
    for (std::size_t i = 0; i < count; ++i) {
      const double phase = most_of_phase(folded.windows[i], folded.extents[i]);
      if (is_made_side_by_side(folded, product.has_value())) {
        extents[folded.first + count + i] = static_cast<double>(folded.windows[i].step);
      } else if (product) {
        changed = product->operands[product->with_places];
        extents[product->letters[product->with_places].find(product->letters[2][folded.first + i])] = phase;
      } else if (repeats(folded, node)) {
        changed = node.inputs[0];
        extents[axis_of_place(node, folded, i)] = phase;
      }
    }
    const Shape& shape = graph_[changed].type.shape;
    double elements = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == kBatch) continue;
      elements *= extents.contains(axis) ? extents[axis] : static_cast<double>(shape[axis]);
    }
    return elements;
  }

  NodeId rewrite(NodeId id, const NodeMap& map) {
    const Node& node = graph_[id];
    if (node.op == Op::fold) {
      if (const auto found = of_largest(graph_, node)) gradients_[id] = {*found, map[found->g], id};
      return in_phases(node, map[node.inputs[0]]);
    }
    if (const std::optional<NodeId> passed = through_relu(id, map)) return *passed;
    if (const std::optional<NodeId> sum = sum_of_gradients(node)) return *sum;
    return copy_node(result_, node, map);
  }

  // where(x <= c, 0, the gradient of the largest of x): g is 0 where the largest is not above c.
  std::optional<NodeId> through_relu(NodeId id, const NodeMap& map) {
    const Node& node = graph_[id];
    if (node.op != Op::where || uniform_value(graph_, node.inputs[1]) != 0.0 || uses_[node.inputs[2]] != 1)
      return std::nullopt;
    const auto found = gradients_.find(node.inputs[2]);
    const Node& condition = graph_[node.inputs[0]];
    if (found == gradients_.end() || condition.op != Op::less_equal) return std::nullopt;
    Gradient gradient = found->second;
    const std::optional<double> limit = uniform_value(graph_, condition.inputs[1]);
    if (condition.inputs[0] != gradient.of.x || !limit) return std::nullopt;
    const NodeId largest = builder_.make(Op::reduce_max, {map[gradient.of.windows]},
                                         {{Key::axes, gradient.of.elements}, {Key::first, std::int64_t{1}}});
    const NodeId is_low = builder_.binary(Op::less_equal, largest, builder_.constant(*limit, node.type.dtype));
    gradient.g = builder_.where(is_low, builder_.constant(0, node.type.dtype), gradient.g);
    const Node& selected = graph_[gradient.of.selected];
    const NodeId wide =
        builder_.broadcast(gradient.g, selected.type.shape, graph_[selected.inputs[1]].attributes.integers(Key::axes));
    const NodeId value = builder_.make(Op::where, {map[selected.inputs[0]], wide, map[selected.inputs[2]]});
    gradients_[id] = gradient;
    return in_phases(graph_[gradient.fold], value);
  }

  std::optional<NodeId> sum_of_gradients(const Node& node) {
    if (node.op != Op::reduce_sum) return std::nullopt;
    const auto found = gradients_.find(node.inputs[0]);
    if (found == gradients_.end()) return std::nullopt;
    const Axes &axes = node.attributes.integers(Key::axes),
               &folded = graph_[found->second.fold].attributes.integers(Key::axes);
    const bool sums_all = std::includes(axes.begin(), axes.end(), folded.begin(), folded.end());
    return sums_all ? std::optional(builder_.sum(found->second.g, axes)) : std::nullopt;
  }

  NodeId in_phases(const Node& node, NodeId value) {
    const FoldedAxes folded = folded_by(node, builder_.shape(value));
    const std::optional<FoldedProduct> product = product_of(result_, folded, value);
    if (is_made_side_by_side(folded, product.has_value())) return side_by_side(folded, value);
    const Axes sizes = phases_along(folded);
    const auto count = static_cast<std::size_t>(element_count(sizes));
    std::vector<NodeId> phases;
    for (std::size_t number = 0; number < count; ++number) {
      const Axes rests = place_of_turn(sizes, number);
      std::vector<Phase> along;
      for (std::size_t i = 0; i < rests.size(); ++i) {
        along.push_back(phase_of(folded.windows[i], folded.extents[i], folded.before[i], rests[i]));
      }
      phases.push_back(phase(node, folded, along, value, product));
    }
    return count == 1 ? phases.front() : builder_.interleave(phases, node.attributes.integers(Key::axes), sizes);
  }

  NodeId phase(const Node& node, const FoldedAxes& folded, const std::vector<Phase>& along, NodeId value,
               const std::optional<FoldedProduct>& product) {
    const bool is_met = std::all_of(along.begin(), along.end(), [](const Phase& p) { return p.count > 0; });
    NodeId sum = kNoNode;
    Shape shape = node.type.shape;
    for (std::size_t i = 0; i < along.size(); ++i) shape[folded.first + i] = along[i].extent;
    if (is_met && product) {
      sum = phase_of_product(folded, along, *product);
    } else if (is_met && repeats(folded, result_[value])) {
      sum = sum_of_repeated(folded, along, value, shape);
    } else if (is_met) {
      sum = sum_of_elements(folded, along, value);
    }
    if (sum != kNoNode) return sum;
    return builder_.broadcast(builder_.constant(0, node.type.dtype), shape, {});
  }

  // Windows one behind the other, with zeros between them: each is a stretch of the result. The axes of places and of
  // elements come by pairs, each of which is then one.
  NodeId side_by_side(const FoldedAxes& folded, NodeId value) {
    const std::size_t count = folded.windows.size();
    for (std::size_t i = 0; i < count; ++i) value = range(value, folded.first + count + i, 0, folded.windows[i].step);
    Axes order = all_axes(builder_.shape(value).size());
    for (std::size_t i = 0; i < count; ++i) {
      order[folded.first + 2 * i] = static_cast<std::int64_t>(folded.first + i);
      order[folded.first + 2 * i + 1] = static_cast<std::int64_t>(folded.first + count + i);
    }
    value = transposed(value, order);
    Shape shape = builder_.shape(value);
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(folded.first + i);
      shape[folded.first + i] *= shape[folded.first + i + 1];
      shape.erase(shape.begin() + at + 1);
    }
    value = builder_.reshape(value, shape);
    for (std::size_t i = 0; i < count; ++i) {
      value = range(value, folded.first + i, folded.before[i], folded.extents[i]);
    }
    return value;
  }

  // A product has its axes in another order by its letters.
  NodeId transposed(NodeId value, const Axes& order) {
    const Node node = result_[value];
    if (node.op != Op::contract) return builder_.transpose(value, order);
    const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
    std::string letters;
    for (const std::int64_t axis : order) letters += map.result[static_cast<std::size_t>(axis)];
    return builder_.contract(node.inputs[0], node.inputs[1],
                             std::string(map.a) + "," + std::string(map.b) + "->" + letters);
  }

  // The sum of shifted places, which are windows of what is repeated.
  NodeId sum_of_repeated(const FoldedAxes& folded, const std::vector<Phase>& along, NodeId value, const Shape& shape) {
    const Axes axes = result_[value].attributes.integers(Key::axes);
    NodeId shifted = result_[value].inputs[0];
    Axes summed, placed;
    for (std::size_t i = along.size(); i-- > 0;) {
      const std::size_t at = axis_of_place(result_[value], folded, i);
      shifted = shifted_places(shifted, at, along[i]);
      for (std::int64_t& axis : summed) ++axis;
      summed.push_back(static_cast<std::int64_t>(at) + 1);
    }
    const auto count = static_cast<std::int64_t>(along.size()), first = static_cast<std::int64_t>(folded.first);
    for (const std::int64_t axis : axes) placed.push_back(axis < first + count ? axis : axis - count);
    return builder_.broadcast(builder_.sum(shifted, summed), shape, placed);
  }

  // The operand along an axis from element `first` on, so many; zeros where it has none.
  NodeId range(NodeId node, std::size_t axis, std::int64_t first, std::int64_t count) {
    const Shape shape = builder_.shape(node);
    Axes starts(shape.size(), 0), limits = shape, low(shape.size(), 0), high(shape.size(), 0);
    const std::int64_t end = first + count;
    starts[axis] = std::clamp<std::int64_t>(first, 0, shape[axis]);
    limits[axis] = std::clamp<std::int64_t>(end, starts[axis], shape[axis]);
    const std::int64_t inside = limits[axis] - starts[axis];
    low[axis] = std::min(std::max<std::int64_t>(-first, 0), count - inside);
    high[axis] = count - inside - low[axis];
    if (inside < shape[axis]) node = builder_.slice(node, starts, limits, Axes(shape.size(), 1));
    return inside < count ? builder_.pad(node, low, high, 0) : node;
  }

  // For every q of a phase the places that its elements have, from the last element to the first.
  NodeId shifted_places(NodeId places, std::size_t axis, const Phase& p) {
    const std::int64_t reach = p.place_step * (p.count - 1);
    places = range(places, axis, p.first_place - reach, p.extent + reach);
    return builder_.windows(places, {static_cast<std::int64_t>(axis)}, {p.count}, {1}, {p.place_step});
  }

  // The product of the shifted places and the elements that meet the phase, summed over both the letters of the product
  // and the elements.
  NodeId phase_of_product(const FoldedAxes& folded, const std::vector<Phase>& along, const FoldedProduct& product) {
    std::array<NodeId, 2> operands = product.operands;
    std::array<std::string, 3> letters = product.letters;
    const std::size_t with = product.with_places, count = along.size();
    NodeId &shifted = operands[with], &elements = operands[1 - with];
    for (std::size_t i = 0; i < count; ++i) {
      const Phase& p = along[i];
      const char place = product.letters[2][folded.first + i], element = product.letters[2][folded.first + count + i];
      const std::size_t axis = letters[with].find(place);
      shifted = shifted_places(shifted, axis, p);
      if (p.count > 1) shifted = builder_.reverse(shifted, {static_cast<std::int64_t>(axis) + 1});
      letters[with].insert(axis + 1, 1, element);
      const std::size_t of_element = letters[1 - with].find(element);
      const Shape shape = builder_.shape(elements);
      Axes starts(shape.size(), 0), steps(shape.size(), 1);
      starts[of_element] = p.first_element;
      steps[of_element] = p.element_step;
      if (p.count < shape[of_element]) elements = builder_.slice(elements, starts, shape, steps);
      letters[2].erase(letters[2].find(element), 1);
    }
    return builder_.contract(operands[0], operands[1], letters[0] + "," + letters[1] + "->" + letters[2]);
  }

  // The sum over the elements that meet the phase, one after the other, of what the shifted places have there; nothing
  // where no place has any.
  NodeId sum_of_elements(const FoldedAxes& folded, const std::vector<Phase>& along, NodeId value) {
    Axes counts;
    std::int64_t all = 1;
    for (const Phase& p : along) {
      counts.push_back(p.count);
      all *= p.count;
    }
    NodeId sum = kNoNode;
    for (std::int64_t number = 0; number < all; ++number) {
      const Axes t = place_of_turn(counts, static_cast<std::size_t>(number));
      const NodeId term = element(folded, along, value, t);
      if (term == kNoNode) continue;
      sum = sum == kNoNode ? term : builder_.add(sum, term);
    }
    return sum;
  }

  NodeId element(const FoldedAxes& folded, const std::vector<Phase>& along, NodeId value, const Axes& t) {
    const Shape shape = builder_.shape(value);
    const std::size_t count = along.size();
    Axes starts(shape.size(), 0), limits = shape;
    Shape places = shape;
    for (std::size_t i = 0; i < count; ++i) {
      const Phase& p = along[i];
      const std::size_t at = folded.first + i;
      const std::int64_t first = p.first_place - p.place_step * t[i];
      if (first >= shape[at] || first + p.extent <= 0) return kNoNode;
      starts[at + count] = p.first_element + p.element_step * t[i];
      limits[at + count] = starts[at + count] + 1;
    }
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(folded.first + count),
                 places.begin() + static_cast<std::ptrdiff_t>(folded.first + 2 * count));
    NodeId term = builder_.reshape(builder_.slice(value, starts, limits, Axes(shape.size(), 1)), places);
    for (std::size_t i = 0; i < count; ++i) {
      term = range(term, folded.first + i, along[i].first_place - along[i].place_step * t[i], along[i].extent);
    }
    return term;
  }

  // What a node of `graph_` is: the fold of this gradient, each element of which one window element has whole.
  struct Gradient {
    OfLargest of;
    NodeId g = kNoNode;     // in the result
    NodeId fold = kNoNode;  // in `graph_`
  };

  const Graph& graph_;
  Graph result_;
  Builder builder_;
  std::vector<std::uint32_t> uses_;
  std::map<NodeId, Gradient> gradients_;
};

}  // namespace

Result<Graph> compute_folds(const Graph& graph, PassContext&) {
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].op == Op::fold) return FoldRewriter(graph).rewrite();
  }
  return graph;
}

}  // namespace tarn
