// Every optimizer over 200 steps of a small network, against an implementation in NumPy
// (tests/conformance/optimizer_trajectories.py): the loss before each step, and the weights after the last.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/training/training.h"
#include "tests/conformance/keras_cases.h"
#include "tests/support/files.h"

namespace tarn::conformance {
namespace {

// Rounding errors of 200 steps: some 1e-16 and 6e-8 each, which an optimizer that is stable does not amplify.
double relative_bound(Engine engine) { return engine == Engine::native_f32 ? 2e-5 : 1e-10; }

// The samples in batches of 8.
std::vector<Data> batches_of(const Json& file) {
  const auto x = file.at("x").get<std::vector<double>>();
  const auto t = file.at("t").get<std::vector<double>>();
  std::vector<Data> batches;
  for (std::size_t row = 0; row < x.size() / 3; row += 8) {
    const auto rows = [&](const std::vector<double>& values, std::size_t width) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * width);
      return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(8 * width));
    };
    batches.push_back({{{"x", rows(x, 3)}, {"t", rows(t, 2)}}, 8});
  }
  return batches;
}

TEST(KerasTrajectories, LossesAndWeightsOfTwoHundredSteps) {
  const Json file = read_cases("trajectories");
  const std::vector<Data> batches = batches_of(file);
  for (const Json& run : file.at("runs")) {
    std::string lines = run.at("train").get<std::string>();
    std::replace(lines.begin(), lines.end(), ';', '\n');
    const std::string text = fmt::format(
        "model m {{\n  input x[3]\n  param kernel[3, 2] = {}\n  param bias[2] = {}\n  output y = tanh(x @ kernel + "
        "bias)\n}}\n"
        "train {{\n  target t[2]\n  loss mse(y, t)\n  {}\n  batch 8\n}}\n",
        argument_text(file.at("kernel")), argument_text(file.at("bias")), lines);
    const auto expected = run.at("losses").get<std::vector<double>>();
    for (const Engine engine : kEngines) {
      SCOPED_TRACE(fmt::format("{}: {}", name_of(engine), run.at("train").get<std::string>()));
      const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
      ASSERT_TRUE(model.has_value()) << model.error().front().message;
      std::vector<double> losses;
      for (std::size_t step = 0; step < expected.size(); ++step) {
        const Result<double> loss = (*model)->train(batches[step % batches.size()]);
        ASSERT_TRUE(loss.has_value()) << step;
        losses.push_back(*loss);
      }
      const double bound = relative_bound(engine);
      EXPECT_EQ(difference(losses, expected, {{"rel", bound}}), "");
      // Weights are of size 1, and may cross 0.
      for (const char* name : {"kernel", "bias"})
        EXPECT_EQ(difference((*model)->tensor(name), run.at(name).get<std::vector<double>>(), {{"abs", bound}}), "");
    }
  }
}

// The weight goes 2, 1, 0 by a gradient of 1; its average is 2, 0.9 · 2 + 0.1 · 1 = 1.9, 0.9 · 1.9 = 1.71, and is what
// training leaves.
TEST(KerasTrajectories, AveragesBecomeTheWeightsAtTheEnd) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("averages.tarn");
  test::write_text(path, gradient_model({}, "3", "  optimizer sgd(lr = 1)\n  ema 0.9\n"));
  Sources sources;
  const Result<std::shared_ptr<Model>> model = Model::compile(path, {}, {}, sources);
  ASSERT_TRUE(model.has_value()) << format(model.error(), sources);
  Session session(*model, 0);
  const float gradient = 1;
  FitOptions options;
  options.epochs = 3;
  std::vector<double> weights;
  options.on_epoch = [&](const EpochReport&) {
    weights.push_back(session.tensor("w").at(0));
    return true;
  };
  fit(session, {{&gradient}, 1}, nullptr, options);
  EXPECT_EQ(weights, (std::vector<double>{2, 1, 0}));
  // f32: three roundings.
  EXPECT_NEAR(session.tensor("w").at(0), 1.71, 3e-7);
}

}  // namespace
}  // namespace tarn::conformance
