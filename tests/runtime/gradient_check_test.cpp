// `check --gradients` against gradients that are known to be right, and gradients between float types.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "passes/pipeline.h"
#include "runtime/training/gradient_check.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

// What the differences must not see: what is stopped, and losses that are for other parameters.
const char* const kModels[] = {
    "model m { input x[3]; param w[3] = [0.5, -1, 2]; output y = sum(w * x * stop_gradient(w)) }\n"
    "train { target t; loss mse(y, t); optimizer sgd }",
    "model m { input x[3]; param w[3] = [0.5, -1, 2]; h = tanh(w * x); output y = sum(h * stop_gradient(exp(h))) }\n"
    "train { target t; loss mse(y, t); loss 0.5 * stop_gradient(y) * sum(w); optimizer sgd }",
    "model m { input x[3]; h = dense(4, tanh); output y = x |> h |> dense(2, softmax); output z = stop_gradient(x |> "
    "h) "
    "|> dense(1) }\n"
    "train { target t; target u[2]; loss categorical_crossentropy(y, u); loss mse(z, reshape(t, [1])); optimizer sgd }",
    // A GAN: each loss for its part, and the generator's against what the discriminator wants.
    "model m { input x[3]; gen = dense(3, tanh); disc = dense(1, sigmoid)\n"
    "output fake = gen(x); output real = disc(x); output judged = disc(fake) }\n"
    "train { loss binary_crossentropy(real, [1]) + binary_crossentropy(judged, [0]) for disc\n"
    "loss binary_crossentropy(judged, [1]) for gen; optimizer sgd }",
    // A gradient penalty, in which something is stopped.
    "model m { input x[3]; param w[3] = [0.5, -1, 2]; output y = sum(tanh(w * x) * stop_gradient(w)) }\n"
    "train { target t; loss sum(grad(y, x)^2) + mse(y, t); optimizer sgd }",
};

EvaluationContext point_for(const Program& program) {
  EvaluationContext context;
  context.batch = 3;
  for (const InputInfo& input : program.inputs) {
    HostTensor& tensor = context.inputs[input.name];
    tensor.shape = input.type.shape;
    tensor.shape.insert(tensor.shape.begin(), context.batch);
    for (std::int64_t i = 0; i < element_count(tensor.shape); ++i)
      tensor.data.push_back(0.1 + 0.8 * std::fmod(0.37 * static_cast<double>(i), 1));
  }
  context.tensors = frontend_test::initial_tensors(program);
  return context;
}

TEST(GradientChecks, HoldStillWhatIsStoppedAndKeepLossesApart) {
  for (const char* text : kModels) {
    const Compiled c = compile(text, double_precision());
    ASSERT_TRUE(c.result.program) << text << c.messages();
    const auto checks = check_gradients(c.program(), point_for(c.program()), c.sources);
    ASSERT_TRUE(checks.has_value()) << text << format(checks.error(), c.sources);
    EXPECT_FALSE(checks->empty());
    for (const GradientCheck& check : *checks)
      EXPECT_LE(check.largest_error, 1e-6)
          << text << check.tensor << ": " << check.derivative << ", " << check.difference;
  }
}

// d/dx of sum(x^2), computed in the other float type, and in the type of x.
TEST(GradientsBetweenTypes, HaveTheTypeOfWhatTheyAreTakenBy) {
  for (const auto& [own, other] : {std::pair("f32", "f64"), std::pair("f64", "f32")}) {
    const Compiled c =
        compile(fmt::format("model m {{ input x[3]: {}; output y = grad(sum({}(x)^2), x) }}", own, other));
    ASSERT_TRUE(c.result.program) << c.messages();
    EXPECT_EQ(name_of(c.program().outputs[0].type.dtype), own);
    PassContext passes;
    const Result<Graph> lowered = lower_meaning(c.program().graphs.at("predict"), passes);
    ASSERT_TRUE(lowered.has_value()) << format(lowered.error(), c.sources);
    EvaluationContext context;
    context.inputs["x"] = {{1, 3}, {1, 2, 3}};
    const auto values = evaluate(*lowered, context);
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(values->front().data, (std::vector<double>{2, 4, 6}));
  }
}

// The same inside a loss: d/dw of sum over i of (2 w^2 x_i)^2.
TEST(GradientsBetweenTypes, GoThroughLosses) {
  const Compiled c = compile(
      "model m { input x[3]; param w = 0.5; output y = sum(f64(w * x)^2) }\ntrain { loss sum(grad(y, x)^2); optimizer "
      "sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const auto checks = check_gradients(c.program(), point_for(c.program()), c.sources);
  ASSERT_TRUE(checks.has_value()) << format(checks.error(), c.sources);
  ASSERT_EQ(checks->size(), 1U);
  EXPECT_LE((*checks)[0].largest_error, 1e-6);
}

}  // namespace
}  // namespace tarn
