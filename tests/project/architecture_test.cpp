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

constexpr const char* kProduct[] = {"codegen", "frontend", "ir", "passes", "runtime", "tools"};
constexpr const char* kFolders[] = {"codegen", "examples", "frontend", "ir", "passes", "runtime", "tests", "tools"};
const std::set<std::string> kSources = {".cpp", ".h", ".def", ".c"};

// What may be included by the files of a room, a folder with a README and those below that have none: folders, "ir",
// and files.
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

// The room that a file or a folder is in: the nearest folder above with such a README.
fs::path room_of(fs::path path) {
  while (!path.empty() && !allowed_includes().contains(path)) path = path.parent_path();
  return path;
}

// Whether the README of a room names a file, its room, or a folder that this is in. Rooms of the same house are named
// one by one: there, a folder stands for what lies in it itself.
bool allows(const fs::path& room, const fs::path& file) {
  const Includes& includes = allowed_includes().at(room);
  const std::size_t other = *room.begin() == *file.begin() ? room_of(file).string().size() : 0;
  for (fs::path each = file; each.string().size() >= std::max<std::size_t>(other, 1); each = each.parent_path()) {
    if (includes.contains(each.string())) return true;
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

// What a source includes of this project and of LLVM.
std::vector<fs::path> included_files(const fs::path& source) {
  std::vector<fs::path> files;
  std::ifstream file(test::source_folder() / source);
  for (std::string line; std::getline(file, line);) {
    fs::path included = included_file(line, source.parent_path());
    if (!included.empty()) files.push_back(std::move(included));
  }
  return files;
}

// All sources of a folder and of those below, by their paths from the top.
std::vector<fs::path> sources_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
    if (kSources.contains(entry.path().extension().string()))
      files.push_back(fs::relative(entry.path(), test::source_folder()));
  }
  return files;
}

TEST(Architecture, EveryIncludePointsDown) {
  std::size_t files = 0;
  for (const char* const top : kFolders) {
    for (const fs::path& source : sources_in(top)) {
      ++files;
      const fs::path room = room_of(source);
      ASSERT_FALSE(room.empty()) << source << ": no README says what it may include";
      for (const fs::path& included : included_files(source)) {
        EXPECT_TRUE(allows(room, included))
            << source << " includes " << included << ", which " << room / "README.md" << " does not allow";
      }
    }
  }
  EXPECT_GT(files, 100U);
}

// What a README allows is what is needed: nobody reads a line that allows more.
TEST(Architecture, WhatMayBeIncludedIs) {
  for (const char* const top : kProduct) {
    std::map<fs::path, std::set<fs::path>> included;  // by room
    for (const fs::path& source : sources_in(top)) {
      for (fs::path& file : included_files(source)) included[room_of(source)].insert(std::move(file));
    }
    for (const auto& [room, files] : included) {
      for (const std::string& name : allowed_includes().at(room)) {
        EXPECT_TRUE(std::ranges::any_of(
            files, [&](const fs::path& file) { return (file.string() + "/").starts_with(name + "/"); }))
            << room / "README.md" << " allows " << name << ", of which nothing is included";
      }
    }
  }
}

// Rooms, and files that a README names, by what they may include.
std::set<fs::path> needed_by(const fs::path& node) {
  std::set<fs::path> needed;
  if (!allowed_includes().contains(node)) {  // a file
    for (const fs::path& file : included_files(node))
      needed.insert(room_of(file) == room_of(node) ? file : room_of(file));
    return needed;
  }
  for (const std::string& name : allowed_includes().at(node)) {
    const bool same_house = *fs::path(name).begin() == *node.begin();
    if (kSources.contains(fs::path(name).extension().string())) needed.insert(name);
    for (const auto& [room, includes] : allowed_includes()) {
      if (room == name || (!same_house && room.string().starts_with(name + "/"))) needed.insert(room);
    }
  }
  return needed;
}

// Visits a node and what it needs, depth first; `path` leads to it.
void find_circles(const fs::path& node, std::vector<fs::path>& path, std::set<fs::path>& done) {
  if (node.empty() || done.contains(node)) return;
  const auto before = std::ranges::find(path, node);
  std::string circle;
  for (auto at = before; at != path.end(); ++at) circle += at->string() + " -> ";
  ASSERT_EQ(circle, "") << node << " needs itself";
  path.push_back(node);
  for (const fs::path& needed : needed_by(node)) {
    if (needed != node) find_circles(needed, path, done);
  }
  path.pop_back();
  done.insert(node);
}

TEST(Architecture, NoRoomNeedsItself) {
  std::set<fs::path> done;
  for (const auto& [room, includes] : allowed_includes()) {
    std::vector<fs::path> path;
    find_circles(room, path, done);
  }
  EXPECT_GT(done.size(), 20U);
}

// So that a stranger finds in every folder what lives there.
TEST(Architecture, EveryFolderSaysWhatItIs) {
  std::set<fs::path> folders = {"cmake", "docs"};
  folders.insert(std::begin(kFolders), std::end(kFolders));
  for (const char* const top : kFolders) {
    if (std::string_view(top) == "examples") continue;
    for (const auto& entry : fs::directory_iterator(test::source_folder() / top)) {
      if (entry.is_directory()) folders.insert(fs::relative(entry.path(), test::source_folder()));
    }
  }
  for (const fs::path& folder : folders) {
    EXPECT_TRUE(allowed_includes().contains(folder))
        << folder / "README.md" << " is missing, or does not end with \"May include: …\"";
  }
}

// So that a folder's README stays a true list: it names every source, `fusion`, `target.h` or `golden_*`.
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
  for (const char* const folder : kProduct) {
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
      {"codegen/model/interface.cpp", 8},              // which functions of a compiled model are wanted, by their names
      {"codegen/program/functions.cpp", 1},            // `report` has a result of its own
      {"runtime/training/explain_not_finite.cpp", 1},  // `adapt` has a message of its own
      {"codegen/model/self_test_programs.cpp", 2},     // JavaScript
      {"tools/commands/show.cpp", 1},                  // `predict_packed` has no graph
  };
  std::string names;
  for (const FunctionInfo& function : all_functions()) names += std::string(function.name) + "|";
  for (const DataFormat& format : data_formats()) names += std::string(format.name) + "|";
  names.pop_back();
  EXPECT_EQ(lines_that_match("[!=]= \"(" + names + ")\""), allowed);
}

// Whoever goes over kernels of a plan uses by_kind(), which has a function for each kind, and does not skip what it
// does not know.
TEST(Architecture, KindsOfKernelsAreMatched) {
  const std::map<std::string, std::size_t> allowed = {
      {"passes/plan/text_printer.cpp", 1},  // a guard is one line
      {"tools/commands/bench.cpp", 1},      // a guard has no name
  };
  EXPECT_EQ(
      lines_that_match(R"rx(\b(get|get_if|holds_alternative)<(LoopKernel|ContractionKernel|FiniteGuard|Repeat)>)rx"),
      allowed);
}

// A switch without a default does not compile until a new kind of operation, value, buffer or kernel has its case.
// These are over characters, tokens, numbers from outside, or a few of many.
TEST(Architecture, DefaultsAreForWhatComesFromOutside) {
  const std::map<std::string, std::size_t> allowed = {
      {"frontend/syntax/dump.cpp", 1},              // characters
      {"frontend/syntax/format_source.cpp", 4},     // tokens
      {"frontend/syntax/lexer.cpp", 1},             // tokens
      {"frontend/syntax/parse_expression.cpp", 1},  // tokens
      {"frontend/syntax/parse_statement.cpp", 3},   // tokens
      {"frontend/syntax/parser.cpp", 1},            // tokens
      {"frontend/syntax/token.cpp", 2},             // tokens
      {"ir/text_parser.cpp", 1},                    // the number of a kind of attribute
      {"passes/rules/constant_folding.cpp", 1},     // a drawn number
      {"passes/rules/stable_forms.cpp", 1},         // a drawn number
      {"runtime/files/array_values.cpp", 2},        // types that are computed apart
      {"runtime/files/file.cpp", 1},                // error numbers
      {"runtime/files/idx.cpp", 1},                 // bytes of a file
      {"runtime/include/tarn/error.h", 1},          // error numbers
      {"runtime/files/safetensors.cpp", 1},         // places in a JSON text
  };
  EXPECT_EQ(lines_that_match(R"rx(^\s*default:)rx"), allowed);
}

// The types that a text defines outside of functions, classes and anonymous namespaces, with their namespaces: by the
// layout that clang-format leaves.
std::vector<std::string> types_in(const std::string& text) {
  static const std::regex opens(R"rx(^(?:inline )?namespace ([\w:]*) ?\{$)rx"), closes(R"rx(^\}  // namespace\b.*$)rx"),
      defines(R"rx(^(?:struct|class|enum class) (\w+)(?: final)?(?: : .*)? \{.*$)rx");
  std::vector<std::string> namespaces, types;
  std::istringstream lines(text);
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, found, opens)) {
      namespaces.push_back(found[1]);
    } else if (std::regex_match(line, closes) && !namespaces.empty()) {
      namespaces.pop_back();
    } else if (std::regex_match(line, found, defines)) {
      const bool is_local = std::find(namespaces.begin(), namespaces.end(), "") != namespaces.end();
      std::string name;
      for (const std::string& space : namespaces) name += space + "::";
      if (!is_local) types.push_back(name + found[1].str());
    }
  }
  return types;
}

// Two types of one name are one to the linker, which takes the functions of either for both.
TEST(Architecture, TypesHaveNamesOfTheirOwn) {
  EXPECT_EQ(types_in("namespace a {\nstruct B {\n  struct C {\n};\nnamespace {\nclass D {\n}  // namespace\n"
                     "class E final : public B {\n}  // namespace a\nenum class F : int {\nstruct G;\n"),
            (std::vector<std::string>{"a::B", "a::E", "F"}));
  std::map<std::string, std::set<std::string>> files;
  for (const char* const folder : kProduct) {
    for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
      const std::string extension = entry.path().extension().string();
      // The library's header is for other programs, and has names of its own for what they see.
      const bool is_public = entry.path().string().find("/include/") != std::string::npos;
      if ((extension != ".h" && extension != ".cpp") || is_public) continue;
      for (const std::string& type : types_in(test::read_text(entry.path()))) {
        files[type].insert(fs::relative(entry.path(), test::source_folder()).generic_string());
      }
    }
  }
  EXPECT_GT(files.size(), 200U);
  for (const auto& [type, where] : files) {
    EXPECT_EQ(where.size(), 1U) << type << " stands in " << ::testing::PrintToString(where);
  }
}

}  // namespace
}  // namespace tarn
