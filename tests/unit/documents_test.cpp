// The documents: every example in them compiles, and the language page is complete.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "frontend/ast.h"
#include "frontend/format_source.h"
#include "frontend/frontend.h"
#include "frontend/lexer.h"
#include "frontend/parser.h"
#include "tests/support/files.h"
#include "tests/support/markdown.h"
#include "tests/support/process.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;
using test::code_blocks;
using test::CodeBlock;
using test::documents;
using test::read_text;
using test::source_folder;

std::vector<CodeBlock> all_examples() {
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
  for (const CodeBlock& example : all_examples()) {
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
  for (const CodeBlock& example : all_examples()) {
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

// Links to files of the repository lead somewhere.
TEST(Documents, LinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
  for (const fs::path& document : documents()) {
    const std::string text = read_text(document);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      EXPECT_TRUE(fs::exists(document.parent_path() / (*at)[1].str())) << document << ": " << (*at)[1];
    }
  }
}

}  // namespace
}  // namespace tarn
