// What compiling costs, counted and not timed: instructions of LLVM IR for two small models, and work against size.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>
#include <sstream>

#include "frontend/frontend.h"
#include "runtime/session/model.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

struct Planned {
  Program program;
  ProgramPlan plan;
  PassContext context;
};

Planned plan_of(Result<Program> program, const Target& target) {
  Planned planned;
  EXPECT_TRUE(program.has_value());
  if (!program) return planned;
  planned.program = std::move(*program);
  PlanOptions options;
  options.target = target;
  Result<ProgramPlan> plan = plan_program(planned.program, options, planned.context);
  EXPECT_TRUE(plan.has_value());
  if (plan) planned.plan = std::move(*plan);
  return planned;
}

Planned plan_of_text(const std::string& text) {
  Sources sources;
  FrontendResult result = compile_text("model.tarn", text, {}, sources);
  EXPECT_TRUE(result.program.has_value());
  if (!result.program) return {};
  assign_offsets(*result.program);
  return plan_of(std::move(*result.program), {64, 32, true});
}

// Lines of a body are instructions: labels and braces stand at the margin.
std::size_t instructions(const std::string& llvm_ir) {
  std::size_t count = 0;
  std::istringstream lines(llvm_ir);
  for (std::string line; std::getline(lines, line);) count += line.starts_with("  ") ? 1 : 0;
  return count;
}

// Code generation takes about 20 microseconds an instruction, so a tenth more is a tenth more of the wait before
// training starts. The limits are what it takes now and 10 %; raise them only for something that is worth the wait.
TEST(CompileCost, SmallModelsStaySmall) {
  struct Case {
    const char* file;
    std::size_t limit;
  };
  CodegenOptions codegen;
  codegen.cpu = "x86-64-v4";
  const Result<Target> target = target_of(codegen);
  ASSERT_TRUE(target.has_value());
  for (const Case& row : {Case{"sums.tarn", 2380}, Case{"iris.tarn", 2560}}) {
    Sources sources;
    Diagnostics warnings;
    const Planned planned = plan_of(load_program(test::example(row.file), {}, sources, warnings), *target);
    std::size_t count = 0;
    for (const char* function : {"init", "train", "evaluate", "report"}) {
      const Result<std::string> text = print_llvm(planned.program, planned.plan, function, codegen);
      ASSERT_TRUE(text.has_value());
      count += instructions(*text);
    }
    EXPECT_LE(count, row.limit) << row.file;
    EXPECT_GE(count, row.limit / 2) << row.file << ": the limit is far above what is needed";
  }
}

std::string deep_model(int layers) {
  std::string text = "model deep {\n  input x[4]\n  h0 = x\n";
  for (int i = 0; i < layers; ++i) text += fmt::format("  h{} = h{} |> dense(4, tanh)\n", i + 1, i);
  return text + fmt::format(
                    "  output y = h{}\n}}\n"
                    "train {{\n  target t[4]\n  loss mse(y, t)\n  optimizer adam\n  batch 4\n}}\n",
                    layers);
}

std::size_t code_size(const Planned& planned, const char* graph) {
  CodegenOptions codegen;
  codegen.cpu = "x86-64-v4";
  const Result<std::string> text = print_llvm(planned.program, planned.plan, graph, codegen);
  EXPECT_TRUE(text.has_value());
  return text ? instructions(*text) : 0;
}

std::uint64_t firings(const Planned& planned) {
  return std::accumulate(planned.context.rule_hits.begin(), planned.context.rule_hits.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& rule) { return sum + rule.second; });
}

// Ten times the layers: ten times the kernels, and not more than ten times the rewriting. Rules that undo each other,
// or that pass a change on by one layer a round, would show here.
TEST(CompileCost, ThousandLayersAreTenTimesHundred) {
  if (TARN_SANITIZED) return;  // minutes, to count the same
  const Planned hundred = plan_of_text(deep_model(100)), thousand = plan_of_text(deep_model(1000));
  for (const char* graph : {"init", "train", "evaluate", "predict"}) {
    EXPECT_LE(thousand.plan.plans.at(graph).kernels.size(), 11 * hundred.plan.plans.at(graph).kernels.size()) << graph;
    // Equal layers share their code, and their calls are loops; what grows are stores of zeros into slots.
    const std::size_t much = code_size(thousand, graph), little = code_size(hundred, graph);
    EXPECT_LE(much, little + 900 * 12) << graph;
    if (std::string_view(graph) != "init") {
      EXPECT_LE(much, little + little / 4) << graph;
    }
  }
  EXPECT_LE(firings(thousand), 11 * firings(hundred));
  EXPECT_LE(firings(hundred), 100 * 60U);
}

TEST(CompileCost, LossOfTenThousandOperations) {
  std::string text =
      "model wide {\n  input x[2]\n  output y = x |> dense(1)\n}\n"
      "train {\n  target t[1]\n  e0 = sum((y - t)^2)\n";
  for (int i = 0; i < 5000; ++i) text += fmt::format("  e{} = sin(e{}) + {}\n", i + 1, i, i);
  const Planned planned = plan_of_text(text + "  loss e5000\n  optimizer sgd\n  batch 4\n}\n");
  ASSERT_EQ(planned.plan.plans.count("train"), 1U);
  EXPECT_LE(firings(planned), 30'000U);
}

}  // namespace
}  // namespace tarn
