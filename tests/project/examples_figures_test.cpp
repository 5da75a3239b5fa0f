// The figures that the examples on real data must reach, for each of three seeds. The bounds leave room for how the
// seeds differ; what a published figure says is cited.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

#include "runtime/data/validation_split.h"
#include "tests/project/example_trial.h"

namespace tarn {
namespace {

struct Figure {
  const char* example;
  const char* metric;
  bool at_least;
  double bound;
  const char* part = "";  // "": the rows that validation_split keeps
  std::uint64_t seeds = 3;
};

class Figures : public ::testing::TestWithParam<Figure> {};

TEST_P(Figures, AreReached) {
  const Figure& figure = GetParam();
  Trial trial(figure.example);
  if (!trial.has_files()) GTEST_SKIP() << "the data of this example are not installed";
  const Program& program = trial.program();
  const Dataset data = trial.data();
  const std::string part = figure.part;
  const Dataset fresh = part.empty() ? Dataset() : trial.data(part);
  ValidationSplit split{data.view(), fresh.view(), {}};
  if (part.empty()) {
    Result<ValidationSplit> cut = split_for_validation(program, data, trial.vocabularies);
    ASSERT_TRUE(cut) << format(cut.error(), trial.sources);
    EXPECT_TRUE(cut->warnings.empty());
    split = std::move(*cut);
  }
  for (std::uint64_t seed = 0; seed < figure.seeds; ++seed) {
    trial.session->initialize(seed);
    trial.session->set_vocabularies(trial.vocabularies);
    const Status known = take_vocabularies(*trial.session, trial.session->vocabularies());
    ASSERT_TRUE(known);
    FitOptions options;
    options.epochs = program.settings.epochs;
    options.shuffle = program.settings.shuffle;
    const FitResult result = fit(*trial.session, split.training, part.empty() ? &split.validation : nullptr, options);
    ASSERT_NE(result.end, FitResult::End::not_finite);
    MetricValues values;
    ASSERT_EQ(trial.session->evaluate(split.validation, values), Outcome::done);
    const double found = trial.metric(values, figure.metric);
    std::cout << fmt::format("{} {}: {:.4f}\n", figure.example, figure.metric, found);
    if (figure.at_least) {
      EXPECT_GE(found, figure.bound) << "seed " << seed;
    } else {
      EXPECT_LE(found, figure.bound) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Examples, Figures,
    ::testing::Values(
        Figure{"digits_softmax", "accuracy", true, 0.87}, Figure{"wine", "accuracy", true, 0.95},
        Figure{"breast_cancer", "auc", true, 0.99}, Figure{"breast_cancer", "found", true, 0.95},
        // Without its code, the network can give no better than the mean image, which is off by 0.27.
        Figure{"digits_autoencoder", "root_mean_squared_error", false, 0.15},
        Figure{"digits_vae", "root_mean_squared_error", false, 0.19},
        Figure{"digits_siamese", "accuracy", true, 0.88, "test"}, Figure{"digits_siamese", "auc", true, 0.94, "test"},
        // Linear least squares explain 0.518 of the variance of all rows.
        Figure{"diabetes", "r2_score", true, 0.44}, Figure{"wide_and_deep", "r2_score", true, 0.4},
        // Xiao, Rasul, Vollgraf 2017 give 0.871 for a perceptron with 100 hidden units.
        Figure{"fashion_mnist", "accuracy", true, 0.865, "test", 1}, Figure{"cnn_digits", "accuracy", true, 0.98},
        // A third of the noise's mean square, 0.5^2.
        Figure{"denoise", "left", false, 0.25 / 3, "", 1},
        // The noise alone, of standard deviation 0.05, makes 0.0025.
        Figure{"wavenet", "error", false, 0.006, "", 1}, Figure{"lenet", "accuracy", true, 0.88, "test", 1},
        Figure{"convnet", "accuracy", true, 0.905, "test", 1}, Figure{"depthwise", "accuracy", true, 0.88, "test", 1},
        Figure{"resnet_small", "accuracy", true, 0.91, "test", 1}),
    [](const auto& info) { return std::string(info.param.example) + "_" + info.param.metric; });

}  // namespace
}  // namespace tarn
