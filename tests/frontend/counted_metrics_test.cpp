// Metrics that leave samples out, over batches of any size. The numbers are those of Keras 3: without weights what is
// ignored counts as 0 (MeanMetricWrapper applies no mask), with weights it is left out
// (keras/src/metrics/reduction_metrics.py, reduce_to_samplewise_values).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

// The metric over all samples, `batch` at a time.
double measured(const std::string& metric, const Values& inputs, std::int64_t samples, std::int64_t batch) {
  const Compiled c =
      compile(fmt::format("model m {{ input y[2]; param a = 0; output z = y + 0 * a }}\n"
                          "train {{ target t; target w; loss mse(z, y); metric value = {}; optimizer sgd }}",
                          metric));
  EXPECT_TRUE(c.result.program) << c.messages();
  if (!c.result.program) return NAN;
  Values tensors = initial_tensors(c.program());
  for (std::int64_t first = 0; first < samples; first += batch) {
    const std::int64_t count = std::min(batch, samples - first);
    Values rows;
    for (const auto& [name, all] : inputs) {
      const std::int64_t width = static_cast<std::int64_t>(all.data.size()) / samples;
      HostTensor& part =
          rows[name] = {all.shape, {all.data.begin() + first * width, all.data.begin() + (first + count) * width}};
      part.shape[0] = count;
    }
    for (auto& [name, value] : evaluate_batch(c.program(), rows, tensors, count)) tensors[name] = value;
  }
  return report(c.program(), tensors).at("value").data[0];
}

TEST(CountedMetrics, DoNotDependOnTheSizeOfBatches) {
  const Values two = {{"y", {{2, 2}, {0.5, 0.5, 0.25, 0.75}}}, {"t", {{2}, {0, 1}}}, {"w", {{2}, {1, 3}}}};
  const Values three = {
      {"y", {{3, 2}, {0.5, 0.5, 0.25, 0.75, 0.125, 0.875}}}, {"t", {{3}, {0, 1, 1}}}, {"w", {{3}, {1, 3, 2}}}};
  const double second = -std::log(0.75), third = -std::log(0.875);
  struct Case {
    const char* metric;
    double two, three;
  };
  const Case cases[] = {
      {"weighted_mean(sparse_categorical_crossentropy(z, t, ignore_class = 0), w)", second,
       (3 * second + 2 * third) / 5},
      {"weighted_mean(sparse_categorical_crossentropy(z, t, ignore_class = 0))", second, (second + third) / 2},
      {"weighted_sum(sparse_categorical_crossentropy(z, t, ignore_class = 0), w)", 3 * second, 3 * second + 2 * third},
      {"sparse_categorical_crossentropy(z, t, ignore_class = 0)", second / 2, (second + third) / 3},
      {"weighted_mean(2 * sparse_categorical_crossentropy(z, t, ignore_class = 0), w)", 6 * second / 4,
       (6 * second + 4 * third) / 6},
      {"weighted_mean(sparse_categorical_crossentropy(z, t), w)", (std::log(2) + 3 * second) / 4,
       (std::log(2) + 3 * second + 2 * third) / 6},
  };
  for (const Case& c : cases) {
    for (const std::int64_t batch : {1, 2, 3, 32}) {
      EXPECT_NEAR(measured(c.metric, two, 2, batch), c.two, 1e-6) << c.metric << ", batches of " << batch;
      EXPECT_NEAR(measured(c.metric, three, 3, batch), c.three, 1e-6) << c.metric << ", batches of " << batch;
    }
  }
}

TEST(CountedMetrics, ValuesOfAWholeBatchHaveNoWeights) {
  const Compiled c = compile(
      "model m { input x[2]; output y = x |> dense(2, sigmoid) }\n"
      "train { target t[2]; loss mse(y, t); metric weighted_mean(dice(y, t), 1); optimizer sgd }");
  EXPECT_FALSE(c.result.program);
  EXPECT_NE(c.messages().find("this is one value of the whole batch, and has no samples that could be weighed"),
            std::string::npos)
      << c.messages();
}

}  // namespace
}  // namespace tarn
