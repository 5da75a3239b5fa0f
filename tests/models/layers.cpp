// Layers of the prelude: what each needs, and what it makes of a shape. One that has no row here is not covered, which
// generator_test.cpp says.
#include <algorithm>
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

// ---------------------------------------------------------------- convolutions, pooling, images

// Windows along all axes but the last.
struct Windows {
  std::int64_t size, stride, dilation;
  bool same;
  std::int64_t reach() const { return (size - 1) * dilation + 1; }
  std::int64_t places(std::int64_t extent) const {
    return same ? (extent + stride - 1) / stride : (extent - reach()) / stride + 1;
  }
  std::string arguments() const {
    return fmt::format("strides = {}, padding = \"{}\"", stride, same ? "same" : "valid");
  }
};

// "valid" only where windows fit.
Windows windows_over(Writer& writer, const Shape& shape, bool may_dilate) {
  Windows w{1 + writer.choices.below(3), 1 + writer.choices.below(2), 1, writer.choices.flip()};
  if (may_dilate && w.stride == 1 && writer.choices.once_in(3)) w.dilation = 2;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) w.same = w.same || w.reach() > shape[i];
  return w;
}

Shape places_of(const Windows& w, const Shape& shape, std::int64_t channels) {
  Shape result;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) result.push_back(w.places(shape[i]));
  result.push_back(channels);
  return result;
}

Shape kernel_of(const Windows& w, const Shape& shape, std::int64_t first, std::int64_t second) {
  Shape kernel(shape.size() - 1, w.size);
  kernel.insert(kernel.end(), {first, second});
  return kernel;
}

Application convolution(Writer& writer, const Shape& shape) {
  const Windows w = windows_over(writer, shape, true);
  const std::int64_t groups = shape.back() % 2 == 0 && writer.choices.flip() ? 2 : 1;
  const std::int64_t filters = groups * (1 + writer.choices.below(4));
  return {
      fmt::format("{}, {}, {}, dilation_rate = {}, groups = {}", filters, w.size, w.arguments(), w.dilation, groups),
      places_of(w, shape, filters),
      {kernel_of(w, shape, shape.back() / groups, filters)},
      16};
}

Application depthwise_convolution(Writer& writer, const Shape& shape) {
  const Windows w = windows_over(writer, shape, true);
  const std::int64_t multiplier = 1 + writer.choices.below(2);
  return {
      fmt::format("{}, {}, dilation_rate = {}, depth_multiplier = {}", w.size, w.arguments(), w.dilation, multiplier),
      places_of(w, shape, shape.back() * multiplier),
      {kernel_of(w, shape, shape.back(), multiplier)},
      16};
}

Application separable_convolution(Writer& writer, const Shape& shape) {
  const std::int64_t filters = 1 + writer.choices.below(5);
  Application made = depthwise_convolution(writer, shape);
  made.needed = fmt::format("{}, {}", filters, made.needed);
  made.result.back() = filters;
  return made;
}

Application transposed_convolution(Writer& writer, const Shape& shape) {
  Windows w = windows_over(writer, shape, true);
  w.same = writer.choices.flip();
  const std::int64_t filters = 1 + writer.choices.below(3);
  const bool says_more = w.stride == 2 && w.dilation == 1 && writer.choices.flip();
  Shape result;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
    const std::int64_t valid = (shape[i] - 1) * w.stride + (says_more ? w.reach() + 1 : std::max(w.reach(), w.stride));
    const std::int64_t same = says_more ? (shape[i] - 1) * w.stride + w.reach() % 2 + 1 : shape[i] * w.stride;
    result.push_back(w.same ? same : valid);
  }
  result.push_back(filters);
  return {fmt::format("{}, {}, {}, dilation_rate = {}{}", filters, w.size, w.arguments(), w.dilation,
                      says_more ? ", output_padding = 1" : ""),
          result,
          {kernel_of(w, shape, filters, shape.back())},
          16};
}

Application pooling(Writer& writer, const Shape& shape) {
  const Windows w = windows_over(writer, shape, false);
  return {fmt::format("pool_size = {}, {}", w.size, w.arguments()), places_of(w, shape, shape.back())};
}

Application global_pooling(Writer& writer, const Shape& shape) {
  if (!writer.choices.once_in(3)) return {"", {shape.back()}};
  Shape result(shape.size(), 1);
  result.back() = shape.back();
  return {"keepdims = true", result};
}

Application adaptive_pooling(Writer& writer, const Shape& shape) {
  const std::int64_t size = 1 + writer.choices.below(3);
  Shape result(shape.size(), size);
  result.back() = shape.back();
  return {std::to_string(size), result};
}

// One more or less, or twice as many, along all axes but the last.
Application padding(Writer&, const Shape& shape) {
  Shape result = shape;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) result[i] += 2;
  return {"padding = 1", result};
}

Application cropping(Writer&, const Shape& shape) {
  Shape result = shape;
  const bool cuts = std::all_of(shape.begin(), shape.end() - 1, [](std::int64_t extent) { return extent > 2; });
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) result[i] -= cuts ? 2 : 0;
  return {fmt::format("cropping = {}", cuts ? 1 : 0), result};
}

Application up_sampling(Writer& writer, const Shape& shape) {
  Shape result = shape;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) result[i] *= 2;
  const bool says_how = shape.size() == 3 && writer.choices.flip();
  return {fmt::format("size = 2{}", says_how ? ", interpolation = \"bilinear\"" : ""), result, {}, 8};
}

Application resizing(Writer& writer, const Shape& shape) {
  const std::int64_t height = 1 + writer.choices.below(6), width = 1 + writer.choices.below(6);
  static const std::vector<std::string> more = {"",
                                                ", interpolation = \"bicubic\"",
                                                ", interpolation = \"nearest\"",
                                                ", antialias = true",
                                                ", crop_to_aspect_ratio = true",
                                                ", pad_to_aspect_ratio = true, fill_value = 0.5",
                                                ", fill_mode = \"constant\""};
  return {fmt::format("{}, {}{}", height, width, writer.choices.one_of(more)), {height, width, shape.back()}, {}, 8};
}

Application flip(Writer&, const Shape& shape) { return {"mode = \"horizontal\"", shape}; }
Application brightness(Writer&, const Shape& shape) { return {"0.25, value_range = [-4, 4]", shape}; }

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
      {"conv1d", {2, 2, convolution}},
      {"conv2d", {3, 3, convolution}},
      {"conv3d", {4, 4, convolution}},
      {"conv1d_transpose", {2, 2, transposed_convolution}},
      {"conv2d_transpose", {3, 3, transposed_convolution}},
      {"conv3d_transpose", {4, 4, transposed_convolution}},
      {"depthwise_conv1d", {2, 2, depthwise_convolution}},
      {"depthwise_conv2d", {3, 3, depthwise_convolution}},
      {"separable_conv1d", {2, 2, separable_convolution}},
      {"separable_conv2d", {3, 3, separable_convolution}},
      {"max_pooling1d", {2, 2, pooling}},
      {"max_pooling2d", {3, 3, pooling}},
      {"max_pooling3d", {4, 4, pooling}},
      {"average_pooling1d", {2, 2, pooling}},
      {"average_pooling2d", {3, 3, pooling}},
      {"average_pooling3d", {4, 4, pooling}},
      {"global_max_pooling1d", {2, 2, global_pooling}},
      {"global_max_pooling2d", {3, 3, global_pooling}},
      {"global_max_pooling3d", {4, 4, global_pooling}},
      {"global_average_pooling1d", {2, 2, global_pooling}},
      {"global_average_pooling2d", {3, 3, global_pooling}},
      {"global_average_pooling3d", {4, 4, global_pooling}},
      {"adaptive_max_pooling1d", {2, 2, adaptive_pooling}},
      {"adaptive_max_pooling2d", {3, 3, adaptive_pooling}},
      {"adaptive_max_pooling3d", {4, 4, adaptive_pooling}},
      {"adaptive_average_pooling1d", {2, 2, adaptive_pooling}},
      {"adaptive_average_pooling2d", {3, 3, adaptive_pooling}},
      {"adaptive_average_pooling3d", {4, 4, adaptive_pooling}},
      {"zero_padding1d", {2, 2, padding}},
      {"zero_padding2d", {3, 3, padding}},
      {"zero_padding3d", {4, 4, padding}},
      {"cropping1d", {2, 2, cropping}},
      {"cropping2d", {3, 3, cropping}},
      {"cropping3d", {4, 4, cropping}},
      {"up_sampling1d", {2, 2, up_sampling}},
      {"up_sampling2d", {3, 3, up_sampling}},
      {"up_sampling3d", {4, 4, up_sampling}},
      {"resizing", {3, 3, resizing}},
      {"spatial_dropout1d", {2, 2, with_rate}},
      {"spatial_dropout2d", {3, 3, with_rate}},
      {"spatial_dropout3d", {4, 4, with_rate}},
      {"random_flip", {3, 3, flip}},
      {"random_brightness", {3, 3, brightness}},
  };
  return table;
}

}  // namespace

namespace {

std::int64_t divisor(Writer& writer, std::int64_t n) {
  std::vector<std::int64_t> found;
  for (std::int64_t d = 1; d <= n; ++d) {
    if (n % d == 0) found.push_back(d);
  }
  return writer.choices.one_of(found);
}

// A value of this rank: one that there is, or its elements in another shape.
Named as_image(Writer& writer, std::size_t rank) {
  const Named x = writer.any_value();
  if (x.shape.size() == rank) return x;
  Shape shape;
  std::int64_t left = element_count(x.shape);
  for (std::size_t i = 0; i + 1 < rank; ++i) {
    shape.push_back(divisor(writer, left));
    left /= shape.back();
  }
  shape.push_back(left);
  return writer.add(fmt::format("reshape({}, {})", x.name, models::text_of(shape)), shape);
}

}  // namespace

void add_layer(Writer& writer) {
  std::vector<std::string> names;
  for (const auto& [name, row] : rows()) names.push_back(name);
  const std::string& name = writer.choices.below(3) == 0 ? "dense" : writer.choices.one_of(names);
  const Row& row = rows().at(name);
  const bool of_images = row.least_axes == row.most_axes && row.least_axes > 2;
  const std::optional<Named> x = of_images ? as_image(writer, row.least_axes) : writer.value_of_rank(row.least_axes);
  if (!x || x->shape.size() > row.most_axes) return;
  const Application how = row.apply(writer, x->shape);
  if (!writer.fits(how.result)) return;
  if (name == "normalization" && std::exchange(writer.has_fitted_state, true)) return;
  const std::string call = writer.call_of(definition(name), how.needed, how.use);
  const std::string made = call.find('(') == std::string::npos ? call + "()" : call;
  if (!how.others.empty()) {
    writer.add(fmt::format("{}({}{})", made, x->name, how.others), how.result, how.largest);
  } else if (writer.choices.once_in(4)) {
    const std::string layer = writer.fresh("again");
    writer.body.push_back(fmt::format("{} = {}", layer, made));
    writer.add(fmt::format("{}({})", layer, x->name), how.result, how.largest);
  } else {
    writer.add(fmt::format("{} |> {}", x->name, call), how.result, how.largest);
  }
}

}  // namespace tarn::models
