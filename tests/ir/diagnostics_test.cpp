// How diagnostics look: position, line, carets, notes; what is shown of long lines; and which name was meant.
#include "ir/diagnostics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tarn {
namespace {

std::string repeated(const std::string& text, std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) result += text;
  return result;
}

// The line and the line of carets that are shown for a span of a file of one line, without what stands to their left.
std::vector<std::string> shown(const std::string& line, std::uint32_t column, std::uint32_t length) {
  Sources sources;
  const FileId file = sources.add("f.tarn", line + "\n");
  const std::string text = format(error_at({file, 1, column, length}, "m"), sources);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() != 3) return lines;
  return {lines[1].substr(7), lines[2].substr(7)};
}

using Lines = std::vector<std::string>;

TEST(Diagnostics, ShowPositionLineLabelAndNotes) {
  Sources sources;
  const FileId model = sources.add("iris.tarn", "model iris {\n  output y = x |> readout\n}\n");
  const FileId blocks = sources.add("blocks.tarn", "y = x @ w");
  Diagnostic diagnostic = error_at({model, 2, 19, 7}, "shapes do not agree", {{{blocks, 1, 7, 1}, "in this product"}});
  diagnostic.label = "called here";
  diagnostic.notes.push_back({{}, "without a place"});
  EXPECT_EQ(format(diagnostic, sources),
            "iris.tarn:2:19: error: shapes do not agree\n"
            "   2 |   output y = x |> readout\n"
            "     |                   ^^^^^^^ called here\n"
            "blocks.tarn:1:7: note: in this product\n"
            "   1 | y = x @ w\n"
            "     |       ^\n"
            "note: without a place\n");
}

TEST(Diagnostics, CaretsStandUnderTheRightCharacters) {
  EXPECT_EQ(shown("a = b", 5, 1), (Lines{"a = b", "    ^"}));
  EXPECT_EQ(shown("\ta = b", 6, 1), (Lines{"\ta = b", "\t    ^"}));
  EXPECT_EQ(shown("\"äöü€😀\" b", 9, 1), (Lines{"\"äöü€😀\" b", "        ^"}));
  EXPECT_EQ(shown("a =", 4, 0), (Lines{"a =", "   ^"}));
  EXPECT_EQ(shown("a =", 4, 1), (Lines{"a =", "   ^"}));
}

TEST(Diagnostics, LinesOf160ColumnsAreWhole) {
  const std::string line(160, 'x');
  EXPECT_EQ(shown(line, 160, 1), (Lines{line, std::string(159, ' ') + "^"}));
}

TEST(Diagnostics, LongLinesAreCutAroundTheCaret) {
  const struct {
    std::uint32_t column;
    std::string line;
    std::size_t spaces;
  } cases[] = {
      {1, std::string(160, 'x') + "…", 0},          {61, std::string(160, 'x') + "…", 60},
      {62, "…" + std::string(160, 'x') + "…", 61},  {500, "…" + std::string(160, 'x') + "…", 61},
      {900, "…" + std::string(160, 'x') + "…", 61}, {901, "…" + std::string(160, 'x'), 61},
      {1000, "…" + std::string(160, 'x'), 160},     {1001, "…" + std::string(160, 'x'), 161},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.column);
    EXPECT_EQ(shown(std::string(1000, 'x'), c.column, 1), (Lines{c.line, std::string(c.spaces, ' ') + "^"}));
  }
}

TEST(Diagnostics, CutLinesKeepTheMarkedTextUnderTheCarets) {
  const std::string line = repeated("ä€ ", 300'000) + "wrong" + repeated("😀", 300'000);
  EXPECT_EQ(shown(line, 900'001, 5),
            (Lines{"…" + repeated("ä€ ", 20) + "wrong" + repeated("😀", 95) + "…", std::string(61, ' ') + "^^^^^"}));
}

TEST(Diagnostics, CaretsEndWhereTheLineIsCut) {
  EXPECT_EQ(shown(std::string(5'000'000, 'x'), 1, 5'000'000),
            (Lines{std::string(160, 'x') + "…", std::string(160, '^')}));
}

TEST(Diagnostics, BytesThatAreNoTextAreCutToo) {
  for (const char* byte : {"\x80", "\xC0", "\xFF"}) {
    const Lines lines = shown(repeated(byte, 1'000'000), 700, 1);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_LE(lines[0].size(), 160U * 4 + 6);
  }
}

// A string of C would end there, and a terminal obey.
TEST(Diagnostics, ControlCharactersAreShownAsOneThatIsNone) {
  EXPECT_EQ(shown(std::string("a\0b\x1b[31m\tc\x7f", 11), 10, 1),
            (Lines{"a\uFFFDb\uFFFD[31m\tc\uFFFD", "        \t^"}));
}

TEST(Diagnostics, NearestName) {
  const std::vector<std::string> names = {"dense", "dropout", "kernel_init", "x"};
  EXPECT_EQ(nearest_name("dnese", names), "dense");
  EXPECT_EQ(nearest_name("kernel_int", names), "kernel_init");
  EXPECT_EQ(nearest_name("conv", names), std::nullopt);
  EXPECT_EQ(nearest_name("y", names), "x");
}

}  // namespace
}  // namespace tarn
