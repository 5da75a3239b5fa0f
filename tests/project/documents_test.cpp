// The documents: every example in them compiles, every command prints what they show, and the language page is
// complete.
#include <fmt/format.h>
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "frontend/syntax/ast.h"
#include "frontend/syntax/format_source.h"
#include "frontend/syntax/lexer.h"
#include "frontend/syntax/parser.h"
#include "runtime/files/image.h"
#include "tests/support/files.h"
#include "tests/support/markdown.h"
#include "tests/support/process.h"
#include "tests/support/transcript.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;
using test::all_pages;
using test::code_blocks;
using test::CodeBlock;
using test::documents;
using test::read_text;
using test::source_folder;

std::vector<CodeBlock> examples_of_documents() {
  std::vector<CodeBlock> examples;
  for (const fs::path& page : documents()) {
    for (CodeBlock& example : code_blocks(page)) examples.push_back(std::move(example));
  }
  return examples;
}

std::string language_page() { return read_text(source_folder() / "docs/language.md"); }

bool parses(const std::string& text) {
  Sources sources;
  return !has_errors(parse(sources.add("fragment", text), sources).diagnostics);
}

TEST(Documents, WholeExamplesCompileWithoutWarnings) {
  int count = 0;
  for (const CodeBlock& example : examples_of_documents()) {
    if (example.language != "tarn") continue;
    ++count;
    Sources sources;
    const FrontendResult result = compile_text(example.place, example.text, {}, sources);
    EXPECT_TRUE(result.program.has_value() && result.diagnostics.empty()) << example.place << "\n"
                                                                          << format(result.diagnostics, sources);
  }
  EXPECT_GE(count, 10);
}

TEST(Documents, FragmentsParse) {
  int count = 0;
  for (const CodeBlock& example : examples_of_documents()) {
    if (example.language != "tarn-fragment") continue;
    ++count;
    EXPECT_TRUE(parses(example.text) || parses("model m {\n" + example.text + "}\n") ||
                parses("train {\n" + example.text + "}\n"))
        << example.place;
  }
  EXPECT_GE(count, 3);
}

TEST(Documents, ExamplesOfTheLanguagePageAreFormatted) {
  for (const CodeBlock& example : code_blocks(source_folder() / "docs/language.md")) {
    if (!example.language.starts_with("tarn")) continue;
    Sources sources;
    const Result<std::string> formatted = format_source(sources.add(example.place, example.text), sources);
    ASSERT_TRUE(formatted.has_value()) << example.place;
    EXPECT_EQ(*formatted, example.text) << example.place;
  }
}

TEST(Documents, LanguagePageNamesEverythingThereIs) {
  const std::string page = language_page();
  std::size_t count = 0;
  for (const PreludeName& name : prelude_names()) {
    ++count;
    const std::regex mention(fmt::format("`{}[`(]", name.name));
    EXPECT_TRUE(std::regex_search(page, mention))
        << "docs/language.md does not name the " << name.kind << " '" << name.name << "'";
  }
  EXPECT_GT(count, 200U);
}

// "10000000" as "10,000,000".
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

TEST(Documents, LanguagePageHasTheLimitsOfTheCode) {
  const std::string page = language_page();
  const ElaborationLimits limits;
  const struct {
    const char* what;
    std::uint64_t value;
  } rows[] = {
      {"axes of a tensor", kMaxRank},
      {"axes of an input, and of what depends on it", kMaxRank - 1},
      {"elements of a tensor", static_cast<std::uint64_t>(kMaxElements)},
      {"operations of a graph", limits.nodes},
      {"steps of unrolling (expressions evaluated, list elements made)", limits.steps},
      {"elements of a list", limits.list_length},
      {"calls inside calls", static_cast<std::uint64_t>(limits.call_depth)},
      {"nesting through all calls", static_cast<std::uint64_t>(limits.nesting)},
      {"brackets and blocks inside each other", static_cast<std::uint64_t>(ast::kMaxNesting)},
      {"operations of one expression, from the outermost to the innermost", static_cast<std::uint64_t>(ast::kMaxDepth)},
      {"bytes of a source file", kMaxSourceBytes},
      {"tokens of a source file", kMaxTokens},
      {"pixels of an image", static_cast<std::uint64_t>(kMostPixels)},
      {"errors reported", kMaxReportedErrors},
  };
  for (const auto& row : rows) {
    const std::string line = fmt::format("\n| {} | {} |\n", row.what, grouped(row.value));
    EXPECT_NE(page.find(line), std::string::npos) << line;
  }
}

TEST(Documents, PreludePageIsUpToDate) {
  const test::Finished page = test::run(fmt::format("'{}' prelude --markdown", test::driver()));
  ASSERT_EQ(page.status, 0) << page.output;
  EXPECT_EQ(page.output, read_text(source_folder() / "docs/prelude.md"))
      << "build/release/bin/tarn prelude --markdown >docs/prelude.md writes it anew";
}

bool has_word(const std::string& text, const std::string& word) {
  const auto is_letter = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]))) return true;
  }
  return false;
}

// A line a term, in the order of the alphabet; and where the code still has another name, it is there.
TEST(Documents, GlossaryIsTrue) {
  std::string code;
  for (const char* const folder : {"ir", "frontend", "passes", "codegen", "runtime"}) {
    for (const auto& entry : fs::recursive_directory_iterator(source_folder() / folder)) {
      if (entry.path().extension() == ".h") code += read_text(entry.path());
    }
  }
  const std::regex entry(R"(^- \*\*([^*]+)\*\*: .*[.)]$)"), name("`([^`]+)`");
  std::istringstream lines(read_text(source_folder() / "docs/glossary.md"));
  std::string last;
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("-")) continue;
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, entry)) << line;
    std::string term = match[1];
    std::ranges::transform(term, term.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_LT(last, term);
    last = term;
    ++count;
    const std::size_t in_code = line.find("In code");
    if (in_code == std::string::npos) continue;
    const std::string rest = line.substr(in_code);
    for (std::sregex_iterator at(rest.begin(), rest.end(), name), end; at != end; ++at) {
      EXPECT_TRUE(has_word(code, (*at)[1])) << term << " is no longer '" << (*at)[1] << "' in code";
    }
  }
  EXPECT_GE(count, 100);
}

// Files that pages speak of, `passes/pipeline.cpp`, are there. Capitals stand for names of the reader's own.
TEST(Documents, FilesAreWhereThePagesSay) {
  const std::regex path("`((cmake|codegen|docs|examples|frontend|ir|passes|runtime|tests|tools)/[a-z0-9_./]+)`");
  int count = 0;
  for (const fs::path& page : all_pages()) {
    if (page.filename() == "CHANGELOG.md") continue;
    const std::string text = read_text(page);
    for (std::sregex_iterator at(text.begin(), text.end(), path), end; at != end; ++at) {
      ++count;
      EXPECT_TRUE(fs::exists(source_folder() / (*at)[1].str())) << page << ": " << (*at)[1];
    }
  }
  EXPECT_GE(count, 100);
}

// Whether a test of this binary has a name that the pattern fits.
bool finds_a_test(const std::string& pattern) {
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const std::string name = fmt::format("{}.{}", suite.name(), suite.GetTestInfo(k)->name());
      if (fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
    }
  }
  return false;
}

TEST(Documents, TestFiltersFindTests) {
  const std::regex filter("gtest_filter='([^']+)'");
  int count = 0;
  for (const fs::path& page : all_pages()) {
    const std::string text = read_text(page);
    for (std::sregex_iterator at(text.begin(), text.end(), filter), end; at != end; ++at) {
      std::istringstream patterns((*at)[1]);
      for (std::string pattern; std::getline(patterns, pattern, ':'); ++count) {
        EXPECT_TRUE(finds_a_test(pattern)) << page << ": no test is called " << pattern;
      }
    }
  }
  EXPECT_GE(count, 10);
}

// Blocks of `console` are commands with what they print. They run in a folder in which the examples lie, and those
// models of the page that begin with a comment "# NAME.tarn".
TEST(Documents, CommandsPrintWhatThePagesShow) {
  const std::regex heading(R"(^# (\w+\.tarn)\n)");
  int count = 0;
  for (const fs::path& page : all_pages()) {
    std::string text = read_text(page);
    if (text.find("```console\n") == std::string::npos) continue;
    const test::TemporaryFolder folder;
    fs::copy(source_folder() / "examples", folder.path() / "examples", fs::copy_options::recursive);
    for (const CodeBlock& block : code_blocks(page)) {
      SCOPED_TRACE(block.place);
      std::smatch name;
      if (block.language.starts_with("tarn") && std::regex_search(block.text, name, heading)) {
        test::write_text(folder.path() / name[1].str(), block.text);
      }
      if (block.language != "console") continue;
      ++count;
      const std::string updated = test::run_transcript(test::read_transcript(block.text), folder.path());
      text.replace(text.find(block.text), block.text.size(), updated);
    }
    if (test::updates_golden()) test::write_text(page, text);
  }
  EXPECT_GE(count, 5);
}

// What programs print is as long as it is: blocks of `console` and those without a language.
TEST(Documents, LinesEndBeforeColumn120) {
  for (const fs::path& page : all_pages()) {
    std::istringstream lines(read_text(page));
    bool inside = false, is_output = false;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.starts_with("```")) {
        inside = !inside;
        is_output = inside && (line == "```" || line == "```console");
      }
      const auto columns = std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
      EXPECT_TRUE(is_output || columns < 120) << page << ":" << number << ": " << columns << " columns";
    }
  }
}

// The anchors of a page's headings, as hosting sites make them.
std::set<std::string> anchors_of(const std::string& text) {
  std::set<std::string> anchors;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("#")) continue;
    std::string anchor;
    for (const char c : line.substr(std::min(line.find(' ') + 1, line.size()))) {
      if (c == ' ') anchor += '-';
      if (c == '-' || c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0) {
        anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    anchors.insert(anchor);
  }
  return anchors;
}

// Links to files of the repository lead somewhere, and to a heading that is there.
TEST(Documents, LinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#:]*)(?:#([^)]*))?\))");
  for (const fs::path& page : all_pages()) {
    const std::string text = read_text(page);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      const std::string file = (*at)[1], anchor = (*at)[2];
      const fs::path target = file.empty() ? page : page.parent_path() / file;
      EXPECT_TRUE(fs::exists(target)) << page << ": " << file;
      if (anchor.empty() || target.extension() != ".md") continue;
      EXPECT_TRUE(anchors_of(read_text(target)).contains(anchor)) << page << ": " << file << "#" << anchor;
    }
  }
}

}  // namespace
}  // namespace tarn
