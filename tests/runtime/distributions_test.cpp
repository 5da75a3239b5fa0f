// Random initializers and layers that draw: moments and distribution over 10^6 draws of native code, and streams that
// do not depend on what else a model has.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "frontend/frontend.h"
#include "tests/conformance/small_model.h"

namespace tarn::conformance {
namespace {

constexpr double kDraws = 1e6;

std::unique_ptr<SmallModel> model_of(const std::string& text, Engine engine = Engine::native_f32) {
  auto model = compile_model(text, engine);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().front().message);
  return model ? std::move(*model) : nullptr;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// A distribution with mean 0 and its scale: U(-a, a), N(0, s^2), or N(0, s^2) within two s.
struct Distribution {
  enum class Kind { uniform, normal, truncated } kind;
  double scale;

  double cdf(double x) const {
    const double z = x / scale;
    if (kind == Kind::uniform) return std::clamp((z + 1) / 2, 0.0, 1.0);
    if (kind == Kind::normal) return normal_cdf(z);
    return (normal_cdf(std::clamp(z, -2.0, 2.0)) - normal_cdf(-2)) / (normal_cdf(2) - normal_cdf(-2));
  }
  // Second and fourth moments, in units of the scale; of the truncated normal by parts: with
  // r = 2 phi(2) / (Phi(2) - Phi(-2)), m2 = 1 - 2 r and m4 = 3 m2 - 8 r.
  double moment(int order) const {
    const double r = 2 * std::exp(-2.0) / std::sqrt(2 * std::acos(-1.0)) / (normal_cdf(2) - normal_cdf(-2));
    if (kind == Kind::uniform) return order == 2 ? 1.0 / 3 : 1.0 / 5;
    if (kind == Kind::normal) return order == 2 ? 1 : 3;
    return order == 2 ? 1 - 2 * r : 3 * (1 - 2 * r) - 8 * r;
  }
};

// Five standard errors of mean, second and fourth moment (the eighth is at most 105 scale^8), and Kolmogorov's
// statistic: sqrt(n) D is above 2.2 with probability 2 exp(-2 2.2^2) = 1.3e-4.
void expect_distribution(std::vector<double> draws, const Distribution& expected) {
  ASSERT_EQ(static_cast<double>(draws.size()), kDraws);
  double mean = 0, second = 0, fourth = 0;
  for (const double draw : draws) {
    const double z = draw / expected.scale;
    mean += z / kDraws;
    second += z * z / kDraws;
    fourth += z * z * z * z / kDraws;
  }
  const double m2 = expected.moment(2), m4 = expected.moment(4), five = 5 / std::sqrt(kDraws);
  EXPECT_NEAR(mean, 0, five * std::sqrt(m2));
  EXPECT_NEAR(second, m2, five * std::sqrt(m4 - m2 * m2));
  EXPECT_NEAR(fourth, m4, five * std::sqrt(105));
  std::sort(draws.begin(), draws.end());
  double distance = 0;
  for (std::size_t i = 0; i < draws.size(); ++i) {
    const double share = expected.cdf(draws[i]);
    distance =
        std::max({distance, share - static_cast<double>(i) / kDraws, static_cast<double>(i + 1) / kDraws - share});
  }
  EXPECT_LE(distance * std::sqrt(kDraws), 2.2);
}

using DistributionKind = Distribution::Kind;
// Corrected for the variance that truncation takes: Keras divides by this.
constexpr double kTruncated = 0.87962566103423978;

// Of a kernel [2000, 500].
const struct {
  const char* initializer;
  Distribution distribution;
} kInitializers[] = {
    {"uniform(-0.3, 0.3)", {DistributionKind::uniform, 0.3}},
    {"normal(0, 0.2)", {DistributionKind::normal, 0.2}},
    {"truncated_normal(0, 0.2)", {DistributionKind::truncated, 0.2}},
    {"glorot_uniform", {DistributionKind::uniform, std::sqrt(6.0 / 2500)}},
    {"glorot_normal", {DistributionKind::truncated, std::sqrt(2.0 / 2500) / kTruncated}},
    {"he_uniform", {DistributionKind::uniform, std::sqrt(6.0 / 2000)}},
    {"he_normal", {DistributionKind::truncated, std::sqrt(2.0 / 2000) / kTruncated}},
    {"lecun_uniform", {DistributionKind::uniform, std::sqrt(3.0 / 2000)}},
    {"lecun_normal", {DistributionKind::truncated, std::sqrt(1.0 / 2000) / kTruncated}},
    {"variance_scaling(3, \"fan_out\", \"normal\")", {DistributionKind::normal, std::sqrt(3.0 / 500)}},
    {"variance_scaling(3, \"fan_avg\")", {DistributionKind::truncated, std::sqrt(3.0 / 1250) / kTruncated}},
    {"variance_scaling(3, \"fan_in\", \"uniform\", seed = 3)", {DistributionKind::uniform, std::sqrt(9.0 / 2000)}},
};

TEST(Distributions, Initializers) {
  for (const auto& row : kInitializers) {
    SCOPED_TRACE(row.initializer);
    const auto model = model_of(fmt::format(
        "model m {{\n  input x\n  param w[2000, 500] = {}\n  output y = x + w[0, 0]\n}}\n", row.initializer));
    ASSERT_NE(model, nullptr);
    expect_distribution(model->tensor("w"), row.distribution);
  }
}

// Every initializer that draws is in the table above, or is tested by itself.
TEST(Distributions, AllInitializersAreTested) {
  std::string tested = "orthogonal";
  for (const auto& row : kInitializers) tested += std::string(" ") + row.initializer;
  for (const PreludeName& name : prelude_names()) {
    const bool draws = name.file == "prelude/initializers.tarn" && name.signature.find("seed") != std::string::npos;
    EXPECT_TRUE(!draws || tested.find(name.name) != std::string::npos) << name.name;
  }
}

// Rows are orthonormal, and the first element of a random rotation of 3 axes is uniform on [-1, 1] (Archimedes).
TEST(Distributions, OrthogonalMatricesAreUniform) {
  std::string text = "model m {\n  input x\n  y = x\n";
  constexpr int kMatrices = 400;
  text += fmt::format(
      "  for i in 0..{} {{\n    param w[3, 3] = orthogonal\n    y = y + w[0, 0]\n  }}\n  output y\n}}\n", kMatrices);
  const auto model = model_of(text, Engine::evaluator);
  ASSERT_NE(model, nullptr);
  std::vector<double> firsts;
  for (int i = 0; i < kMatrices; ++i) {
    const std::vector<double> w = model->tensor(i == 0 ? "w" : fmt::format("w_{}", i));
    firsts.push_back(w[0]);
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        double product = 0;
        for (int k = 0; k < 3; ++k)
          product += w[static_cast<std::size_t>(3 * a + k)] * w[static_cast<std::size_t>(3 * b + k)];
        EXPECT_NEAR(product, a == b ? 1 : 0, 1e-9);
      }
    }
  }
  std::sort(firsts.begin(), firsts.end());
  double distance = 0;
  for (std::size_t i = 0; i < firsts.size(); ++i)
    distance = std::max(distance, std::fabs((firsts[i] + 1) / 2 - (static_cast<double>(i) + 0.5) / kMatrices));
  EXPECT_LE(distance * std::sqrt(kMatrices), 2.2);
}

// ---------------------------------------------------------------- layers that draw

// Means over 10^6 places (1000 samples of 1000) of the functions of y = layer(x), x = 2 everywhere, while training.
// Each is a model of its own, which draws the same.
std::vector<double> means_in_training(const std::string& layer, const std::vector<std::string>& functions) {
  const Data data{{{"x", std::vector<double>(1'000'000, 2.0)}}, 1000};
  std::vector<double> means;
  for (const std::string& function : functions) {
    const auto model =
        model_of(fmt::format("model m {{\n  input x[1000]\n  param w = 0\n  y = x |> {}\n  output z = y + w\n}}\n"
                             "train {{\n  loss {} + 0 * w\n  optimizer sgd\n  batch 1000\n}}\n",
                             layer, function));
    const Result<double> mean = model == nullptr ? Result<double>(error("no model")) : model->train(data);
    EXPECT_TRUE(mean.has_value());
    means.push_back(mean ? *mean : 0);
  }
  return means;
}

// A share of 10^6, or a mean of values with this standard deviation, within five standard errors.
double five_errors(double deviation) { return 5 * deviation / std::sqrt(kDraws); }
double of_share(double share) { return std::sqrt(share * (1 - share)); }

TEST(Distributions, Dropout) {
  for (const double rate : {0.1, 0.5, 0.75}) {
    const std::vector<double> means = means_in_training(
        fmt::format("dropout({})", rate),
        {"mean(y)", "mean(where(y == 0, 1, 0))", "mean(where(y[1:1000] == 0 and y[0:999] == 0, 1, 0))",
         fmt::format("mean(where(y == 0 or abs(y - {}) < 1e-5, 0, 1))", 2 / (1 - rate))});
    EXPECT_NEAR(means[0], 2, five_errors(2 / (1 - rate) * of_share(rate)));
    EXPECT_NEAR(means[1], rate, five_errors(of_share(rate)));
    // Neighbours are independent; pairs overlap, so that the variance is up to three times that of pairs apart.
    EXPECT_NEAR(means[2], rate * rate, std::sqrt(3) * five_errors(of_share(rate * rate)));
    EXPECT_EQ(means[3], 0) << "what is kept grows by 1 / (1 - rate)";
  }
}

TEST(Distributions, SpatialDropoutTakesWholeChannels) {
  const std::vector<double> means = means_in_training("(x => reshape(x, [20, 50]) |> spatial_dropout(0.3))",
                                                      {"mean(where(y == 0, 1, 0))", "mean(where(y == y[0:1], 0, 1))"});
  // 50 channels of 1000 samples are drawn.
  EXPECT_NEAR(means[0], 0.3, 5 * of_share(0.3) / std::sqrt(50'000));
  EXPECT_EQ(means[1], 0);
}

// Mean, second and fourth central moments and the distribution function at -1 and 1 of the noise y - 2 = s z.
void expect_normal_noise(const std::string& layer, double s) {
  SCOPED_TRACE(layer);
  const std::string z = fmt::format("((y - 2) / {})", s);
  const std::vector<double> means =
      means_in_training(layer, {"mean" + z, "mean(" + z + "^2)", "mean(" + z + "^4)",
                                "mean(where(" + z + " < -1, 1, 0))", "mean(where(" + z + " < 1.5, 1, 0))"});
  EXPECT_NEAR(means[0], 0, five_errors(1));
  EXPECT_NEAR(means[1], 1, five_errors(std::sqrt(2.0)));
  EXPECT_NEAR(means[2], 3, five_errors(std::sqrt(96.0)));
  EXPECT_NEAR(means[3], normal_cdf(-1), five_errors(of_share(normal_cdf(-1))));
  EXPECT_NEAR(means[4], normal_cdf(1.5), five_errors(of_share(normal_cdf(1.5))));
}

TEST(Distributions, GaussianLayers) {
  expect_normal_noise("gaussian_noise(0.5)", 0.5);
  // x (1 + sqrt(rate / (1 - rate)) z), x = 2
  expect_normal_noise("gaussian_dropout(0.2)", 2 * std::sqrt(0.2 / 0.8));
}

// Of standard normal numbers alpha_dropout keeps mean 0 and variance 1.
TEST(Distributions, AlphaDropoutKeepsMeanAndVariance) {
  const std::vector<double> means =
      means_in_training("(x => random_normal(shape(x)) + 0 * x |> alpha_dropout(0.2))", {"mean(y)", "mean(y^2)"});
  EXPECT_NEAR(means[0], 0, five_errors(1));
  EXPECT_NEAR(means[1], 1, five_errors(std::sqrt(3.0)));
}

// ---------------------------------------------------------------- streams

TEST(Streams, AnotherParameterChangesNoNumbers) {
  const char* const kFew = "model m {\n  input x[4]\n  b = dense(5)\n  output y = x |> b\n}\n";
  const char* const kMore =
      "model m {\n  input x[4]\n  param first[3] = normal\n  a = dense(4, kernel_init = he_normal)\n  b = dense(5)\n"
      "  output y = x |> a |> dropout(0.5) |> b |> dense(2)\n  output z = first + x[0]\n}\n";
  for (const Engine engine : kEngines) {
    const auto few = model_of(kFew, engine), more = model_of(kMore, engine);
    ASSERT_TRUE(few != nullptr && more != nullptr);
    EXPECT_EQ(few->tensor("b.kernel"), more->tensor("b.kernel"));
  }
}

TEST(Streams, AnotherLayerChangesNoMasks) {
  const char* const kTrain = "train {\n  loss sum(y * iota(50))\n  optimizer sgd(lr = 0)\n  batch 1\n}\n";
  const std::string few =
      "model m {\n  input x[50]\n  param w = 1\n  d = dropout(0.5)\n  y = w * x |> d\n  output z = y\n}\n";
  const std::string more =
      "model m {\n  input x[50]\n  param w = 1\n  e = dropout(0.3)\n  d = dropout(0.5)\n  other = x |> e |> "
      "gaussian_noise(1)\n"
      "  y = w * x |> d\n  output z = y + 0 * other\n}\n";
  const Data data{{{"x", std::vector<double>(50, 1.0)}}, 1};
  const auto a = model_of(few + kTrain), b = model_of(more + kTrain);
  ASSERT_TRUE(a != nullptr && b != nullptr);
  // 2^50 masks give as many sums: equal ones are not equal by chance.
  EXPECT_EQ(*a->train(data), *b->train(data));
}

TEST(Streams, SeedsStandForThemselves) {
  const auto model = model_of(
      "model m {\n  input x[4]\n  param a[6] = normal(seed = 1)\n  param b[6] = normal(seed = 1)\n  param c[6] = "
      "normal(seed "
      "= 2)\n  param d[6] = normal\n  param e[3, 2] = truncated_normal(seed = 1)\n  output y = x[0] + a + b + c + "
      "d\n}\n");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->tensor("a"), model->tensor("b"));
  EXPECT_NE(model->tensor("a"), model->tensor("c"));
  EXPECT_NE(model->tensor("a"), model->tensor("d"));
}

}  // namespace
}  // namespace tarn::conformance
