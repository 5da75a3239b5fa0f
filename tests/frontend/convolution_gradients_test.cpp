// The gradients of convolutions and pooling against differences in double precision, at every kind of padding, stride,
// dilation and grouping, at odd and even extents, and with 1, 3, 8 and 17 channels: by the kernel, the bias and the
// input.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/training/gradient_check.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

struct Configured {
  std::string layer;  // "conv2d(2, 3, padding = "same")"
  Shape shape;        // of a sample
};

void expect_gradients(const Configured& row) {
  SCOPED_TRACE(fmt::format("{} of {}", row.layer, to_string(row.shape)));
  const std::string shape = fmt::format("[{}]", fmt::join(row.shape, ", "));
  // Values far enough from each other that no step of the difference makes another one the largest.
  const Compiled compiled =
      compile(fmt::format("model m {{\n input u{0}\n param p{0} = glorot_uniform\n x = u + p\n l = {1}\n y = l(x)\n"
                          " output z = y\n}}\n"
                          "train {{\n loss sum(tanh(y) * (1 + 0.1 * reshape(iota(prod(shape(y))), shape(y)) % 7))\n"
                          " optimizer sgd\n}}",
                          shape, row.layer),
              double_precision());
  ASSERT_TRUE(compiled.result.program) << compiled.messages();
  constexpr unsigned kSeed = 11;
  std::mt19937 random(kSeed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  EvaluationContext context;
  context.batch = 2;
  HostTensor& u = context.inputs["u"];
  u.shape = row.shape;
  u.shape.insert(u.shape.begin(), 2);
  u.data.resize(static_cast<std::size_t>(element_count(u.shape)));
  for (double& v : u.data) v = uniform(random);
  context.tensors = initial_tensors(compiled.program());
  const auto checks = check_gradients(compiled.program(), context, compiled.sources, 12);
  ASSERT_TRUE(checks.has_value()) << format(checks.error(), compiled.sources);
  EXPECT_FALSE(checks->empty());
  for (const GradientCheck& check : *checks)
    EXPECT_LE(check.largest_error, 1e-6) << check.tensor << "[" << check.at << "]: " << check.derivative << " and "
                                         << check.difference << ", seed " << kSeed;
}

// Each number of channels meets each pair of the others in turn.
constexpr std::int64_t kChannels[] = {1, 3, 8, 17};

std::int64_t next_channels() {
  static std::size_t turn = 0;
  return kChannels[turn++ % std::size(kChannels)];
}

struct Steps {
  int stride, dilation;
};
constexpr Steps kSteps[] = {{1, 1}, {2, 1}, {3, 1}, {1, 2}, {1, 3}};

TEST(ConvolutionGradients, AlongOneAxis) {
  for (const char* padding : {"valid", "same", "causal"}) {
    for (const Steps& s : kSteps) {
      for (const int kernel : {1, 2, 3}) {
        for (const std::int64_t extent : {7, 8}) {
          expect_gradients({fmt::format("conv1d(2, {}, strides = {}, padding = \"{}\", dilation_rate = {})", kernel,
                                        s.stride, padding, s.dilation),
                            {extent, next_channels()}});
        }
      }
    }
  }
}

TEST(ConvolutionGradients, AlongTwoAxes) {
  for (const char* padding : {"valid", "same"}) {
    for (const Steps& s : kSteps) {
      for (const char* layer : {"conv2d(2, [2, 3]", "conv2d(4, 3", "depthwise_conv2d([3, 2]",
                                "depthwise_conv2d(2, depth_multiplier = 2", "separable_conv2d(3, 2"}) {
        // The layers are five, the numbers of channels four: each meets all of them.
        const std::int64_t channels = next_channels();
        expect_gradients({fmt::format("{}, strides = {}, padding = \"{}\", dilation_rate = {})", layer, s.stride,
                                      padding, s.dilation),
                          {channels % 2 == 0 ? 8 : 7, channels < 4 ? 7 : 8, channels}});
      }
    }
  }
}

TEST(ConvolutionGradients, OfGroups) {
  for (const char* padding : {"valid", "same"}) {
    for (const int groups : {2, 4, 8}) {
      for (const Steps& s : kSteps) {
        expect_gradients(
            {fmt::format("conv2d(8, [3, 2], strides = {}, padding = \"{}\", dilation_rate = {}, groups = {})", s.stride,
                         padding, s.dilation, groups),
             {7, 6, 8}});
      }
    }
  }
  expect_gradients({"conv1d(4, 3, groups = 2)", {6, 8}});
  expect_gradients({"conv3d(4, 2, groups = 2)", {3, 3, 2, 8}});
  expect_gradients({"conv2d(17, 3, groups = 17)", {5, 4, 17}});
}

TEST(ConvolutionGradients, Transposed) {
  for (const char* padding : {"valid", "same"}) {
    for (const Steps& s : kSteps) {
      for (const char* more : {"none", "0", "1"}) {
        if (*more == '1' && s.stride == 1) continue;
        for (const int kernel : {1, 2, 3, 4}) {
          expect_gradients({fmt::format("conv1d_transpose(2, {}, strides = {}, padding = \"{}\", output_padding = {}, "
                                        "dilation_rate = {})",
                                        kernel, s.stride, padding, more, s.dilation),
                            {4, next_channels()}});
        }
        expect_gradients(
            {fmt::format("conv2d_transpose(2, [3, 2], strides = {}, padding = \"{}\", output_padding = {}, "
                         "dilation_rate = {})",
                         s.stride, padding, more, s.dilation),
             {3, 4, next_channels()}});
      }
    }
  }
}

TEST(ConvolutionGradients, AlongThreeAxes) {
  for (const char* padding : {"valid", "same"}) {
    expect_gradients({fmt::format("conv3d(2, [2, 1, 3], padding = \"{}\")", padding), {3, 2, 4, 3}});
    expect_gradients({fmt::format("conv3d(2, 2, strides = [1, 2, 2], padding = \"{}\")", padding), {3, 4, 3, 1}});
    expect_gradients(
        {fmt::format("conv3d_transpose(2, 2, strides = [1, 2, 1], padding = \"{}\")", padding), {2, 3, 2, 3}});
  }
}

// A kernel may be larger than what it goes over.
TEST(ConvolutionGradients, OfKernelsLargerThanTheInput) {
  for (const int stride : {1, 2}) {
    expect_gradients({fmt::format("conv2d(2, 5, strides = {}, padding = \"same\")", stride), {2, 3, 3}});
    expect_gradients({fmt::format("conv2d(2, [7, 2], strides = {}, padding = \"same\")", stride), {1, 1, 8}});
    expect_gradients({fmt::format("conv1d(2, 6, strides = {}, padding = \"causal\")", stride), {3, 3}});
    expect_gradients({fmt::format("depthwise_conv2d(5, strides = {}, padding = \"same\")", stride), {2, 2, 3}});
    expect_gradients({fmt::format("max_pooling2d(5, strides = {}, padding = \"same\")", stride), {2, 3, 3}});
    expect_gradients({fmt::format("average_pooling2d(5, strides = {}, padding = \"same\")", stride), {2, 3, 3}});
  }
}

TEST(ConvolutionGradients, Pooling) {
  for (const char* layer : {"max", "average"}) {
    for (const char* padding : {"valid", "same"}) {
      for (const int size : {1, 2, 3}) {
        for (const char* strides : {"none", "1", "2", "4"}) {
          for (const Shape& places : {Shape{7, 8}, Shape{6, 5}}) {
            expect_gradients(
                {fmt::format("{}_pooling2d([{}, 2], strides = {}, padding = \"{}\")", layer, size, strides, padding),
                 {places[0], places[1], next_channels()}});
          }
        }
      }
      expect_gradients({fmt::format("{}_pooling1d(3, strides = 2, padding = \"{}\")", layer, padding), {8, 3}});
      expect_gradients(
          {fmt::format("{}_pooling3d(2, strides = [2, 1, 2], padding = \"{}\")", layer, padding), {3, 3, 4, 2}});
    }
  }
}

}  // namespace
}  // namespace tarn
