// What people reported: every folder of tests/reports has a model, data, and in report.txt the commands with what they
// print. tests/reports/README.md says how to add one. TARN_UPDATE_GOLDEN=1 writes the outputs anew; read what changed
// before committing it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = test::source_folder() / "tests/reports";

std::vector<std::string> reports() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

// A command, from "$ " to the end of its line, with the lines up to the next one.
struct Step {
  std::string command, expected;
};

std::vector<Step> steps_of(const std::string& report, std::string& introduction) {
  std::vector<Step> steps;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("$ ")) {
      steps.push_back({line.substr(2), ""});
    } else {
      (steps.empty() ? introduction : steps.back().expected) += line + "\n";
    }
  }
  return steps;
}

// The text as a regular expression, in which "…" stands for anything on its line.
std::regex pattern_of(const std::string& expected) {
  static const std::regex kSpecial(R"([.^$|()\[\]{}*+?\\])");
  const std::string escaped = std::regex_replace(expected, kSpecial, R"(\$&)");
  return std::regex(std::regex_replace(escaped, std::regex("…"), "[^\n]*"));
}

class Reports : public testing::TestWithParam<std::string> {};

TEST_P(Reports, CommandsPrintWhatIsExpected) {
  const test::TemporaryFolder folder;
  fs::copy(kFolder / GetParam(), folder.path(), fs::copy_options::recursive);
  const std::string report = test::read_text(folder.path() / "report.txt");
  std::string updated;
  const std::vector<Step> steps = steps_of(report, updated);
  EXPECT_FALSE(updated.empty()) << "report.txt begins by saying what went wrong";
  EXPECT_FALSE(steps.empty());
  for (const Step& step : steps) {
    test::Finished finished = test::run(
        fmt::format("cd '{}' && export PATH='{}':\"$PATH\" XDG_CACHE_HOME='{}' && {{ {}; }}", folder.path().string(),
                    fs::path(test::driver()).parent_path().string(), folder.file(".cache"), step.command));
    if (finished.status != 0) finished.output += fmt::format("[exit {}]\n", finished.status);
    EXPECT_TRUE(std::regex_match(finished.output, pattern_of(step.expected)))
        << "$ " << step.command << "\n"
        << finished.output << "where this is expected:\n"
        << step.expected;
    updated += fmt::format("$ {}\n{}", step.command, finished.output);
  }
  if (std::getenv("TARN_UPDATE_GOLDEN") != nullptr) test::write_text(kFolder / GetParam() / "report.txt", updated);
}

INSTANTIATE_TEST_SUITE_P(All, Reports, testing::ValuesIn(reports()),
                         [](const testing::TestParamInfo<std::string>& name) { return name.param; });

}  // namespace
}  // namespace tarn
