// Kernels of one shape share a function, and their calls are loops: each must work on buffers and draws of its own.
#include <gtest/gtest.h>

#include <sstream>

#include "passes/tactics/tiling.h"
#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::testing {
namespace {

// y[n, i] = f(x[n, i]) + draw: `f` squares or negates.
LoopKernel step(BufferId x, BufferId y, Op op, std::uint64_t stream) {
  LoopKernel kernel;
  kernel.axes = {{1, true}, {7, false}};
  kernel.reduced = {false, false};
  Value draw = simple(Value::Kind::draw, DType::f32);
  draw.stream = stream;
  draw.linear = {{0, 1}, 0};
  draw.sample = {{1, 0}, 0};
  const std::vector<ValueId> operands = op == Op::neg ? std::vector<ValueId>{0} : std::vector<ValueId>{0, 0};
  kernel.body.values = {load(x, {7, 1}, DType::f32), draw, operation(op, DType::f32, operands),
                        operation(Op::add, DType::f32, {1, 2})};
  kernel.body.stores = {{3, at(y, {7, 1}), false}};
  return kernel;
}

// y[n, j] = sum of x[n, i] * w[i, j]
ContractionKernel product(BufferId x, BufferId w, BufferId y) {
  ContractionKernel kernel;
  kernel.rows = {{1, true}};
  kernel.columns = {{7, false}};
  kernel.inner = {{7, false}};
  kernel.a = operand_of(at(x, {7, 1}), kernel.dtype);
  kernel.b = operand_of(at(w, {7, 1}), kernel.dtype);
  kernel.epilogue.values = {simple(Value::Kind::product, DType::f32)};
  kernel.epilogue.stores = {{0, at(y, {7, 1}), false}};
  return kernel;
}

// Repetitions of periods 1 to 3 with others between: in whichever way they become loops, the order stays.
HandPlan chain(const std::string& kinds) {
  HandPlan hand(16);
  BufferId x = hand.input(DType::f32, {kBatch, 7}, random_numbers(1, 16 * 7, DType::f32, 0.5));
  std::uint64_t number = 0;
  for (const char kind : kinds) {
    ++number;
    const BufferId y = hand.result(DType::f32, {kBatch, 7});
    if (kind == 'p') {
      const BufferId w =
          hand.tensor("w" + std::to_string(number), DType::f32, {7, 7}, random_numbers(number, 7 * 7, DType::f32, 0.2));
      hand.add(product(x, w, y));
    } else {
      hand.add(step(x, y, kind == 'n' ? Op::neg : Op::mul, 1000 + number), along(1));
    }
    x = y;
  }
  return hand;
}

TEST(KernelCalls, SharedFunctionsWorkOnTheirOwnBuffersAndDraws) {
  for (const char* const kinds :
       {"n", "nn", "nnnn", "nmnm", "pnpnpn", "mmpnmpnmpnm", "npmnpmnpmnp", "ppppp", "mnnmnnmnnp"}) {
    // Squares double a relative error, products add up seven: a few float roundings for each of up to eleven steps.
    expect_as_interpreted(chain(kinds), 9, 2e-5, kinds);
  }
}

std::size_t lines(const std::string& text) {
  std::size_t count = 0;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) ++count;
  return count;
}

TEST(KernelCalls, RepetitionsCostNoCode) {
  const auto size = [](const std::string& kinds) {
    HandPlan hand = chain(kinds);
    const CodegenOptions options = options_for("x86-64-v3");
    choose_tilings(hand.plan, *target_of(options));
    ProgramPlan plan;
    plan.plans["adapt"] = hand.plan;
    const Result<std::string> text = print_llvm(hand.program, plan, "adapt", options);
    return text ? lines(*text) : 0;
  };
  std::string few, many;
  for (int i = 0; i < 40; ++i) (i < 4 ? few : many) += "pnm";
  const std::size_t once = size(few);
  ASSERT_GT(once, 0U);
  EXPECT_LE(size(few + many), once + 5);
}

}  // namespace
}  // namespace tarn::testing
