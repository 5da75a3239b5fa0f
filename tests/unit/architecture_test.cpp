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

#include "ir/data_formats.h"
#include "ir/program_functions.h"
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

// How often a line of each file matches, of all files of the product.
std::map<std::string, std::size_t> lines_that_match(const std::string& pattern) {
  const std::regex line_pattern(pattern);
  std::map<std::string, std::size_t> found;
  for (const char* const folder : {"codegen", "frontend", "ir", "passes", "runtime", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      if (!kSources.contains(entry.path().extension().string())) continue;
      const std::string name = fs::relative(entry.path(), test::source_folder()).string();
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) found[name] += std::regex_search(line, line_pattern) ? 1 : 0;
    }
  }
  std::erase_if(found, [](const auto& file) { return file.second == 0; });
  return found;
}

// What is to be known of an operation stands in its row: nothing chooses by listing operations.
TEST(Architecture, NothingSwitchesOverOperations) {
  EXPECT_EQ(lines_that_match(R"rx(\bcase Op::)rx"), (std::map<std::string, std::size_t>()));
}

// Whoever treats a program function or a format of data otherwise than another asks for a fact of its row.
TEST(Architecture, NamesOfFunctionsAndFormatsAreNotCompared) {
  const std::map<std::string, std::size_t> allowed = {
      {"codegen/model_interface.cpp", 8},     // which functions of a compiled model are wanted, by their names
      {"codegen/program_functions.cpp", 1},   // `report` has a result of its own
      {"runtime/explain_not_finite.cpp", 1},  // `adapt` has a message of its own
      {"tools/self_test_programs.cpp", 2},    // JavaScript
      {"tools/show.cpp", 1},                  // `predict_packed` has no graph
  };
  std::string names;
  for (const FunctionInfo& function : all_functions()) names += std::string(function.name) + "|";
  for (const DataFormat& format : data_formats()) names += std::string(format.name) + "|";
  names.pop_back();
  EXPECT_EQ(lines_that_match("[!=]= \"(" + names + ")\""), allowed);
}

// A switch without a default does not compile until a new kind of operation, value, buffer or kernel has its case.
// These are over characters, tokens, numbers from outside, or a few of many.
TEST(Architecture, DefaultsAreForWhatComesFromOutside) {
  const std::map<std::string, std::size_t> allowed = {
      {"frontend/ast.cpp", 1},               // characters
      {"frontend/format_source.cpp", 4},     // tokens
      {"frontend/lexer.cpp", 1},             // tokens
      {"frontend/parse_expression.cpp", 1},  // tokens
      {"frontend/parse_statement.cpp", 3},   // tokens
      {"frontend/parser.cpp", 1},            // tokens
      {"frontend/token.cpp", 2},             // tokens
      {"ir/text_parser.cpp", 1},             // the number of a kind of attribute
      {"passes/constant_folding.cpp", 1},    // a drawn number
      {"passes/rules_movement.cpp", 1},      // a drawn number
      {"passes/stable_forms.cpp", 1},        // a drawn number
      {"runtime/array_values.cpp", 2},       // types that are computed apart
      {"runtime/file.cpp", 1},               // error numbers
      {"runtime/idx.cpp", 1},                // bytes of a file
      {"runtime/include/tarn/error.h", 1},   // error numbers
      {"runtime/safetensors.cpp", 1},        // places in a JSON text
  };
  EXPECT_EQ(lines_that_match(R"rx(^\s*default:)rx"), allowed);
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
