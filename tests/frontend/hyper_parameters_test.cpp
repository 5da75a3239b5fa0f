// What optimizers take for hyper-parameters, and adafactor's rate as Keras 3 has it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

std::string with_optimizer(const std::string& optimizer) {
  return fmt::format("model m {{ input x; param w[1] = [1]; output y = w * x }}\ntrain {{ loss sum(y); optimizer {} }}",
                     optimizer);
}

TEST(HyperParameters, OutOfTheirDomainAreErrors) {
  // All optimizers of the prelude that take a learning rate.
  for (const PreludeName& name : prelude_names()) {
    if (name.kind != "optimizer" || name.file != "prelude/optimizers.tarn") continue;
    const std::string base = name.name == "decayed" ? "sgd, " : "";
    const Compiled c = compile(with_optimizer(fmt::format("{}({}lr = -1)", name.name, base)));
    EXPECT_FALSE(c.result.program) << name.name;
    EXPECT_NE(c.messages().find("lr must be a"), std::string::npos) << name.name << c.messages();
    EXPECT_NE(c.messages().find("and is -1"), std::string::npos) << name.name << c.messages();
    const Compiled scheduled = compile(with_optimizer(fmt::format("{}({}lr = 0.1 / (step + 1))", name.name, base)));
    EXPECT_TRUE(scheduled.result.program) << name.name << scheduled.messages();
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"sgd(momentum = 1.5)", "momentum must be from 0 to 1, and is 1.5"},
      {"sgd(momentum = -0.5)", "momentum must be from 0 to 1, and is -0.5"},
      {"rmsprop(rho = 2)", "rho must be from 0 to 1, and is 2"},
      {"rmsprop(epsilon = -1)", "epsilon must be at least 0, and is -1"},
      {"adam(beta_1 = 1)", "beta_1 must be at least 0 and below 1, and is 1"},
      {"adam(beta_2 = -0.1)", "beta_2 must be at least 0 and below 1, and is -0.1"},
      {"adamw(beta_2 = 1)", "beta_2 must be at least 0 and below 1, and is 1"},
      {"adamw(weight_decay = -1)", "weight_decay must be at least 0, and is -1"},
      {"lion(beta_1 = 1.1)", "beta_1 must be from 0 to 1, and is 1.1"},
      {"ftrl(lr = 0)", "lr must be above 0, and is 0"},
      {"ftrl(learning_rate_power = 1)", "learning_rate_power must be at most 0, and is 1"},
      {"adagrad(initial_accumulator_value = -1)", "initial_accumulator_value must be at least 0, and is -1"},
      {"adafactor(clip_threshold = 0)", "clip_threshold must be above 0, and is 0"},
  };
  for (const auto& [optimizer, message] : wrong) {
    const Compiled c = compile(with_optimizer(optimizer));
    EXPECT_FALSE(c.result.program) << optimizer;
    EXPECT_NE(c.messages().find(message), std::string::npos) << optimizer << c.messages();
  }
  for (const char* right :
       {"sgd(lr = 0)", "sgd(momentum = 1)", "sgd(lr = 0.1, momentum = 0)", "adam(beta_1 = 0, epsilon = 0)",
        "rmsprop(rho = 1)", "lion(beta_2 = 1)", "adagrad(initial_accumulator_value = 0)"}) {
    const Compiled c = compile(with_optimizer(right));
    EXPECT_TRUE(c.result.program) << right << c.messages();
  }
  FrontendOptions options;
  options.overrides = {{"optimizer.lr", "-0.1"}};
  const Compiled overridden = compile(with_optimizer("sgd"), options);
  EXPECT_FALSE(overridden.result.program);
  EXPECT_NE(overridden.messages().find("lr must be at least 0, and is -0.1"), std::string::npos)
      << overridden.messages();
}

// Scalars of `step`, `epoch` and hyper-parameters alone are computed in f64, also where literals are chosen by them:
// f32 has nothing between 1 and 1 + 1e-9.
TEST(HyperParameters, WhatCountersChooseIsComputedInF64) {
  for (const char* rate : {"where(step < 5, 1, 2)", "where(step < 5 and not (epoch > 3), 1, 2)", "(step < 5) * 1",
                           "where(step < 5, where(epoch < 5, 1, 2), 3)", "maximum(step, 1)", "(step < 5) * (step + 1)",
                           "piecewise_constant(step, [5], [1, 2])"}) {
    const Compiled c = compile(with_optimizer(fmt::format("sgd(lr = ({} + 1e-9 - 1) * 1e9)", rate)));
    ASSERT_TRUE(c.result.program) << c.messages();
    Values next = train_step(c.program(), {{"x", {{1}, {1}}}}, initial_tensors(c.program()), 1);
    EXPECT_NEAR(next["w"].data[0], 0, 1e-6) << rate;
  }
}

// What they meet keeps its type.
TEST(HyperParameters, WhatCountersChooseTakesTheTypeOfWhatItMeets) {
  const char* const model =
      "model m {{ input x; input n: i32; output y = {} }}\ntrain {{ loss f32(y) + 0 * x; optimizer sgd }}";
  const std::pair<const char*, DType> cases[] = {
      {"where(step < 5, x, 1)", DType::f32},
      {"x * where(step < 5, 0.1, 1)", DType::f32},
      {"where(step < 5, f64(x), 1)", DType::f64},
      {"where(step < 5, n, 1) + n", DType::i32},
      {"x * reshape(step + 1, [1])[0]", DType::f32},
      {"x * sum(broadcast(step + 1, [2]))", DType::f32},
      {"x * max(flip((step + 1) * [1, 2]))", DType::f32},
      {"x * gather(step * [1, 2], 1)", DType::f32},
      {"x * f64(reshape(step, [1])[0])", DType::f64},
      {"x * where(x > 0, step, 1)", DType::f32},
      {"f64(x) * where(step < 5, 1, 2)", DType::f64},
      {"where(x > 0 and step < 5, 1, 2)", DType::f32},
  };
  for (const auto& [expression, type] : cases) {
    const Compiled c = compile(fmt::format(fmt::runtime(model), expression));
    ASSERT_TRUE(c.result.program) << c.messages();
    EXPECT_EQ(c.program().outputs.front().type.dtype, type) << expression;
  }
}

// keras/src/optimizers/adafactor.py: rho_t = min(learning_rate, 1 / sqrt(t)), whatever relative_step says. Here u = 1
// and the root mean square of w is 1.
TEST(HyperParameters, AdafactorsRateIsAtMostOneOverTheRootOfTheStep) {
  for (const auto& [lr, expected] : {std::pair(2.0, 0.0), std::pair(0.25, 0.75)}) {
    for (const char* relative : {"true", "false"}) {
      const Compiled c = compile(with_optimizer(fmt::format("adafactor(lr = {}, relative_step = {})", lr, relative)));
      ASSERT_TRUE(c.result.program) << c.messages();
      Values next = train_step(c.program(), {{"x", {{1}, {0.01}}}}, initial_tensors(c.program()), 1);
      EXPECT_NEAR(next["w"].data[0], expected, 1e-12) << lr << relative;
    }
  }
}

}  // namespace
}  // namespace tarn
