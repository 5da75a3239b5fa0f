// The direction of dependency, as the table in docs/architecture.md has it: which folder may include which, and LLVM
// only in codegen.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include "tests/support/files.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::map<std::string, std::set<std::string>> table{
      {"ir", {"ir"}},
      {"frontend", {"ir", "frontend"}},
      {"passes", {"ir", "passes"}},
      {"codegen", {"ir", "passes", "codegen"}},
      {"runtime", {"ir", "frontend", "passes", "codegen", "runtime", "tarn"}},
      {"tools", {"ir", "frontend", "passes", "codegen", "runtime", "tarn", "tools"}},
  };
  return table;
}

TEST(Architecture, EveryIncludePointsDown) {
  const std::regex include(R"rx(^\s*#\s*include\s*[<"]([^/>"]+)/)rx");
  std::size_t files = 0;
  for (const auto& [folder, allowed] : allowed_includes()) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".h" && extension != ".def") continue;
      ++files;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string target = match[1];
        const bool ours = allowed_includes().contains(target) || target == "tarn";
        const bool is_llvm = target == "llvm" || target == "llvm-c";
        EXPECT_TRUE(!ours || allowed.contains(target)) << entry.path() << ": " << line;
        EXPECT_TRUE(!is_llvm || folder == "codegen") << entry.path() << ": " << line;
      }
    }
  }
  EXPECT_GT(files, 100U);
}

// Files that a change should not have to touch twice: nothing but ops.def lists the operations.
TEST(Architecture, OpsAreListedOnce) {
  std::size_t lists = 0;
  const std::regex last_row(R"rx(^OPERATION\(grad,)rx");
  for (const auto& [folder, unused] : allowed_includes()) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) lists += std::regex_search(line, last_row) ? 1 : 0;
    }
  }
  EXPECT_EQ(lists, 1U);
}

// A file that one can read in a sitting.
TEST(Architecture, FilesAreShort) {
  constexpr std::ptrdiff_t kMostLines = 700;
  const std::set<std::string> extensions = {".cpp", ".h", ".def", ".tarn", ".py", ".c", ".mjs"};
  for (const char* const folder : {"codegen", "examples", "frontend", "ir", "passes", "runtime", "tests", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      if (!extensions.contains(entry.path().extension().string())) continue;
      const std::string text = test::read_text(entry.path());
      EXPECT_LE(std::ranges::count(text, '\n'), kMostLines) << entry.path();
    }
  }
}

}  // namespace
}  // namespace tarn
