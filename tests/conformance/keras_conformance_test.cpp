// The cases of Keras's own unit tests (tests/data/keras) as small Tarn models, each run by the reference evaluator and
// as native code in f64 and f32, within the tolerance of the case.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "tests/conformance/keras_cases.h"

namespace tarn::conformance {
namespace {

// Kinds of cases about things that Tarn does not have, on purpose.
const char* const kCircleLoss = "circle loss, which compares the samples of a batch with each other";
const char* const kMuon = "the optimizer Muon";
const char* const kScheduleFree = "the optimizer ScheduleFreeAdamW";
const char* const kLossScale = "a loss scaled against the underflow of f16 gradients, which Tarn has none of";

void expect_all(const Account& account, int at_least) {
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, at_least);
}

// Cases that keras_runs.py had Keras compute are many, and compiling takes most of the time: the evaluator alone is
// held against them.
constexpr Engine kOracle[] = {Engine::evaluator};

void check_activations(const std::string& name, std::span<const Engine> engines, int at_least) {
  // The array is one sample, so that axes mean the same.
  const Account account = run_cases(read_cases(name), [&](const Json& test) {
    const Array x = array_of(test.at("x"));
    const std::string call = test.at("function").get<std::string>();
    const std::string text = fmt::format("model m {{\n  input x{}\n  output y = {}(x{})\n}}\n", shape_text(x.shape),
                                         call, named_arguments(test.at("parameters")));
    Data data{{{"x", x.values}}, 1};
    // Some expected values are one element of the result, or one of its first axis.
    const Array expected = array_of(test.at("expected"));
    std::size_t first = 0;
    std::size_t size = x.values.size();
    std::size_t axis = 0;
    for (const Json& index : test.at("result_index")) {
      size /= static_cast<std::size_t>(x.shape[axis++]);
      first += size * index.get<std::size_t>();
    }
    return compare(
        text, test.at("expected"), test.at("tolerance"),
        [&](SmallModel& model) -> Result<std::vector<double>> {
          TARN_TRY(const std::vector<double> y, model.predict(data, "y"));
          const auto begin = y.begin() + static_cast<std::ptrdiff_t>(first);
          // A function such as glu gives fewer numbers than it takes.
          const auto count = std::min(size, y.size());
          return std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(count));
        },
        engines);
  });
  expect_all(account, at_least);
}

TEST(KerasConformance, Activations) { check_activations("activations", kEngines, 69); }
TEST(KerasConformance, ActivationsRunByKeras) { check_activations("activations_run", kOracle, 309); }

// How a case weighs its samples and sums up.
struct Weights {
  std::vector<double> values;  // one a sample, or one for each of the steps of a sample
  std::int64_t steps = 1;
  double mean() const {
    double sum = 0;
    for (const double w : values) sum += w;
    return sum / static_cast<double>(values.size());
  }
};

Weights weights_of(const Json& test, std::int64_t rows) {
  if (!test.contains("sample_weight")) return {std::vector<double>(static_cast<std::size_t>(rows), 1.0), 1};
  const Array given = array_of(test.at("sample_weight"));
  if (given.values.size() == 1) return {std::vector<double>(static_cast<std::size_t>(rows), given.values[0]), 1};
  return {given.values, static_cast<std::int64_t>(given.values.size()) / rows};
}

// Axes counted with the samples first become axes of one sample.
Json axes_of_sample(const Json& axis) {
  if (axis.is_array()) {
    Json axes = Json::array();
    for (const Json& a : axis) axes.push_back(axes_of_sample(a));
    return axes;
  }
  return axis.is_number() && axis.get<int>() > 0 ? Json(axis.get<int>() - 1) : axis;
}

std::string loss_model(const Json& test, const Array& y, const Array& t, const Weights& weights) {
  const std::string loss = function_name(test.at("loss").get<std::string>());
  Json config = test.at("config");
  std::vector<std::string> but = {"reduction"};
  // The losses that are a mean over the last axis take no axis: a mean of everything follows.
  if (loss.starts_with("binary")) but.emplace_back("axis");
  if (config.contains("axis")) config["axis"] = axes_of_sample(config["axis"]);
  const std::string arguments = named_arguments(config, but);
  const bool classes = loss.starts_with("sparse") || loss == "categorical_generalized_cross_entropy";
  const std::string value =
      weights.steps == 1
          ? fmt::format("loss {}(y, t{})\n  sample_weight w", loss, arguments)
          : fmt::format("loss mean(stack([w[i] * {}(y[i], t[i]{}) for i in 0..{}]))", loss, arguments, weights.steps);
  return fmt::format(
      "model m {{\n  input y{}\n  param unused[] = 0\n  output p = y + 0 * unused\n}}\n"
      "train {{\n  target t{}{}\n  target w{}\n  {}\n  optimizer sgd\n  batch {}\n}}\n",
      shape_text(y.shape, 1), shape_text(t.shape, 1), classes ? ": i32" : "",
      weights.steps == 1 ? "[]" : fmt::format("[{}]", weights.steps), value, y.shape[0]);
}

// 1 - 1e-7, the guard of a probability, is 1 - 1.19e-7 in f32, and so is the loss of a prediction that is sure of what
// is wrong: such a case of Keras, which computes in f32, is one of f32.
std::span<const Engine> engines_for(const Json& test, const Array& y) {
  static constexpr Engine kOnlyF32[] = {Engine::native_f32};
  const bool sure = std::any_of(y.values.begin(), y.values.end(), [](double p) { return p <= 1e-7 || p >= 1 - 1e-7; });
  const bool guarded = test.at("loss").get<std::string>().find("Crossentropy") != std::string::npos &&
                       !test.at("config").value("from_logits", false);
  return guarded && sure && test.at("y_pred").at("dtype") == "float32" ? std::span<const Engine>(kOnlyF32)
                                                                       : std::span<const Engine>(kEngines);
}

// The training objective is the mean over the samples of weighted losses; the reductions of Keras follow from it.
Result<std::vector<double>> reduced(SmallModel& model, const Json& reduction, Data data, const Weights& weights,
                                    std::int64_t losses_in_sample) {
  const auto evaluate = [&](const std::vector<double>& w) {
    data.arrays["w"] = w;
    return model.evaluate(data);
  };
  const auto rows = static_cast<double>(data.rows);
  if (!reduction.is_null()) {
    TARN_TRY(const double mean, evaluate(weights.values));
    if (reduction == "sum") return std::vector<double>{mean * rows * static_cast<double>(losses_in_sample)};
    if (reduction == "mean_with_sample_weight") return std::vector<double>{mean / weights.mean()};
    return std::vector<double>{mean};
  }
  // No reduction: the other samples weigh nothing.
  std::vector<double> values;
  for (std::size_t i = 0; i < weights.values.size(); ++i) {
    std::vector<double> w(weights.values.size(), 0.0);
    w[i] = weights.values[i] * rows * static_cast<double>(weights.steps);
    TARN_TRY(const double value, evaluate(w));
    values.push_back(value);
  }
  return values;
}

void check_losses(const std::string& name, std::span<const Engine> engines, int at_least) {
  const Account account = run_cases(read_cases(name), [&](const Json& test) -> Verdict {
    if (test.at("loss") == "Circle") return {"", kCircleLoss};
    const Array y = array_of(test.at("y_pred"));
    const Array t = array_of(test.at("y_true"));
    const Weights weights = weights_of(test, y.shape[0]);
    const Data data{{{"y", y.values}, {"t", t.values}}, y.shape[0]};
    std::int64_t losses_in_sample = 1;
    for (std::size_t i = 1; i + 1 < y.shape.size(); ++i) losses_in_sample *= y.shape[i];
    return compare(
        loss_model(test, y, t, weights), test.at("expected"), test.at("tolerance"),
        [&](SmallModel& model) {
          return reduced(model, test.at("config").at("reduction"), data, weights, losses_in_sample);
        },
        engines.size() == 1 ? engines : engines_for(test, y));
  });
  expect_all(account, at_least);
}

TEST(KerasConformance, Losses) { check_losses("losses", kEngines, 83); }
TEST(KerasConformance, LossesRunByKeras) { check_losses("losses_run", kOracle, 812); }

std::string optimizer_lines(const Json& test) {
  static const std::set<std::string> settings = {"weight_decay",
                                                 "clipnorm",
                                                 "clipvalue",
                                                 "global_clipnorm",
                                                 "use_ema",
                                                 "ema_momentum",
                                                 "loss_scale_factor",
                                                 "ema_overwrite_frequency",
                                                 "gradient_accumulation_steps"};
  const std::string optimizer = function_name(test.at("optimizer").get<std::string>());
  const Json& given = test.at("hyperparameters");
  const bool excluded = test.at("excluded_from_weight_decay").get<bool>();
  std::string arguments;
  for (const auto& [name, value] : given.items()) {
    const bool decay_of_adamw = optimizer == "adamw" && name == "weight_decay";
    if (settings.contains(name) && !decay_of_adamw) continue;
    arguments += fmt::format("{}{} = {}", arguments.empty() ? "" : ", ", argument_name(name),
                             decay_of_adamw && excluded ? "0" : argument_text(value));
  }
  std::string lines = fmt::format("  optimizer {}({})\n", optimizer, arguments);
  const auto setting = [&](const char* keras, const char* key) {
    if (given.contains(keras) && !given[keras].is_null())
      lines += fmt::format("  {} {}\n", key, argument_text(given[keras]));
  };
  if (optimizer != "adamw") setting("weight_decay", "weight_decay");
  if (optimizer != "adamw" && excluded) lines += "  weight_decay 0 for w\n";
  setting("clipnorm", "clip_norm");
  setting("clipvalue", "clip_value");
  setting("global_clipnorm", "clip_global_norm");
  setting("gradient_accumulation_steps", "accumulate");
  if (given.value("use_ema", false))
    lines += fmt::format("  ema(momentum = {}, overwrite_every = {})\n", argument_text(given["ema_momentum"]),
                         argument_text(given["ema_overwrite_frequency"]));
  return lines;
}

// The weights after as many steps as there are gradients.
Verdict check_updates(const Json& test, std::span<const Engine> engines) {
  const Array w = array_of(test.at("initial"));
  Data data;
  for (const Json& gradient : test.at("gradients_per_step")) {
    const std::vector<double> values = array_of(gradient).values;
    data.arrays["g"].insert(data.arrays["g"].end(), values.begin(), values.end());
    ++data.rows;
  }
  const std::string text = gradient_model(w.shape, argument_text(test.at("initial")), optimizer_lines(test));
  return compare(
      text, test.at("expected_after_last_step"), test.at("tolerance"),
      [&](SmallModel& model) -> Result<std::vector<double>> {
        TARN_TRY([[maybe_unused]] const double loss, model.train(data));
        return model.tensor("w");
      },
      engines);
}

// What is clipped is seen by a step of size 1 from 0. Clipping comes before every optimizer, and is the same for all.
Verdict check_clipping(const Json& test) {
  static const std::map<std::string, std::string> keys = {
      {"clipnorm", "clip_norm"}, {"clipvalue", "clip_value"}, {"global_clipnorm", "clip_global_norm"}};
  std::string lines = "  optimizer sgd(lr = 1)\n";
  for (const auto& [name, value] : test.at("clip").items())
    lines += fmt::format("  {} {}\n", keys.at(name), argument_text(value));
  const Array gradient = array_of(test.at("gradients").at(0));
  return compare(gradient_model(gradient.shape, "zeros", lines), test.at("expected_first_clipped"),
                 test.at("tolerance"), [&](SmallModel& model) -> Result<std::vector<double>> {
                   TARN_TRY([[maybe_unused]] const double loss, model.train({{{"g", gradient.values}}, 1}));
                   std::vector<double> clipped = model.tensor("w");
                   for (double& value : clipped) value = -value;
                   return clipped;
                 });
}

void check_optimizers(const std::string& name, std::span<const Engine> engines, int at_least) {
  const Account account = run_cases(read_cases(name), [&](const Json& test) -> Verdict {
    const std::string optimizer = test.value("optimizer", "Muon");
    if (optimizer == "Muon") return {"", kMuon};
    if (optimizer == "ScheduleFreeAdamW") return {"", kScheduleFree};
    if (test.contains("clip")) return check_clipping(test);
    if (!test.at("hyperparameters").value("loss_scale_factor", Json()).is_null()) return {"", kLossScale};
    return check_updates(test, engines);
  });
  expect_all(account, at_least);
}

TEST(KerasConformance, Optimizers) { check_optimizers("optimizers", kEngines, 71); }
TEST(KerasConformance, OptimizersRunByKeras) { check_optimizers("optimizers_run", kOracle, 372); }

void check_schedules(const std::string& name, std::span<const Engine> engines, int at_least) {
  const Account account = run_cases(read_cases(name), [&](const Json& test) {
    const std::string schedule = function_name(test.at("schedule").get<std::string>());
    const std::string lines =
        fmt::format("  optimizer sgd(lr = {}(step{}))\n", schedule, named_arguments(test.at("config")));
    return compare(
        gradient_model({}, "0", lines), test.at("expected"), test.at("tolerance"),
        [&](SmallModel& model) -> Result<std::vector<double>> {
          model.set_tensor("step", {test.at("step").get<double>()});
          TARN_TRY([[maybe_unused]] const double loss, model.train({{{"g", {1.0}}}, 1}));
          return std::vector<double>{-model.tensor("w")[0]};
        },
        engines);
  });
  expect_all(account, at_least);
}

TEST(KerasConformance, Schedules) { check_schedules("lr_schedules", kEngines, 53); }
TEST(KerasConformance, SchedulesRunByKeras) { check_schedules("lr_schedules_run", kOracle, 224); }

TEST(KerasConformance, Fit) {
  const char* const text = R"(model m {
  input x[2]
  output y = x |> dense(2, kernel_init = ones, bias_init = ones)
}
train {
  target t[2]
  loss mse(y, t)
  optimizer adam(lr = exponential_decay(step, 0.05, 1, 0.9), beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7)
  batch 4
}
)";
  const Account account = run_cases(read_cases("fit"), [&](const Json& test) -> Verdict {
    // The description is in words; the model above is of these.
    EXPECT_EQ(test.at("model"), "Dense(2), kernel all ones (2x2), bias all ones");
    EXPECT_EQ(test.at("x"), "arange(32).reshape(16,2) float32");
    EXPECT_EQ(test.at("batch_size"), 4);
    std::vector<double> x(32);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
    return compare(text, test.at("expected_epoch_loss"), test.at("tolerance"),
                   [&](SmallModel& model) -> Result<std::vector<double>> {
                     std::vector<double> losses;
                     for (int epoch = 0; epoch < test.at("epochs").get<int>(); ++epoch) {
                       TARN_TRY(const double loss, model.train({{{"x", x}, {"t", x}}, 16}));
                       losses.push_back(loss);
                     }
                     return losses;
                   });
  });
  expect_all(account, 1);
}

}  // namespace
}  // namespace tarn::conformance
