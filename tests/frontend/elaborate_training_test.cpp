// Elaboration of train blocks: what each graph stores, losses, updates, metrics; settings and what takes their place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

// ---------------------------------------------------------------- training

const char* const kLine = "model m { input x; param a = 2; output y = a * x }\n";

TEST(Elaborate, GraphsStoreWhatTheyMust) {
  const Compiled c = compile(
      "model m { input x[4]; output y = x |> batch_norm |> dense(3) }\ntrain { target t[3]; loss mse(y, t); optimizer "
      "adam }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const auto stores = [&](const std::string& graph) {
    std::vector<std::string> names;
    for (const GraphResult& r : c.program().graphs.at(graph).results()) {
      if (r.kind == ResultKind::store && !r.name.starts_with("metric.")) names.push_back(r.name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  std::vector<std::string> moved = {"batch_norm_1.beta", "batch_norm_1.gamma", "dense_1.bias", "dense_1.kernel"}, slots;
  for (const std::string& p : moved) {
    slots.push_back(p + ".m");
    slots.push_back(p + ".v");
  }
  moved.insert(moved.end(), slots.begin(), slots.end());
  for (const char* state : {"batch_norm_1.moving_mean", "batch_norm_1.moving_var", "step"}) moved.emplace_back(state);
  std::sort(moved.begin(), moved.end());
  EXPECT_EQ(stores("train"), moved);
  EXPECT_TRUE(stores("evaluate").empty());
  std::vector<std::string> all = moved;
  for (const char* hyper : {"optimizer.lr", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon", "epoch"})
    all.emplace_back(hyper);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(stores("init"), all);
  EXPECT_TRUE(c.program().graphs.at("predict").results().size() == 1);
}

TEST(Elaborate, LossIsTheMeanOfTheBatchAndItsMetricIsWeightedBySize) {
  const Compiled c =
      compile(std::string(kLine) + "train { target t; loss mse(y, t); metric mae(y, t); optimizer sgd(lr = 0.5) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  Values tensors = initial_tensors(c.program());
  // y = 2 4, t = 1 1: errors 1 3; d loss / d a = mean(2 e x) = (2 + 12) / 2 = 7.
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}};
  Values next = train_step(c.program(), inputs, tensors, 2);
  EXPECT_DOUBLE_EQ(next["loss"].data[0], 5);
  EXPECT_DOUBLE_EQ(next["a"].data[0], 2 - 0.5 * 7);
  EXPECT_DOUBLE_EQ(next["metric.loss.total"].data[0], 10);
  EXPECT_DOUBLE_EQ(next["metric.loss.count"].data[0], 2);
  EXPECT_DOUBLE_EQ(next["step"].data[0], 1);
  for (const auto& [name, value] : next) tensors[name] = value;
  const Values reported = report(c.program(), tensors);
  EXPECT_DOUBLE_EQ(reported.at("loss").data[0], 5);
  EXPECT_DOUBLE_EQ(reported.at("mae").data[0], 2);
  const std::vector<MetricInfo>& metrics = c.program().metrics;
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].name, "loss");
  EXPECT_EQ(metrics[1].name, "mae");
}

TEST(Elaborate, OutputsGoWithTheTargetThatALossComparesThemWith) {
  struct Case {
    const char* model;   // behind `input x[4]`
    const char* losses;  // behind `target t[3]; target s[3]; target c; target b[1]`
    std::map<std::string, std::string> targets;
  };
  const char* const two =
      "h = x |> dense(8, tanh); output y = h |> dense(3, softmax); output z = h |> dense(3, softmax)";
  const char* const one = "h = x |> dense(3); output y = softmax(h)";
  const Case cases[] = {
      {two, "loss categorical_crossentropy(y, t); loss categorical_crossentropy(z, s)", {{"y", "t"}, {"z", "s"}}},
      {two, "loss 0.5 * categorical_crossentropy(z, t) + mse(y, s)", {{"y", "s"}, {"z", "t"}}},
      {two, "loss categorical_crossentropy(y, t); loss mse(y, s)", {{"y", ""}, {"z", ""}}},
      {two, "loss categorical_crossentropy(y, t); loss mse(z, y)", {{"y", "t"}, {"z", ""}}},
      {two, "loss categorical_crossentropy(t = t, y = y)", {{"y", "t"}, {"z", ""}}},
      {two, "loss sparse_categorical_crossentropy(y, c)", {{"y", "c"}, {"z", ""}}},
      {two, "loss categorical_crossentropy(y, one_hot(i32(c), 3))", {{"y", "c"}, {"z", ""}}},
      {two, "loss mse(y, t - s)", {{"y", ""}, {"z", ""}}},
      {two, "loss mean((y - t)^2); loss mse(z, s)", {{"y", "t"}, {"z", "s"}}},
      {two, "loss -sum(t * log(y + z))", {{"y", ""}, {"z", ""}}},
      {"h = x |> dense(3); output y = softmax(h)",
       "loss categorical_crossentropy(h, t, from_logits = true)",
       {{"y", "t"}}},
      {"output h = x |> dense(3); output y = softmax(h)",
       "loss categorical_crossentropy(h, t, from_logits = true)",
       {{"h", "t"}, {"y", "t"}}},
      {"h = x |> dense(3); output h; output y = softmax(h)",
       "loss categorical_crossentropy(y, t)",
       {{"h", "t"}, {"y", "t"}}},
      {"h = x |> dense(3); output y = log_softmax(h)", "loss categorical_crossentropy(softmax(h), t)", {{"y", "t"}}},
      {"h = x |> dense(1); output y = sigmoid(h)", "loss binary_crossentropy(h, b, from_logits = true)", {{"y", "b"}}},
      {"h = x |> dense(3); output y = reshape(softmax(h), [3, 1])",
       "loss mse(reshape(softmax(h), [1, 3]), reshape(t, [1, 3]))",
       {{"y", "t"}}},
      {"output hidden = x |> dense(3, tanh); output y = hidden |> dense(3, softmax)",
       "loss categorical_crossentropy(y, t)",
       {{"hidden", ""}, {"y", "t"}}},
      {"output hidden = x |> dense(3, tanh); output y = hidden |> dense(3, softmax)",
       "loss -sum(t * log(y))",
       {{"hidden", ""}, {"y", "t"}}},
      {"output y = x |> dense(4)", "loss mse(y, x)", {{"y", ""}}},
      {"output y = x |> dense(3)", "fit = (a, b) => a - b; loss mean(fit(y, t)^2)", {{"y", "t"}}},
      {one, "loss mean(softmax(h)) + 0 * mean(t)", {{"y", "t"}}},
  };
  for (const Case& c : cases) {
    const Compiled compiled = compile(
        fmt::format("model m {{ input x[4]; {} }}\ntrain {{ target t[3]; target s[3]; target c; target b[1]; {}; "
                    "optimizer sgd }}",
                    c.model, c.losses));
    if (!compiled.result.program) {
      ADD_FAILURE() << c.losses << compiled.messages();
      continue;
    }
    std::map<std::string, std::string> targets;
    for (const OutputInfo& output : compiled.program().outputs) targets[output.name] = output.target;
    EXPECT_EQ(targets, c.targets) << c.model << "; " << c.losses;
  }
}

TEST(Elaborate, ATargetHasANameOfItsOwn) {
  for (const char* name : {"x", "y"}) {
    const Compiled c =
        compile(fmt::format("model m {{ input x[2]; output y = x |> dense(2) }}\ntrain {{ target {0}[2]; loss mse({0}, "
                            "{0}); optimizer sgd }}",
                            name));
    EXPECT_FALSE(c.result.program);
    EXPECT_NE(c.messages().find(fmt::format("'{}' is declared twice", name)), std::string::npos) << c.messages();
  }
}

TEST(Elaborate, RegularizersAndPenaltiesAreInTheObjective) {
  const Compiled c = compile(
      "layer costly(x) { penalty 0.5 * x^2; return x }\n"
      "model m { input x; param a = 2, regularizer = l2(0.1); output y = costly(a * x) }\ntrain { target t; loss "
      "mse(y, t); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values tensors = initial_tensors(c.program());
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}};
  // mse 5, l2 0.1 * 4, penalty mean(0.5 * 4, 0.5 * 16)
  for (const Values& values :
       {train_step(c.program(), inputs, tensors, 2), evaluate_batch(c.program(), inputs, tensors, 2)}) {
    EXPECT_NEAR(values.at("loss").data[0], 5 + 0.4 + 5, 1e-12);
  }
}

TEST(Elaborate, SeveralLossesReachTheirOwnParameters) {
  const Compiled c = compile(
      "model m { input x; param a = 1; param b = 1; output y = a * b * x }\n"
      "train { loss 3 * y for a; loss other = 5 * y for b; loss 7 * y; optimizer sgd(lr = 1); optimizer sgd(lr = 0.1) "
      "for b }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values next = train_step(c.program(), {{"x", {{1}, {1}}}}, initial_tensors(c.program()), 1);
  EXPECT_DOUBLE_EQ(next.at("loss").data[0], 15);
  EXPECT_DOUBLE_EQ(next.at("a").data[0], 1 - 10);
  EXPECT_NEAR(next.at("b").data[0], 1 - 0.1 * 12, 1e-12);
  std::vector<std::string> names;
  for (const MetricInfo& metric : c.program().metrics) names.push_back(metric.name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "loss_1", "other", "loss_2"}));
  EXPECT_EQ(c.program().find_tensor("optimizer.b.lr")->initial, 0.1);
}

struct UpdateCase {
  const char* what;
  const char* settings;
  double a, b;  // after one step from a = 2, b = 3
};

// loss = 3 a + 4 b: the gradient is (3, 4), its norm 5.
const UpdateCase kUpdates[] = {
    {"plain", "optimizer sgd(lr = 1)", -1, -1},
    {"freeze", "optimizer sgd(lr = 1)\nfreeze a", 2, -1},
    {"clip_value", "optimizer sgd(lr = 1)\nclip_value 3.5", -1, -0.5},
    {"clip_norm is by parameter", "optimizer sgd(lr = 1)\nclip_norm 1", 1, 2},
    {"clip_norm for one", "optimizer sgd(lr = 1)\nclip_norm 1 for a", 1, -1},
    {"clip_global_norm", "optimizer sgd(lr = 1)\nclip_global_norm 1", 1.4, 2.2},
    {"clip_global_norm that is not reached", "optimizer sgd(lr = 1)\nclip_global_norm 10", -1, -1},
    {"weight_decay", "optimizer sgd(lr = 1)\nweight_decay 0.1", 2 - 0.2 - 3, 3 - 0.3 - 4},
    {"an optimizer that applies another", "optimizer decayed(sgd(lr = 1), 0.1, 1)", 2 - 0.2 - 3, 3 - 0.3 - 4},
    {"a schedule", "optimizer sgd(lr = exponential_decay(step + 1, 1, 1, 0.5))", 0.5, 1},
    {"the more specific optimizer wins", "optimizer sgd(lr = 1)\noptimizer sgd(lr = 0) for b", -1, 3},
};

TEST(Elaborate, Updates) {
  for (const UpdateCase& c : kUpdates) {
    SCOPED_TRACE(c.what);
    FrontendOptions options;
    options.float_type = DType::f64;
    const Compiled compiled =
        compile("model m { input x; param a = 2; param b = 3; output y = (3 * a + 4 * b) * x }\ntrain { loss y\n" +
                    std::string(c.settings) + "\n}",
                options);
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    const Values tensors = initial_tensors(compiled.program());
    const Values next = train_step(compiled.program(), {{"x", {{2}, {1, 1}}}}, tensors, 2);
    const auto value = [&](const char* name) {
      return next.contains(name) ? next.at(name).data[0] : tensors.at(name).data[0];
    };
    EXPECT_NEAR(value("a"), c.a, 1e-12);
    EXPECT_NEAR(value("b"), c.b, 1e-12);
  }
}

TEST(Elaborate, ConstraintsHoldAfterTheUpdate) {
  const Compiled c = compile(
      "model m { input x; param a = 2, constraint = non_neg; output y = a * x }\ntrain { loss 5 * y; optimizer sgd(lr "
      "= 1) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(train_step(c.program(), {{"x", {{1}, {1}}}}, initial_tensors(c.program()), 1).at("a").data[0], 0);
}

TEST(Elaborate, HyperParametersAreTensorsUnlessTheyDecideTheStructure) {
  const Compiled plain = compile(std::string(kLine) + "train { loss y; optimizer sgd(lr = 0.5) }");
  ASSERT_TRUE(plain.result.program) << plain.messages();
  EXPECT_EQ(plain.program().find_tensor("optimizer.lr")->initial, 0.5);
  EXPECT_EQ(plain.program().find_tensor("optimizer.momentum"), nullptr) << "it chose the branch without momentum";
  EXPECT_EQ(plain.program().find_tensor("a.v"), nullptr);
  const Compiled momentum = compile(std::string(kLine) + "train { loss y; optimizer sgd(lr = 0.5, momentum = 0.9) }");
  ASSERT_TRUE(momentum.result.program) << momentum.messages();
  EXPECT_EQ(momentum.program().find_tensor("optimizer.momentum")->initial, 0.9);
  EXPECT_NE(momentum.program().find_tensor("a.v"), nullptr);
}

TEST(Elaborate, StatesMoveInTrainingOnly) {
  const Compiled c = compile(
      "layer counting(x) { state n = 10; n <- n + batch_sum(1); return x * n }\n"
      "model m { input x; if training { k = 1 } else { k = 1 }; output y = x * k |> counting_in_training }\n"
      "layer counting_in_training(x) = if training then counting(x) else x\n"
      "train { loss y; optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values next = train_step(c.program(), {{"x", {{2}, {1, 1}}}}, initial_tensors(c.program()), 2);
  EXPECT_EQ(next.at("counting_in_training_1.counting_1.n").data[0], 12);
  EXPECT_EQ(next.at("loss").data[0], 12) << "below the line the name means the new value";
}

TEST(Elaborate, MetricsWithStates) {
  const Compiled c = compile(
      "metric spread(y, t, factor = 1) {\n  state most = -1000\n  state n = 0\n  d = factor * (y - t)\n"
      "  most <- max(most, batch_sum(d))\n  n <- n + batch_sum(1)\n  return [1, 2] * most / n\n}\n" +
      std::string(kLine) + "train { target t; loss mse(y, t); metric spread(y, t, factor = 10); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  Values tensors = initial_tensors(c.program());
  EXPECT_EQ(tensors.at("metric.spread.most").data[0], -1000);
  for (const auto& [name, value] :
       evaluate_batch(c.program(), {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}}, tensors, 2))
    tensors[name] = value;
  EXPECT_EQ(report(c.program(), tensors).at("spread").data, (std::vector<double>{20, 40}));
  EXPECT_EQ(c.program().metrics[1].shape, (Shape{2}));
}

struct AccuracyCase {
  const char* model;
  const char* train;
  const char* resolved;
};

TEST(Elaborate, AccuracyResolvesByShapesAndLoss) {
  const AccuracyCase cases[] = {
      {"output y = x |> dense(3, softmax)", "target t[3]\nloss categorical_crossentropy(y, t)", "categorical_accuracy"},
      {"output y = x |> dense(3, softmax)", "target t: i32\nloss sparse_categorical_crossentropy(y, t)",
       "sparse_categorical_accuracy"},
      {"output y = x |> dense(3, softmax)", "target t[1]\nloss sparse_categorical_crossentropy(y, t)",
       "sparse_categorical_accuracy"},
      {"output y = x |> dense(1, sigmoid)", "target t[1]\nloss binary_crossentropy(y, t)", "binary_accuracy"},
      {"output y = sum(x |> dense(1, sigmoid))", "target t\nloss mse(y, t)", "binary_accuracy"},
      {"output y = x |> dense(3, sigmoid)", "target t[3]\nloss binary_crossentropy(y, t)", "binary_accuracy"},
  };
  for (const AccuracyCase& c : cases) {
    const Compiled compiled = compile("model m { input x[4]\n" + std::string(c.model) + "\n}\ntrain {\n" + c.train +
                                      "\nmetric accuracy(y, t)\noptimizer sgd\n}");
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    EXPECT_EQ(compiled.program().metrics[1].name, "accuracy");
    EXPECT_EQ(compiled.program().metrics[1].resolved, c.resolved) << c.train;
  }
}

TEST(Elaborate, WeightsOfSamplesAndClasses) {
  const Compiled c =
      compile(std::string(kLine) +
              "train { target t; target w; loss mse(y, t); sample_weight w; class_weight {1: 10}; optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().find_input("w")->role, InputRole::sample_weight);
  // errors^2: (2 - 1)^2 * 2 * 10, (4 - 0)^2 * 3 * 1, divided by the number of samples
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 0}}}, {"w", {{2}, {2, 3}}}};
  const Values tensors = initial_tensors(c.program());
  EXPECT_DOUBLE_EQ(train_step(c.program(), inputs, tensors, 2).at("loss").data[0], (20 + 48) / 2.0);
  // Classes are weighed in training alone, as in Keras.
  EXPECT_DOUBLE_EQ(evaluate_batch(c.program(), inputs, tensors, 2).at("loss").data[0], (2 + 48) / 2.0);
}

// ---------------------------------------------------------------- settings and --set

TEST(Elaborate, SettingsReachTheProgram) {
  const Compiled c = compile(std::string(kLine) + R"(train {
  target t
  loss mse(y, t)
  optimizer sgd
  epochs 2 * 5
  batch 7
  shuffle false
  seed 9
  validation_split 0.25
  early_stopping(monitor = "val_loss", patience = 4, min_delta = 0.5, restore_best = true)
  reduce_on_plateau(factor = 0.5, patience = 2)
  checkpoint("folder", every = 3)
}
data {
  csv "rows.csv"
  x = scale(column("a"), 1 / 2)
  t = ordinal(column(3), 2)
  drop_missing
  header false
  shuffle_rows 4
  separator ";"
}
data validation { csv "more.csv" })");
  ASSERT_TRUE(c.result.program) << c.messages();
  const TrainSettings& s = c.program().settings;
  EXPECT_EQ(s.epochs, 10);
  EXPECT_EQ(s.batch, 7);
  EXPECT_FALSE(s.shuffle);
  EXPECT_EQ(s.seed, 9U);
  EXPECT_EQ(s.validation_split, 0.25);
  ASSERT_TRUE(s.early_stopping);
  EXPECT_EQ(s.early_stopping->patience, 4);
  EXPECT_TRUE(s.early_stopping->restore_best);
  ASSERT_TRUE(s.reduce_on_plateau);
  EXPECT_EQ(s.reduce_on_plateau->factor, 0.5);
  ASSERT_EQ(s.checkpoints.size(), 1U);
  EXPECT_EQ(s.checkpoints[0].every, 3);
  const DataSource& data = c.program().data.at("");
  EXPECT_EQ(data.files.at(""), "rows.csv");
  ASSERT_EQ(data.bindings.size(), 2U);
  EXPECT_EQ(data.bindings[0].scale, 0.5);
  EXPECT_EQ(data.bindings[1].encoding, DataBinding::Encoding::ordinal);
  EXPECT_EQ(data.bindings[1].classes, 2);
  EXPECT_EQ(data.bindings[1].columns[0].first_index, 3);
  EXPECT_TRUE(data.drop_missing);
  EXPECT_EQ(data.header, std::optional<bool>(false));
  EXPECT_EQ(data.shuffle_rows, std::optional<std::uint64_t>(4));
  EXPECT_EQ(data.separator, ';');
  const DataSource& validation = c.program().data.at("validation");
  EXPECT_EQ(validation.files.at(""), "more.csv");
  EXPECT_EQ(validation.bindings.size(), 2U) << "what it does not say, it inherits";
  EXPECT_FALSE(validation.shuffle_rows);
}

TEST(Elaborate, ImagesOfAFolder) {
  const Compiled c = compile(R"(model m { input x[8, 8, 1]; output y = x |> flatten |> dense(3) }
train { target t[3]; target u[]; loss mse(y, t) + u; optimizer sgd }
data {
  images "train"
  size 8, 2 * 4
  channels 1
  skip_broken
  x = scale(image, 1 / 2)
  u = ordinal(class, 5)
}
data validation {
  images "validation"
  skip_broken false
}
data test { npz "test.npz" })");
  ASSERT_TRUE(c.result.program) << c.messages();
  const DataSource& data = c.program().data.at("");
  EXPECT_EQ(data.files.at(""), "train");
  EXPECT_EQ(data.images.height, 8);
  EXPECT_EQ(data.images.width, 8);
  EXPECT_EQ(data.images.channels, 1);
  EXPECT_TRUE(data.images.skip_broken);
  ASSERT_EQ(data.bindings.size(), 3U);
  const auto binding = [&](const DataSource& source, const std::string& name) {
    return *std::ranges::find(source.bindings, name, &DataBinding::name);
  };
  EXPECT_EQ(binding(data, "x").array, kImage);
  EXPECT_EQ(binding(data, "x").scale, 0.5);
  EXPECT_EQ(binding(data, "t").array, kClass);
  EXPECT_EQ(binding(data, "t").encoding, DataBinding::Encoding::one_hot) << "its shape says so";
  EXPECT_EQ(binding(data, "u").encoding, DataBinding::Encoding::ordinal);
  EXPECT_EQ(binding(data, "u").classes, 5);
  const DataSource& validation = c.program().data.at("validation");
  EXPECT_EQ(validation.images.width, 8) << "what it does not say, it inherits";
  EXPECT_FALSE(validation.images.skip_broken);
  EXPECT_EQ(validation.bindings.size(), 3U);
  const DataSource& test = c.program().data.at("test");
  EXPECT_EQ(binding(test, "x").array, "") << "an archive has its arrays by the names of inputs";
  EXPECT_EQ(binding(test, "x").scale, 0.5);
}

TEST(Elaborate, OverridesTakeThePlaceOfConstantsAndKeys) {
  const std::string text =
      "const width = 3\nmodel m { input x[2]; output y = x |> dense(width) }\ntrain { target t[width]; loss mse(y, t); "
      "optimizer sgd; batch 4; early_stopping(patience = 1) }";
  FrontendOptions options;
  options.overrides = {{"width", "2 * 4"},    {"epochs", "30"},         {"batch", "5"},
                       {"optimizer", "adam"}, {"optimizer.lr", "0.25"}, {"early_stopping.patience", "8"}};
  options.seed = 77;
  const Compiled c = compile(text, options);
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().find_tensor("dense_1.kernel")->type.shape, (Shape{2, 8}));
  EXPECT_EQ(c.program().settings.epochs, 30);
  EXPECT_EQ(c.program().settings.batch, 5);
  EXPECT_EQ(c.program().settings.seed, 77U);
  EXPECT_EQ(c.program().settings.early_stopping->patience, 8);
  EXPECT_EQ(c.program().find_tensor("optimizer.lr")->initial, 0.25);
  EXPECT_NE(c.program().find_tensor("dense_1.kernel.m"), nullptr);
  EXPECT_EQ(c.program().constants, (std::map<std::string, std::string>{{"width", "2 * 4"}}));
}

TEST(Elaborate, OverridesThatFitNothing) {
  const std::string text =
      "const width = 3\nmodel m { input x[2]; output y = x |> dense(width) }\ntrain { target t[width]; loss mse(y, t); "
      "optimizer sgd }";
  const std::pair<Setting, const char*> cases[] = {
      {{"widht", "3"}, "'widht' is neither a constant of the file nor a key of its train block; did you mean 'width'?"},
      {{"epoch", "3"}, "did you mean 'epochs'?"},
      {{"optimizer.rate", "3"}, "'sgd' has no argument 'rate'"},
      {{"width", "3 +"}, "error"},
      {{"width", "none"}, "an extent of a shape must be an integer, not none"},
      {{"epochs", "-1"}, "'epochs' must be at least 0, and is -1"},
  };
  for (const auto& [override_, message] : cases) {
    FrontendOptions options;
    options.overrides = {override_};
    const Compiled c = compile(text, options);
    EXPECT_FALSE(c.result.program);
    EXPECT_NE(c.messages().find(message), std::string::npos) << c.messages();
  }
  FrontendOptions options;
  options.overrides = {{"epochs", "3"}};
  const Compiled untrained = compile("model m { input x[2]; output y = x |> dense(3) }", options);
  EXPECT_NE(untrained.messages().find("'epochs' is no constant of the file, which has no train block"),
            std::string::npos)
      << untrained.messages();
}

}  // namespace
}  // namespace tarn
