// The derived gradient of every activation, loss, merge and layer of the prelude against differences in double
// precision, at kinks and beside them. The definitions are found by themselves: one that takes more than these tests
// give it by default needs a row in a table here, and fails until it has one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "passes/pipeline.h"
#include "runtime/training/gradient_check.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

std::vector<PreludeName> definitions(const std::string& kind, const std::string& file_prefix) {
  std::vector<PreludeName> found;
  for (PreludeName& name : prelude_names()) {
    if (name.kind == kind && name.file.starts_with(file_prefix)) found.push_back(std::move(name));
  }
  return found;
}

// ---------------------------------------------------------------- values of one tensor p

// A model whose training graph is sum(expression of the parameter p, times weights), and its gradient by p.
class Function {
 public:
  Function(const std::string& expression, const Shape& shape, const std::string& import) : shape_(shape) {
    const std::string extents = fmt::format("[{}]", fmt::join(shape, ", "));
    compiled_ =
        compile(fmt::format("{}model m {{ input u\n param p{} = zeros\n output y = sum(p) * u }}\n"
                            "train {{ v = {}\n"
                            "loss sum(v * (1 + 0.1 * reshape(iota(prod(shape(v))), shape(v))))\noptimizer sgd }}",
                            import, extents, expression),
                double_precision());
    if (!compiled_.result.program) return;
    Graph graph = compiled_.program().graphs.at("train");
    NodeId objective = kNoNode, gradient = kNoNode;
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (graph[id].op == Op::grad) objective = graph[id].inputs[0], gradient = id;
    }
    if (gradient == kNoNode) return;
    graph.results().clear();
    graph.add_result(ResultKind::value, "value", objective);
    value_ = lowered(graph);
    graph.results().clear();
    graph.add_result(ResultKind::value, "gradient", gradient);
    gradient_ = lowered(graph);
    context_.tensors = initial_tensors(compiled_.program());
    context_.inputs["u"] = {{1}, {1.0}};
    context_.batch = 1;
  }

  bool good() const { return value_.has_value(); }
  std::string messages() const { return compiled_.messages(); }
  double value(const std::vector<double>& p) { return run(*value_, p).at(0); }
  std::vector<double> gradient(const std::vector<double>& p) { return run(*gradient_, p); }

 private:
  static Graph lowered(const Graph& graph) {
    PassContext passes;
    return lower_meaning(graph, passes).value();
  }
  std::vector<double> run(const Graph& graph, const std::vector<double>& p) {
    context_.tensors["p"] = {shape_, p};
    return evaluate(graph, context_).value().front().data;
  }

  Shape shape_;
  Compiled compiled_;
  std::optional<Graph> value_, gradient_;
  EvaluationContext context_;
};

// At every element of p: where the slopes to both sides agree, the gradient is the central difference; at a kink or
// jump it lies between the slopes beside it (the choices at kinks stand in docs/language.md). Slopes are taken from
// points on one side, so that a jump is none.
void expect_gradient(Function& function, std::vector<double> p) {
  constexpr double kStep = 1e-5, kSlopesDiffer = 1e-3;
  const std::vector<double> gradient = function.gradient(p);
  ASSERT_EQ(gradient.size(), p.size());
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double at = p[i];
    const auto value = [&](double steps) {
      p[i] = at + steps * kStep;
      const double result = function.value(p);
      p[i] = at;
      return result;
    };
    const double right = (value(2) - value(1)) / kStep;
    double left = (value(-1) - value(-2)) / kStep, central = (value(1) - value(-1)) / (2 * kStep);
    if (std::isnan(left)) left = central = right;  // the end of where it is defined
    const double scale = std::max({1.0, std::fabs(left), std::fabs(right)});
    if (std::fabs(left - right) > kSlopesDiffer * scale || std::fabs(central) > 10 * scale) {
      // Slopes are off by 1.5 steps times the curvature.
      EXPECT_GE(gradient[i], std::min(left, right) - 1e-3 * scale) << "at " << at;
      EXPECT_LE(gradient[i], std::max(left, right) + 1e-3 * scale) << "at " << at;
    } else {
      // Truncation h^2 f''' / 6, rounding 1e-16 |f| / h. Where the curvature jumps, the central difference is off by
      // half a step times the jump, which is less than it differs from the slopes beside it.
      const double curvature = std::max(std::fabs(left - central), std::fabs(right - central));
      const double rounding = 1e-15 * std::fabs(function.value(p)) / kStep;
      EXPECT_NEAR(gradient[i], central, std::max(1e-7 * scale, curvature) + rounding) << "at " << at;
    }
  }
}

// What activations take beside x, and what their x is.
struct Sample {
  std::string arguments;
  std::string x = "p";
};
const std::map<std::string, std::vector<Sample>> kActivationSamples = {
    {"relu", {{""}, {"max_value = 2"}, {"0.1, 2, 0.5"}, {"threshold = 1"}}},
    {"threshold", {{"0.5, 2"}}},
    {"gelu", {{""}, {"approximate = true"}}},
    {"softmax", {{""}, {"axis = 0"}, {"axis = [0, 1]"}, {"mask = p > -1"}}},
};

// Kinks of activations lie at 0, +-0.5, +-1, 2, 3, 6; these points are on them, beside them, and far away.
const std::vector<double> kPoints = {-7,  -3.2, -3,  -1.5, -1,  -0.9, -0.5, -0.3, 0, 0.1, 0.4, 0.5,
                                     0.6, 1,    1.1, 2,    2.2, 3,    3.1,  5.9,  6, 6.1, 8,   -0.01};

TEST(PreludeGradients, Activations) {
  std::size_t count = 0;
  for (const PreludeName& name : definitions("fn", "prelude/activations.tarn")) {
    const auto row = kActivationSamples.find(name.name);
    for (const Sample& sample : row == kActivationSamples.end() ? std::vector<Sample>{{""}} : row->second) {
      const std::string comma = sample.arguments.empty() ? "" : ", ";
      const std::string call = fmt::format("{}(p{}{})", name.name, comma, sample.arguments);
      SCOPED_TRACE(call);
      Function function(call, {4, 6}, "");
      ASSERT_TRUE(function.good()) << function.messages();
      expect_gradient(function, kPoints);
      ++count;
    }
  }
  EXPECT_GE(count, 35U);
}

// ---------------------------------------------------------------- losses

struct LossSample {
  std::string arguments;  // "t = argmax(q)": as the loss takes it behind y
  std::vector<double> y = {0.2, 0.5, 0.3, 0.6, 0.3, 0.1};
  std::vector<double> t = {0, 1, 0, 1, 0, 0};
};
const std::vector<LossSample> kByDefault = {
    {""},
    {"", {1, 0.5, 0, 0.3, 0, 0.7}, {1, 0, 0, 0, 0, 1}},  // some are what they should be: kinks of |y - t|
    {"", {0.4, 0.25, 0.35, 0.2, 0.1, 0.7}, {0.25, 0.5, 0.25, 0.3, 0.4, 0.3}},  // targets that are shares
};
const std::vector<LossSample> kOfClasses = {{"classes"}};
const std::map<std::string, std::vector<LossSample>> kLossSamples = {
    {"sparse_categorical_crossentropy", kOfClasses},
    {"categorical_generalized_cross_entropy", kOfClasses},
};
// Checks of their arguments, and what makes targets of targets.
const std::set<std::string> kNoLosses = {"same_shape", "signs"};

void check_losses(const std::string& file, const std::string& import, std::size_t& count) {
  for (const PreludeName& name : definitions("fn", file)) {
    if (kNoLosses.contains(name.name) || name.signature.find("(y, t") == std::string::npos) continue;
    const auto row = kLossSamples.find(name.name);
    for (const LossSample& sample : row == kLossSamples.end() ? kByDefault : row->second) {
      SCOPED_TRACE(fmt::format("{}{}, y = [{}]", import, name.signature, fmt::join(sample.y, ", ")));
      const std::string t = fmt::format("reshape([{}], [2, 3])", fmt::join(sample.t, ", "));
      const std::string classes = sample.arguments == "classes" ? fmt::format("argmax({}, axis = -1)", t) : t;
      Function function(fmt::format("{}(p, {})", name.name, classes), {2, 3}, import);
      ASSERT_TRUE(function.good()) << function.messages();
      expect_gradient(function, sample.y);
      ++count;
    }
  }
}

TEST(PreludeGradients, Losses) {
  std::size_t count = 0;
  check_losses("prelude/losses.tarn", "", count);
  EXPECT_GE(count, 60U);
  check_losses("prelude/modules/keras1.tarn", "import keras1\n", count);
  check_losses("prelude/modules/keras2.tarn", "import keras2\n", count);
}

// Rows that are certain: right, wrong, and of zeros where the loss does not divide by their sum; for scores as large as
// they come.
struct CertainSample {
  const char* arguments;  // behind y and t
  std::vector<double> y;
};
const std::vector<CertainSample> kCertain = {{"", {0, 1, 0, 0, 0, 1}},
                                             {"", {1, 0, 0, 0, 1, 0}},
                                             {", from_logits = true", {40, -40, 0, 1e4, -1e4, 3}},
                                             {", from_logits = true", {-1e4, 1e4, 1e4, -40, 0, 40}}};

// A gradient that is not finite ends training, so none may be so for what a model can well give. (As in Keras, focusing
// with gamma below 1 has an infinite one where the prediction is right; by default gamma is 2.)
TEST(PreludeGradients, AreFiniteWhereALossIsCertain) {
  std::size_t count = 0;
  for (const PreludeName& name : definitions("fn", "prelude/losses.tarn")) {
    if (kNoLosses.contains(name.name) || name.signature.find("(y, t") == std::string::npos) continue;
    for (const CertainSample& sample : kCertain) {
      const bool takes_scores = name.signature.find("from_logits") != std::string::npos;
      if (*sample.arguments != '\0' && !takes_scores) continue;
      SCOPED_TRACE(fmt::format("{}, y = [{}]", name.signature, fmt::join(sample.y, ", ")));
      const std::string t = "reshape([0, 1, 0, 0, 0, 1], [2, 3])";
      const bool of_classes = kLossSamples.contains(name.name);
      Function function(fmt::format("{}(p, {}{})", name.name, of_classes ? fmt::format("argmax({}, axis = -1)", t) : t,
                                    sample.arguments),
                        {2, 3}, "");
      ASSERT_TRUE(function.good()) << function.messages();
      EXPECT_TRUE(std::isfinite(function.value(sample.y)));
      for (const double slope : function.gradient(sample.y)) EXPECT_TRUE(std::isfinite(slope)) << slope;
      ++count;
    }
  }
  EXPECT_GE(count, 50U);
}

TEST(PreludeGradients, ContrastiveLoss) {
  for (const char* same : {"[0, 1, 0, 1, 0, 1]", "[1, 1, 1, 0, 0, 0]"}) {
    Function function(fmt::format("contrastive(p, {})", same), {6}, "");
    ASSERT_TRUE(function.good()) << function.messages();
    expect_gradient(function, {0, 0, 0.3, 0.4, 1, 1.5});
  }
}

// ---------------------------------------------------------------- merges and layers

const std::map<std::string, std::string> kMerges = {{"concatenate", "concatenate(p, 2 * p, p)"},
                                                    {"dot", "dot(p, p * p, axes = 0)"},
                                                    {"subtract", "subtract(p, p * p)"}};

TEST(PreludeGradients, Merges) {
  for (const PreludeName& name : definitions("fn", "prelude/layers_merging.tarn")) {
    if (name.name == "merged") continue;
    const auto row = kMerges.find(name.name);
    const std::string call = row == kMerges.end() ? fmt::format("{}(p, -p, p * p)", name.name) : row->second;
    SCOPED_TRACE(call);
    Function function(call, {2, 3}, "");
    ASSERT_TRUE(function.good()) << function.messages();
    // At 0 and 1 some of the three are equal.
    expect_gradient(function, {-1.5, -0.4, 0, 0.3, 1, 2});
  }
  Function cosines("dot(p, reverse, axes = -1, normalize = true)", {2, 3}, "const reverse = [[3, 2, 1], [1, 0, 2]]\n");
  ASSERT_TRUE(cosines.good()) << cosines.messages();
  expect_gradient(cosines, {-1.5, -0.4, 0.2, 0.3, 1, 2});
}

struct LayerSample {
  std::string layer;  // as it is applied to x[4, 6]
  std::string input = "x";
};
// Those that are otherwise in an older Keras, by module and name.
const std::map<std::string, LayerSample> kOlderLayerSamples = {
    {"keras1.batch_norm", {"batch_norm"}},
    {"keras2.batch_norm", {"batch_norm"}},
    {"keras1.locally_connected2d", {"locally_connected2d(3, 2, 2)", "reshape(x, [4, 3, 2])"}},
    {"keras2.locally_connected1d", {"locally_connected1d(3, 2)"}},
    {"keras2.locally_connected2d", {"locally_connected2d(3, 2)", "reshape(x, [4, 3, 2])"}},
    {"keras2.up_sampling2d", {"up_sampling2d(2, \"bilinear\")", "reshape(x, [4, 3, 2])"}},
};
const std::map<std::string, std::vector<LayerSample>> kLayerSamples = {
    {"dense", {{"dense(3, tanh, activity_regularizer = l2)"}}},
    {"einsum_dense", {{"einsum_dense(\"ab,bcd->adc\", [6, 2, 3], tanh, [1, 3, 1])"}}},
    {"embedding", {{"embedding(5, 3, constant(0.3))", "i"}}},
    {"maxout", {{"maxout(3)"}}},
    {"highway", {{"highway(tanh)"}}},
    {"activation", {{"activation(tanh)"}}},
    {"prelu", {{"prelu(constant(0.2))"}, {"prelu(constant(0.2), shared_axes = [0])"}}},
    {"activity_regularization", {{"activity_regularization(0.1, 0.2)"}}},
    {"rescaling", {{"rescaling(2, 1)"}}},
    {"permute", {{"permute([1, 0])"}}},
    {"repeat_vector", {{"repeat_vector(2)"}}},
    {"time_distributed", {{"time_distributed(dense(2, tanh))"}}},
    {"multi_head_attention", {{"multi_head_attention(2, 3, causal = true)", "x, 2 * x, x * x"}}},
    {"batch_norm", {{"batch_norm"}, {"batch_norm(axis = 0)"}, {"batch_norm()", "x, mask = w[:, 0] > 0"}}},
    {"layer_norm", {{"layer_norm"}, {"layer_norm(axis = [0, 1])"}, {"layer_norm(rms_scaling = true)"}}},
    {"group_norm", {{"group_norm(2)"}, {"group_norm(-1, axis = 0)"}}},
    {"rms_norm", {{"rms_norm"}, {"rms_norm(axis = 0)"}}},
    {"dropout", {{"dropout(0.3)"}, {"dropout(0.3, noise_shape = [none, 1])"}}},
    {"spatial_dropout", {{"spatial_dropout(0.3)"}}},
    {"gaussian_noise", {{"gaussian_noise(0.3)"}}},
    {"gaussian_dropout", {{"gaussian_dropout(0.3)"}}},
    {"alpha_dropout", {{"alpha_dropout(0.3)"}}},
    {"conv1d", {{"conv1d(3, 2, padding = \"causal\", activation = tanh)"}}},
    {"conv2d", {{"conv2d(4, 3, padding = \"same\", groups = 2, activity_regularizer = l2)", "reshape(x, [4, 3, 2])"}}},
    {"conv3d", {{"conv3d(3, 2)", "reshape(x, [2, 3, 2, 2])"}}},
    {"conv1d_transpose", {{"conv1d_transpose(3, 3, strides = 2)"}}},
    {"conv2d_transpose", {{"conv2d_transpose(1, 3, strides = [2, 1], padding = \"same\")", "reshape(x, [4, 3, 2])"}}},
    {"conv3d_transpose", {{"conv3d_transpose(2, 2)", "reshape(x, [2, 3, 2, 2])"}}},
    {"depthwise_conv1d", {{"depthwise_conv1d(2, depth_multiplier = 2)"}}},
    {"depthwise_conv2d", {{"depthwise_conv2d(2, padding = \"same\")", "reshape(x, [4, 3, 2])"}}},
    {"separable_conv1d", {{"separable_conv1d(3, 2)"}}},
    {"separable_conv2d", {{"separable_conv2d(3, 2, depth_multiplier = 2)", "reshape(x, [4, 3, 2])"}}},
    {"max_pooling1d", {{"max_pooling1d(2)"}}},
    {"max_pooling2d", {{"max_pooling2d(2)", "reshape(x, [4, 3, 2])"}}},
    {"max_pooling3d", {{"max_pooling3d(2)", "reshape(x, [2, 3, 2, 2])"}}},
    {"average_pooling1d", {{"average_pooling1d(2)"}}},
    {"average_pooling2d", {{"average_pooling2d(2)", "reshape(x, [4, 3, 2])"}}},
    {"average_pooling3d", {{"average_pooling3d(2)", "reshape(x, [2, 3, 2, 2])"}}},
    {"global_average_pooling1d",
     {{"global_average_pooling1d"}, {"global_average_pooling1d()", "x, mask = iota(4) > 1"}}},
    {"global_average_pooling2d", {{"global_average_pooling2d", "reshape(x, [4, 3, 2])"}}},
    {"global_average_pooling3d", {{"global_average_pooling3d", "reshape(x, [2, 3, 2, 2])"}}},
    {"global_max_pooling1d", {{"global_max_pooling1d"}}},
    {"global_max_pooling2d", {{"global_max_pooling2d", "reshape(x, [4, 3, 2])"}}},
    {"global_max_pooling3d", {{"global_max_pooling3d(keepdims = true)", "reshape(x, [2, 3, 2, 2])"}}},
    {"adaptive_average_pooling1d", {{"adaptive_average_pooling1d(3)"}}},
    {"adaptive_average_pooling2d", {{"adaptive_average_pooling2d([2, 2])", "reshape(x, [4, 3, 2])"}}},
    {"adaptive_average_pooling3d", {{"adaptive_average_pooling3d([1, 2, 2])", "reshape(x, [2, 3, 2, 2])"}}},
    {"adaptive_max_pooling1d", {{"adaptive_max_pooling1d(3)"}}},
    {"adaptive_max_pooling2d", {{"adaptive_max_pooling2d(2)", "reshape(x, [4, 3, 2])"}}},
    {"adaptive_max_pooling3d", {{"adaptive_max_pooling3d([1, 2, 2])", "reshape(x, [2, 3, 2, 2])"}}},
    {"zero_padding1d", {{"zero_padding1d([0, 2])"}}},
    {"zero_padding2d", {{"zero_padding2d([[1, 0], [2, 1]])", "reshape(x, [4, 3, 2])"}}},
    {"zero_padding3d", {{"zero_padding3d", "reshape(x, [2, 3, 2, 2])"}}},
    {"cropping1d", {{"cropping1d"}}},
    {"cropping2d", {{"cropping2d([[1, 0], [0, 2]])", "reshape(x, [4, 3, 2])"}}},
    {"cropping3d", {{"cropping3d([0, 1, 0])", "reshape(x, [2, 3, 2, 2])"}}},
    {"up_sampling1d", {{"up_sampling1d"}}},
    {"up_sampling2d",
     {{"up_sampling2d", "reshape(x, [4, 3, 2])"}, {"up_sampling2d([2, 3], \"bilinear\")", "reshape(x, [4, 3, 2])"}}},
    {"up_sampling3d", {{"up_sampling3d", "reshape(x, [2, 3, 2, 2])"}}},
    {"resizing", {{"resizing(3, 5, \"bicubic\", antialias = true)", "reshape(x, [4, 3, 2])"}}},
    {"spatial_dropout1d", {{"spatial_dropout1d(0.3)"}}},
    {"spatial_dropout2d", {{"spatial_dropout2d(0.3)", "reshape(x, [4, 3, 2])"}}},
    {"spatial_dropout3d", {{"spatial_dropout3d(0.3)", "reshape(x, [2, 3, 2, 2])"}}},
    {"random_flip", {{"random_flip", "reshape(x, [4, 3, 2])"}}},
    {"random_crop", {{"random_crop(2, 2)", "reshape(x, [4, 3, 2])"}}},
    {"random_translation", {{"random_translation(0.3, 0.4)", "reshape(x, [4, 3, 2])"}}},
    {"random_zoom", {{"random_zoom(0.3, fill_mode = \"constant\")", "reshape(x, [4, 3, 2])"}}},
    {"random_brightness", {{"random_brightness(0.3, [-2, 2])", "reshape(x, [4, 3, 2])"}}},
    {"random_contrast", {{"random_contrast(0.3, [-2, 2])", "reshape(x, [4, 3, 2])"}}},
    {"convolution1d", {{"convolution1d(3, 2)"}}},
    {"convolution2d", {{"convolution2d(3, 2, 3, border_mode = \"same\")", "reshape(x, [4, 3, 2])"}}},
    {"convolution3d", {{"convolution3d(3, 1, 2, 2)", "reshape(x, [2, 3, 2, 2])"}}},
    {"atrous_convolution1d", {{"atrous_convolution1d(3, 2, atrous_rate = 2)"}}},
    {"atrous_convolution2d", {{"atrous_convolution2d(3, 2, 2, atrous_rate = 2)", "reshape(x, [4, 3, 2])"}}},
    {"deconvolution2d",
     {{"deconvolution2d(3, 3, 3, [8, 5, 3], subsample = 2, border_mode = \"same\")", "reshape(x, [4, 3, 2])"}}},
    {"separable_convolution2d", {{"separable_convolution2d(3, 2, 2)", "reshape(x, [4, 3, 2])"}}},
    {"parametric_softplus", {{"parametric_softplus"}}},
    {"srelu", {{"srelu"}}},
    {"maxout_dense", {{"maxout_dense(3, 2)", "x[0]"}}},
};

// The gradient by every parameter of the layer and by its input, x = u + p, of three samples, in training: draws are
// the same on both sides.
void check_layer(const LayerSample& sample, const std::string& import) {
  SCOPED_TRACE(import + sample.layer);
  const std::string layer = sample.layer.find('(') == std::string::npos ? sample.layer + "()" : sample.layer;
  const Compiled compiled =
      compile(fmt::format("{}model m {{\n input u[4, 6]\n input w[4, 6]\n input i[3]: i32\n param p[4, 6] = "
                          "glorot_uniform\n x = u + p\n l = {}\n y = l({})\n output z = y\n}}\n"
                          "train {{\n loss sum(tanh(y) * (1 + sum(w) * reshape(iota(prod(shape(y))), shape(y)))) + "
                          "0.1 * sum(p^2)\n optimizer sgd\n}}",
                          import, layer, sample.input),
              double_precision());
  ASSERT_TRUE(compiled.result.program) << compiled.messages();
  constexpr unsigned kSeed = 5;
  std::mt19937 random(kSeed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  EvaluationContext context;
  context.batch = 3;
  for (const char* name : {"u", "w"}) {
    HostTensor& tensor = context.inputs[name] = {{3, 4, 6}, std::vector<double>(72)};
    for (double& v : tensor.data) v = uniform(random);
  }
  context.inputs["i"] = {{3, 3}, {0, 1, 2, 2, 4, 1, 1, 1, 0}};
  context.tensors = initial_tensors(compiled.program());
  const auto checks = check_gradients(compiled.program(), context, compiled.sources);
  ASSERT_TRUE(checks.has_value()) << format(checks.error(), compiled.sources);
  for (const GradientCheck& check : *checks)
    EXPECT_LE(check.largest_error, 1e-6) << check.tensor << "[" << check.at << "]: " << check.derivative << " and "
                                         << check.difference << ", seed " << kSeed;
  EXPECT_FALSE(checks->empty());
}

TEST(PreludeGradients, Layers) {
  std::size_t count = 0;
  for (const PreludeName& name : definitions("layer", "prelude/")) {
    const bool is_older = name.file.find("modules/") != std::string::npos;
    const std::string module = is_older ? name.file.substr(name.file.rfind('/') + 1) : "";
    const std::string import = is_older ? fmt::format("import {}\n", module.substr(0, module.find('.'))) : "";
    const auto row = kLayerSamples.find(name.name);
    const auto older = kOlderLayerSamples.find(module.substr(0, module.find('.')) + "." + name.name);
    if (older != kOlderLayerSamples.end()) {
      check_layer(older->second, import);
    } else if (row == kLayerSamples.end()) {
      check_layer({name.name}, import);
    } else {
      for (const LayerSample& sample : row->second) check_layer(sample, import);
    }
    ++count;
  }
  EXPECT_GE(count, 100U);
  check_layer({"batch_norm(mode = 1)"}, "import keras1\n");
}

}  // namespace
}  // namespace tarn
