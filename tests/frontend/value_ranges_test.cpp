// Which values inputs and targets may hold, as losses, metrics and indices say in the prelude.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;
using Kind = ValueRange::Kind;

struct RangeCase {
  const char* lines;  // of the train block
  const char* target;
  ValueRange range;
};

const ValueRange kAny;
ValueRange classes(std::int64_t count, std::optional<std::int64_t> ignored = {}) {
  return {Kind::class_number, count, ignored};
}
ValueRange indices(std::int64_t count) { return {Kind::index, count, {}}; }
const ValueRange kProbability{Kind::probability, 0, {}}, kSign{Kind::sign, 0, {}};

const RangeCase kTargets[] = {
    {"loss sparse_categorical_crossentropy(y, c)", "c", classes(3)},
    {"loss sparse_categorical_crossentropy(y, c, ignore_class = -1)", "c", classes(3, -1)},
    {"loss sparse_categorical_crossentropy(log(y), c, from_logits = true)", "c", classes(3)},
    {"loss sparse_categorical_crossentropy(y, i32(c))", "c", classes(3)},
    {"loss 2 * sparse_categorical_crossentropy(y, c)", "c", classes(3)},
    {"loss categorical_generalized_cross_entropy(y, c)", "c", classes(3)},
    {"loss mse(y, t); metric sparse_categorical_accuracy(y, c)", "c", classes(3)},
    {"loss mse(y, t); metric accuracy(y, c)", "c", classes(3)},
    {"loss mse(y, t); metric sparse_top_k_categorical_accuracy(y, c, k = 2)", "c", classes(3)},
    {"loss mse(y, t); metric sparse_top_k_categorical_accuracy(y, c, k = 2, from_sorted_ids = true)", "c", kAny},
    {"loss mse(y, t); metric confusion_matrix(y, c)", "c", classes(3)},
    {"loss mse(y, t); metric confusion_matrix(y, t)", "t", kAny},
    {"loss mse(y, t); metric class_confusion(argmax(y, axis = -1), c, 4, ignore_class = 9)", "c", classes(4, 9)},
    {"loss mse(y, t); metric iou(argmax(y, axis = -1), c, 3, [0, 1])", "c", classes(3)},
    {"loss mse(y, t); metric mean_iou(argmax(y, axis = -1), c, 3, ignore_class = 255)", "c", classes(3, 255)},
    {"loss mse(y, t); metric binary_iou(p, b)", "b", classes(2)},
    {"loss mse(y, t); metric one_hot_iou(y, t, 3, [0])", "t", kAny},
    {"loss sparse_categorical_crossentropy(y, c, ignore_class = -1); metric accuracy(y, c)", "c", classes(3, -1)},
    {"loss binary_crossentropy(p, b)", "b", kProbability},
    {"loss bce(p, b)", "b", kProbability},
    {"loss binary_crossentropy(p, b, from_logits = true, label_smoothing = 0.1)", "b", kProbability},
    {"loss binary_focal_crossentropy(p, b)", "b", kProbability},
    {"loss kl_divergence(y, t)", "t", kProbability},
    {"loss contrastive(p, b)", "b", kProbability},
    {"loss hinge(p, b)", "b", kSign},
    {"loss squared_hinge(p, b); metric accuracy(p, b)", "b", kSign},
    {"loss mse(p, b); metric sign_accuracy(p, b)", "b", kSign},
    {"loss mse(p, b); metric binary_accuracy(p, b)", "b", kProbability},
    {"loss mse(p, b); metric precision(p, b)", "b", kProbability},
    {"loss mse(p, b); metric recall(p, b)", "b", kProbability},
    {"loss mse(p, b); metric auc(p, b)", "b", kProbability},
    {"loss mse(p, b); metric true_positives(p, b)", "b", kProbability},
    {"loss mse(p, b); metric precision_at_recall(p, b, 0.5)", "b", kProbability},
    {"loss mse(p, b); metric f1_score(y, t)", "t", kProbability},
    {"loss mse(p, b)", "b", kAny},
    {"loss mse(p, b); metric mae(p, b)", "b", kAny},
    {"loss mse(y, t); metric weighted_mean(sparse_categorical_crossentropy(y, c, ignore_class = 0), 1)", "c",
     classes(3, 0)},
    {"loss mse(p, b); k = takes(c, \"class\", 7); metric k + 0 * mean(p)", "c", classes(7)},
    {"loss binary_crossentropy(p, b); metric hinge(p, b)", "b", classes(2)},
};

TEST(ValueRanges, OfTargetsAsLossesAndMetricsSay) {
  for (const RangeCase& c : kTargets) {
    const Compiled compiled = compile(
        fmt::format("model m {{ input x[4]; output y = x |> dense(3, softmax); output p = x |> dense(1, sigmoid) }}\n"
                    "train {{ target t[3]; target c; target b[1]; {}; optimizer sgd }}",
                    c.lines));
    ASSERT_TRUE(compiled.result.program) << c.lines << compiled.messages();
    const InputInfo& target = *compiled.program().find_input(c.target);
    EXPECT_EQ(target.values, c.range) << c.lines << ": " << target.values.wanted();
    EXPECT_TRUE(target.elements.empty()) << c.lines;
  }
}

TEST(ValueRanges, OfInputsAsIndicesSay) {
  // Of the elements of x, which the range stands for where it is not for all.
  struct Row {
    const char *declaration, *output;
    std::vector<ValueRange> ranges;
  };
  const Row rows[] = {
      {"x", "embedding(5, 2)(reshape(x, [1]))", {indices(5)}},
      {"x", "embedding(5, 2)(i32(x))", {indices(5)}},
      {"x", "embedding(5, 2)(x)", {indices(5)}},
      {"x: i32", "embedding(5, 2)(x)", {indices(5)}},
      {"x: i32", "gather([1, 2, 3], x) + 0 * x", {indices(3)}},
      {"x[2]", "embedding(5, 2)(flip(x))", {indices(5), indices(5)}},
      {"x[2, 2]", "embedding(5, 2)(transpose(x))", {indices(5), indices(5), indices(5), indices(5)}},
      {"x[3]", "embedding(5, 2)(x[0]) + x[1] + x[2]", {indices(5), kAny, kAny}},
      {"x[3]", "embedding(5, 2)(x[1:3]) + x[0]", {kAny, indices(5), indices(5)}},
      {"x[2]", "embedding(5, 2)(x[0]) + embedding(7, 2)(x[1])", {indices(5), indices(7)}},
      {"x[2]", "embedding(5, 2)(x[0]) + embedding(5, 2)(x[1])", {indices(5), indices(5)}},
      {"x[2]", "embedding(5, 2)(stack([x[1], x[0]]))", {indices(5), indices(5)}},
      {"x[2]", "embedding(5, 2)(concat(x[0:1], [2])) + x[1]", {indices(5), kAny}},
      {"x[2]", "embedding(5, 2)(2 * x)", {kAny, kAny}},
      {"x", "embedding(5, 2)(takes(x, \"index\", 3))", {indices(3)}},
      {"x", "takes(x, \"probability\") * 2", {kProbability}},
      {"x[2]", "one_hot(i32(x), 3)", {kAny, kAny}},
  };
  for (const Row& row : rows) {
    const Compiled compiled =
        compile(fmt::format("model m {{ input {}; output y = {} }}", row.declaration, row.output));
    ASSERT_TRUE(compiled.result.program) << row.output << compiled.messages();
    const InputInfo& input = compiled.program().inputs.front();
    for (std::size_t i = 0; i < row.ranges.size(); ++i)
      EXPECT_EQ(input.range_of(i), row.ranges[i]) << row.output << " " << i << ": " << input.range_of(i).wanted();
    const bool same = std::equal(row.ranges.begin() + 1, row.ranges.end(), row.ranges.begin());
    EXPECT_EQ(input.elements.empty(), same) << row.output;
  }
}

// An autoencoder's input is a probability where it is a target, but predictions take any number.
TEST(ValueRanges, OfLossesAreNotOfInputs) {
  const Compiled c = compile(
      "model m { input x[4]; output y = x |> dense(4, sigmoid) }\ntrain { loss binary_crossentropy(y, x); optimizer "
      "sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().inputs.front().values, kAny);
}

TEST(ValueRanges, NarrowWhereSeveralReadersAsk) {
  const auto both = [](ValueRange a, const ValueRange& b) {
    a.narrow(b);
    return a;
  };
  EXPECT_EQ(both(kAny, kSign), kSign);
  EXPECT_EQ(both(indices(5), kAny), indices(5));
  EXPECT_EQ(both(indices(5), indices(3)), indices(3));
  EXPECT_EQ(both(classes(5, -1), classes(5)), classes(5, -1));
  EXPECT_EQ(both(classes(5), classes(5, -1)), classes(5, -1));
  EXPECT_EQ(both(classes(5, 7), classes(5, 8)), classes(5));
  EXPECT_EQ(both(kProbability, kSign), classes(2));
  EXPECT_EQ(both(kSign, classes(9)), classes(2));
}

TEST(ValueRanges, AreAskedForInFullWords) {
  const std::pair<const char*, const char*> wrong[] = {
      {"takes(x, \"number\")", "what a value is, is \"class\", \"index\", \"probability\" or \"sign\""},
      {"takes(x, \"class\")", "takes(x, \"class\", n) needs n, how many there are"},
      {"takes(x, \"class\", 2.5)", "how many there are must be an integer"},
  };
  for (const auto& [expression, message] : wrong) {
    const Compiled c = compile(fmt::format("model m {{ input x; output y = {} }}", expression));
    EXPECT_FALSE(c.result.program);
    EXPECT_NE(c.messages().find(message), std::string::npos) << c.messages();
  }
}

}  // namespace
}  // namespace tarn
