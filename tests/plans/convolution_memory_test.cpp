// The workspace of convolutional networks is their activations: no window has memory of its own, forwards or backwards.
#include <gtest/gtest.h>

#include "frontend/frontend.h"
#include "passes/pipeline.h"

namespace tarn {
namespace {

// Three convolutions of 3 x 3 that keep the size, of as many channels as filters: each activation, and each gradient of
// one, has the bytes of an image; its windows would have nine times as many.
constexpr std::int64_t kSamples = 32, kSide = 16, kChannels = 16;
constexpr std::uint64_t kImages = sizeof(float) * kSamples * kSide * kSide * kChannels;

// `more` stands in the block `train`.
Program network(const std::string& more) {
  Sources sources;
  FrontendResult result = compile_text("model.tarn", R"(
model m {
  input  x[16, 16, 16]
  output y = x |> conv2d(16, 3, padding = "same", activation = relu) |> conv2d(16, 3, padding = "same", activation = relu)
      |> conv2d(16, 3, padding = "same", activation = relu) |> global_average_pooling2d |> dense(4)
}
train {
  target t[4]
  loss mean_squared_error(y, t)
  optimizer adam
  batch 32
)" + more + "\n}\n",
                                       {}, sources);
  EXPECT_TRUE(result.program.has_value());
  Program program = std::move(*result.program);
  assign_offsets(program);
  return program;
}

std::uint64_t arena_of(const std::string& function, const std::string& more = "") {
  const Program program = network(more);
  PlanOptions options;
  options.target = {32, 16, true};
  PassContext context;
  const Result<ProgramPlan> planned = plan_program(program, options, context);
  EXPECT_TRUE(planned.has_value());
  return planned->plans.at(function).arena_bytes;
}

// What a plan has beside images: weights in another order, numbers for each sample.
constexpr std::uint64_t kLittle = kImages / 8;

TEST(ConvolutionMemory, TrainingKeepsActivationsAndTwoGradients) {
  // The outputs of three layers, which relu's gradient and the next kernel's read, and a gradient with the one before
  // it.
  EXPECT_LE(arena_of("train"), 5 * kImages + kLittle);
}

// What is below a layer that learns is as good as prediction: nobody asks for it later.
TEST(ConvolutionMemory, NothingIsKeptBelowFrozenLayers) {
  EXPECT_LE(arena_of("train", "freeze conv2d_1, conv2d_2, conv2d_3"), 2 * kImages + kLittle);
  EXPECT_LE(arena_of("train", "freeze conv2d_1, conv2d_2"), 3 * kImages + kLittle);
}

// With the border of one place that the next layer reads.
TEST(ConvolutionMemory, PredictionKeepsTwoImages) {
  constexpr std::uint64_t kWithBorder = kImages / (kSide * kSide) * (kSide + 2) * (kSide + 2);
  EXPECT_LE(arena_of("predict"), 2 * kWithBorder + kLittle);
}

}  // namespace
}  // namespace tarn
