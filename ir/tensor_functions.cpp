// Reference evaluations. Everything is a walk over an index space with strides into the arrays; nothing is clever.
#include "ir/tensor_functions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/random.h"
#include "ir/type_rules.h"
#include "ir/windows.h"

namespace tarn::tensor_functions {

namespace {

using OperandValues = std::span<const HostTensor* const>;
using Integers = std::vector<std::int64_t>;

HostTensor make(Shape shape, double fill = 0) {
  const std::size_t count = static_cast<std::size_t>(element_count(shape));
  return {std::move(shape), std::vector<double>(count, fill)};
}

HostTensor make_result(const EvaluationContext& context, const Node& node, double fill = 0) {
  return make(with_batch(node.type.shape, context.batch), fill);
}

// Visits the indices of `shape` in row-major order; visit gets, for each of K arrays, offset[k] = base[k] + sum of
// index * stride[k].
template <std::size_t K, class Visit>
void walk(const Shape& shape, const std::array<Integers, K>& strides, std::array<std::int64_t, K> offsets,
          Visit visit) {
  Integers index(shape.size(), 0);
  for (std::int64_t left = element_count(shape); left > 0; --left) {
    visit(offsets);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      ++index[axis];
      for (std::size_t k = 0; k < K; ++k) offsets[k] += strides[k][axis];
      if (index[axis] < shape[axis]) break;
      for (std::size_t k = 0; k < K; ++k) offsets[k] -= strides[k][axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

// result[base + strides * i] = x[i] over the indices of x.
void put(HostTensor& result, const HostTensor& x, const Integers& strides, std::int64_t base) {
  std::size_t at = 0;
  walk<1>(x.shape, {strides}, {base}, [&](const auto& offset) { result.data[offset[0]] = x.data[at++]; });
}

bool contains(const Integers& list, std::size_t axis) {
  return std::find(list.begin(), list.end(), static_cast<std::int64_t>(axis)) != list.end();
}

// The array seen as [outer, extent, inner] around one axis.
struct AroundAxis {
  std::int64_t outer, extent, inner;
};
AroundAxis around(const Shape& shape, std::int64_t axis) {
  return {element_count(Shape(shape.begin(), shape.begin() + axis)), shape[axis],
          element_count(Shape(shape.begin() + axis + 1, shape.end()))};
}

// Calls visit(place in the table, place in the gathered array) for each element of the gathered array, indices clamped
// into range.
template <class Visit>
void visit_gathered(const Shape& table, std::int64_t axis, const HostTensor& indices, Visit visit) {
  const AroundAxis size = around(table, axis);
  const std::int64_t count = element_count(indices.shape);
  for (std::int64_t o = 0; o < size.outer; ++o) {
    for (std::int64_t j = 0; j < count; ++j) {
      // A NaN, which an integer division by 0 makes here, counts as 0.
      const double index = indices.data[j] > 0 ? std::min(indices.data[j], static_cast<double>(size.extent - 1)) : 0;
      const std::int64_t row = static_cast<std::int64_t>(index);
      for (std::int64_t i = 0; i < size.inner; ++i) {
        visit((o * size.extent + row) * size.inner + i, (o * count + j) * size.inner + i);
      }
    }
  }
}

}  // namespace

HostTensor reduce_value(const EvaluationContext& context, const Node& node, OperandValues operands) {
  const HostTensor& x = *operands[0];
  const ReductionInfo& reduction = *info(node.op).reduction;
  const ScalarFunction combine = info(reduction.combine).scalar;
  HostTensor result = make_result(context, node, reduction.identity);
  const Integers& axes = node.attributes.integers(Key::axes);
  const Integers own = row_major_strides(result.shape);
  Integers strides(x.shape.size(), 0);
  for (std::size_t i = 0, kept = 0; i < strides.size(); ++i) {
    if (!contains(axes, i)) strides[i] = own[kept++];
  }
  std::size_t at = 0;
  walk<1>(x.shape, {strides}, {0}, [&](const auto& offset) {
    double& target = result.data[offset[0]];
    target = combine(x.data[at++], target, 0);
  });
  return result;
}

// Row-major number, among the axes that go, of the first element that no other is better than; a NaN is never better.
HostTensor reduce_index(const EvaluationContext& context, const Node& node, OperandValues operands) {
  const HostTensor& x = *operands[0];
  const bool largest = info(node.op).reduction->finds_largest();
  HostTensor result = make_result(context, node);
  std::vector<double> best(result.data.size());
  const Integers& axes = node.attributes.integers(Key::axes);
  const Integers own = row_major_strides(result.shape);
  Shape gone;
  for (const std::int64_t axis : axes) gone.push_back(x.shape[axis]);
  const Integers numbers = row_major_strides(gone);
  Integers strides(x.shape.size(), 0), number(x.shape.size(), 0);
  for (std::size_t i = 0, kept = 0, reduced = 0; i < strides.size(); ++i) {
    if (contains(axes, i)) {
      number[i] = numbers[reduced++];
    } else {
      strides[i] = own[kept++];
    }
  }
  std::size_t at = 0;
  walk<2>(x.shape, {strides, number}, {0, 0}, [&](const auto& offset) {
    const double candidate = x.data[at++];
    double& found = best[offset[0]];
    if (offset[1] > 0 && !(largest ? candidate > found : candidate < found)) return;
    found = candidate;
    result.data[offset[0]] = static_cast<double>(offset[1]);
  });
  return result;
}

// A per-sample graph is evaluated on one sample.
HostTensor batch_sum(const EvaluationContext&, const Node&, OperandValues x) { return *x[0]; }

HostTensor fold(const EvaluationContext& context, const Node& node, OperandValues operands) {
  const HostTensor& x = *operands[0];
  HostTensor result = make_result(context, node);
  const FoldedAxes folded = folded_axes(node.attributes, x.shape).value();
  const std::size_t count = folded.windows.size();
  const Integers own = row_major_strides(result.shape);
  // Where the element stands in the result, and along each of the axes.
  Integers index(x.shape.size(), 0);
  for (const double element : x.data) {
    std::int64_t place = 0;
    bool is_inside = true;
    for (std::size_t i = 0; i < result.shape.size(); ++i) {
      std::int64_t at = index[i < folded.first + count ? i : i + count];
      if (i >= folded.first && i < folded.first + count) {
        const Window& window = folded.windows[i - folded.first];
        at = at * window.step + index[i + count] * window.dilation - folded.before[i - folded.first];
        is_inside = is_inside && at >= 0 && at < result.shape[i];
      }
      place += at * own[i];
    }
    if (is_inside) result.data[place] += element;
    for (std::size_t axis = x.shape.size(); axis-- > 0;) {
      if (++index[axis] < x.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return result;
}

HostTensor contract(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  const ContractionMap map = parse_contraction_map(node.attributes.text(Key::map)).value();
  // The index space: the letters of the result, then those that are summed, in the order in which the operands name
  // them.
  std::string letters(map.result);
  for (const char letter : std::string(map.a) + std::string(map.b)) {
    if (letters.find(letter) == std::string::npos) letters += letter;
  }
  Shape space(letters.size());
  const auto strides_of = [&](std::string_view own, const Shape& shape) {
    const Integers own_strides = row_major_strides(shape);
    Integers strides(letters.size(), 0);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const std::size_t at = letters.find(own[i]);
      strides[at] = own_strides[i];
      space[at] = shape[i];
    }
    return strides;
  };
  const std::array<Integers, 3> strides = {strides_of(map.a, x[0]->shape), strides_of(map.b, x[1]->shape),
                                           strides_of(map.result, result.shape)};
  walk<3>(space, strides, {0, 0, 0},
          [&](const auto& offset) { result.data[offset[2]] += x[0]->data[offset[0]] * x[1]->data[offset[1]]; });
  return result;
}

HostTensor view(const ViewMap& map, const HostTensor& x, const Shape& shape) {
  HostTensor result{shape, map.by_number ? x.data : std::vector<double>(element_count(shape), map.fill.value_or(0))};
  if (map.by_number) return result;
  std::vector<std::int64_t> index(shape.size(), 0);
  for (double& element : result.data) {
    std::int64_t from = 0;
    bool is_inside = true;
    for (std::size_t i = 0; i < map.operand.size(); ++i) {
      const auto& [strides, offset] = map.operand[i];
      const std::int64_t place = std::inner_product(index.begin(), index.end(), strides.begin(), offset);
      is_inside = is_inside && place >= 0 && place < x.shape[i];
      from = from * x.shape[i] + place;
    }
    TARN_CHECK(is_inside || map.fill, "a view shows what its operand does not have");
    if (is_inside) element = x.data[from];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return result;
}

HostTensor spread(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  Integers strides = row_major_strides(result.shape);
  for (std::size_t i = 0; i < strides.size(); ++i) strides[i] *= node.attributes.integers(Key::strides)[i];
  put(result, *x[0], strides, 0);
  return result;
}

HostTensor concat(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  const std::int64_t axis = node.attributes.integer(Key::axis);
  const Integers strides = row_major_strides(result.shape);
  std::int64_t base = 0;
  for (const HostTensor* part : x) {
    put(result, *part, strides, base);
    base += part->shape[axis] * strides[axis];
  }
  return result;
}

HostTensor interleave(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  const Integers &axes = node.attributes.integers(Key::axes), &sizes = node.attributes.integers(Key::sizes);
  const Integers own = row_major_strides(result.shape);
  Integers strides = own;
  for (std::size_t i = 0; i < axes.size(); ++i) strides[axes[i]] *= sizes[i];
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Integers place = place_of_turn(sizes, k);
    std::int64_t base = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) base += place[i] * own[axes[i]];
    put(result, *x[k], strides, base);
  }
  return result;
}

HostTensor gather(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  visit_gathered(x[0]->shape, node.attributes.integer(Key::axis), *x[1],
                 [&](std::int64_t in_table, std::int64_t at) { result.data[at] = x[0]->data[in_table]; });
  return result;
}

HostTensor scatter_add(const EvaluationContext& context, const Node& node, OperandValues x) {
  HostTensor result = make_result(context, node);
  visit_gathered(result.shape, node.attributes.integer(Key::axis), *x[1],
                 [&](std::int64_t in_table, std::int64_t at) { result.data[in_table] += x[0]->data[at]; });
  return result;
}

HostTensor constant(const EvaluationContext& context, const Node& node, OperandValues) {
  if (node.attributes.has(Key::value)) return make_result(context, node, node.attributes.number(Key::value));
  return {node.type.shape, node.attributes.numbers(Key::values)};
}

HostTensor iota(const EvaluationContext& context, const Node& node, OperandValues) {
  HostTensor result = make_result(context, node);
  const AroundAxis size = around(result.shape, node.attributes.integer(Key::axis));
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    result.data[i] = static_cast<double>(static_cast<std::int64_t>(i) / size.inner % size.extent);
  }
  return result;
}

HostTensor input(const EvaluationContext& context, const Node& node, OperandValues) {
  return context.inputs.find(node.attributes.text(Key::name))->second;
}

HostTensor tensor(const EvaluationContext& context, const Node& node, OperandValues) {
  return context.tensors.find(node.attributes.text(Key::name))->second;
}

HostTensor batch_size(const EvaluationContext& context, const Node&, OperandValues) {
  return {{}, {static_cast<double>(context.batch)}};
}

HostTensor draw(const EvaluationContext& context, const Node& node, OperandValues) {
  const Distribution distribution = *info(node.op).distribution;
  HostTensor result = make_result(context, node);
  const std::int64_t samples = has_batch(node.type.shape) ? context.batch : 1;
  const std::int64_t each = element_count(result.shape) / samples;
  DrawPosition position{context.seed, static_cast<std::uint64_t>(node.attributes.integer(Key::stream)), context.step, 0,
                        0};
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    if (depends_on_sample(node.type)) position.sample = context.first_sample + static_cast<std::uint32_t>(sample);
    for (std::int64_t element = 0; element < each; ++element) {
      position.element = static_cast<std::uint32_t>(element);
      result.data[sample * each + element] = draw_number(distribution, position, node.type.dtype);
    }
  }
  return result;
}

HostTensor grad(const EvaluationContext&, const Node&, OperandValues) {
  TARN_CHECK(false, "grad must be expanded before it is evaluated");
  return {};
}

}  // namespace tarn::tensor_functions
