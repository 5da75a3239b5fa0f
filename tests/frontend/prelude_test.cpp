// The prelude against numbers of Keras: formulas executed from its tagged sources over a scalar f64 backend, and the
// documented distributions of initializers.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

// ---------------------------------------------------------------- activations

struct ActivationCase {
  const char* expression;
  std::vector<double> values;  // at -3, -1, -0.5, 0, 0.5, 1, 3
  const char* import = "";
};

const ActivationCase kActivations[] = {
    {"linear(x)", {-3, -1, -0.5, 0, 0.5, 1, 3}},
    {"relu(x)", {0, 0, 0, 0, 0.5, 1, 3}},
    {"relu(x, 0.1, 2)", {-0.3, -0.1, -0.05, 0, 0.5, 1, 2}},
    {"relu(x, 0.5, none, 0.75)", {-1.875, -0.875, -0.625, -0.375, -0.125, 1, 3}},
    {"relu(x, threshold = 1)", {0, 0, 0, 0, 0, 0, 3}},
    {"leaky_relu(x)", {-0.6, -0.2, -0.1, 0, 0.5, 1, 3}},
    {"relu6(4 * x)", {0, 0, 0, 0, 2, 4, 6}},
    {"elu(x)", {-0.950212932, -0.632120559, -0.39346934, 0, 0.5, 1, 3}},
    {"selu(x)", {-1.67056873, -1.11133074, -0.691758188, 0, 0.525350494, 1.05070099, 3.15210296}},
    {"softplus(x)", {0.0485873516, 0.313261688, 0.474076984, 0.693147181, 0.974076984, 1.31326169, 3.04858735}},
    {"softsign(x)", {-0.75, -0.5, -0.333333333, 0, 0.333333333, 0.5, 0.75}},
    {"tanh(x)", {-0.995054754, -0.761594156, -0.462117157, 0, 0.462117157, 0.761594156, 0.995054754}},
    {"sigmoid(x)", {0.0474258732, 0.268941421, 0.377540669, 0.5, 0.622459331, 0.731058579, 0.952574127}},
    {"hard_sigmoid(x)", {0, 0.333333333, 0.416666667, 0.5, 0.583333333, 0.666666667, 1}},
    {"hard_sigmoid(x)", {0, 0.3, 0.4, 0.5, 0.6, 0.7, 1}, "import keras2\n"},
    {"hard_sigmoid(x)", {0, 0.3, 0.4, 0.5, 0.6, 0.7, 1}, "import keras1\n"},
    {"silu(x)", {-0.14227762, -0.268941421, -0.188770334, 0, 0.311229666, 0.731058579, 2.85772238}},
    {"gelu(x)", {-0.00404969409, -0.158655254, -0.154268769, 0, 0.345731231, 0.841344746, 2.99595031}},
    {"gelu(x, true)", {-0.00363739208, -0.158808009, -0.15428599, 0, 0.34571401, 0.841191991, 2.99636261}},
    {"mish(x)", {-0.145647461, -0.303401461, -0.220743775, 0, 0.375245211, 0.865098388, 2.986535}},
    {"log_sigmoid(x)",
     {-3.04858735, -1.31326169, -0.974076984, -0.693147181, -0.474076984, -0.313261688, -0.0485873516}},
    {"hard_tanh(x)", {-1, -1, -0.5, 0, 0.5, 1, 1}},
    {"soft_shrink(x)", {-2.5, -0.5, 0, 0, 0, 0.5, 2.5}},
    {"hard_shrink(x)", {-3, -1, 0, 0, 0, 1, 3}},
    {"thresholded_relu(x, 0.75)", {0, 0, 0, 0, 0, 1, 3}},
    {"sparse_plus(x)", {0, 0, 0.0625, 0.25, 0.5625, 1, 3}},
    {"sparse_sigmoid(x)", {0, 0, 0.25, 0.5, 0.75, 1, 1}},
};

TEST(Prelude, Activations) {
  for (const ActivationCase& c : kActivations) {
    SCOPED_TRACE(c.expression);
    const Compiled compiled =
        compile(std::string(c.import) + "model m { input x[7]; output y = " + c.expression + " }", double_precision());
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    const std::vector<double> y =
        predict(compiled.program(), {{"x", {{7}, {-3, -1, -0.5, 0, 0.5, 1, 3}}}}, {}).at("y").data;
    // The table has nine significant digits.
    for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(y[i], c.values[i], 5e-9) << i;
  }
}

TEST(Prelude, ActivationsAlongAnAxis) {
  // softmax(1, 2, 3) from the reference; log_softmax its logarithm; glu: halves [1, 2] and [3, 4]; sparsemax by hand:
  // tau = (3.1 + 3 - 1) / 2.
  EXPECT_NEAR(value_of("softmax([1, 2, 3] + 0 * x)").data[0], 0.0900305731703805, 1e-15);
  EXPECT_NEAR(value_of("softmax([1, 2, 3] + 0 * x)").data[2], 0.665240955774822, 1e-15);
  EXPECT_NEAR(value_of("log_softmax([1001, 1002, 1003] + 0 * x)").data[2], std::log(0.665240955774822), 1e-12);
  EXPECT_NEAR(value_of("glu(stack([1, 2, 3, 4]) + 0 * x[0:1])").data[1], 2 / (1 + std::exp(-4)), 1e-15);
  const std::vector<double> sparse = value_of("sparsemax([3.1, 3, 1] + 0 * x)").data;
  EXPECT_NEAR(sparse[0], 0.55, 1e-12);
  EXPECT_NEAR(sparse[1], 0.45, 1e-12);
  EXPECT_EQ(sparse[2], 0);
}

// ---------------------------------------------------------------- losses

struct LossCase {
  const char* expression;
  std::vector<double> y, t;
  double value;
  const char* import = "";
};

const std::vector<double> kRealT = {1, 2, -0.5}, kRealY = {1.5, 1, 0.25}, kHingeT = {1, -1, 1},
                          kHingeY = {0.3, 0.4, -2}, kBinaryT = {1, 0, 1}, kBinaryY = {0.8, 0.3, 0.6},
                          kClassT = {0, 1, 0}, kClassY = {0.2, 0.7, 0.1}, kCountT = {1, 2, 3}, kCountY = {1.5, 1, 2.5};

const LossCase kLosses[] = {
    {"mse(y, t)", kRealY, kRealT, 0.604166666666667},
    {"mae(y, t)", kRealY, kRealT, 0.75},
    {"mape(y, t)", kRealY, kRealT, 83.3333333333333},
    {"msle(y, t)", kRealY, kRealT, 0.0879959994169007},
    {"hinge(y, t)", kHingeY, kHingeT, 1.7},
    {"squared_hinge(y, t)", kHingeY, kHingeT, 3.81666666666667},
    {"hinge(y, t)", {0.3, 0.4}, {1, 0}, 1.05},
    {"hinge(y, t)", {0.3, 0.4}, {1, 0}, 0.85, "import keras1\n"},
    {"categorical_hinge(y, t)", kClassY, kClassT, 0.5},
    {"log_cosh(y, t)", kRealY, kRealT, 0.270720478288037},
    {"huber(y, t)", kRealY, kRealT, 0.302083333333333},
    {"binary_crossentropy(y, t)", kBinaryY, kBinaryT, 0.363548039672978},
    {"binary_crossentropy(y, t, label_smoothing = 0.1)", kBinaryY, kBinaryT, 0.407532328499899},
    {"binary_crossentropy(log(y / (1 - y)), t, from_logits = true)", kBinaryY, kBinaryT, 0.363548039672978},
    {"categorical_crossentropy(y, t)", kClassY, kClassT, 0.356674943938732},
    {"categorical_crossentropy(log(y), t, from_logits = true)", kClassY, kClassT, 0.356674943938732},
    {"sparse_categorical_crossentropy(y, argmax(t))", kClassY, kClassT, 0.356674943938732},
    {"sparse_categorical_crossentropy(log(y), argmax(t), from_logits = true)", kClassY, kClassT, 0.356674943938732},
    {"kl_divergence(y, t)", kClassY, kClassT, 0.356672111521903},
    {"poisson(y, t)", kCountY, kCountT, 0.615220769867573},
    {"cosine_similarity(y, t)", kRealY, kRealT, -0.809312376595744},
    {"cosine_proximity(y, t)", kRealY, kRealT, -0.269770792198581, "import keras1\n"},
    {"contrastive(y[0], t[0])", {0.25}, {0}, 0.5625},
};

TEST(Prelude, Losses) {
  for (const LossCase& c : kLosses) {
    SCOPED_TRACE(c.expression);
    const std::string n = std::to_string(c.y.size());
    const Compiled compiled = compile(std::string(c.import) + "model m { input y[" + n +
                                          "]; param p = 1; output u = p * y }\ntrain { target t[" + n + "]; loss " +
                                          c.expression + "; optimizer sgd }",
                                      double_precision());
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    const auto size = static_cast<std::int64_t>(c.y.size());
    const Values inputs = {{"y", {{1, size}, c.y}}, {"t", {{1, size}, c.t}}};
    const double value =
        evaluate_batch(compiled.program(), inputs, initial_tensors(compiled.program()), 1).at("loss").data[0];
    EXPECT_NEAR(value, c.value, 1e-12 + 1e-13 * std::fabs(c.value));
  }
}

// Golden numbers have 15 digits; 1e-13 relative leaves room for the last.

// ---------------------------------------------------------------- optimizers

struct OptimizerCase {
  const char* optimizer;
  std::vector<double> values;  // after gradients 0.5, -0.25, 0.1 from 1
  const char* import = "";
  const char* settings = "";
};

const OptimizerCase kOptimizers[] = {
    {"sgd", {0.995, 0.9975, 0.9965}},
    {"sgd(momentum = 0.9)", {0.995, 0.993, 0.9902}},
    {"sgd(momentum = 0.9, nesterov = true)", {0.9905, 0.9912, 0.98768}},
    {"sgd", {0.998, 1, 0.999}, "", "clip_value 0.2"},
    {"sgd", {0.997, 0.9995, 0.9985}, "", "clip_norm 0.3"},
    {"rmsprop", {0.996837728664368, 0.998312145661716, 0.997702152515255}},
    {"rmsprop(momentum = 0.9, centered = true)", {0.996666674074049, 0.995151462799324, 0.993168682628818}},
    {"adagrad", {0.999154845866008, 0.999544095290907, 0.999390249155267}},
    {"adadelta", {0.999998585792094, 0.999999498658155, 0.999999098095959}},
    {"adam", {0.999000006324515, 0.998733670792079, 0.998418428982583}},
    {"adamw", {0.998996006324515, 0.998725674808054, 0.998406438095859}},
    // A rate that is computed is no weight: adamw hands it on to adam.
    {"adamw(lr = where(step > 1, 0.001, 0.001))", {0.998996006324515, 0.998725674808054, 0.998406438095859}},
    {"adam", {0.998996006324515, 0.998725674808054, 0.998406438095859}, "", "weight_decay 0.004"},
    {"decayed(adam, 0.004)", {0.998996006324515, 0.998725674808054, 0.998406438095859}},
    {"adamax", {0.9990000002, 0.998789263189347, 0.998582207259534}},
    {"nadam", {0.998937212409249, 0.999329807570202, 0.999111260570762}},
    {"ftrl", {0.464632361920423, 0.465021611392503, 0.464867765238657}},
    {"lion", {0.999, 1, 0.999}},
    {"lamb", {0.999, 0.998001, 0.997002999}},
    {"sgd(decay = 0.1)", {0.995, 0.997272727272727, 0.996439393939394}, "import keras1\n"},
    {"rmsprop", {0.996837722539832, 0.998312142014424, 0.997702147770303}, "import keras1\n"},
    {"rmsprop", {0.99683772433983, 0.998312143031815, 0.997702149122577}, "import keras2\n"},
    {"adagrad", {0.9900000002, 0.994472136075, 0.992711234293356}, "import keras1\n"},
    {"adagrad", {0.990000002, 0.994472137154999, 0.992711235652425}, "import keras2\n"},
    {"adadelta", {0.999552786583385, 0.99984146156402, 0.999714791999024}, "import keras1\n"},
    {"adadelta", {0.998585792094447, 0.999498658155012, 0.999098095958794}, "import keras2\n"},
    {"adam", {0.999000000632455, 0.998733663743518, 0.998418420352773}, "import keras1\n"},
    {"adam(decay = 0.1)", {0.999000000632455, 0.998757876187967, 0.998495173362346}, "import keras1\n"},
    {"adam(decay = 0.1)", {0.999000006324515, 0.99875788311321, 0.998495181605296}, "import keras2\n"},
    {"adamax", {0.99800000004, 0.997578525942753, 0.997164414008437}, "import keras1\n"},
    {"adamax", {0.9980000004, 0.997578526378694, 0.997164414519068}, "import keras2\n"},
    {"nadam", {0.997887096485547, 0.998709315923223, 0.998259922383012}, "import keras1\n"},
    {"nadam", {0.99788709686587, 0.998709316116311, 0.998259922699504}, "import keras2\n"},
};

TEST(Prelude, Optimizers) {
  for (const OptimizerCase& c : kOptimizers) {
    SCOPED_TRACE(std::string(c.import) + c.optimizer + " " + c.settings);
    const Compiled compiled = compile(
        std::string(c.import) + "model m { input x; param w = 1; output y = w * x }\ntrain { loss y; optimizer " +
            c.optimizer + "\n" + c.settings + "\n}",
        double_precision());
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    Values tensors = initial_tensors(compiled.program());
    const double gradients[] = {0.5, -0.25, 0.1};
    for (std::size_t i = 0; i < 3; ++i) {
      for (const auto& [name, value] : train_step(compiled.program(), {{"x", {{1}, {gradients[i]}}}}, tensors, 1))
        tensors[name] = value;
      EXPECT_NEAR(tensors.at("w").data[0], c.values[i], 2e-15 + 5e-15) << i;
    }
  }
}

TEST(Prelude, OptimizersTakeEveryShape) {
  const char* const optimizers[] = {"sgd",   "rmsprop",  "adagrad", "adadelta", "adam(amsgrad = true)",
                                    "adamw", "adamax",   "nadam",   "ftrl",     "lion",
                                    "lamb",  "adafactor"};
  for (const char* optimizer : optimizers) {
    const Compiled c = compile(
        "model m { input x[3]; param s = 1; param k[3, 2, 2] = ones; output y = einsum(\"i,ijk->jk\", x, k) * s |> "
        "dense(2) }\ntrain { loss sum(y^2); optimizer " +
        std::string(optimizer) + " }");
    ASSERT_TRUE(c.result.program) << optimizer << "\n" << c.messages();
    const Values next = train_step(c.program(), {{"x", {{1, 3}, {1, 2, 3}}}}, initial_tensors(c.program()), 1);
    for (const char* name : {"s", "k", "dense_1.kernel", "dense_1.bias"}) {
      for (const double v : next.at(name).data) EXPECT_TRUE(std::isfinite(v)) << optimizer << " " << name;
    }
  }
}

// ---------------------------------------------------------------- schedules

struct ScheduleCase {
  const char* expression;
  std::vector<std::pair<double, double>> values;  // step, rate
};

// By the formulas of the reference.
const ScheduleCase kSchedules[] = {
    {"exponential_decay(s, 0.1, 10, 0.5)", {{0, 0.1}, {5, 0.1 * std::sqrt(0.5)}, {10, 0.05}, {20, 0.025}}},
    {"exponential_decay(s, 0.1, 10, 0.5, true)", {{9, 0.1}, {10, 0.05}, {19, 0.05}}},
    {"inverse_time_decay(s, 0.1, 10, 2)", {{0, 0.1}, {5, 0.05}, {10, 0.1 / 3}}},
    {"polynomial_decay(s, 0.1, 10, 0.01, 2)", {{0, 0.1}, {5, 0.0325}, {10, 0.01}, {99, 0.01}}},
    {"polynomial_decay(s, 0.1, 10, 0.01, 1, true)", {{10, 0.01}, {15, 0.0325}, {20, 0.01}}},
    {"piecewise_constant(s, [10, 20], [1, 0.5, 0.1])", {{0, 1}, {10, 1}, {11, 0.5}, {20, 0.5}, {21, 0.1}}},
    {"cosine_decay(s, 0.1, 10)", {{0, 0.1}, {5, 0.05}, {10, 0}, {20, 0}}},
    {"cosine_decay(s, 0.1, 10, 0.5)", {{5, 0.075}, {10, 0.05}}},
    {"cosine_decay(s, 0, 10, 0, 0.1, 10)", {{5, 0.05}, {10, 0.1}, {15, 0.05}, {20, 0}}},
    {"cosine_restarts(s, 0.1, 10)", {{0, 0.1}, {5, 0.05}, {10, 0.1}, {20, 0.05}, {30, 0.1}}},
};

TEST(Prelude, Schedules) {
  for (const ScheduleCase& c : kSchedules) {
    SCOPED_TRACE(c.expression);
    const Compiled compiled =
        compile("model m { input s: f64; output y = " + std::string(c.expression) + " }", double_precision());
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    for (const auto& [step, rate] : c.values) {
      EXPECT_NEAR(predict(compiled.program(), {{"s", {{}, {step}}}}, {}).at("y").data[0], rate, 1e-15) << step;
    }
  }
}

// ---------------------------------------------------------------- initializers

struct InitializerCase {
  const char* initializer;
  double variance;
  double bound;  // no value is farther from 0
};

// Kernels of 200 x 300: fan in 200, fan out 300.
const InitializerCase kInitializers[] = {
    {"uniform", 0.1 * 0.1 / 12, 0.05},
    {"normal", 0.05 * 0.05, 1},
    {"normal(stddev = 2)", 4, 20},
    {"truncated_normal", 0.05 * 0.05 * 0.77374130,
     0.1},  // variance of a normal cut off at 2: 1 - 4 phi(2) / (2 Phi(2) - 1)
    {"glorot_uniform", 2.0 / 500, std::sqrt(6.0 / 500)},
    {"glorot_normal", 2.0 / 500, 2 * std::sqrt(2.0 / 500) / 0.87962566},
    {"he_uniform", 2.0 / 200, std::sqrt(6.0 / 200)},
    {"he_normal", 2.0 / 200, 2 * std::sqrt(2.0 / 200) / 0.87962566},
    {"lecun_uniform", 1.0 / 200, std::sqrt(3.0 / 200)},
    {"lecun_normal", 1.0 / 200, 2 * std::sqrt(1.0 / 200) / 0.87962566},
    {"variance_scaling(2, \"fan_out\", \"uniform\")", 2.0 / 300, std::sqrt(6.0 / 300)},
};

TEST(Prelude, Initializers) {
  for (const InitializerCase& c : kInitializers) {
    SCOPED_TRACE(c.initializer);
    const Compiled compiled =
        compile("model m { input x[200]; param k[200, 300] = " + std::string(c.initializer) + "; output y = x @ k }");
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    constexpr std::uint64_t kSeed = 3;
    const std::vector<double> k = initial_tensors(compiled.program(), kSeed).at("k").data;
    const double n = static_cast<double>(k.size());
    const double mean = std::accumulate(k.begin(), k.end(), 0.0) / n;
    double variance = 0, largest = 0;
    for (const double v : k) {
      variance += (v - mean) * (v - mean) / n;
      largest = std::max(largest, std::fabs(v));
    }
    // Five standard errors of mean and variance for 60,000 draws; the kurtosis of all these is at most 3.
    EXPECT_NEAR(mean, 0, 5 * std::sqrt(c.variance / n)) << "seed " << kSeed;
    EXPECT_NEAR(variance, c.variance, 5 * c.variance * std::sqrt(2 / n)) << "seed " << kSeed;
    EXPECT_LE(largest, c.bound * (1 + 1e-6)) << "seed " << kSeed;
  }
}

TEST(Prelude, ConstantInitializers) {
  const Compiled c = compile(
      "model m { input x[2]; param a[2] = zeros; param b[2] = ones; param c[2] = constant(3); param d[2] = 4; param "
      "e[2, 2] = identity(2); param f = [5, 6]\n"
      "param g[2] = s => iota(s[0]); output y = x + a + b + c + d + e @ x + f + g }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values tensors = initial_tensors(c.program());
  const std::map<std::string, std::vector<double>> expected = {
      {"a", {0, 0}}, {"b", {1, 1}}, {"c", {3, 3}}, {"d", {4, 4}}, {"e", {2, 0, 0, 2}}, {"f", {5, 6}}, {"g", {0, 1}}};
  for (const auto& [name, values] : expected) EXPECT_EQ(tensors.at(name).data, values) << name;
}

TEST(Prelude, OrthogonalColumns) {
  const Compiled c =
      compile("model m { input x[6]; param k[6, 4] = orthogonal; output y = x @ k }", double_precision());
  ASSERT_TRUE(c.result.program) << c.messages();
  const std::vector<double> k = initial_tensors(c.program(), 1).at("k").data;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      double product = 0;
      for (std::size_t r = 0; r < 6; ++r) product += k[r * 4 + i] * k[r * 4 + j];
      EXPECT_NEAR(product, i == j ? 1 : 0, 1e-9);
    }
  }
}

// ---------------------------------------------------------------- layers, constraints, metrics

TEST(Prelude, RegularizersAndConstraints) {
  // w = [[1, 2], [3, 4]]: columns have the norms sqrt(10) and sqrt(20).
  EXPECT_NEAR(value_of("l1(0.5)(m)").data[0], 5, 1e-12);
  EXPECT_NEAR(value_of("l2(0.5)(m)").data[0], 15, 1e-12);
  EXPECT_NEAR(value_of("l1_l2(1, 0.5)(m)").data[0], 25, 1e-12);
  EXPECT_NEAR(value_of("max_norm(2)(m)").data[0], 2 / std::sqrt(10), 1e-7);
  EXPECT_NEAR(value_of("max_norm(4)(m)").data[0], 1, 1e-7);
  EXPECT_NEAR(value_of("unit_norm(m)").data[3], 4 / std::sqrt(20), 1e-7);
  EXPECT_NEAR(value_of("min_max_norm(5, 6, 0.5)(m)").data[0], (0.5 * 5 + 0.5 * std::sqrt(10)) / std::sqrt(10), 1e-7);
  EXPECT_EQ(value_of("non_neg(x)").data, (std::vector<double>{1, 2, 0}));
}

TEST(Prelude, Layers) {
  struct Case {
    const char* expression;
    std::vector<double> values;
  };
  // By hand; layer_norm: mean 1.5, variance 0.25 + 1e-3 for each row of m.
  const double scaled = 0.5 / std::sqrt(0.251);
  const Case cases[] = {
      {"x |> dense(2, kernel_init = [[1, 2], [3, 4], [5, 6]], bias_init = [10, 20])",
       {1 + 6 - 15 + 10, 2 + 8 - 18 + 20}},
      {"m |> flatten", {1, 2, 3, 4}},
      {"x |> activation(relu)", {1, 2, 0}},
      {"x |> dropout(0.5)", {1, 2, -3}},
      {"m |> layer_norm", {-scaled, scaled, -scaled, scaled}},
      {"x |> batch_norm(epsilon = 0)", {1, 2, -3}},
      {"x |> prelu(alpha_init = constant(0.1))", {1, 2, -0.3}},
      {"x |> repeat_vector(2)", {1, 2, -3, 1, 2, -3}},
      {"m |> permute([1, 0])", {1, 3, 2, 4}},
      {"concatenate(x, x[0:1])", {1, 2, -3, 1}},
      {"concatenate([x, x[0:1], x[2:3]])", {1, 2, -3, 1, -3}},
      {"[x, x, x] |> add", {3, 6, -9}},
      {"add(x, x)", {2, 4, -6}},
      {"multiply(x, x)", {1, 4, 9}},
      {"average(x, 3 * x)", {2, 4, -6}},
      {"subtract(x, 3 * x)", {-2, -4, 6}},
      {"maximum(x, -x)", {1, 2, 3}},
      {"minimum([x, -x])", {-1, -2, -3}},
      {"m |> time_distributed(dense(1, kernel_init = [[1], [10]]))", {21, 43}},
      {"x |> maxout(1, 2) |> (v => 0 * v)", {0}},
      {"rms_norm()(m)",
       {1 / std::sqrt(2.5 + 1e-6), 2 / std::sqrt(2.5 + 1e-6), 3 / std::sqrt(12.5 + 1e-6), 4 / std::sqrt(12.5 + 1e-6)}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.expression);
    const std::vector<double> values = value_of(c.expression).data;
    ASSERT_EQ(values.size(), c.values.size());
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], c.values[i], 1e-12) << i;
  }
}

// Batch of 2 samples of 2 features: means 2 and 5, variances 1 and 4.
TEST(Prelude, BatchNormInTraining) {
  const Compiled c = compile(
      "model m { input x[2]; output y = x |> batch_norm(momentum = 0.9, epsilon = 0) }\ntrain { target t[2]; loss "
      "mse(y, t); optimizer sgd(lr = 0) }",
      double_precision());
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values tensors = initial_tensors(c.program());
  const Values inputs = {{"x", {{2, 2}, {1, 3, 3, 7}}}, {"t", {{2, 2}, {0, 0, 0, 0}}}};
  const Values next = train_step(c.program(), inputs, tensors, 2);
  EXPECT_NEAR(next.at("loss").data[0], 1, 1e-12) << "all normalized values are -1 or 1";
  EXPECT_NEAR(next.at("batch_norm_1.moving_mean").data[1], 0.1 * 5, 1e-12);
  EXPECT_NEAR(next.at("batch_norm_1.moving_var").data[1], 0.9 + 0.1 * 4, 1e-12);
  EXPECT_NEAR(evaluate_batch(c.program(), inputs, tensors, 2).at("loss").data[0], (1 + 9 + 9 + 49) / 4.0, 1e-12);
}

TEST(Prelude, DropoutKeepsTheMean) {
  const Compiled c = compile(
      "model m { input x[10000]; param p = 1; output y = p * x |> dropout(0.25) }\ntrain { loss mean(y); metric "
      "mean(where(y == 0, 1, 0)); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values inputs = {{"x", {{1, 10000}, std::vector<double>(10000, 1.0)}}};
  const Values next = train_step(c.program(), inputs, initial_tensors(c.program()), 1);
  // Five standard errors of a share of 10,000.
  EXPECT_NEAR(next.at("metric.mean.total").data[0], 0.25, 5 * std::sqrt(0.25 * 0.75 / 1e4));
  EXPECT_NEAR(next.at("loss").data[0], 1, 5 * std::sqrt(0.25 / 0.75 / 1e4));
  EXPECT_EQ(evaluate_batch(c.program(), inputs, initial_tensors(c.program()), 1).at("loss").data[0], 1);
}

TEST(Prelude, Metrics) {
  struct Case {
    const char* metric;
    double value;
  };
  // Three samples of two classes; by hand.
  const Values inputs = {{"y", {{3, 2}, {0.9, 0.1, 0.4, 0.6, 0.7, 0.3}}}, {"t", {{3, 2}, {1, 0, 1, 0, 0, 1}}}};
  const Case cases[] = {
      {"categorical_accuracy(y, t)", 1.0 / 3},
      {"binary_accuracy(y, t)", 1.0 / 3},
      {"sparse_categorical_accuracy(y, argmax(t))", 1.0 / 3},
      {"sign_accuracy(y - 0.5, 2 * t - 1)", 1.0 / 3},
      {"top_k_categorical_accuracy(y, t, 1)", 1.0 / 3},
      {"top_k_categorical_accuracy(y, t, 2)", 1},
      {"precision(y[0], t[0])", 0.5},
      {"recall(y[0], t[0])", 0.5},
      {"root_mean_squared_error(y[0], t[0])", std::sqrt((0.01 + 0.36 + 0.49) / 3)},
      {"auc(y[0], t[0])", 0.5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.metric);
    const Compiled compiled = compile(
        "model m { input y[2]; param p = 1; output u = p * y }\ntrain { target t[2]; loss mse(y, t); metric v = " +
            std::string(c.metric) + "; optimizer sgd }",
        double_precision());
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    Values tensors = initial_tensors(compiled.program());
    for (const auto& [name, value] : evaluate_batch(compiled.program(), inputs, tensors, 3)) tensors[name] = value;
    EXPECT_NEAR(report(compiled.program(), tensors).at("v").data[0], c.value, 1e-6);
  }
}

TEST(Prelude, MetricsApplyMetrics) {
  const Compiled c = compile(
      "metric informedness(y, t) {\n  right = true_negatives(y, t)\n  return recall(y, t) + right / (right + "
      "false_positives(y, t)) - 1\n}\nmetric squared(y, t) = recall(y, t) * recall(y, t)\nmodel m { input y[2]; param "
      "p = "
      "1; output u = p * y }\ntrain { target t[2]; loss mse(y, t); metric informedness(y, t); metric v = squared(y, "
      "t); "
      "optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_NE(c.program().find_tensor("metric.v.recall_1.decided_1.sums"), nullptr);
  Values tensors = initial_tensors(c.program());
  const Values inputs = {{"y", {{3, 2}, {0.9, 0.1, 0.4, 0.6, 0.7, 0.3}}}, {"t", {{3, 2}, {1, 0, 1, 0, 0, 1}}}};
  for (const auto& [name, value] : evaluate_batch(c.program(), inputs, tensors, 3)) tensors[name] = value;
  // One of three is found, and one of three others is left alone.
  EXPECT_DOUBLE_EQ(report(c.program(), tensors).at("informedness").data[0], 1.0 / 3 + 1.0 / 3 - 1);
  EXPECT_DOUBLE_EQ(report(c.program(), tensors).at("v").data[0], 1.0 / 9);
}

TEST(Prelude, ConfusionMatrix) {
  const Compiled c = compile(
      "model m { input y[2]; param p = 1; output u = p * y }\ntrain { target t[2]; loss mse(y, t); metric "
      "confusion_matrix(y, t); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  Values tensors = initial_tensors(c.program());
  const Values inputs = {{"y", {{3, 2}, {0.9, 0.1, 0.4, 0.6, 0.7, 0.3}}}, {"t", {{3, 2}, {1, 0, 1, 0, 0, 1}}}};
  for (const auto& [name, value] : evaluate_batch(c.program(), inputs, tensors, 3)) tensors[name] = value;
  EXPECT_EQ(report(c.program(), tensors).at("confusion_matrix").data, (std::vector<double>{1, 1, 1, 0}));
}

TEST(Prelude, ListsItsNames) {
  std::set<std::string> names;
  for (const PreludeName& name : prelude_names()) {
    EXPECT_FALSE(name.signature.empty()) << name.name;
    names.insert(name.kind + " " + name.name);
  }
  for (const char* expected :
       {"builtin einsum", "fn relu", "layer dense", "optimizer adam", "metric auc", "fn glorot_uniform"})
    EXPECT_TRUE(names.contains(expected)) << expected;
}

}  // namespace
}  // namespace tarn
