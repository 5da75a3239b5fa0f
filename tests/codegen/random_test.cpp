// Random draws in native code are those of ir/random.h: uniform ones to the bit, normal ones to the bounds of the
// vector maths (a logarithm, a root and a cosine of at most 2 ulp, the cosine of an argument rounded once).
#include <gtest/gtest.h>

#include <cmath>

#include "ir/random.h"
#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

constexpr std::uint64_t kStream = 0x123456789ABCDEF1ULL;

struct DrawCase {
  const char* function;
  std::uint64_t step, expected_step;
  std::uint32_t first_sample, expected_first;
};

// A draw for each of 21 elements of every sample, and one for each element that all samples share.
void check_draws(const DrawCase& c, DType dtype, bool normal, const std::string& cpu, std::uint32_t vector_axis) {
  HandPlan hand(16);
  hand.context.seed = 77;
  hand.context.first_sample = c.first_sample;
  hand.tensor("step", DType::f64, {}, {static_cast<double>(c.step)});
  LoopKernel kernel;
  kernel.axes = {{1, true}, {21, false}};
  kernel.reduced = {false, false};
  Value each = simple(Value::Kind::draw, dtype);
  each.distribution = normal ? Distribution::normal : Distribution::uniform;
  each.stream = kStream;
  each.linear = {{0, 1}, 0};
  each.sample = {{1, 0}, 0};
  Value shared = each;
  shared.sample = {{0, 0}, 0};
  kernel.body.values = {each, shared};
  const BufferId y = hand.result(dtype, {kBatch, 21}), z = hand.result(dtype, {kBatch, 21});
  kernel.body.stores = {{0, at(y, {21, 1}), false}, {1, at(z, {21, 1}), false}};
  hand.add(kernel, along(vector_axis));
  const std::int64_t batch = 9;
  const NativeRun run = run_native(hand, options_for(cpu), batch, c.function);
  const double tolerance = !normal ? 0 : dtype == DType::f32 ? 4e-6 : 1e-14;
  for (std::uint32_t sample = 0; sample < batch; ++sample) {
    for (std::uint32_t element = 0; element < 21; ++element) {
      DrawPosition position{77, kStream, c.expected_step, c.expected_first + sample, element};
      const auto draw = normal ? draw_normal : draw_uniform;
      const std::size_t i = sample * 21 + element;
      ASSERT_NEAR(run.results[0].data[i], draw(position, dtype), tolerance) << c.function << " on " << cpu;
      position.sample = 0;
      ASSERT_NEAR(run.results[1].data[i], draw(position, dtype), tolerance) << c.function << " on " << cpu;
    }
  }
}

TEST(CodegenRandom, DrawsAreThoseOfTheLanguage) {
  // Training counts samples in the batch and reads the step; other functions count rows of the call, at step 0.
  const DrawCase cases[] = {{"train", 5'000'000'123, 5'000'000'123, 40, 0}, {"adapt", 7, 0, 40, 40}};
  for (const DrawCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const bool normal : {false, true}) {
        for (const std::string& cpu : cpus()) {
          for (const std::uint32_t vector_axis : {0U, 1U}) check_draws(c, dtype, normal, cpu, vector_axis);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// init draws with one sample, number 0.
TEST(CodegenRandom, InitialValues) {
  HandPlan hand;
  hand.context.seed = 3;
  const BufferId w = hand.tensor("w", DType::f32, {40}, std::vector<double>(40, 0));
  LoopKernel kernel;
  kernel.axes = {{40, false}};
  kernel.reduced = {false};
  Value draw = simple(Value::Kind::draw, DType::f32);
  draw.stream = 99;
  draw.linear = {{1}, 0};
  draw.sample = {{0}, 0};
  kernel.body.values = {draw};
  kernel.body.stores = {{0, at(w, {1}), false}};
  hand.add(kernel);
  for (const std::string& cpu : cpus()) {
    const NativeRun run = run_native(hand, options_for(cpu), 1, "init");
    for (std::uint32_t i = 0; i < 40; ++i) {
      EXPECT_EQ(run.tensors.at("w").data[i], draw_uniform({3, 99, 0, 0, i}, DType::f32)) << cpu;
    }
  }
}

}  // namespace
}  // namespace tarn::testing
