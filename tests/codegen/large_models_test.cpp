// Models of many equal parts: what they compute where kernels are cut, and that their code grows with them and has no
// very long function. Counted, not timed: tests/benchmarks/compile_benchmark.cpp prints times.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "frontend/frontend.h"
#include "passes/plan/interpreter.h"
#include "tests/support/compiler/codegen_test_support.h"
#include "tests/support/compiler/pass_test_support.h"
#include "tests/support/compiler/planned.h"
#include "tests/support/large_models.h"

namespace tarn::testing {
namespace {

Program program_of(const test::LargeModel& model, int count, DType float_type) {
  Sources sources;
  FrontendOptions options;
  options.float_type = float_type;
  FrontendResult result = compile_text("model.tarn", model.text(count), options, sources);
  EXPECT_TRUE(result.program.has_value()) << model.name;
  if (!result.program) return {};
  assign_offsets(*result.program);
  return std::move(*result.program);
}

// Positive, since some are squares of gradients; class numbers are small.
HostTensor values_of(const Shape& shape, DType dtype, double start) {
  HostTensor values{shape, {}};
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    const double value = 0.6 + 0.5 * std::sin(start + 1.7 * static_cast<double>(i));
    values.data.push_back(dtype == DType::i32 ? std::floor(value) : value);
  }
  return values;
}

EvaluationContext context_of(const Program& program, std::int64_t batch) {
  EvaluationContext context;
  context.batch = batch;
  context.seed = 17;
  for (const InputInfo& input : program.inputs) {
    Shape shape = input.type.shape;
    if (!has_batch(shape)) shape.insert(shape.begin(), batch);
    context.inputs[input.name] = values_of(with_batch(shape, batch), input.type.dtype, 0.3);
  }
  for (const TensorInfo& tensor : program.tensors) {
    context.tensors[tensor.name] =
        values_of(tensor.type.shape, tensor.type.dtype, static_cast<double>(context.tensors.size()));
  }
  return context;
}

bool is_cut(const KernelPlan& plan) {
  return std::ranges::any_of(
      plan.remarks, [](const std::string& remark) { return remark.find(" is cut into ") != std::string::npos; });
}

// The plan by its definition, and its code on every CPU, against the graph.
void expect_right(const Program& program, const Graph& graph, const KernelPlan& plan, std::int64_t batch,
                  const std::string& what) {
  HandPlan hand(program.settings.batch);
  hand.plan = plan;
  hand.program = program;
  hand.context = context_of(program, batch);
  const auto expected = evaluate(graph, hand.context);
  ASSERT_TRUE(expected.has_value()) << what << ": " << expected.error().front().message;
  const auto interpreted = interpret(plan, program, hand.context);
  ASSERT_TRUE(interpreted.has_value()) << what << ": " << interpreted.error().front().message;
  for (std::size_t i = 0; i < expected->size(); ++i) {
    ASSERT_EQ(difference(interpreted->results[i], (*expected)[i], 1e-9), "") << what << ", result " << i;
  }
  move_outputs_to_arena(hand.plan, program.settings.batch);
  expect_as_interpreted(hand, batch, 1e-9, what);
}

TEST(LargeModels, ComputeWhatTheirGraphsSayWhereKernelsAreCut) {
  for (const test::LargeModel& model : test::large_models()) {
    const int count = std::min(model.count, 100);
    const Program program = program_of(model, count, DType::f64);
    const auto graph = program.graphs.find("train");
    ASSERT_NE(graph, program.graphs.end()) << model.name;
    PassContext context;
    const Result<Graph> optimized = optimize(graph->second, context);
    ASSERT_TRUE(optimized.has_value()) << model.name;
    PlanOptions options;
    options.target = {32, 16, true};
    const KernelPlan plan = planned(*optimized, program, options);
    ASSERT_FALSE(HasFailure()) << model.name;
    if (!is_cut(plan)) continue;
    // A whole vector of samples, and some left.
    expect_right(program, *optimized, plan, 11, model.name);
    if (HasFatalFailure()) return;
  }
}

// By function of LLVM's text that runs a kernel, how long it is. An access to memory that lies apart is many
// instructions where the CPU has none for it, and a branch for each lane under a mask.
std::vector<std::size_t> kernel_lengths(const std::string& text, bool has_scatter) {
  constexpr std::size_t kExpanded = 32;
  std::vector<std::size_t> lengths;
  std::istringstream lines(text);
  bool in_kernel = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("define ")) in_kernel = line.starts_with("define internal");
    if (line.starts_with("define internal")) lengths.push_back(0);
    if (!in_kernel || !line.starts_with("  ")) continue;
    const bool apart =
        line.find("@llvm.masked.gather") != std::string::npos || line.find("@llvm.masked.scatter") != std::string::npos;
    lengths.back() += apart && !has_scatter ? kExpanded : 1;
  }
  return lengths;
}

struct CodeSize {
  std::size_t longest = 0, all = 0;
};
CodeSize code_size(const test::LargeModel& model, int count, const char* cpu) {
  const Program program = program_of(model, count, DType::f32);
  CodegenOptions codegen;
  codegen.cpu = cpu;
  PlanOptions options;
  options.target = target_of(codegen).value();
  PassContext context;
  const Result<ProgramPlan> plan = plan_program(program, options, context);
  EXPECT_TRUE(plan.has_value()) << model.name;
  if (!plan) return {};
  const Result<std::string> text = print_llvm(program, *plan, "train", codegen);
  EXPECT_TRUE(text.has_value()) << model.name;
  if (!text) return {};
  CodeSize size;
  for (const std::size_t length : kernel_lengths(*text, options.target.vector_bytes == 64)) {
    size.longest = std::max(size.longest, length);
    size.all += length;
  }
  return size;
}

// The body of a kernel stands up to four times in its function (whole vectors and what is left of them, of samples and
// of points), and cut_kernels aims at 2,000 instructions each. Twice the count may take three times the code: pieces
// compute up to half as much again. What begins at some size, as access by lanes does, may cost one piece more.
TEST(LargeModels, GrowInProportionAndHaveNoLongFunctions) {
  if (TARN_SANITIZED) return;  // minutes, to count the same
  constexpr std::size_t kPiece = 2000, kLongest = 4 * kPiece;
  for (const char* const cpu : {"x86-64-v3", "x86-64-v4"}) {
    for (const test::LargeModel& model : test::large_models()) {
      const int count = std::min(model.count, 100);
      const CodeSize whole = code_size(model, count, cpu), half = code_size(model, count / 2, cpu);
      EXPECT_LE(whole.longest, kLongest) << model.name << " for " << cpu;
      EXPECT_LE(whole.all, 3 * half.all + kPiece) << model.name << " for " << cpu;
    }
  }
}

// Twenty elements a point apart: read and written lane by lane, where vectors are full, in what is left of them, along
// sums, and at rows that a value names.
TEST(LargeModels, ManyElementsThatLieApart) {
  constexpr std::int64_t kParts = 20, kSamples = 21;
  for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::boolean}) {
    for (const bool sums : {false, true}) {
      HandPlan hand(kSamples);
      const BufferId x = hand.input(dtype, {kBatch, kParts}, random_numbers(5, kSamples * kParts, dtype, 9));
      const BufferId rows = hand.input(DType::i32, {kBatch}, random_numbers(6, kSamples, DType::i32, 30));
      const BufferId table = hand.tensor("table", dtype, {3, kParts}, random_numbers(7, 3 * kParts, dtype, 9));
      const BufferId y = hand.result(dtype, sums ? Shape{kParts} : Shape{kBatch, kParts});
      LoopKernel kernel;
      kernel.axes = {{1, true}};
      kernel.reduced = {sums};
      kernel.body.values = {load(rows, {1}, DType::i32)};
      for (std::int64_t part = 0; part < kParts; ++part) {
        Value value = load(x, {kParts}, dtype, part);
        if (part % 3 == 0) {
          value = load(table, {0}, dtype, part);
          value.access.row = 0;
          value.access.row_stride = kParts;
          value.access.row_limit = 3;
        }
        kernel.body.values.push_back(value);
        const auto id = static_cast<ValueId>(kernel.body.values.size() - 1);
        if (!sums) {
          kernel.body.stores.push_back({id, at(y, {kParts}, part), false});
          continue;
        }
        const auto number = static_cast<std::uint32_t>(part);
        kernel.reductions.push_back({dtype == DType::boolean ? Op::reduce_max : Op::reduce_sum, id, dtype});
        Value result = simple(Value::Kind::reduced, dtype);
        result.reduction = number;
        kernel.tail.values.push_back(result);
        kernel.tail.stores.push_back({number, at(y, {0}, part), false});
      }
      hand.add(kernel);
      for (const std::int64_t batch : {1, 13, 21}) {
        expect_as_interpreted(hand, batch, dtype == DType::f32 ? 1e-5 : 1e-12, sums ? "sums" : "points");
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace tarn::testing
