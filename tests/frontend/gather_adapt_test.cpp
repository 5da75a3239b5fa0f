// gather, cumsum, grad and `adapt`, from the text of a model to numbers of the reference evaluator and of native code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "runtime/data/dataset.h"
#include "runtime/training/gradient_check.h"
#include "tests/conformance/keras_cases.h"
#include "tests/support/compiler/frontend_test_support.h"
#include "tests/support/files.h"

namespace tarn::conformance {
namespace {

// f32 rounds 24 bits; sums below have a few terms.
double tolerance_of(Engine engine) { return engine == Engine::native_f32 ? 1e-5 : 1e-12; }

void expect_near(const std::vector<double>& values, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], tolerance * std::max(1.0, std::fabs(expected[i]))) << i;
}

struct GatherCase {
  const char* expression;
  std::vector<double> values;  // of both samples
};

// Sample 0: x = [[1, 2], [3, 4], [5, 6]], i = [2, 0], k = 1; sample 1: x + 10, i = [1, 9], k = -3, which are out of
// range.
const GatherCase kGathers[] = {
    {"gather([10, 20, 30], i)", {30, 10, 20, 30}},
    {"gather([[1, 2], [3, 4], [5, 6]], i)", {5, 6, 1, 2, 3, 4, 5, 6}},
    {"gather([[1, 2], [3, 4], [5, 6]], k)", {3, 4, 1, 2}},
    {"gather([[1, 2, 3], [4, 5, 6]], i, axis = 1)", {3, 1, 6, 4, 2, 3, 5, 6}},
    {"gather([[1, 2, 3], [4, 5, 6]], i, axis = -1)", {3, 1, 6, 4, 2, 3, 5, 6}},
    {"gather(w, [1, 0])", {3, 4, 1, 2, 3, 4, 1, 2}},
    {"gather(x, i)", {5, 6, 1, 2, 13, 14, 15, 16}},
    {"gather(x, k)", {3, 4, 11, 12}},
    {"gather(x, [1, 1], axis = 1)", {2, 2, 4, 4, 6, 6, 12, 12, 14, 14, 16, 16}},
    {"gather(x, k, axis = 1)", {2, 4, 6, 11, 13, 15}},
    {"gather(i, k)", {0, 1}},
    {"gather(stack([x, -x], axis = 1), i, axis = 2)[0]", {2, 1, -2, -1, 12, 12, -12, -12}},
};

TEST(Gather, TakesRowsByIndex) {
  for (const GatherCase& c : kGathers) {
    const std::string text = fmt::format(
        "model m {{\n  input x[3, 2]\n  input i[2]: i32\n  input k: i32\n  param w = [[1, 2], [3, 4]]\n  output y = {} "
        "+ 0 * k\n}}\n",
        c.expression);
    const Data data{{{"x", {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16}}, {"i", {2, 0, 1, 9}}, {"k", {1, -3}}}, 2};
    for (const Engine engine : kEngines) {
      SCOPED_TRACE(fmt::format("{}, {}", c.expression, name_of(engine)));
      const auto model = compile_model(text, engine);
      ASSERT_TRUE(model.has_value()) << model.error().front().message;
      const auto y = (*model)->predict(data, "y");
      ASSERT_TRUE(y.has_value());
      expect_near(*y, c.values, tolerance_of(engine));
    }
  }
}

// The loss is sum_i g_i table[i]: the gradient by a row is the sum of the g where it was taken, over all samples.
TEST(Gather, GradientsAddUpInTheRowsThatWereTaken) {
  const std::string text =
      "model m {\n  input i[3]: i32\n  input g[3]\n  param table[4, 2] = zeros\n"
      "  output y = sum(gather(table, i) * reshape(g, [3, 1]) * [1, 10])\n}\n"
      "train {\n  loss y\n  optimizer sgd(lr = 1)\n  batch 2\n}\n";
  const Data data{{{"i", {0, 2, 2, 3, 2, 9}}, {"g", {1, 2, 3, 4, 5, 6}}}, 2};
  for (const Engine engine : kEngines) {
    const auto model = compile_model(text, engine);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    ASSERT_TRUE((*model)->train(data).has_value());
    // A mean over two samples: half of each.
    expect_near((*model)->tensor("table"), {-0.5, -5, 0, 0, -5, -50, -5, -50}, tolerance_of(engine));
  }
}

TEST(Gather, LimitsInputsThatAreIndices) {
  const auto compiled = frontend_test::compile(
      "model m { input a: i32; input b[4]: i32; input c[2]: i32; input d: i32\n"
      "output y = sum(a |> embedding(10, 3)) + sum(reshape(b, [2, 2]) |> embedding(7, 2)) + sum(b |> embedding(5, 2)) "
      "+ sum(c[0] |> embedding(3, 2)) + d }");
  ASSERT_TRUE(compiled.result.program) << compiled.messages();
  EXPECT_EQ(compiled.program().find_input("a")->values.count, 10);
  EXPECT_EQ(compiled.program().find_input("b")->values.count, 5) << "the smallest of its tables";
  EXPECT_EQ(compiled.program().find_input("c")->values.count, 0) << "only a part of it is an index";
  EXPECT_EQ(compiled.program().find_input("d")->values.count, 0);
}

// Labels of a column are numbered where they are names; numbers beyond the table are an error.
TEST(Gather, ColumnsOfLabelsAreIndices) {
  const test::TemporaryFolder folder;
  const auto read = [&](const std::string& rows) {
    test::write_text(folder.file("d.csv"), "k,t\n" + rows);
    const auto compiled = frontend_test::compile(
        "model m { input k: i32; output y = k |> embedding(3, 2) |> dense(1) }\n"
        "train { target t[1]; loss mse(y, t); optimizer sgd }\n"
        "data { csv \"d.csv\"; k = ordinal(column(\"k\")); t = column(\"t\") }");
    EXPECT_TRUE(compiled.result.program) << compiled.messages();
    Vocabularies vocabularies;
    return read_dataset(compiled.program(), folder.path().string(), {Purpose::train, {}}, vocabularies);
  };
  const auto names = read("red,1\ngreen,2\nred,3\nblue,4\n");
  ASSERT_TRUE(names.has_value()) << names.error().front().message;
  std::vector<std::int32_t> classes(4);
  std::memcpy(classes.data(), names->arrays[0].data(), 16);
  EXPECT_EQ(classes, (std::vector<std::int32_t>{0, 1, 0, 2}));
  EXPECT_TRUE(read("2,1\n0,2\n").has_value());
  EXPECT_FALSE(read("red,1\ngreen,2\nblue,3\nblack,4\n").has_value()) << "four names for three rows";
  EXPECT_FALSE(read("2,1\n3,2\n").has_value()) << "the table has no row 3";
}

TEST(Cumsum, AddsUpAlongAnAxis) {
  std::vector<double> x(2 * 7 * 3);
  std::iota(x.begin(), x.end(), -5.0);
  std::vector<double> rows = x, columns = x, blocks = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % 3 > 0) columns[i] += columns[i - 1];
    if (i / 3 % 7 > 0) rows[i] += rows[i - 3];
    if (i / 21 > 0) blocks[i] += blocks[i - 21];
  }
  const std::string text =
      "model m {\n  input x[2, 7, 3]\n  output rows = cumsum(x, axis = 1)\n  output columns = cumsum(x, axis = -1)\n"
      "  output blocks = x |> cumsum\n  output one = cumsum(x[0, 0, 0:1])\n}\n";
  for (const Engine engine : kEngines) {
    const auto model = compile_model(text, engine);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    const Data data{{{"x", x}}, 1};
    expect_near(*(*model)->predict(data, "rows"), rows, tolerance_of(engine));
    expect_near(*(*model)->predict(data, "columns"), columns, tolerance_of(engine));
    expect_near(*(*model)->predict(data, "blocks"), blocks, tolerance_of(engine));
    expect_near(*(*model)->predict(data, "one"), {-5}, tolerance_of(engine));
  }
}

// A gradient of cumsum is the sum from behind.
TEST(Cumsum, GradientAddsUpFromBehind) {
  const std::string text =
      "model m {\n  input g[5]\n  param w[5] = zeros\n  output y = sum(cumsum(w) * g)\n}\n"
      "train {\n  loss y\n  optimizer sgd(lr = 1)\n}\n";
  for (const Engine engine : kEngines) {
    const auto model = compile_model(text, engine);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    ASSERT_TRUE((*model)->train({{{"g", {1, 2, 3, 4, 5}}}, 1}).has_value());
    expect_near((*model)->tensor("w"), {-15, -14, -12, -9, -5}, tolerance_of(engine));
  }
}

// ---------------------------------------------------------------- grad

// y = x0^3 + x0 x1: gradient [3 x0^2 + x1, x0], and that of its first element [6 x0, 1].
TEST(Grad, CanBeTakenOfGradients) {
  const std::string text =
      "model m {\n  input x[2]\n  y = x[0]^3 + x[0] * x[1]\n  g = grad(y, x)\n  output first = g\n"
      "  output second = grad(g[0], x)\n  h = 2 * x\n  output inner = grad(sum(h^2), h)\n}\n";
  for (const Engine engine : kEngines) {
    const auto model = compile_model(text, engine);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    const Data data{{{"x", {2, 5, -1, 3}}}, 2};
    expect_near(*(*model)->predict(data, "first"), {17, 2, 6, -1}, tolerance_of(engine));
    expect_near(*(*model)->predict(data, "second"), {12, 1, -6, 1}, tolerance_of(engine));
    expect_near(*(*model)->predict(data, "inner"), {8, 20, -4, 12}, tolerance_of(engine));
  }
}

// Training through it: the loss (d/dx tanh(w x))^2 has derivatives by w, which differences confirm.
TEST(Grad, IsDifferentiatedByTraining) {
  FrontendOptions options;
  options.float_type = DType::f64;
  const auto compiled = frontend_test::compile(
      "model m { input x[3]; u = sum(x |> dense(4, tanh) |> dense(1, tanh)); output r = sum(grad(u, x)^2) - u }\n"
      "train { loss r^2; optimizer sgd }",
      options);
  ASSERT_TRUE(compiled.result.program) << compiled.messages();
  EvaluationContext context;
  context.batch = 2;
  context.inputs["x"] = {{2, 3}, {0.3, -0.2, 0.9, -1.1, 0.4, 0.7}};
  context.tensors = frontend_test::initial_tensors(compiled.program());
  const auto checks = check_gradients(compiled.program(), context, compiled.sources);
  ASSERT_TRUE(checks.has_value()) << format(checks.error(), compiled.sources);
  EXPECT_EQ(checks->size(), 4U);
  for (const GradientCheck& check : *checks) EXPECT_LE(check.largest_error, 1e-7) << check.tensor;
}

// ---------------------------------------------------------------- adapt

// 11 rows of 2 places with 3 features, far from 0 in comparison with their spread, in batches of 4.
struct GatherSample {
  std::vector<double> values;
  std::int64_t rows = 11;
  GatherSample() {
    for (int i = 0; i < 66; ++i)
      values.push_back(1000 * (i % 3 + 1) + std::sin(7.0 * i) * (i % 3 + 1) + (i % 6 < 3 ? 0.5 : 0));
  }
  // Mean and variance of the values for which keep(index) holds.
  template <class Keep>
  std::pair<double, double> moments(Keep keep) const {
    double sum = 0, squares = 0, count = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += keep(i) ? values[i] : 0, count += keep(i) ? 1 : 0;
    for (std::size_t i = 0; i < values.size(); ++i) squares += keep(i) ? std::pow(values[i] - sum / count, 2) : 0;
    return {sum / count, squares / count};
  }
};

TEST(Adapt, NormalizationHasMeanAndVarianceOfAllRows) {
  const GatherSample sample;
  const std::string text =
      "model m {\n  input x[2, 3]\n  last = normalization()\n  all = normalization(axis = none)\n"
      "  each = normalization(axis = [0, 1])\n  back = normalization(invert = true)\n"
      "  output y = last(x)\n  output z = all(x) + each(x) + back(x)\n}\n"
      "train {\n  target t\n  loss mean(y) - t + 0 * w\n  optimizer sgd\n  batch 4\n}\n";
  const std::string with_parameter = std::string(text).replace(text.find("  output y"), 0, "  param w = 1\n");
  for (const Engine engine : kEngines) {
    SCOPED_TRACE(name_of(engine));
    const auto model = compile_model(with_parameter, engine);
    ASSERT_TRUE(model.has_value()) << model.error().front().message;
    const Data data{{{"x", sample.values}}, sample.rows};
    ASSERT_TRUE((*model)->adapt(data).has_value());
    // The states are f64; inputs of f32 were rounded by up to 1e-4 at 3000.
    const double rounding = engine == Engine::native_f32 ? 2e-4 : 1e-9;
    const std::vector<double> y = *(*model)->predict(data, "y");
    for (std::size_t feature = 0; feature < 3; ++feature) {
      const auto [mean, variance] = sample.moments([&](std::size_t i) { return i % 3 == feature; });
      EXPECT_NEAR((*model)->tensor("last.fitted_mean")[feature], mean, rounding);
      EXPECT_NEAR((*model)->tensor("last.fitted_variance")[feature], variance, rounding);
      for (std::size_t i = feature; i < y.size(); i += 3)
        EXPECT_NEAR(y[i], (sample.values[i] - mean) / std::sqrt(variance), 10 * rounding);
    }
    const auto [mean, variance] = sample.moments([](std::size_t) { return true; });
    EXPECT_NEAR((*model)->tensor("all.fitted_mean")[0], mean, rounding);
    EXPECT_NEAR((*model)->tensor("all.fitted_variance")[0], variance, 2 * std::sqrt(variance) * rounding);
    for (std::size_t place = 0; place < 6; ++place) {
      const auto [m, v] = sample.moments([&](std::size_t i) { return i % 6 == place; });
      EXPECT_NEAR((*model)->tensor("each.fitted_mean")[place], m, rounding);
      EXPECT_NEAR((*model)->tensor("each.fitted_variance")[place], v, rounding);
    }
    EXPECT_EQ((*model)->tensor("last.fitted_count")[0], 11);
  }
}

// Nothing else runs in the pass: what training stores stays as it is.
TEST(Adapt, StoresNothingButItsOwn) {
  const auto compiled = frontend_test::compile(
      "model m { input x[3]; output y = x |> normalization |> batch_norm |> dense(1) }\n"
      "train { target t[1]; loss mse(y, t); optimizer adam }");
  ASSERT_TRUE(compiled.result.program) << compiled.messages();
  std::vector<std::string> stored;
  for (const GraphResult& result : compiled.program().graphs.at("adapt").results()) stored.push_back(result.name);
  const std::string p = "normalization_1.fitted_";
  EXPECT_EQ(stored, (std::vector<std::string>{p + "variance", p + "mean", p + "count"}));
  for (const char* graph : {"train", "evaluate"}) {
    for (const GraphResult& result : compiled.program().graphs.at(graph).results())
      EXPECT_FALSE(result.kind == ResultKind::store && result.name.starts_with(p)) << graph << " " << result.name;
  }
  EXPECT_FALSE(
      frontend_test::compile("model m { input x[3]; output y = x |> dense(1) }").program().graphs.contains("adapt"));
}

}  // namespace
}  // namespace tarn::conformance
