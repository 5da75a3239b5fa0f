// Keras 1, 2 and 3: the definitions of `import keras1`, `import keras2` and the prelude give the numbers of each.
// Expected values come from running the optimizers and losses of Keras 1.2.2, 2.3.1 and 3 (3422977a) in double
// precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/conformance/keras_cases.h"

namespace tarn::conformance {
namespace {

// Expected values have 15 significant digits, or fewer where they say so; f32 has 24 bits.
Json tolerance_of(Engine engine, double printed) {
  return {{"abs", engine == Engine::native_f32 ? 1e-6 : printed},
          {"rel", engine == Engine::native_f32 ? 1e-6 : printed}};
}

std::string import_of(int generation) { return generation < 3 ? fmt::format("import keras{}\n", generation) : ""; }

struct Trajectory {
  std::vector<int> generations;
  const char* train;            // lines of the train block
  std::vector<double> weights;  // after each update, from 1 by gradients 0.5, -0.25, 0.1
};

const Trajectory kTrajectories[] = {
    {{1, 2, 3}, "optimizer sgd", {0.995, 0.9975, 0.9965}},
    {{1, 2, 3}, "optimizer sgd(momentum = 0.9)", {0.995, 0.993, 0.9902}},
    {{1, 2, 3}, "optimizer sgd(momentum = 0.9, nesterov = true)", {0.9905, 0.9912, 0.98768}},
    {{1, 2}, "optimizer sgd(decay = 0.1)", {0.995, 0.997272727272727, 0.996439393939394}},
    {{1, 2}, "optimizer sgd\n  clip_value 0.2", {0.998, 1, 0.999}},
    {{1, 2}, "optimizer sgd\n  clip_global_norm 0.3", {0.997, 0.9995, 0.9985}},
    {{1}, "optimizer rmsprop", {0.996837722539832, 0.998312142014424, 0.997702147770303}},
    {{2}, "optimizer rmsprop", {0.99683772433983, 0.998312143031815, 0.997702149122577}},
    {{3}, "optimizer rmsprop", {0.996837728664368, 0.998312145661716, 0.997702152515255}},
    {{3},
     "optimizer rmsprop(momentum = 0.9, centered = true)",
     {0.996666674074049, 0.995151462799324, 0.993168682628818}},
    {{1}, "optimizer adagrad", {0.9900000002, 0.994472136075, 0.992711234293356}},
    {{2}, "optimizer adagrad", {0.990000002, 0.994472137154999, 0.992711235652425}},
    {{3}, "optimizer adagrad", {0.999154845866008, 0.999544095290907, 0.999390249155267}},
    {{1}, "optimizer adadelta", {0.999552786583385, 0.99984146156402, 0.999714791999024}},
    {{2}, "optimizer adadelta", {0.998585792094447, 0.999498658155012, 0.999098095958794}},
    {{3}, "optimizer adadelta", {0.999998585792094, 0.999999498658155, 0.999999098095959}},
    {{1}, "optimizer adam", {0.999000000632455, 0.998733663743518, 0.998418420352773}},
    {{2, 3}, "optimizer adam", {0.999000006324515, 0.998733670792079, 0.998418428982583}},
    {{1}, "optimizer adam(decay = 0.1)", {0.999000000632455, 0.998757876187967, 0.998495173362346}},
    {{2}, "optimizer adam(decay = 0.1)", {0.999000006324515, 0.99875788311321, 0.998495181605296}},
    {{3}, "optimizer adamw", {0.998996006324515, 0.998725674808054, 0.998406438095859}},
    {{1}, "optimizer adamax", {0.99800000004, 0.997578525942753, 0.997164414008437}},
    {{2}, "optimizer adamax", {0.9980000004, 0.997578526378694, 0.997164414519068}},
    {{3}, "optimizer adamax", {0.9990000002, 0.998789263189347, 0.998582207259534}},
    {{1}, "optimizer nadam", {0.997887096485547, 0.998709315923223, 0.998259922383012}},
    {{2}, "optimizer nadam", {0.99788709686587, 0.998709316116311, 0.998259922699504}},
    {{3}, "optimizer nadam", {0.998937212409249, 0.999329807570202, 0.999111260570762}},
    {{3}, "optimizer ftrl", {0.464632361920423, 0.465021611392503, 0.464867765238657}},
    {{3}, "optimizer lion", {0.999, 1, 0.999}},
    {{3}, "optimizer lamb", {0.999, 0.998001, 0.997002999}},
};

TEST(KerasGenerations, OptimizersTakeTheirSteps) {
  for (const Trajectory& row : kTrajectories) {
    for (const int generation : row.generations) {
      const std::string text = import_of(generation) + gradient_model({}, "1", fmt::format("  {}\n", row.train));
      for (const Engine engine : kEngines) {
        const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
        ASSERT_TRUE(model.has_value()) << model.error().front().message;
        std::vector<double> weights;
        for (const double gradient : {0.5, -0.25, 0.1}) {
          ASSERT_TRUE((*model)->train({{{"g", {gradient}}}, 1}).has_value());
          weights.push_back((*model)->tensor("w")[0]);
        }
        EXPECT_EQ(difference(weights, row.weights, tolerance_of(engine, 2e-15)), "") << name_of(engine) << "\n" << text;
      }
    }
  }
}

struct LossValue {
  std::vector<int> generations;
  const char* loss;
  std::vector<double> t, y;
  double value;
};

const std::vector<double> kRealT = {1, 2, -0.5}, kRealY = {1.5, 1, 0.25};
const std::vector<double> kSignT = {1, -1, 1}, kSignY = {0.3, 0.4, -2};
const std::vector<double> kBinaryT = {1, 0, 1}, kBinaryY = {0.8, 0.3, 0.6};
const std::vector<double> kClassT = {0, 1, 0}, kClassY = {0.2, 0.7, 0.1};
const std::vector<double> kCountT = {1, 2, 3}, kCountY = {1.5, 1, 2.5};

const LossValue kLosses[] = {
    {{1, 2, 3}, "mse(y, t)", kRealT, kRealY, 0.604166666666667},
    {{1, 2, 3}, "mae(y, t)", kRealT, kRealY, 0.75},
    {{1, 2, 3}, "mape(y, t)", kRealT, kRealY, 83.3333333333333},
    {{1, 2, 3}, "msle(y, t)", kRealT, kRealY, 0.0879959994169007},
    {{1, 2, 3}, "hinge(y, t)", kSignT, kSignY, 1.7},
    {{1, 2, 3}, "squared_hinge(y, t)", kSignT, kSignY, 3.81666666666667},
    {{1}, "hinge(y, t)", {1, 0}, {0.3, 0.4}, 0.85},
    {{2, 3}, "hinge(y, t)", {1, 0}, {0.3, 0.4}, 1.05},
    {{2, 3}, "categorical_hinge(y, t)", kClassT, kClassY, 0.5},
    {{2, 3}, "logcosh(y, t)", kRealT, kRealY, 0.270720478288037},
    {{2, 3}, "huber(y, t)", kRealT, kRealY, 0.302083333333333},
    {{1, 2, 3}, "binary_crossentropy(y, t)", kBinaryT, kBinaryY, 0.363548039672978},
    {{2, 3}, "binary_crossentropy(y, t, label_smoothing = 0.1)", kBinaryT, kBinaryY, 0.407532328499899},
    {{1, 2, 3}, "categorical_crossentropy(y, t)", kClassT, kClassY, 0.356674943938732},
    {{1, 2, 3}, "kld(y, t)", kClassT, kClassY, 0.356672111521903},
    {{1, 2, 3}, "poisson(y, t)", kCountT, kCountY, 0.615220769867573},
    {{1}, "cosine_proximity(y, t)", kRealT, kRealY, -0.269770792198581},
    {{2}, "cosine_proximity(y, t)", kRealT, kRealY, -0.809312376595744},
    {{3}, "cosine_similarity(y, t)", kRealT, kRealY, -0.809312376595744},
};

TEST(KerasGenerations, LossesHaveTheirValues) {
  for (const LossValue& row : kLosses) {
    for (const int generation : row.generations) {
      const std::string text = fmt::format(
          "{0}model m {{\n  input y[{1}]\n  param unused[] = 0\n  output p = y + 0 * unused\n}}\n"
          "train {{\n  target t[{1}]\n  loss {2}\n  optimizer sgd\n}}\n",
          import_of(generation), row.t.size(), row.loss);
      for (const Engine engine : kEngines) {
        const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
        ASSERT_TRUE(model.has_value()) << model.error().front().message;
        const Result<double> value = (*model)->evaluate({{{"y", row.y}, {"t", row.t}}, 1});
        ASSERT_TRUE(value.has_value());
        EXPECT_EQ(difference({*value}, {row.value}, tolerance_of(engine, 1e-14)), "") << name_of(engine) << "\n"
                                                                                      << text;
      }
    }
  }
}

struct ActivationValues {
  std::vector<int> generations;
  const char* activation;
  std::vector<double> y;  // at -3, -1, -0.5, 0, 0.5, 1, 3
};

const ActivationValues kActivations[] = {
    {{1, 2, 3}, "elu(x)", {-0.950212932, -0.632120559, -0.39346934, 0, 0.5, 1, 3}},
    {{2, 3}, "selu(x)", {-1.67056873, -1.11133074, -0.691758188, 0, 0.525350494, 1.05070099, 3.15210296}},
    {{1, 2, 3},
     "softplus(x)",
     {0.0485873516, 0.313261688, 0.474076984, 0.693147181, 0.974076984, 1.31326169, 3.04858735}},
    {{1, 2, 3}, "softsign(x)", {-0.75, -0.5, -0.333333333, 0, 0.333333333, 0.5, 0.75}},
    {{1, 2, 3}, "tanh(x)", {-0.995054754, -0.761594156, -0.462117157, 0, 0.462117157, 0.761594156, 0.995054754}},
    {{1, 2, 3}, "sigmoid(x)", {0.0474258732, 0.268941421, 0.377540669, 0.5, 0.622459331, 0.731058579, 0.952574127}},
    {{1, 2}, "hard_sigmoid(x)", {0, 0.3, 0.4, 0.5, 0.6, 0.7, 1}},
    {{3}, "hard_sigmoid(x)", {0, 0.333333333, 0.416666667, 0.5, 0.583333333, 0.666666667, 1}},
    {{3}, "silu(x)", {-0.14227762, -0.268941421, -0.188770334, 0, 0.311229666, 0.731058579, 2.85772238}},
    {{3}, "gelu(x)", {-0.00404969409, -0.158655254, -0.154268769, 0, 0.345731231, 0.841344746, 2.99595031}},
    {{3},
     "gelu(x, approximate = true)",
     {-0.00363739208, -0.158808009, -0.15428599, 0, 0.34571401, 0.841191991, 2.99636261}},
    {{3}, "mish(x)", {-0.145647461, -0.303401461, -0.220743775, 0, 0.375245211, 0.865098388, 2.986535}},
};

TEST(KerasGenerations, ActivationsHaveTheirValues) {
  for (const ActivationValues& row : kActivations) {
    for (const int generation : row.generations) {
      const std::string text =
          fmt::format("{}model m {{\n  input x[]\n  output y = {}\n}}\n", import_of(generation), row.activation);
      for (const Engine engine : kEngines) {
        const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
        ASSERT_TRUE(model.has_value()) << model.error().front().message;
        const auto y = (*model)->predict({{{"x", {-3, -1, -0.5, 0, 0.5, 1, 3}}}, 7}, "y");
        ASSERT_TRUE(y.has_value());
        // Nine significant digits are given.
        EXPECT_EQ(difference(*y, row.y, tolerance_of(engine, 5e-9)), "") << name_of(engine) << "\n" << text;
      }
    }
  }
}

// What an initializer makes, from its standard deviation and its largest value: in Keras 1 normal ones are not
// truncated.
TEST(KerasGenerations, InitializersSpread) {
  const struct {
    int generation;
    const char* initializer;
    double deviation;
    bool beyond_two_deviations;  // of the normal distribution that is cut off: 2.274 of what is left
  } rows[] = {
      {1, "he_normal", std::sqrt(2.0 / 100), true},      {1, "glorot_normal", std::sqrt(2.0 / 300), true},
      {2, "he_normal", std::sqrt(2.0 / 100), false},     {3, "he_normal", std::sqrt(2.0 / 100), false},
      {3, "glorot_normal", std::sqrt(2.0 / 300), false}, {3, "glorot_uniform", std::sqrt(2.0 / 300), false},
  };
  for (const auto& row : rows) {
    const std::string text =
        fmt::format("{}model m {{\n  input x[]\n  param w[100, 200] = {}\n  output y = x * sum(w)\n}}\n",
                    import_of(row.generation), row.initializer);
    const Result<std::unique_ptr<SmallModel>> model = compile_model(text, Engine::native_f64);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    double squares = 0, largest = 0;
    for (const double w : (*model)->tensor("w")) {
      squares += w * w;
      largest = std::max(largest, std::fabs(w));
    }
    // 20,000 draws: the deviation is known to 1 / sqrt(40,000), one in 200; six of these.
    EXPECT_NEAR(std::sqrt(squares / 20000), row.deviation, 0.03 * row.deviation) << text;
    EXPECT_EQ(largest > 2.28 * row.deviation, row.beyond_two_deviations) << text;
  }
}

// Layers of Keras 1: alpha softplus(beta x); SReLU with tr = t_left + |t_right|; the rules of Merge; batch
// normalization by sample. By the formulas of keras/layers at 1.2.2, at x = -3, -1, 0.5, 2, where nothing else is said.
TEST(KerasGenerations, LayersOfKeras1) {
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const struct {
    const char* expression;
    std::vector<double> y;
  } rows[] = {
      {"x |> parametric_softplus", {0.2 * softplus(-15), 0.2 * softplus(-5), 0.2 * softplus(2.5), 0.2 * softplus(10)}},
      {"x |> parametric_softplus(constant(2), constant(0.5))",
       {2 * softplus(-1.5), 2 * softplus(-0.5), 2 * softplus(0.25), 2 * softplus(1)}},
      // Below -2 with slope 0.1, above -2 + |-3| = 1 with slope 0.5.
      {"x |> srelu(constant(-2), constant(0.1), constant(-3), constant(0.5))", {-2.1, -1, 0.5, 1.5}},
      {"x |> srelu(zeros, constant(0.1), constant(1), ones)", {-0.3, -0.1, 0.5, 2}},
      {"merge([x, 2 * x])", {-9, -3, 1.5, 6}},
      {"merge([x, 2 * x], mode = \"mul\")", {18, 2, 0.5, 8}},
      {"merge([x, 2 * x, 3 * x], mode = \"ave\")", {-6, -2, 1, 4}},
      {"merge([x, 1 + 0 * x], mode = \"max\")", {1, 1, 1, 2}},
      {"merge([x[0:2], x[2:4]], mode = \"concat\")", {-3, -1, 0.5, 2}},
      {"merge([x, x], mode = \"dot\")", {14.25}},
      {"merge([x, 2 * x], mode = \"cos\")", {1}},
      // Two inputs of -3 and -1: [1, 2] and [0, 1] by the two features of W, of which the larger is taken.
      {"x[0:2] |> maxout_dense(1, 2, s => stack([[[1], [2]], [[0], [-1]]]))", {1}},
      // Mean -0.375, variance 14.25 / 4 - 0.375^2 = 3.421875.
      {"x |> batch_norm(mode = 1, epsilon = 0)",
       {-2.625 / std::sqrt(3.421875), -0.625 / std::sqrt(3.421875), 0.875 / std::sqrt(3.421875),
        2.375 / std::sqrt(3.421875)}},
      {"maxnorm(1)(x)", {-3 / std::sqrt(14.25), -1 / std::sqrt(14.25), 0.5 / std::sqrt(14.25), 2 / std::sqrt(14.25)}},
      {"l1l2(0.1, 0.2)(x)", {0.65 + 2.85}},
  };
  for (const auto& row : rows) {
    const std::string text =
        fmt::format("import keras1\nmodel m {{\n  input x[4]\n  output y = {}\n}}\n", row.expression);
    for (const Engine engine : {Engine::evaluator, Engine::native_f32}) {
      const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
      ASSERT_TRUE(model.has_value()) << model.error().front().message;
      const auto y = (*model)->predict({{{"x", {-3, -1, 0.5, 2}}}, 1}, "y");
      ASSERT_TRUE(y.has_value());
      // Constraints have 1e-7 under the norm.
      EXPECT_EQ(difference(*y, row.y, tolerance_of(engine, 1e-7)), "") << name_of(engine) << "\n" << text;
    }
  }
}

// What goes into the running variance of 4 samples with 2 places: that of the 8 values in Keras 1 and 3, n / (n - 1 -
// epsilon) times it in 2.1.4 and later.
TEST(KerasGenerations, RunningVariance) {
  const std::vector<double> x = {1, 2, 3, 4, 5, 6, 7, 9};
  const double variance = 221.0 / 8 - std::pow(37.0 / 8, 2);
  for (const int generation : {1, 2, 3}) {
    const std::string text = fmt::format(
        "{}model m {{\n  input x[2, 1]\n  b = batch_norm(momentum = 0.9)\n  output y = x |> b\n}}\n"
        "train {{\n  loss sum(y)\n  optimizer sgd\n}}\n",
        import_of(generation));
    const Result<std::unique_ptr<SmallModel>> model = compile_model(text, Engine::native_f64);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    ASSERT_TRUE((*model)->train({{{"x", x}}, 4}).has_value());
    const double corrected = generation == 2 ? variance * 8 / (8 - 1 - 1e-3) : variance;
    EXPECT_NEAR((*model)->tensor("b.moving_var")[0], 0.9 + 0.1 * corrected, 1e-12) << generation;
    EXPECT_NEAR((*model)->tensor("b.moving_mean")[0], 0.1 * 37 / 8, 1e-12);
  }
}

}  // namespace
}  // namespace tarn::conformance
