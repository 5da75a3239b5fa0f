// The cases of Keras's unit tests of metrics (tests/data/keras/metrics.json) as metric lines of small models: each run
// by the reference evaluator and as native code, once in the batches of the case and, where the metric has states, once
// in batches of one sample, which must not make a difference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>

#include "tests/conformance/keras_cases.h"

namespace tarn::conformance {
namespace {

const char* const kWithoutInputs = "cases that say neither predictions nor targets";
const char* const kAcrossSamples = "along the axis of samples, which the language does not name";

// The updates of a case, one behind the other; samples first.
struct Updates {
  Shape y, t, w;  // of one sample
  Data data;
  std::int64_t batch = 1;
  bool weighted = false;
};

// Arrays as they are or as calls of ops.one_hot.
Array operand(const Json& json) {
  if (!json.is_object() || !json.contains("call")) return array_of(json);
  const Json& classes = json.at("args").at(0);
  const auto count = json.at("kwargs").at("num_classes").get<std::int64_t>();
  Array array{classes.at("shape").get<Shape>(), {}};
  array.shape.push_back(count);
  for (const Json& c : classes.at("data"))
    for (std::int64_t i = 0; i < count; ++i) array.values.push_back(c.get<std::int64_t>() == i ? 1 : 0);
  return array;
}

// Weights for each row: one number is meant for all of them, as is one row.
Array rows_of_weights(Array weights, std::int64_t rows) {
  if (weights.shape.empty()) weights.shape = {1};
  if (weights.shape[0] != rows) {
    const std::vector<double> row = weights.values;
    for (std::int64_t i = 1; i < rows; ++i) weights.values.insert(weights.values.end(), row.begin(), row.end());
    weights.shape[0] = rows;
  }
  return weights;
}

Shape sample_shape(const Array& array) { return {array.shape.begin() + 1, array.shape.end()}; }

Updates updates_of(const Json& test, bool has_target) {
  Updates updates;
  const bool has_top_k = test.at("config").contains("top_k") && !test.at("config")["top_k"].is_null();
  const auto add = [&](const char* name, const Array& array) {
    auto& values = updates.data.arrays[name];
    values.insert(values.end(), array.values.begin(), array.values.end());
  };
  for (const Json& call : test.at("calls")) {
    const Json& arguments = call.at("args");
    Array t = operand(arguments.at(0));
    Array y = has_target ? operand(arguments.at(1)) : t;
    for (Array* array : {&y, &t}) {
      if (array->shape.empty()) array->shape = {1};
    }
    // Keras takes a list of predictions with top_k for the classes of one sample.
    if (has_top_k && y.shape.size() == 1) {
      y.shape.insert(y.shape.begin(), 1);
      t.shape.insert(t.shape.begin(), 1);
    }
    const std::size_t third = has_target ? 2 : 1;
    const Json given = call.at("kwargs").contains("sample_weight") ? call.at("kwargs").at("sample_weight")
                       : arguments.size() > third                  ? arguments.at(third)
                                                                   : Json();
    const Array w = rows_of_weights(given.is_null() ? Array{{}, {1.0}} : array_of(given), y.shape[0]);
    updates.weighted = updates.weighted || !given.is_null();
    updates.y = sample_shape(y);
    updates.t = sample_shape(t);
    updates.w = element_count(sample_shape(w)) == 1 ? Shape() : sample_shape(w);
    updates.batch = y.shape[0];
    updates.data.rows += y.shape[0];
    add("y", y);
    add("t", t);
    add("w", w);
  }
  if (test.at("calls").empty()) updates.data.arrays = {{"y", {}}, {"t", {}}, {"w", {}}};
  return updates;
}

// Metrics with states, which take weights themselves.
bool takes_weight(const std::string& metric) {
  static const std::set<std::string> kNames = {"weighted_mean",
                                               "weighted_sum",
                                               "root_mean_squared_error",
                                               "true_positives",
                                               "false_positives",
                                               "true_negatives",
                                               "false_negatives",
                                               "precision",
                                               "recall",
                                               "fbeta_score",
                                               "f1_score",
                                               "sensitivity_at_specificity",
                                               "auc",
                                               "mean_iou",
                                               "specificity_at_sensitivity",
                                               "precision_at_recall",
                                               "iou",
                                               "one_hot_iou",
                                               "recall_at_precision",
                                               "binary_iou",
                                               "r2_score",
                                               "one_hot_mean_iou"};
  return kNames.contains(metric);
}

// The value of a metric line.
std::string metric_call(const Json& test, const std::string& metric, const Updates& updates) {
  Json config = test.at("config");
  if (config.contains("axis") && config["axis"].is_number() && config["axis"].get<int>() > 0)
    config["axis"] = config["axis"].get<int>() - 1;
  // As a metric, unlike as a loss, Keras counts what is ignored as samples whose loss is 0.
  if (const Json ignored = config.value("ignore_class", Json()); metric.starts_with("sparse_") && !ignored.is_null()) {
    config["ignore_class"] = nullptr;
    return fmt::format("weighted_mean(where(t == {}, 0, {}(y, max(t, 0){})), w)", argument_text(ignored), metric,
                       named_arguments(config, {"name", "dtype"}));
  }
  const std::string arguments = named_arguments(config, {"name", "dtype", "num_labels"});
  const std::string weight = updates.weighted ? ", weight = w" : "";
  if (metric.starts_with("weighted_")) return fmt::format("{}(y{})", metric, weight);
  if (takes_weight(metric)) return fmt::format("{}(y, t{}{})", metric, arguments, weight);
  if (!updates.weighted) return fmt::format("{}(y, t{})", metric, arguments);
  if (updates.w.empty()) return fmt::format("weighted_mean({}(y, t{}), w)", metric, arguments);
  return fmt::format("weighted_mean(stack([{}(y[i], t[i]{}) for i in 0..{}]), w)", metric, arguments, updates.w[0]);
}

std::string metric_model(const std::string& call, const Updates& updates, std::int64_t batch) {
  return fmt::format(
      "model m {{\n  input y{}\n  param unused[] = 0\n  output p = sum(y) * unused\n}}\n"
      "train {{\n  target t{}\n  target w{}\n  loss p\n  metric v = {}\n  optimizer sgd\n  batch {}\n}}\n",
      shape_text(updates.y), shape_text(updates.t), shape_text(updates.w), call, batch);
}

// Where the guard of a probability decides, the expected values are those of f32: 1 - 1e-7 is 1 - 1.19e-7 there.
std::span<const Engine> engines_for(const Json& test, const Updates& updates) {
  static constexpr Engine kBoth[] = {Engine::evaluator, Engine::native_f32};
  static constexpr Engine kOnlyF32[] = {Engine::native_f32};
  const std::vector<double>& y = updates.data.arrays.at("y");
  const bool guarded = test.at("metric").get<std::string>().find("Crossentropy") != std::string::npos &&
                       !test.at("config").value("from_logits", false);
  const bool sure = std::any_of(y.begin(), y.end(), [](double p) { return p <= 1e-7 || p >= 1 - 1e-7; });
  return guarded && sure ? std::span<const Engine>(kOnlyF32) : std::span<const Engine>(kBoth);
}

Verdict check_metric(const Json& test, bool with_native) {
  if (test.contains("function") && test.at("args").empty()) return {"", kWithoutInputs};
  const std::string keras_name = test.at("metric").get<std::string>();
  if (test.at("config").value("axis", Json()) == 0) return {"", kAcrossSamples};
  // As a loss it is minus the cosine.
  const std::string metric = keras_name == "CosineSimilarity" ? "cosine" : function_name(keras_name);
  const Updates updates = updates_of(test, !metric.starts_with("weighted_"));
  const std::string call = metric_call(test, metric, updates);
  const auto verdict = [&](std::int64_t batch, std::span<const Engine> engines) {
    return compare(
        metric_model(call, updates, batch), test.at("expected"), test.at("tolerance"),
        [&](SmallModel& model) -> Result<std::vector<double>> {
          TARN_TRY([[maybe_unused]] const double loss, model.evaluate(updates.data));
          return model.metric("v");
        },
        engines);
  };
  static constexpr Engine kEvaluator[] = {Engine::evaluator};
  Verdict in_batches = verdict(updates.batch, with_native ? engines_for(test, updates) : kEvaluator);
  if (!in_batches.failure.empty() || !takes_weight(metric)) return in_batches;
  return verdict(1, kEvaluator);
}

void check_metrics(const std::string& name, bool with_native, int at_least) {
  const Account account =
      run_cases(read_cases(name), [&](const Json& test) { return check_metric(test, with_native); });
  std::cout << account.text();
  EXPECT_TRUE(account.failures.empty());
  EXPECT_GE(account.passed, at_least);
}

TEST(KerasConformance, Metrics) { check_metrics("metrics", true, 149); }
// Cases that keras_runs.py had Keras compute.
TEST(KerasConformance, MetricsRunByKeras) { check_metrics("metrics_run", false, 484); }

// What losses and metrics make of the whole batch, they make of the whole epoch on a metric line: however the rows are
// cut into batches.
TEST(KerasMetrics, SumsOverTheBatchAreSumsOverTheEpoch) {
  const std::vector<double> y = {0.2, 0.5, 0.3, 0.7, 0.2, 0.1, 0.1, 0.1, 0.8, 0.4, 0.3, 0.3, 0.6, 0.3, 0.1};
  const std::vector<double> t = {1, 0, 2, 2, 1};
  double both = 0, of_y = 0, cross_entropy = 0, counted = 0, mean = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    const double right = y[3 * i + static_cast<std::size_t>(t[i])];
    both += right;
    mean += y[3 * i] / 5;
    for (std::size_t c = 0; c < 3; ++c) of_y += y[3 * i + c];
    if (t[i] == 1) continue;
    cross_entropy -= std::log(right);
    ++counted;
  }
  const double alpha = 0.3, beta = 0.9;
  const std::map<std::string, double> expected = {
      {"dice", 1 - 2 * both / (5 + of_y + 1e-7)},
      {"tversky", 1 - both / (both + alpha * (of_y - both) + beta * (5 - both) + 1e-7)},
      {"sparse_categorical_crossentropy", cross_entropy / 5},
      {"weighted_mean", cross_entropy / counted},
      {"first", mean},
      {"rows", 5},
      {"sum", 5.0 / 3},
  };
  for (const std::int64_t batch : {1, 2, 3, 5}) {
    const std::string text = fmt::format(
        "model m {{\n  input y[3]\n  param unused = 0\n  output p = y + 0 * unused\n}}\ntrain {{\n  target t: i32\n  o "
        "= one_hot(t, 3)\n"
        "  loss sum(y)\n  metric dice(y, o)\n  metric tversky(y, o, alpha = 0.3, beta = 0.9)\n"
        "  metric sparse_categorical_crossentropy(y, t, ignore_class = 1)\n"
        "  metric weighted_mean(sparse_categorical_crossentropy(y, t, ignore_class = 1))\n  metric first = "
        "batch_mean(y[0])\n"
        "  metric rows = batch_sum(1)\n  metric sum = batch_sum(sum(y)) / 3\n  optimizer sgd(lr = 0)\n  batch {}\n}}\n",
        batch);
    for (const Engine engine : {Engine::evaluator, Engine::native_f64}) {
      const Result<std::unique_ptr<SmallModel>> model = compile_model(text, engine);
      ASSERT_TRUE(model.has_value()) << model.error().front().message;
      for (const bool trains : {true, false}) {
        const Data data{{{"y", y}, {"t", t}}, 5};
        ASSERT_TRUE((trains ? (*model)->train(data) : (*model)->evaluate(data)).has_value());
        for (const auto& [name, value] : expected)
          EXPECT_NEAR((*model)->metric(name)[0], value, 1e-12) << name << " in batches of " << batch;
      }
    }
  }
}

// Keras 1 has the correlation of Matthews (1975) and F scores, here over the epoch. Predictions above 1/2 say yes.
TEST(KerasMetrics, MatthewsCorrelationAndFScoresOfKeras1) {
  const std::vector<double> y = {0.9, 0.2, 0.7, 0.6, 0.4, 0.1, 0.8, 0.3}, t = {1, 0, 1, 0, 1, 0, 1, 0};
  const double tp = 3, fp = 1, missed = 1, tn = 3, precision = 0.75, recall = 0.75;
  const std::map<std::string, double> expected = {
      {"matthews_correlation",
       (tp * tn - fp * missed) / std::sqrt((tp + fp) * (tp + missed) * (tn + fp) * (tn + missed))},
      {"fmeasure", 2 * precision * recall / (precision + recall)},
      {"half", 1.25 * precision * recall / (0.25 * precision + recall)},
  };
  const Result<std::unique_ptr<SmallModel>> model = compile_model(
      "import keras1\nmodel m {\n  input y\n  param unused = 0\n  output p = y + 0 * unused\n}\ntrain {\n  target t\n  "
      "loss y\n"
      "  metric matthews_correlation(y, t)\n  metric fmeasure(y, t)\n  metric half = fbeta_score(y, t, beta = 0.5)\n  "
      "optimizer sgd(lr = 0)\n"
      "  batch 3\n}\n",
      Engine::evaluator);
  ASSERT_TRUE(model.has_value()) << model.error().front().message;
  ASSERT_TRUE((*model)->evaluate({{{"y", y}, {"t", t}}, 8}).has_value());
  for (const auto& [name, value] : expected) EXPECT_NEAR((*model)->metric(name)[0], value, 1e-12) << name;
}

}  // namespace
}  // namespace tarn::conformance
