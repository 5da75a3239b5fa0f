// A program that was read back from its text has the plans of the one that was printed.
#include <gtest/gtest.h>

#include <filesystem>

#include "ir/program_text.h"
#include "passes/pipeline.h"
#include "passes/plan/text.h"
#include "tests/support/compiler/frontend_test_support.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

// The text of all plans; what keeps a program from having them.
std::string plans_of(const Program& program, const Sources& sources) {
  PassContext context;
  context.sources = &sources;
  const Result<ProgramPlan> plans = plan_program(program, PlanOptions(), context);
  if (!plans) return format(plans.error(), sources);
  std::string text;
  for (const auto& [name, plan] : plans->plans)
    text += print_whole(plan, name, program.graphs.begin()->second.locations().get(), sources);
  return text;
}

TEST(ProgramPlans, AreThoseOfTheProgramThatWasPrinted) {
  int models = 0;
  for (const char* const folder : {"examples", "tests/reports"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::source_folder() / folder)) {
      if (entry.path().extension() != ".tarn") continue;
      Sources sources;
      FrontendResult result = compile_file(entry.path().string(), {}, sources);
      if (!result.program) continue;
      assign_offsets(*result.program);
      const Result<Program> again = parse_program(print(*result.program, sources), "again.txt", sources);
      ASSERT_TRUE(again.has_value()) << format(again.error(), sources);
      EXPECT_EQ(plans_of(*again, sources), plans_of(*result.program, sources)) << entry.path();
      ++models;
    }
  }
  EXPECT_GT(models, 50);
}

}  // namespace
}  // namespace tarn
