// The sizes that somebody who reads can take in: files of product code have at most 450 lines and functions 60, unless
// the comment in their head says what they are "long because" of; other files have at most 700.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/files.h"

namespace tarn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostLines = 450, kMostLinesOfFunction = 60, kMostLinesOfOthers = 700;

constexpr const char* kProductFolders[] = {"codegen", "frontend", "ir", "passes", "runtime", "tools"};
constexpr const char* kOtherFolders[] = {"examples", "tests"};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }
bool is_comment(std::string_view line) {
  line.remove_prefix(indent_of(line));
  return line.starts_with("//") || line.starts_with("# ") || line.starts_with("/*") || line.starts_with(" *");
}

// Whether comment lines from `first` on, without a gap, give a reason.
bool gives_reason(const std::vector<std::string_view>& lines, std::size_t first) {
  std::string comment;
  for (std::size_t i = first; i < lines.size() && is_comment(lines[i]); ++i) {
    std::string_view line = lines[i];
    line.remove_prefix(std::min(line.find_first_not_of(" /#*"), line.size()));
    comment += std::string(line) + " ";
  }
  return comment.find("ong because") != std::string::npos;
}

struct LongFunction {
  std::string head;
  std::size_t line = 0, lines = 0;  // where it begins, from 1; how many it has
  friend bool operator==(const LongFunction&, const LongFunction&) = default;
};

// What ends the raw string that the line begins and does not end.
std::optional<std::string> opened_raw_string(std::string_view line) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const std::size_t raw = line.find("R\"");
  const std::size_t open = raw == std::string_view::npos ? raw : line.find('(', raw);
  if (open == std::string_view::npos || (raw > 0 && is_word(line[raw - 1]))) return std::nullopt;
  const std::string_view delimiter = line.substr(raw + 2, open - raw - 2);
  if (!std::all_of(delimiter.begin(), delimiter.end(), is_word)) return std::nullopt;
  const std::string end = ")" + std::string(delimiter) + "\"";
  return line.find(end, open) == std::string_view::npos ? std::optional(end) : std::nullopt;
}

// The functions of more than `most` lines that give no reason, by the layout that clang-format leaves: a function, as a
// block in it, ends with a brace by itself that is as far in as its first line; classes and initializers end otherwise.
std::vector<LongFunction> long_functions(std::string_view text, std::size_t most) {
  const std::vector<std::string_view> lines = lines_of(text);
  std::map<std::size_t, std::size_t> last;  // by indent: the last line with it that is code
  struct Block {
    std::size_t first, end;
  };
  std::vector<Block> blocks;
  std::optional<std::string> raw_end;  // of the raw string that the line is in
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (raw_end) {
      if (line.find(*raw_end) != std::string_view::npos) raw_end.reset();
      continue;
    }
    raw_end = opened_raw_string(line);
    const std::size_t indent = indent_of(line);
    if (indent == line.size() || line[indent] == '#' || is_comment(line)) continue;
    const auto first = last.find(indent);
    if (line.substr(indent) == "}" && first != last.end()) blocks.push_back({first->second, i + 1});
    last[indent] = i;
  }
  std::vector<LongFunction> found;
  for (const Block& block : blocks) {
    const bool is_inside = std::any_of(blocks.begin(), blocks.end(), [&](const Block& other) {
      return other.first < block.first && block.end < other.end;
    });
    if (is_inside || block.end - block.first <= most) continue;
    std::size_t head = block.first;
    while (head > 0 && lines[head - 1].find("template <") != std::string_view::npos) --head;
    while (head > 0 && is_comment(lines[head - 1])) --head;
    if (!gives_reason(lines, head)) {
      found.push_back({std::string(lines[block.first]), block.first + 1, block.end - block.first});
    }
  }
  return found;
}

// Whether the text has more lines, and no reason at its start.
bool is_too_long(std::string_view text, std::size_t most) {
  const std::vector<std::string_view> lines = lines_of(text);
  return lines.size() > most && !gives_reason(lines, 0);
}

template <class Visit>
void for_each_file(const char* folder, const Visit& visit) {
  const std::set<std::string> extensions = {".cpp", ".h", ".def", ".tarn", ".py", ".c", ".mjs"};
  for (const auto& entry : fs::recursive_directory_iterator(test::source_folder() / folder)) {
    if (!extensions.contains(entry.path().extension().string())) continue;
    visit(fs::relative(entry.path(), test::source_folder()).generic_string(), test::read_text(entry.path()));
  }
}

TEST(Sizes, FilesAndFunctionsOfTheProductAreShort) {
  for (const char* const folder : kProductFolders) {
    for_each_file(folder, [&](const std::string& path, const std::string& text) {
      const std::vector<LongFunction> functions = path.ends_with(".cpp") || path.ends_with(".h")
                                                      ? long_functions(text, kMostLinesOfFunction)
                                                      : std::vector<LongFunction>();
      EXPECT_FALSE(is_too_long(text, kMostLines)) << path << " has more than " << kMostLines << " lines";
      for (const LongFunction& function : functions) {
        ADD_FAILURE() << path << ":" << function.line << " has " << function.lines << " lines: " << function.head;
      }
    });
  }
}

TEST(Sizes, OtherFilesAreShort) {
  for (const char* const folder : kOtherFolders) {
    for_each_file(folder, [&](const std::string& path, const std::string& text) {
      EXPECT_FALSE(is_too_long(text, kMostLinesOfOthers))
          << path << " has more than " << kMostLinesOfOthers << " lines";
    });
  }
}

// A function with so many lines in all.
std::string function_of(std::size_t lines, const std::string& indent = "") {
  std::string text = indent + "int f(int x,\n" + indent + "      int y) {\n";
  for (std::size_t i = 4; i < lines; ++i) text += indent + "  ++x;\n";
  return text + indent + "  return x + y;\n" + indent + "}\n";
}

TEST(Sizes, LongFunctionsAreFound) {
  const auto found = [](const std::string& text) {
    std::vector<std::size_t> lines;
    for (const LongFunction& function : long_functions(text, 10)) lines.push_back(function.lines);
    return lines;
  };
  using Lines = std::vector<std::size_t>;
  EXPECT_EQ(found(function_of(10)), Lines{});
  EXPECT_EQ(found(function_of(11)), Lines{11});
  EXPECT_EQ(found(function_of(9) + "\n" + function_of(12)), Lines{12});
  EXPECT_EQ(found("// Adds.\n" + function_of(11)), Lines{11});
  EXPECT_EQ(found("// Adds. Long because the numbers stand side\n// by side.\n" + function_of(11)), Lines{});
  EXPECT_EQ(found("// Long because of x.\ntemplate <class T>\n" + function_of(11)), Lines{});
  // What holds functions is none, however long.
  const std::string members = function_of(9, "  ") + "\n" + function_of(9, "  ");
  EXPECT_EQ(found("class C {\n public:\n" + members + "};\n"), Lines{});
  EXPECT_EQ(found("class C {\n public:\n" + function_of(11, "  ") + "};\n"), Lines{11});
  EXPECT_EQ(found("namespace n {\n" + function_of(10) + function_of(10) + "}  // namespace n\n"), Lines{});
  // A block counts with its function.
  const std::string block = "  if (x) {\n" + function_of(12, "    ") + "  }\n";
  EXPECT_EQ(found("void g() {\n" + block + "}\n"), Lines{16});
  EXPECT_EQ(found("// Long because of the block.\nvoid g() {\n" + block + "}\n"), Lines{});
  // The lines of a text in a function count, and are no code.
  EXPECT_EQ(found("void g() {\n  h(R\"(\n}\n" + std::string(9, '\n') + ")\");\n}\n"), Lines{14});
}

TEST(Sizes, LongFilesAreFound) {
  const std::string line = "int x;\n";
  EXPECT_FALSE(is_too_long("// A file.\n" + line, 2));
  EXPECT_TRUE(is_too_long("// A file.\n" + line + line, 2));
  EXPECT_FALSE(is_too_long("// A file, long because\n// of x.\n" + line + line, 2));
  EXPECT_TRUE(is_too_long("// A file.\n" + line + "// Long because of x.\n" + line, 2));
}

}  // namespace
}  // namespace tarn
