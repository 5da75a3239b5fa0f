// Layers of the prelude: what each needs, and what it makes of a shape. One that has no row here is not covered, which
// generator_test.cpp says.
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "tests/models/writer.h"

namespace tarn::models {

namespace {

// How a layer is applied to a value.
struct Application {
  std::string needed;  // arguments without a default
  Shape result;
  ArgumentUse use = {};
  double largest = Writer::kLargest;
  std::string others = {};  // further arguments of the application
};

Shape with_last(Shape shape, std::int64_t extent) {
  shape.back() = extent;
  return shape;
}

Application dense(Writer& writer, const Shape& shape) {
  const std::int64_t units = writer.extent();
  return {std::to_string(units), with_last(shape, units), {Shape{shape.back(), units}}, 8};
}

Application einsum_dense(Writer& writer, const Shape& shape) {
  const std::int64_t a = writer.extent(), b = 1 + writer.choices.below(3);
  if (shape.size() == 1)
    return {fmt::format("\"a,abc->cb\", [{}, {}, {}], bias_shape = [{}, 1]", shape[0], a, b, b),
            {b, a},
            {Shape{shape[0], a, b}},
            8};
  std::string outer;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) outer += static_cast<char>('m' + i);
  return {fmt::format("\"{0}a,ab->{0}b\", [{1}, {2}]", outer, shape.back(), a),
          with_last(shape, a),
          {Shape{shape.back(), a}},
          8};
}

Application maxout(Writer& writer, const Shape& shape) {
  const std::int64_t units = 1 + writer.choices.below(9);
  return {std::to_string(units), with_last(shape, units), {Shape{shape.back(), 4 * units}}, 8};
}

Application highway(Writer&, const Shape& shape) { return {"", shape, {Shape{shape.back(), shape.back()}}, 8}; }

Application along_an_axis(Writer&, const Shape& shape) { return {"", shape, {std::nullopt, shape.size()}}; }

Application group_norm(Writer& writer, const Shape& shape) {
  std::vector<std::int64_t> groups = {1};
  for (std::int64_t g = 2; g <= shape.back(); ++g) {
    if (shape.back() % g == 0) groups.push_back(g);
  }
  return {fmt::format("groups = {}", writer.choices.one_of(groups)), shape};
}

Application permute(Writer& writer, const Shape& shape) {
  std::vector<std::size_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  for (std::size_t i = axes.size(); i > 1; --i) std::swap(axes[i - 1], axes[i - 1 - writer.choices.below(i)]);
  Shape result;
  for (const std::size_t axis : axes) result.push_back(shape[axis]);
  return {fmt::format("[{}]", fmt::join(axes, ", ")), result};
}

Application repeat_vector(Writer& writer, const Shape& shape) {
  const std::int64_t n = 1 + writer.choices.below(4);
  Shape result = shape;
  result.insert(result.begin(), n);
  return {std::to_string(n), result};
}

Application time_distributed(Writer& writer, const Shape& shape) {
  const std::int64_t units = writer.extent();
  return {fmt::format("dense({}, {})", units, writer.activation()), with_last(shape, units), {}, 16};
}

Application attention(Writer& writer, const Shape& shape) {
  const std::optional<Named> other = writer.value_of_shape(shape);
  const std::string name = other ? other->name : "";
  return {fmt::format("{}, {}", 1 + writer.choices.below(3), 1 + writer.choices.below(8)),
          shape,
          {},
          8,
          fmt::format(", {0}, {0}", name)};
}

Application with_rate(Writer& writer, const Shape& shape) {
  static const std::vector<std::string> rates = {"0.25", "0.1", "0.5"};
  return {writer.choices.one_of(rates), shape, {}, 8};
}

Application flatten(Writer&, const Shape& shape) { return {"", {element_count(shape)}}; }
Application alike(Writer&, const Shape& shape) { return {"", shape}; }
Application rescaling(Writer&, const Shape& shape) { return {"0.5", shape}; }
Application activation(Writer& writer, const Shape& shape) { return {writer.activation(), shape, {}, 64}; }

struct Row {
  std::size_t least_axes, most_axes;
  std::function<Application(Writer&, const Shape&)> apply;
};

const std::map<std::string, Row>& rows() {
  constexpr std::size_t kMany = 7;
  static const std::map<std::string, Row> table = {
      {"dense", {1, kMany, dense}},
      {"einsum_dense", {1, kMany, einsum_dense}},
      {"maxout", {1, kMany, maxout}},
      {"highway", {1, kMany, highway}},
      {"activation", {0, kMany, activation}},
      {"prelu", {1, kMany, alike}},
      {"activity_regularization", {0, kMany, alike}},
      {"rescaling", {0, kMany, rescaling}},
      {"flatten", {0, kMany, flatten}},
      {"permute", {1, kMany, permute}},
      {"repeat_vector", {0, kMany, repeat_vector}},
      {"time_distributed", {2, kMany, time_distributed}},
      {"multi_head_attention", {2, 2, attention}},
      {"batch_norm", {1, kMany, along_an_axis}},
      {"layer_norm", {1, kMany, along_an_axis}},
      {"group_norm", {1, kMany, group_norm}},
      {"rms_norm", {1, kMany, along_an_axis}},
      {"unit_normalization", {1, kMany, along_an_axis}},
      {"normalization", {1, kMany, along_an_axis}},
      {"dropout", {0, kMany, with_rate}},
      {"spatial_dropout", {1, kMany, with_rate}},
      {"gaussian_noise", {0, kMany, with_rate}},
      {"gaussian_dropout", {0, kMany, with_rate}},
      {"alpha_dropout", {0, kMany, with_rate}},
  };
  return table;
}

}  // namespace

void add_layer(Writer& writer) {
  std::vector<std::string> names;
  for (const auto& [name, row] : rows()) names.push_back(name);
  const std::string& name = writer.choices.below(3) == 0 ? "dense" : writer.choices.one_of(names);
  const Row& row = rows().at(name);
  const std::optional<Named> x = writer.value_of_rank(row.least_axes);
  if (!x || x->shape.size() > row.most_axes) return;
  const Application how = row.apply(writer, x->shape);
  if (!writer.fits(how.result)) return;
  if (name == "normalization" && std::exchange(writer.has_fitted_state, true)) return;
  const std::string call = writer.call_of(definition(name), how.needed, how.use);
  const std::string made = call.find('(') == std::string::npos ? call + "()" : call;
  if (!how.others.empty()) {
    writer.add(fmt::format("{}({}{})", made, x->name, how.others), how.result, how.largest);
  } else if (writer.choices.once_in(4)) {
    const std::string layer = writer.fresh("l");
    writer.body.push_back(fmt::format("{} = {}", layer, made));
    writer.add(fmt::format("{}({})", layer, x->name), how.result, how.largest);
  } else {
    writer.add(fmt::format("{} |> {}", x->name, call), how.result, how.largest);
  }
}

}  // namespace tarn::models
