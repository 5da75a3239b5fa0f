// The documents: every example in them compiles, and the language page is complete.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "frontend/ast.h"
#include "frontend/format_source.h"
#include "frontend/frontend.h"
#include "frontend/lexer.h"
#include "frontend/parser.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

// A fenced block of a Markdown file.
struct Example {
  std::string language;  // "tarn": a whole file; "tarn-fragment": a part of one
  std::string place;     // "docs/language.md:12"
  std::string text;
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Example> examples_of(const fs::path& path) {
  std::istringstream lines(text_of(path));
  std::vector<Example> examples;
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) {
        const std::string place = fmt::format("{}:{}", fs::relative(path, TARN_SOURCE_DIR).string(), number + 1);
        examples.push_back({line.substr(3), place, ""});
      }
    } else if (inside) {
      examples.back().text += line + '\n';
    }
  }
  EXPECT_FALSE(inside) << path << ": a block without an end";
  return examples;
}

std::vector<Example> all_examples() {
  const fs::path root(TARN_SOURCE_DIR);
  std::vector<Example> examples = examples_of(root / "README.md");
  for (const auto& entry : fs::directory_iterator(root / "docs")) {
    if (entry.path().extension() != ".md") continue;
    for (Example& example : examples_of(entry.path())) examples.push_back(std::move(example));
  }
  return examples;
}

std::string language_page() { return text_of(fs::path(TARN_SOURCE_DIR) / "docs/language.md"); }

bool parses(const std::string& text) {
  Sources sources;
  return !has_errors(parse(sources.add("fragment", text), sources).diagnostics);
}

TEST(Documents, WholeExamplesCompileWithoutWarnings) {
  int count = 0;
  for (const Example& example : all_examples()) {
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
  for (const Example& example : all_examples()) {
    if (example.language != "tarn-fragment") continue;
    ++count;
    EXPECT_TRUE(parses(example.text) || parses("model m {\n" + example.text + "}\n") ||
                parses("train {\n" + example.text + "}\n"))
        << example.place;
  }
  EXPECT_GE(count, 3);
}

TEST(Documents, ExamplesOfTheLanguagePageAreFormatted) {
  for (const Example& example : examples_of(fs::path(TARN_SOURCE_DIR) / "docs/language.md")) {
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
      {"axes of a tensor, without the batch", kMaxRank},
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
  const std::string command =
      fmt::format("'{}' prelude --markdown | cmp - '{}/docs/prelude.md'", TARN_BINARY, TARN_SOURCE_DIR);
  EXPECT_EQ(std::system(command.c_str()), 0)
      << "build/release/bin/tarn prelude --markdown >docs/prelude.md writes it anew";
}

// Links to files of the repository lead somewhere.
TEST(Documents, LinksLeadSomewhere) {
  const fs::path root(TARN_SOURCE_DIR);
  const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
  std::vector<fs::path> documents = {root / "README.md"};
  for (const auto& entry : fs::directory_iterator(root / "docs")) documents.push_back(entry.path());
  for (const fs::path& document : documents) {
    const std::string text = text_of(document);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      EXPECT_TRUE(fs::exists(document.parent_path() / (*at)[1].str())) << document << ": " << (*at)[1];
    }
  }
}

}  // namespace
}  // namespace tarn
