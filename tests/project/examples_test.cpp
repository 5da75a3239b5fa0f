// The shipped examples, end to end: the numbers that they must give and the accuracies that they must reach.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "ir/evaluator.h"
#include "runtime/training/gradient_check.h"
#include "tests/project/example_trial.h"

namespace tarn {
namespace {

// Every model file among the examples: one that is added is tested. Not those of images, which take the evaluator
// minutes, and where black pixels and a bias of 0 put relu on its kink: their layers have tests of their own
// (ConvolutionGradients, KerasGoldenLayers).
std::vector<std::string> names_of_examples() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "examples")) {
    const std::string stem = entry.path().stem().string();
    const bool is_model = entry.path().extension() == ".tarn" && !stem.ends_with("_weights");
    if (!is_model) continue;
    const std::string text = test::read_text(entry.path());
    const auto has = [&](const char* word) { return text.find(word) != std::string::npos; };
    if (!has("fashion-mnist") && !has("conv1d(") && !has("conv2d(")) names.push_back(stem);
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Prediction {
  const char* example;
  std::vector<double> input, expected;
  double tolerance;
};

// Expected values: worked out in double precision from the weights in the files; the tolerances are those of the
// figures as they are quoted (8 digits), or a unit in the last place of f32 at their size.
class Predictions : public ::testing::TestWithParam<Prediction> {};

TEST_P(Predictions, MatchTheQuotedFigures) {
  Trial trial(GetParam().example);
  const std::vector<double> found = trial.predict(GetParam().input);
  ASSERT_EQ(found.size(), GetParam().expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], GetParam().expected[i], GetParam().tolerance) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Examples, Predictions,
    ::testing::Values(Prediction{"by_hand", {0.3, 0.1}, {0.93015909}, 2e-7},
                      Prediction{
                          "course_multiclass", {1, 2, 3}, {0.00443583, 0.44573018, 0.00541793, 0.54441607}, 1e-7},
                      Prediction{"course_regression", {1, 2, 3}, {4.59, 9.2, 4.79, 9.4}, 1e-6},
                      Prediction{"course_binary", {1, 2, 3, 4, 5}, {0.99886501}, 1e-7}),
    [](const auto& info) { return std::string(info.param.example); });

struct LossFigure {
  const char* example;
  double expected, tolerance_f64, tolerance_f32;
};

class Losses : public ::testing::TestWithParam<LossFigure> {};

TEST_P(Losses, MatchTheQuotedFigures) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    Trial trial(GetParam().example, {}, 0, dtype);
    const Dataset data = trial.data();
    MetricValues values;
    ASSERT_EQ(trial.session->evaluate(data.view(), values), Outcome::done);
    EXPECT_NEAR(values.loss(), GetParam().expected,
                dtype == DType::f64 ? GetParam().tolerance_f64 : GetParam().tolerance_f32);
  }
}

// The quoted cross-entropies come from f32 arithmetic on logits up to 9.4, whose ulp is 9.5e-7; the mean square error
// is exact in f64 and, with four squares of f32 numbers near 6, good to four ulps of its own size in f32.
INSTANTIATE_TEST_SUITE_P(Examples, Losses,
                         ::testing::Values(LossFigure{"course_multiclass", 0.6080413, 5e-7, 1e-6},
                                           LossFigure{"course_regression", 8.141525, 1e-12, 4e-6},
                                           LossFigure{"course_binary", 0.00113553, 2e-7, 2e-7}),
                         [](const auto& info) { return std::string(info.param.example); });

TEST(Examples, AbsolutelyCorrectClassifiesEverySampleRight) {
  Trial trial("absolutely_correct");
  const Dataset data = trial.data();
  MetricValues values;
  ASSERT_EQ(trial.session->evaluate(data.view(), values), Outcome::done);
  EXPECT_EQ(trial.metric(values, "sign_accuracy"), 1.0);
}

// Trains on rows [0, cut) and gives the metric on the others (cut 0: validation_split as the file says).
double accuracy_after_training(const std::string& name, std::uint64_t seed, const std::string& metric,
                               std::vector<Setting> overrides, std::uint64_t cut, const std::string& test_part) {
  Trial trial(name, std::move(overrides), seed);
  const Dataset data = trial.data();
  const Rows all = data.view();
  if (cut == 0)
    cut = static_cast<std::uint64_t>(static_cast<double>(all.count) * (1 - trial.program().settings.validation_split));
  const Rows training = all.slice(trial.program(), 0, cut);
  const FitResult result =
      fit(*trial.session, training, nullptr, {trial.program().settings.epochs, trial.program().settings.shuffle});
  EXPECT_EQ(result.end, FitResult::End::completed);
  MetricValues values;
  const Dataset fresh = test_part.empty() ? Dataset() : trial.data(test_part);
  const Rows tested = test_part.empty() ? all.slice(trial.program(), cut, all.count) : fresh.view();
  EXPECT_EQ(trial.session->evaluate(tested, values), Outcome::done);
  return trial.metric(values, metric);
}

TEST(Examples, IrisReachesItsValidationAccuracyForTenSeeds) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_GE(accuracy_after_training("iris", seed, "accuracy", {}, 0, ""), 0.93) << "seed " << seed;
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[values.size() / 2] + values[(values.size() - 1) / 2]) / 2;
}

TEST(Examples, IrisTrainedOnFiftyRowsKnowsTheOtherHundred) {
  std::vector<double> accuracies;
  for (std::uint64_t seed = 0; seed < 10; ++seed)
    accuracies.push_back(accuracy_after_training("iris", seed, "accuracy", {}, 50, ""));
  EXPECT_GE(median(accuracies) * 100, 89);
}

TEST(Examples, SumsAreRightOnFreshSamples) {
  for (const auto& [name, metric] : {std::pair{"sums", "sign_accuracy"}, std::pair{"sums_softmax", "accuracy"}}) {
    std::vector<double> accuracies;
    for (std::uint64_t seed = 0; seed < 10; ++seed)
      accuracies.push_back(accuracy_after_training(name, seed, metric, {}, 0, "test"));
    EXPECT_GE(median(accuracies), 0.93) << name;
  }
}

TEST(Examples, LineIsLearntOnlineByBothActivations) {
  for (const char* hidden : {"relu", "sigmoid"}) {
    Trial trial("line", {{"hidden", hidden}});
    const Dataset data = trial.data();
    const FitResult result = fit(*trial.session, data.view(), nullptr, {trial.program().settings.epochs, true});
    ASSERT_EQ(result.end, FitResult::End::completed) << hidden;
    MetricValues values;
    ASSERT_EQ(trial.session->evaluate(data.view(), values), Outcome::done);
    // Targets are scaled to a variance of about 0.17; a hundredth of that is a line that is plainly learnt.
    EXPECT_LT(values.loss(), 2e-3) << hidden;
  }
}

class EveryExample : public ::testing::TestWithParam<std::string> {};

HostTensor batch_of(const InputInfo& input, const Bytes& bytes, std::int64_t rows) {
  HostTensor tensor;
  tensor.shape = input.type.shape;
  tensor.shape.insert(tensor.shape.begin(), rows);
  const std::int64_t count = element_count(tensor.shape);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    tensor.data.push_back(input.type.dtype == DType::f64   ? reinterpret_cast<const double*>(bytes.data())[at]
                          : input.type.dtype == DType::i32 ? reinterpret_cast<const std::int32_t*>(bytes.data())[at]
                                                           : reinterpret_cast<const float*>(bytes.data())[at]);
  }
  return tensor;
}

TEST_P(EveryExample, GradientsAgreeWithDifferences) {
  Trial trial(GetParam(), {}, 3, DType::f64);
  if (!trial.program().trainable) GTEST_SUCCEED() << "nothing trains";
  if (!trial.program().trainable) return;
  const Dataset data = trial.data();
  EvaluationContext context;
  context.batch = std::min<std::int64_t>(8, static_cast<std::int64_t>(data.rows));
  context.seed = 3;
  for (std::size_t i = 0; i < trial.program().inputs.size(); ++i) {
    context.inputs[trial.program().inputs[i].name] = batch_of(trial.program().inputs[i], data.arrays[i], context.batch);
  }
  auto tensors = initial_tensors(trial.program(), 3, trial.sources);
  ASSERT_TRUE(tensors) << format(tensors.error(), trial.sources);
  context.tensors = *tensors;
  const auto checks = check_gradients(trial.program(), context, trial.sources);
  ASSERT_TRUE(checks) << format(checks.error(), trial.sources);
  EXPECT_FALSE(checks->empty());
  // Central differences in double precision are good to about 1e-9 (truncation h² = 1e-10, rounding 1e-16 / h = 1e-11).
  for (const GradientCheck& check : *checks) EXPECT_LE(check.largest_error, 1e-6) << check.tensor << " at " << check.at;
}

// Three optimizer steps by native code and by the reference evaluator, from the same state on the same batches.
void compare_steps(const std::string& name, DType float_type, double tolerance) {
  Trial trial(name, {}, 5, float_type);
  if (!trial.program().trainable) return;
  const Program& program = trial.program();
  const Dataset data = trial.data();
  const auto batch = std::min<std::uint64_t>(static_cast<std::uint64_t>(program.settings.batch), data.rows);
  PassContext passes;
  Result<Graph> lowered = lower_meaning(program.graphs.at("train"), passes);
  ASSERT_TRUE(lowered) << format(lowered.error(), trial.sources);

  EvaluationContext context;
  context.batch = static_cast<std::int64_t>(batch);
  context.seed = 5;
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    context.inputs[program.inputs[i].name] = batch_of(program.inputs[i], data.arrays[i], context.batch);
  }
  for (const TensorInfo& tensor : program.tensors) {
    HostTensor& value = context.tensors[tensor.name];
    value.shape = tensor.type.shape;
    value.data = tensor.kind == TensorKind::metric
                     ? std::vector<double>(static_cast<std::size_t>(element_count(tensor.type.shape)), tensor.initial)
                     : trial.session->tensor(tensor.name).to_doubles();
  }
  const Rows rows = data.view().slice(program, 0, batch);
  for (int step = 0; step < 3; ++step) {
    MetricValues metrics;
    ASSERT_EQ(trial.session->train(rows, nullptr, metrics), Outcome::done);
    context.step = static_cast<std::uint64_t>(step);
    const auto expected = evaluate(*lowered, context);
    ASSERT_TRUE(expected) << format(expected.error(), trial.sources);
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const GraphResult& result = lowered->results()[i];
      if (result.kind == ResultKind::loss) {
        const double loss = (*expected)[i].data.front();
        EXPECT_NEAR(metrics.loss(), loss, tolerance * std::max(1.0, std::fabs(loss))) << "step " << step;
      }
      if (result.kind != ResultKind::store) continue;
      const TensorInfo* tensor = program.find_tensor(result.name);
      if (tensor->kind == TensorKind::metric) continue;
      const std::vector<double> found = trial.session->tensor(result.name).to_doubles();
      for (std::size_t k = 0; k < found.size(); ++k) {
        const double value = (*expected)[i].data[k];
        ASSERT_NEAR(found[k], value, tolerance * std::max(1.0, std::fabs(value)))
            << result.name << "[" << k << "] after step " << step;
      }
      context.tensors[result.name] = (*expected)[i];
    }
  }
}

// The bounds are those that the project sets itself: 1e-12 in f64, 1e-4 in f32, relative to the size of the terms.
TEST_P(EveryExample, NativeCodeTakesTheStepsOfTheEvaluatorInF64) { compare_steps(GetParam(), DType::f64, 1e-12); }
TEST_P(EveryExample, NativeCodeTakesTheStepsOfTheEvaluatorInF32) { compare_steps(GetParam(), DType::f32, 1e-4); }

INSTANTIATE_TEST_SUITE_P(Examples, EveryExample, ::testing::ValuesIn(names_of_examples()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tarn
