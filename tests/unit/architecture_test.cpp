// The direction of dependency: what each folder may include, as the last line of its README says, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/markdown.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolders[] = {"codegen", "examples", "frontend", "ir", "passes", "runtime", "tests", "tools"};
const std::set<std::string> kSources = {".cpp", ".h", ".def", ".c"};

// What may be included by the files of a folder and of those below that have no README: folders, "ir", and files.
using Includes = std::set<std::string>;

// Of all folders whose README ends with the line "May include: `ir`, `passes`.", by their paths from the top.
const std::map<fs::path, Includes>& allowed_includes() {
  static const auto* const table = [] {
    auto* const folders = new std::map<fs::path, Includes>;
    const std::regex name("`([^`]+)`");
    for (const fs::path& page : test::all_pages()) {
      if (page.filename() != "README.md") continue;
      const std::string text = test::read_text(page);
      const std::size_t line = text.rfind("\nMay include: ");
      if (line == std::string::npos) continue;
      EXPECT_EQ(text.find("\n\n", line + 1), std::string::npos) << page << ": it is not the last paragraph";
      Includes& includes = (*folders)[fs::relative(page.parent_path(), test::source_folder())];
      for (std::sregex_iterator at(text.begin() + static_cast<std::ptrdiff_t>(line), text.end(), name), end; at != end;
           ++at) {
        includes.insert((*at)[1]);
      }
    }
    return folders;
  }();
  return *table;
}

// Whether a file, or a folder that it is in, is among them.
bool allows(const Includes& includes, fs::path file) {
  for (; !file.empty(); file = file.parent_path()) {
    if (includes.contains(file.string())) return true;
  }
  return false;
}

// The path from the top that an #include is about; empty where it is not about anything of this project or of LLVM.
fs::path included_file(const std::string& line, const fs::path& folder) {
  static const std::regex kInclude(R"rx(^\s*#\s*include\s*[<"]([^>"]+)[>"])rx");
  static const std::set<std::string> kOthers = {"tarn", "llvm", "llvm-c"};
  std::smatch match;
  if (!std::regex_search(line, match, kInclude)) return {};
  fs::path file = match[1].str();
  if (!file.has_parent_path()) return {};  // in the same folder
  if (*file.begin() == "..") file = (folder / file).lexically_normal();
  const std::string top = file.begin()->string();
  const bool is_ours = std::ranges::find(kFolders, top) != std::end(kFolders);
  return is_ours || kOthers.contains(top) ? file : fs::path();
}

TEST(Architecture, EveryIncludePointsDown) {
  std::size_t files = 0;
  for (const char* const top : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / top)) {
      if (!kSources.contains(entry.path().extension().string())) continue;
      ++files;
      const fs::path folder = fs::relative(entry.path().parent_path(), test::source_folder());
      fs::path described = folder;
      while (!described.empty() && !allowed_includes().contains(described)) described = described.parent_path();
      ASSERT_FALSE(described.empty()) << folder << " has no README that says what it may include";
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        const fs::path included = included_file(line, folder);
        EXPECT_TRUE(included.empty() || allows(allowed_includes().at(described), included))
            << entry.path() << ": " << line << " is not among what " << described / "README.md" << " allows";
      }
    }
  }
  EXPECT_GT(files, 100U);
}

// So that a stranger finds in every folder what lives there.
TEST(Architecture, EveryFolderSaysWhatItIs) {
  std::set<fs::path> folders = {"cmake", "docs", "frontend/prelude", "runtime/include"};
  folders.insert(std::begin(kFolders), std::end(kFolders));
  for (const auto& entry : fs::directory_iterator(test::source_folder() / "tests")) {
    if (entry.is_directory()) folders.insert(fs::relative(entry.path(), test::source_folder()));
  }
  for (const fs::path& folder : folders) {
    EXPECT_TRUE(allowed_includes().contains(folder))
        << folder / "README.md" << " is missing, or does not end with \"May include: …\"";
  }
}

// So that a folder's README stays a true list: it names every source, `fusion`, `target.h` or `vector_math*`.
TEST(Architecture, EverySourceIsInTheReadmeOfItsFolder) {
  const std::regex name("`([^`\n]+)`");
  for (const auto& [folder, includes] : allowed_includes()) {
    const std::string top = folder.begin()->string();
    if (top == "tests" || top == "examples" || folder == "runtime/include") continue;
    const std::string text = test::read_text(test::source_folder() / folder / "README.md");
    const std::vector<std::string> names = [&] {
      std::vector<std::string> found;
      for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) found.push_back((*at)[1]);
      return found;
    }();
    for (const auto& entry : fs::directory_iterator(test::source_folder() / folder)) {
      if (!kSources.contains(entry.path().extension().string())) continue;
      const std::string file = entry.path().filename().string(), stem = entry.path().stem().string();
      EXPECT_TRUE(std::ranges::any_of(names,
                                      [&](std::string_view each) {
                                        return each == file || each == stem ||
                                               (each.ends_with('*') &&
                                                stem.starts_with(each.substr(0, each.size() - 1)));
                                      }))
          << folder / "README.md" << " does not name " << file;
    }
  }
}

// Files that a change should not have to touch twice: nothing but ops.def lists the operations.
TEST(Architecture, OpsAreListedOnce) {
  std::size_t lists = 0;
  const std::regex last_row(R"rx(^OPERATION\(grad,)rx");
  for (const char* const folder : kFolders) {
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
  for (const char* const folder : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      if (!extensions.contains(entry.path().extension().string())) continue;
      const std::string text = test::read_text(entry.path());
      EXPECT_LE(std::ranges::count(text, '\n'), kMostLines) << entry.path();
    }
  }
}

}  // namespace
}  // namespace tarn
