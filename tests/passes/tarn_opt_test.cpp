// tarn-opt from graphs and from plans, started and stopped at any step.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "passes/pipeline.h"
#include "passes/plan/text.h"
#include "passes/planner/steps.h"
#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn {
namespace {

using test::Finished;
using ::testing::HasSubstr;

class TarnOpt : public ::testing::Test {
 protected:
  Finished opt(const std::string& options, const std::string& text) const {
    test::write_text(folder_.path() / "in.txt", text);
    const auto tool = std::filesystem::path(test::driver()).parent_path() / "tarn-opt";
    return test::run(fmt::format("cd '{}' && '{}' {} in.txt 2>&1", folder_.path().string(), tool.string(), options));
  }
  const test::TemporaryFolder folder_;
};

constexpr const char* kGraph = R"(graph step {
  %x: f32[N,40] = input() {name = "x"}
  %w: f32[40,24] = tensor() {name = "w"}
  %p: f32[N,24] = contract(%x, %w) {map = "nk,km->nm"}
  %y: f32[N,24] = tanh(%p)
  %s: f32[24] = reduce_sum(%y) {axes = [0]}
  result output "y" = %y
  result output "s" = %s
}
)";

// 0 + 1 + … + 9, and N of them.
constexpr const char* kPlan = R"(plan count {
  max_batch 16
  arena 64
  buffer sum: f64[] strides [] in arena at 0
  buffer y: f64[N] strides [1] in output 0 at 0
  result value "sum" = sum
  result output "y" = y
  kernel 0 "sum" loop
    over i < 10
      r0 = reduce_sum of index(i):f64
    then
    sum = r0
  kernel 1 "y" loop
    for i < N
    y[i] = (sum * N:f64)
}
)";

TEST_F(TarnOpt, StopsAfterEveryStep) {
  bool in_memory = false;
  for (const PlanStep& step : plan_steps()) {
    const Finished done = opt(fmt::format("--stop-after={} --batch 8", step.name), kGraph);
    EXPECT_EQ(done.status, 0) << done.output;
    Sources sources;
    const auto read = parse_plan(done.output, "plan.txt", sources);
    ASSERT_TRUE(read.has_value()) << format(read.error(), sources);
    EXPECT_EQ(read->plan.max_batch, 8);
    in_memory = in_memory || step.name == std::string("memory");
    EXPECT_EQ(verify(read->plan).has_value(), in_memory) << step.name;
    EXPECT_EQ(opt(fmt::format("--dump-after={}", step.name), kGraph).output.substr(0, 8), "# after ") << step.name;
  }
  for (const Pass& pass : graph_passes()) {
    EXPECT_THAT(opt(fmt::format("--stop-after={}", pass.name), kGraph).output, HasSubstr("graph step {")) << pass.name;
  }
  EXPECT_THAT(opt("--stop-after=unifies", kGraph).output, HasSubstr("there is no pass 'unifies'"));
}

// tests/plans/a_training_step_goes_from_units_over_a_schedule_to_groups.txt has the texts.
TEST_F(TarnOpt, PrintsWhatFusionMakesOnItsWay) {
  for (const FusionStep& step : fusion_steps()) {
    const Finished done = opt(fmt::format("--dump-after={} --stop-after=fusion", step.name), kGraph);
    EXPECT_EQ(done.status, 0) << done.output;
    const std::size_t plan = done.output.find("\nplan step {\n");
    ASSERT_NE(plan, std::string::npos) << done.output;
    EXPECT_EQ(done.output.substr(plan + 1), opt("--stop-after=fusion", kGraph).output);
    const std::string text = done.output.substr(0, plan);
    EXPECT_TRUE(text.starts_with(fmt::format("# after {}\n", step.name))) << text;
    EXPECT_EQ(text.find("# after", 1), std::string::npos) << text;
    EXPECT_THAT(text, HasSubstr("unit 0"));
    EXPECT_THAT(opt(fmt::format("--stop-after={}", step.name), kGraph).output, HasSubstr("there is no pass"));
  }
}

// Steps from a plan's text do what they do behind fusion.
TEST_F(TarnOpt, GoesOnFromAPlan) {
  const std::string all = opt("--stop-after=tactics", kGraph).output;
  const std::string fused = opt("--stop-after=fusion", kGraph).output;
  EXPECT_EQ(opt("--passes=split_tails,memory,tactics", fused).output, all);
  EXPECT_EQ(opt("", all).output, all);
  const Finished unplanned = opt("--from=plan", fused);
  EXPECT_EQ(unplanned.status, 1);
  EXPECT_THAT(unplanned.output, HasSubstr("outside of the arena"));
  EXPECT_THAT(opt("--passes=fusion", all).output, HasSubstr("'fusion' is no step from plan to plan"));
  EXPECT_THAT(opt("--from=plan", kGraph).output, HasSubstr("in.txt:1:1: error: 'plan' is expected here"));
}

TEST_F(TarnOpt, RunsAPlan) {
  const Finished done = opt("--run --batch 4", kPlan);
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.output, "value \"sum\" [] = 45\noutput \"y\" [4] = 180, 180, 180, 180\n");
  // The sums over the samples are those of the values: the interpreter on the plan of the graph, on any seed.
  const Finished graph = opt("--run --batch 1 --seed 3", kGraph);
  EXPECT_EQ(graph.status, 0) << graph.output;
  const std::size_t line = graph.output.find('\n');
  const std::string y = graph.output.substr(0, line), s = graph.output.substr(line + 1);
  EXPECT_EQ(y.substr(y.find('=')) + "\n", s.substr(s.find('='))) << graph.output;
  EXPECT_NE(opt("--run --batch 1 --seed 4", kGraph).output, graph.output);
  const Finished large = opt("--run", "plan p {\n max_batch 1\n arena 4000000000000\n}\n");
  EXPECT_EQ(large.status, 1);
  EXPECT_THAT(large.output, HasSubstr("more than 256 MiB"));
}

// A program from the driver gives the plans that the driver has for it, by the same steps; passes give it other graphs.
TEST_F(TarnOpt, GoesOnFromAProgram) {
  const std::string show = fmt::format("cd '{}' && '{}' show iris.tarn --cpu x86-64-v3",
                                       test::source_folder().string() + "/examples", test::driver());
  const std::string program = test::run(show + " --stage program").output;
  EXPECT_EQ(opt("--from=program --passes=dead_code", program).status, 0);
  std::string all;
  for (const char* const graph : {"evaluate", "init", "predict", "report", "train"}) {
    const std::string plan = test::run(fmt::format("{} --stage plan --graph {}", show, graph)).output;
    const Finished done =
        opt(fmt::format("--graph {} --locations --vector-bytes 32 --fma --dump-after=memory", graph), program);
    const std::size_t second = done.output.find("\nplan " + std::string(graph));
    ASSERT_NE(second, std::string::npos) << done.output;
    EXPECT_EQ(done.output.substr(second + 1), plan) << graph;
    all += opt(fmt::format("--graph {} --stop-after=tactics", graph), program).output;
  }
  EXPECT_EQ(opt("--stop-after=tactics", program).output, all);
  const std::string optimized = opt("", program).output;
  EXPECT_THAT(optimized, HasSubstr("program iris {"));
  const std::string train = opt("--graph train", program).output;
  EXPECT_THAT(train, ::testing::StartsWith("graph train {\n"));
  EXPECT_EQ(opt("--graph train", optimized).output, train) << "nothing is left to do";
  EXPECT_THAT(opt("--graph train --batch 7 --stop-after=fusion", program).output, HasSubstr("max_batch 7\n"));
  EXPECT_THAT(opt("--graph training", program).output, HasSubstr("error: the program has no graph 'training'"));
  EXPECT_THAT(opt("--from=program", kGraph).output, HasSubstr("in.txt:1:1: error: 'program' is expected here"));
  EXPECT_THAT(test::run(show + " --stage program --graph train 2>&1").output, HasSubstr("shows all graphs"));
}

}  // namespace
}  // namespace tarn
