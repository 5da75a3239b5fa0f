// What people reported: every folder of tests/reports has a model, data, and in report.txt the commands with what they
// print. tests/reports/README.md says how to add one. TARN_UPDATE_GOLDEN=1 writes the outputs anew; read what changed
// before committing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/transcript.h"

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

class Reports : public ::testing::TestWithParam<std::string> {};

TEST_P(Reports, CommandsPrintWhatIsExpected) {
  const test::TemporaryFolder folder;
  fs::copy(kFolder / GetParam(), folder.path(), fs::copy_options::recursive);
  const test::Transcript transcript = test::read_transcript(test::read_text(folder.path() / "report.txt"));
  EXPECT_FALSE(transcript.introduction.empty()) << "report.txt begins by saying what went wrong";
  EXPECT_FALSE(transcript.steps.empty());
  const std::string updated = test::run_transcript(transcript, folder.path());
  if (test::updates_golden()) test::write_text(kFolder / GetParam() / "report.txt", updated);
}

INSTANTIATE_TEST_SUITE_P(All, Reports, ::testing::ValuesIn(reports()),
                         [](const ::testing::TestParamInfo<std::string>& name) { return name.param; });

}  // namespace
}  // namespace tarn
