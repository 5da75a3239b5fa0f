// Which values of a metric are the better ones, and what callbacks make of it. Directions are those of Keras 3
// (`self._direction` in keras/src/metrics/*.py), and of losses, which it minimizes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/metric_values.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

struct Row {
  const char* name;       // in the prelude
  const char* arguments;  // of y[3] and a target t[3], of one number p and a target b, of a class number c
  Better better;
};

constexpr Better kSmaller = Better::smaller, kLarger = Better::larger, kUnknown = Better::unknown;
const Row kRows[] = {
    {"mean_squared_error", "y, t", kSmaller},
    {"mse", "y, t", kSmaller},
    {"mean_absolute_error", "y, t", kSmaller},
    {"mae", "y, t", kSmaller},
    {"mean_absolute_percentage_error", "y, t", kSmaller},
    {"mape", "y, t", kSmaller},
    {"mean_squared_logarithmic_error", "y, t", kSmaller},
    {"msle", "y, t", kSmaller},
    {"hinge", "y, t", kSmaller},
    {"squared_hinge", "y, t", kSmaller},
    {"categorical_hinge", "y, t", kSmaller},
    {"log_cosh", "y, t", kSmaller},
    {"logcosh", "y, t", kSmaller},
    {"huber", "y, t", kSmaller},
    {"poisson", "y, t", kSmaller},
    {"categorical_crossentropy", "y, t", kSmaller},
    {"sparse_categorical_crossentropy", "y, c", kSmaller},
    {"binary_crossentropy", "p, b", kSmaller},
    {"bce", "p, b", kSmaller},
    {"kl_divergence", "y, t", kSmaller},
    {"kullback_leibler_divergence", "y, t", kSmaller},
    {"kld", "y, t", kSmaller},
    {"cosine_similarity", "y, t", kSmaller},
    {"binary_focal_crossentropy", "p, b", kSmaller},
    {"categorical_focal_crossentropy", "y, t", kSmaller},
    {"dice", "y, t", kSmaller},
    {"tversky", "y, t", kSmaller},
    {"categorical_generalized_cross_entropy", "y, c", kSmaller},
    {"contrastive", "p, b", kSmaller},
    {"root_mean_squared_error", "y, t", kSmaller},
    {"accuracy", "y, t", kLarger},
    {"exact_accuracy", "y, t", kLarger},
    {"binary_accuracy", "p, b", kLarger},
    {"categorical_accuracy", "y, t", kLarger},
    {"sparse_categorical_accuracy", "y, c", kLarger},
    {"sign_accuracy", "y, t", kLarger},
    {"top_k_categorical_accuracy", "y, t, k = 2", kLarger},
    {"sparse_top_k_categorical_accuracy", "y, c, k = 2", kLarger},
    {"true_positives", "p, b", kLarger},
    {"true_negatives", "p, b", kLarger},
    {"false_positives", "p, b", kSmaller},
    {"false_negatives", "p, b", kSmaller},
    {"precision", "y, t", kLarger},
    {"recall", "y, t", kLarger},
    {"fbeta_score", "y, t", kLarger},
    {"f1_score", "y, t", kLarger},
    {"fbeta", "y, t", kLarger},
    {"sensitivity_at_specificity", "p, b, 0.5", kLarger},
    {"specificity_at_sensitivity", "p, b, 0.5", kLarger},
    {"precision_at_recall", "p, b, 0.5", kLarger},
    {"recall_at_precision", "p, b, 0.5", kLarger},
    {"auc", "p, b", kLarger},
    {"confusion_matrix", "y, t", kUnknown},
    {"class_confusion", "argmax(y, axis = -1), c, 3", kUnknown},
    {"iou", "argmax(y, axis = -1), c, 3, [0, 1]", kLarger},
    {"mean_iou", "argmax(y, axis = -1), c, 3", kLarger},
    {"binary_iou", "p, b", kLarger},
    {"one_hot_iou", "y, t, 3, [0, 1]", kLarger},
    {"one_hot_mean_iou", "y, t, 3", kLarger},
    {"cosine", "y, t", kLarger},
    {"r2_score", "y, t", kLarger},
    {"r2", "y, t", kLarger},
    {"pearson_correlation", "y, t", kLarger},
    {"concordance_correlation", "y, t", kLarger},
    {"pearson", "y, t", kLarger},
    {"weighted_mean", "accuracy(y, t), 2", kLarger},
    {"weighted_mean", "mse(y, t)", kSmaller},
    {"weighted_mean", "p", kUnknown},
    {"weighted_sum", "accuracy(y, t)", kLarger},
};

// What stands in the files of losses and metrics to help those.
const std::set<std::string> kHelpers = {
    "same_shape",      "signs",         "weight_of", "share",       "class_numbers",  "among_top",
    "only_top",        "only_class",    "decisions", "above",       "decided",        "single",
    "points_of_curve", "largest_where", "ascending", "areas_under", "threshold_list", "standard_scores"};

std::string model_with(const std::string& metrics, const std::string& settings, const std::string& declarations = "") {
  return declarations +
         "model m { input x[4]; output y = x |> dense(3, softmax); output p = x |> dense(1, sigmoid) }\n"
         "train { target t[3]; target b[1]; target c: i32; loss mse(y, t); optimizer sgd; " +
         metrics + "; " + settings + " }";
}

TEST(Directions, OfAllMetricsOfThePrelude) {
  std::set<std::string> tested;
  for (const Row& row : kRows) {
    tested.insert(row.name);
    const Compiled c = compile(model_with(fmt::format("metric {}({})", row.name, row.arguments), ""));
    ASSERT_TRUE(c.result.program) << row.name << c.messages();
    ASSERT_EQ(c.program().metrics.size(), 2U);
    EXPECT_EQ(c.program().metrics[0].better, Better::smaller) << "the loss";
    EXPECT_EQ(c.program().metrics[1].better, row.better) << row.name;
  }
  for (const PreludeName& name : prelude_names()) {
    if (name.file != "prelude/losses.tarn" && name.file != "prelude/metrics.tarn") continue;
    EXPECT_TRUE(tested.contains(name.name) || kHelpers.contains(name.name)) << name.name;
  }
}

TEST(Directions, GoThroughFunctionsAndNames) {
  const std::string own =
      "fn mine(y, t) = accuracy(y, t)\n"
      "fn block(y, t) { a = accuracy(y, t); return a }\n"
      "metric kept(y, t) = precision(y, t)\n"
      "metric returned(y, t) { r = recall(y, t); return r }\n"
      "metric gap(y, t) smaller is better { state s = 0; s <- s + batch_sum(sum(abs(y - t))); return s }\n"
      "metric plain(y, t) { state s = 0; s <- s + batch_sum(sum(abs(y - t))); return s }\n"
      "fn shown(v, w = 1) better as v = 2 * v\n"
      "fn acceleration(y, t) smaller is better = mean((y - 2 * t)^2)\n";
  const std::pair<const char*, Better> cases[] = {
      {"metric hit_rate = binary_accuracy(p, b)", kLarger},
      {"metric mine(y, t)", kLarger},
      {"metric block(y, t)", kLarger},
      {"metric kept(y, t)", kLarger},
      {"metric returned(y, t)", kLarger},
      {"metric gap(y, t)", kSmaller},
      {"metric plain(y, t)", kUnknown},
      {"metric shown(accuracy(y, t))", kLarger},
      {"metric shown(w = 3, v = mae(y, t))", kSmaller},
      {"metric shown(mean(y))", kUnknown},
      {"a = accuracy(y, t); metric first = a", kLarger},
      {"metric weighted_mean(weight = 1, value = shown(accuracy(y, t)))", kLarger},
      {"metric mean(abs(y - t))", kSmaller},  // the very value of mean_absolute_error, which says so
      {"metric accuracy_gap = 1 - mean(y)", kUnknown},
      {"metric acceleration(y, t)", kSmaller},
      {"loss accuracy_loss = mean(y)", kSmaller},
  };
  for (const auto& [line, better] : cases) {
    const Compiled c = compile(model_with(fmt::format("metric mae(y, t); {}", line), "", own));
    ASSERT_TRUE(c.result.program) << line << c.messages();
    const std::vector<MetricInfo>& metrics = c.program().metrics;
    // Losses are reported before metrics.
    const std::size_t at = std::string_view(line).starts_with("loss") ? metrics.size() - 2 : metrics.size() - 1;
    EXPECT_EQ(metrics[at].better, better) << line;
  }
}

TEST(Directions, BecomeTheModesOfCallbacks) {
  const std::string settings[] = {"early_stopping(monitor = \"{}\"{})", "reduce_on_plateau(monitor = \"{}\"{})",
                                  "checkpoint(\"a\"); checkpoint(\"b\", best = true, monitor = \"{}\"{})"};
  const auto mode = [](const Program& program) {
    const TrainSettings& s = program.settings;
    return s.early_stopping      ? s.early_stopping->mode
           : s.reduce_on_plateau ? s.reduce_on_plateau->mode
                                 : s.checkpoints.back().mode;
  };
  const std::tuple<const char*, const char*, const char*, const char*> cases[] = {
      {"metric accuracy(y, t)", "val_accuracy", "", "max"},
      {"metric accuracy(y, t)", "accuracy", ", mode = \"min\"", "min"},
      {"metric accuracy(y, t)", "loss", "", "min"},
      {"metric auction_price = mae(y, t)", "auction_price", "", "min"},
      {"metric hits = accuracy(y, t)", "val_hits", "", "max"},
      {"metric f1_score(y, t)", "val_f1_score[2]", "", "max"},
      {"metric confusion_matrix(y, t)", "confusion_matrix[1][1]", ", mode = \"max\"", "max"},
      {"metric spread = max(y) - min(y)", "spread", ", mode = \"max\"", "max"},
  };
  for (const std::string& setting : settings) {
    for (const auto& [metric, monitor, given, expected] : cases) {
      const Compiled c = compile(model_with(metric, fmt::format(fmt::runtime(setting), monitor, given)));
      ASSERT_TRUE(c.result.program) << metric << c.messages();
      EXPECT_EQ(mode(c.program()), expected) << setting << metric;
    }
    const std::pair<std::pair<const char*, const char*>, std::string> wrong[] = {
        {{"metric spread = max(y) - min(y)", "spread"},
         "nothing says whether more or less of 'spread' is better: give mode"},
        {{"metric confusion_matrix(y, t)", "val_confusion_matrix[1][1]"}, "nothing says whether more or less of"},
        {{"metric f1_score(y, t)", "f1_score"}, "'f1_score' has 3 values, and "},
        {{"metric f1_score(y, t)", "val_f1_score"},
         "f1_score[0] to f1_score[2]; or make one of them, as average = \"macro\""},
        {{"metric f1_score(y, t)", "f1_score[3]"}, "nothing is reported as 'f1_score[3]'"},
    };
    for (const auto& [lines, message] : wrong) {
      const Compiled c = compile(model_with(lines.first, fmt::format(fmt::runtime(setting), lines.second, "")));
      EXPECT_FALSE(c.result.program);
      EXPECT_NE(c.messages().find(message), std::string::npos) << setting << c.messages();
    }
  }
}

TEST(Directions, AreWrittenBehindTheParametersOfFunctionsAndMetrics) {
  const std::pair<const char*, const char*> wrong[] = {
      {"fn f(x) larger = x\n", "'is'"},
      {"fn f(x) larger is = x\n", "'better'"},
      {"fn f(x) better is x = x\n", "'as'"},
      {"fn f(x) better as = x\n", "name"},
      {"fn f(x) bigger is better = x\n", "expected '=' or '{' and the body of 'f', found 'bigger'"},
      {"layer f(x) larger is better = x\n", "'='"},
      {"fn f(v) better as w = v\n", "'f' has no argument 'w' whose direction it could have"},
  };
  for (const auto& [text, message] : wrong) {
    const Compiled c = compile(model_with("metric f(mean(y))", "", text));
    EXPECT_FALSE(c.result.program) << text;
    EXPECT_NE(c.messages().find(message), std::string::npos) << text << c.messages();
  }
}

TEST(MetricValues, HaveNames) {
  const MetricInfo scalar{"loss", {}, "loss", kSmaller}, matrix{"m", {2, 3}, "m", kUnknown};
  EXPECT_EQ(name_of_value(scalar, 0), "loss");
  EXPECT_EQ(value_named(scalar, "loss"), std::optional<std::size_t>(0));
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string name = fmt::format("m[{}][{}]", i / 3, i % 3);
    EXPECT_EQ(name_of_value(matrix, i), name);
    EXPECT_EQ(value_named(matrix, name), std::optional<std::size_t>(i));
  }
  for (const char* none :
       {"m", "m[0]", "m[2][0]", "m[0][3]", "m[0][-1]", "m[0][0][0]", "m[0][ 1]", "m[0][", "n[0][0]", "m[][]"})
    EXPECT_FALSE(value_named(matrix, none)) << none;
  EXPECT_FALSE(value_named(scalar, "loss[0]"));
}

}  // namespace
}  // namespace tarn
