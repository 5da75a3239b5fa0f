// Layers that vary images while training, and convolutions by their names in Keras 1 and 2, against their formulas
// (keras/src/layers/preprocessing/image_preprocessing of Keras 3.15.1; keras/layers/convolutional.py, local.py and
// keras/backend/tensorflow_backend.py at the tags 1.2.2 and 2.3.1), written out as loops.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "tests/conformance/keras_cases.h"

namespace tarn::conformance {
namespace {

constexpr double kLoopTolerance = 1e-12;

// [height, width, channels]
struct Image {
  std::int64_t height, width, channels;
  std::vector<double> values;
  double at(std::int64_t y, std::int64_t x, std::int64_t c) const {
    return values.at(static_cast<std::size_t>((y * width + x) * channels + c));
  }
};

Image drawn_image(std::int64_t height, std::int64_t width, std::int64_t channels) {
  static std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Image image{height, width, channels, std::vector<double>(static_cast<std::size_t>(height * width * channels))};
  for (double& v : image.values) v = uniform(random);
  return image;
}

std::string extents_of(const Image& image) {
  return fmt::format("[{}, {}, {}]", image.height, image.width, image.channels);
}

void expect_equal(const std::vector<double>& values, const std::vector<double>& expected) {
  EXPECT_EQ(difference(values, expected, {{"abs", kLoopTolerance}}), "");
}

using Make = std::function<double(std::int64_t y, std::int64_t x, std::int64_t c)>;
std::vector<double> each_place(std::int64_t height, std::int64_t width, std::int64_t channels, const Make& make) {
  std::vector<double> values;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) values.push_back(make(y, x, c));
    }
  }
  return values;
}

// What stands at place i of `extent`, or -1 for what is filled in: SciPy's modes of ndimage.
std::int64_t place(std::int64_t i, std::int64_t extent, const std::string& fill_mode) {
  if (i >= 0 && i < extent) return i;
  if (fill_mode == "nearest") return i < 0 ? 0 : extent - 1;
  if (fill_mode == "wrap") return ((i % extent) + extent) % extent;
  if (fill_mode == "constant") return -1;
  const std::int64_t k = ((i % (2 * extent)) + 2 * extent) % (2 * extent);
  return std::min(k, 2 * extent - 1 - k);
}

double sampled(const Image& image, double q, double r, std::int64_t c, const std::string& fill_mode, double fill) {
  const auto top = static_cast<std::int64_t>(std::floor(q)), left = static_cast<std::int64_t>(std::floor(r));
  double sum = 0;
  for (const std::int64_t i : {top, top + 1}) {
    for (const std::int64_t j : {left, left + 1}) {
      const double weight = (1 - std::fabs(q - static_cast<double>(i))) * (1 - std::fabs(r - static_cast<double>(j)));
      const std::int64_t y = place(i, image.height, fill_mode), x = place(j, image.width, fill_mode);
      sum += weight * (y < 0 || x < 0 ? fill : image.at(y, x, c));
    }
  }
  return sum;
}

// A layer in training, of one sample: what it gives is kept in a state.
class InTraining {
 public:
  InTraining(const std::string& layer, const Image& image, const std::string& result, Engine engine) {
    const std::string text = fmt::format(
        "model m {{\n  input x{0}\n  param w = 1\n  state out{1} = zeros\n  l = {2}\n  h = l(x)\n"
        "  if training {{ out <- batch_mean(h) }}\n  y = w * h\n  output y\n}}\n"
        "train {{\n  loss sum(y)\n  optimizer sgd(lr = 0)\n  batch 1\n}}\n",
        extents_of(image), result, layer);
    auto model = compile_model(text, engine);
    if (!model) {
      ADD_FAILURE() << model.error().front().message;
      return;
    }
    model_ = std::move(*model);
    data_ = {{{"x", image.values}}, 1};
  }
  std::vector<double> next() {
    if (!model_ || !model_->train(data_)) return {};
    return model_->tensor("out");
  }
  std::vector<double> predicted() { return model_ ? model_->predict(data_, "y").value() : std::vector<double>(); }

 private:
  std::unique_ptr<SmallModel> model_;
  Data data_;
};

constexpr Engine kBothEngines[] = {Engine::evaluator, Engine::native_f64};

TEST(ImageLayers, MoveAsTheirFactorsSay) {
  const Image image = drawn_image(4, 5, 2);
  for (const char* mode : {"reflect", "wrap", "nearest", "constant"}) {
    for (const double down : {0.25, -0.6, 1.3}) {
      const double right = 0.3;
      const std::vector<double> moved = each_place(4, 5, 2, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
        return sampled(image, static_cast<double>(y) - 4 * down, static_cast<double>(x) - 5 * right, c, mode, 0.5);
      });
      const std::vector<double> zoomed = each_place(4, 5, 2, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
        const double a = 1 + down, b = 1 + right;
        return sampled(image, a * static_cast<double>(y) + 1.5 * (1 - a), b * static_cast<double>(x) + 2 * (1 - b), c,
                       mode, 0.5);
      });
      for (const Engine engine : kBothEngines) {
        SCOPED_TRACE(fmt::format("{} by {}, {}", mode, down, name_of(engine)));
        const std::string how = fmt::format("([{0}, {0}], [{1}, {1}], \"{2}\", fill_value = 0.5)", down, right, mode);
        InTraining translation("random_translation" + how, image, "[4, 5, 2]", engine);
        expect_equal(translation.next(), moved);
        expect_equal(translation.predicted(), image.values);
        InTraining zoom("random_zoom" + how, image, "[4, 5, 2]", engine);
        expect_equal(zoom.next(), zoomed);
        expect_equal(zoom.predicted(), image.values);
      }
    }
  }
}

TEST(ImageLayers, DrawAnewForEachStep) {
  const Image image = drawn_image(4, 5, 2);
  const auto flipped = [&](bool rows, bool columns) {
    return each_place(4, 5, 2, [&](std::int64_t y, std::int64_t x, std::int64_t c) {
      return image.at(rows ? 3 - y : y, columns ? 4 - x : x, c);
    });
  };
  for (const Engine engine : kBothEngines) {
    SCOPED_TRACE(name_of(engine));
    for (const auto& [mode, turned] : {std::pair{"horizontal", flipped(false, true)},
                                       {"vertical", flipped(true, false)},
                                       {"horizontal_and_vertical", flipped(true, true)}}) {
      InTraining flip(fmt::format("random_flip(\"{}\")", mode), image, "[4, 5, 2]", engine);
      int turns = 0;
      for (int step = 0; step < 40; ++step) {
        const std::vector<double> result = flip.next();
        const bool is_turned = result == turned;
        EXPECT_TRUE(is_turned || result == image.values);
        turns += is_turned ? 1 : 0;
      }
      EXPECT_GT(turns, 8);
      EXPECT_LT(turns, 32);
      expect_equal(flip.predicted(), image.values);
    }
    std::set<std::pair<int, int>> corners;
    InTraining crop("random_crop(2, 3)", image, "[2, 3, 2]", engine);
    for (int step = 0; step < 120; ++step) {
      const std::vector<double> result = crop.next();
      for (int top = 0; top < 3; ++top) {
        for (int left = 0; left < 3; ++left) {
          const std::vector<double> part = each_place(
              2, 3, 2, [&](std::int64_t y, std::int64_t x, std::int64_t c) { return image.at(top + y, left + x, c); });
          if (difference(result, part, {{"abs", kLoopTolerance}}).empty()) corners.emplace(top, left);
        }
      }
    }
    EXPECT_EQ(corners.size(), 9U);
  }
}

TEST(ImageLayers, BrightnessAndContrastStayInTheirRange) {
  const Image image = drawn_image(4, 5, 2);
  for (const Engine engine : kBothEngines) {
    SCOPED_TRACE(name_of(engine));
    InTraining brightness("random_brightness([0.25, 0.25], value_range = [-1, 1])", image, "[4, 5, 2]", engine);
    std::vector<double> brighter = image.values;
    for (double& v : brighter) v = std::min(v + 0.5, 1.0);
    expect_equal(brightness.next(), brighter);
    expect_equal(brightness.predicted(), image.values);

    double means[2] = {0, 0};
    for (std::size_t i = 0; i < image.values.size(); ++i) means[i % 2] += image.values[i] / 20;
    InTraining contrast("random_contrast(0.5, value_range = [-9, 9])", image, "[4, 5, 2]", engine);
    std::set<double> factors;
    for (int step = 0; step < 10; ++step) {
      const std::vector<double> result = contrast.next();
      const double factor = (result.at(0) - means[0]) / (image.values[0] - means[0]);
      std::vector<double> expected = image.values;
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = (expected[i] - means[i % 2]) * factor + means[i % 2];
      EXPECT_EQ(difference(result, expected, {{"abs", 1e-9}}), "");
      EXPECT_TRUE(factor >= 0.5 && factor < 1.5) << factor;
      factors.insert(factor);
    }
    EXPECT_EQ(factors.size(), 10U);
  }
}

// ---------------------------------------------------------------- Keras 1 and 2

// kernel[i, j, c, f], [places, i, j, c, f] or [i, j, f, c] as the layer has it.
struct Older {
  std::string layer;
  int generation;
  std::string kernel;    // its name
  std::size_t size;      // how many numbers it has
  std::int64_t h, w, f;  // of the result
  std::function<double(const Image&, const std::vector<double>& kernel, std::int64_t y, std::int64_t x, std::int64_t f)>
      make;
};

double older_kernel(const std::vector<double>& kernel, std::int64_t i, std::int64_t j, std::int64_t c, std::int64_t f,
                    std::int64_t columns, std::int64_t channels, std::int64_t filters) {
  return kernel.at(static_cast<std::size_t>(((i * columns + j) * channels + c) * filters + f));
}

// Sums over windows with zeros around x, from row y and column x on.
double window_sum(const Image& image, const std::vector<double>& kernel, std::int64_t rows, std::int64_t columns,
                  std::int64_t top, std::int64_t left, std::int64_t gap, std::int64_t filters, std::int64_t f) {
  double sum = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t y = top + gap * i, x = left + gap * j;
      if (y < 0 || x < 0 || y >= image.height || x >= image.width) continue;
      for (std::int64_t c = 0; c < image.channels; ++c)
        sum += image.at(y, x, c) * older_kernel(kernel, i, j, c, f, columns, image.channels, filters);
    }
  }
  return sum;
}

const Older kOlder[] = {
    // same, strides 2 of 5 and 6: paddings 1 and 1, 0 and 1.
    {"convolution2d(3, 3, 3, border_mode = \"same\", subsample = 2)", 1, "W", 54, 3, 3, 3,
     [](const Image& x, const std::vector<double>& k, std::int64_t y, std::int64_t z, std::int64_t f) {
       return window_sum(x, k, 3, 3, 2 * y - 1, 2 * z, 1, 3, f);
     }},
    {"atrous_convolution2d(3, 2, 2, atrous_rate = 2)", 1, "W", 24, 3, 4, 3,
     [](const Image& x, const std::vector<double>& k, std::int64_t y, std::int64_t z, std::int64_t f) {
       return window_sum(x, k, 2, 2, y, z, 2, 3, f);
     }},
    // Every place of x adds to those of its window, which begins one above for 9 rows and at 0 for 12 columns.
    {"deconvolution2d(3, 3, 3, [9, 12, 3], border_mode = \"same\", subsample = 2)", 1, "W", 54, 9, 12, 3,
     [](const Image& x, const std::vector<double>& k, std::int64_t y, std::int64_t z, std::int64_t f) {
       double sum = 0;
       for (std::int64_t p = 0; p < x.height; ++p) {
         for (std::int64_t q = 0; q < x.width; ++q) {
           const std::int64_t i = y - (2 * p - 1), j = z - 2 * q;
           if (i < 0 || j < 0 || i > 2 || j > 2) continue;
           for (std::int64_t c = 0; c < x.channels; ++c) sum += x.at(p, q, c) * older_kernel(k, i, j, c, f, 3, 2, 3);
         }
       }
       return sum;
     }},
    {"locally_connected2d(3, [2, 3], strides = [1, 2])", 2, "kernel", 288, 4, 2, 3,
     [](const Image& x, const std::vector<double>& k, std::int64_t y, std::int64_t z, std::int64_t f) {
       double sum = 0;
       for (std::int64_t i = 0; i < 2; ++i) {
         for (std::int64_t j = 0; j < 3; ++j) {
           for (std::int64_t c = 0; c < 2; ++c)
             sum += x.at(y + i, 2 * z + j, c) *
                    k.at(static_cast<std::size_t>(((y * 2 + z) * 12 + (i * 3 + j) * 2 + c) * 3 + f));
         }
       }
       return sum;
     }},
    // Rows at o / 2, columns at o / 3.
    {"up_sampling2d([2, 3], \"bilinear\")", 2, "", 0, 10, 18, 2,
     [](const Image& x, const std::vector<double>&, std::int64_t y, std::int64_t z, std::int64_t c) {
       return sampled(x, static_cast<double>(y) / 2, static_cast<double>(z) / 3, c, "nearest", 0);
     }},
    {"zero_padding2d([1, 0, 2, 1])", 1, "", 0, 6, 9, 2,
     [](const Image& x, const std::vector<double>&, std::int64_t y, std::int64_t z, std::int64_t c) {
       return y < 1 || z < 2 || z > 7 ? 0.0 : x.at(y - 1, z - 2, c);
     }},
};

TEST(ImageLayers, OfKeras1AndKeras2) {
  for (const Older& row : kOlder) {
    const Image image = drawn_image(5, 6, 2);
    const std::vector<double> kernel = drawn_image(static_cast<std::int64_t>(row.size), 1, 1).values;
    const std::vector<double> expected =
        each_place(row.h, row.w, row.f,
                   [&](std::int64_t y, std::int64_t x, std::int64_t f) { return row.make(image, kernel, y, x, f); });
    const std::string text = fmt::format(
        "import keras{}\nmodel m {{\n  input x[5, 6, 2]\n  l = {}\n  output y = l(x)\n}}\n", row.generation, row.layer);
    for (const Engine engine : kBothEngines) {
      SCOPED_TRACE(fmt::format("{}, {}", row.layer, name_of(engine)));
      auto model = compile_model(text, engine);
      ASSERT_TRUE(model.has_value()) << model.error().front().message;
      if (!row.kernel.empty()) (*model)->set_tensor("l." + row.kernel, kernel);
      expect_equal((*model)->predict({{{"x", image.values}}, 1}, "y").value(), expected);
    }
  }
}

}  // namespace
}  // namespace tarn::conformance
