// The source formatter: what it changes, what it leaves, and that it changes neither meaning nor its own output.
#include "frontend/syntax/dump.h"
#include "frontend/syntax/format_source.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <sstream>
#include <string>

#include "frontend/syntax/parser.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

std::string formatted(const std::string& text) {
  Sources sources;
  const auto result = format_source(sources.add("test.tarn", text), sources);
  return result ? *result : format(result.error(), sources);
}

std::string dumped(const std::string& text) {
  Sources sources;
  return ast::dump(*parse(sources.add("test.tarn", text), sources).file);
}

std::string tour() { return test::read_text(test::source_folder() / "tests/golden/syntax/tour.tarn"); }

// The words of every line, one space between them.
std::string words_of(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    for (std::string word; words >> word;) result += word + ' ';
    result += '\n';
  }
  return result;
}

TEST(FormatSource, WhiteSpaceBetweenTokens) {
  const struct {
    const char* source;
    const char* expected;
  } cases[] = {
      {"a=b+c*d", "a = b + c * d"},
      {"a  =  b", "a = b"},
      {"a=-b", "a = -b"},
      {"a=b- -c", "a = b - -c"},
      {"a=b-c", "a = b - c"},
      {"a=x ^ 2^ - y", "a = x^2^-y"},
      {"a=0 .. rank ( x )-1", "a = 0..rank(x) - 1"},
      {"a=f( x,axis=-1 ) [ 0 ]", "a = f(x, axis = -1)[0]"},
      {"a=x[ 1 : n-1,: ]", "a = x[1:n-1, :]"},
      {"a=x[n-1]", "a = x[n - 1]"},
      {"a=x[f(n-1):2*n]", "a = x[f(n - 1):2*n]"},
      {"a=x[-1:-k]", "a = x[-1:-k]"},
      {"a=(if b then c else d)*2", "a = (if b then c else d) * 2"},
      {"a=x=>(x)", "a = x => (x)"},
      {"a=not(b)or c", "a = not (b) or c"},
      {"a=x|>f|>g", "a = x |> f |> g"},
      {"a=enc . dense_1 . kernel", "a = enc.dense_1.kernel"},
      {"a=[x for i in[1,2]if i in(l)]", "a = [x for i in [1, 2] if i in (l)]"},
      {"a<-b", "a <- b"},
      {"a=1;b=2 ;c=3", "a = 1; b = 2; c = 3"},
      {"input x[4]:i32", "input x[4]: i32"},
      {"penalty -x", "penalty -x"},
      {"penalty - x", "penalty -x"},
      {"penalty (x+1)*2", "penalty (x + 1) * 2"},
      {"base(w,g)", "base(w, g)"},
      {"if a{b=1}else{b=2}", "if a { b = 1 } else { b = 2 }"},
      {"check a,\"{b+1}  {c}\"", "check a, \"{b+1}  {c}\""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(formatted(std::string("fn f(x) {\n") + c.source + "\n}\n"),
              std::string("fn f(x) {\n  ") + c.expected + "\n}\n")
        << c.source;
  }
}

TEST(FormatSource, IndentsBlocksAndContinuations) {
  EXPECT_EQ(formatted("layer f(a,\n   b)(x) {\ny = x\n|> g(1,\n2)\n      |> h\n"
                      "if a {\nb = 1\n}\nelse {\nb = [\n1,\n2\n]\n}\n"
                      "h = scan(p in x,\nh = 0) {\nh = p\n}\n}\n"
                      "train {\nclass_weight {\n0: 1,\n1: 2\n}\n}\n"),
            "layer f(a,\n"
            "    b)(x) {\n"
            "  y = x\n"
            "      |> g(1,\n"
            "          2)\n"
            "      |> h\n"
            "  if a {\n"
            "    b = 1\n"
            "  }\n"
            "  else {\n"
            "    b = [\n"
            "        1,\n"
            "        2\n"
            "    ]\n"
            "  }\n"
            "  h = scan(p in x,\n"
            "      h = 0) {\n"
            "    h = p\n"
            "  }\n"
            "}\n"
            "train {\n"
            "  class_weight {\n"
            "    0: 1,\n"
            "    1: 2\n"
            "  }\n"
            "}\n");
}

TEST(FormatSource, KeepsAlignmentWithNeighbours) {
  const struct {
    const char* source;
    const char* expected;  // null: the source
  } cases[] = {
      {"model m {\n  input  x[4]\n  output y = x\n}\n", nullptr},
      {"train {\n  loss      e\n  metric    e\n  optimizer e\n}\n", nullptr},
      {"train {\n  epochs 1000\n  batch  50\n  validation_split 0.2\n}\n", nullptr},
      {"fn f(x) {\n  tp  <- tp  + x\n  fp  <- fp  + x\n  fn_ <- fn_ + x\n  w   <- w   + x\n}\n", nullptr},
      {"fn f(x) {\n  y = g(\"é\",  1)\n  z = g(\"ee\", 1)\n}\n", nullptr},
      // Signs and brackets begin a column, too.
      {"const a   = -1\nconst bcd = [1]\n", nullptr},
      // What moves to the left or right moves its neighbours.
      {"const a    = 1\nconst b    = 2\n", "const a = 1\nconst b = 2\n"},
      {"const a    = 1\nconst bc   = 2\n", "const a  = 1\nconst bc = 2\n"},
      {"fn f(x) {\n y     = x*x   + 1\n bcdef = x     + 1\n}\n",
       "fn f(x) {\n  y     = x * x + 1\n  bcdef = x     + 1\n}\n"},
      // Columns count from the indentation, whatever it was.
      {"fn f(x) {\na   = 1\n      bcd = 2\n}\n", "fn f(x) {\n  a   = 1\n  bcd = 2\n}\n"},
      // The end of one gap alone is no column.
      {"const a  =  1\nconst bc = 2\n", "const a  = 1\nconst bc = 2\n"},
      {"const a   = 1\nconst bc = 2\n", "const a = 1\nconst bc = 2\n"},
      {"fn f(x) {\n  g(  x)\n  f1(x)\n}\n", "fn f(x) {\n  g(x)\n  f1(x)\n}\n"},
      // Neighbours: no blank line, no comment and no brace between them.
      {"const a   = 1\n\nconst bcd = 2\n", "const a = 1\n\nconst bcd = 2\n"},
      {"const a   = 1\n# one\nconst bcd = 2\n", "const a = 1\n# one\nconst bcd = 2\n"},
      {"fn f(x)   {\n  abcdef = 1\n}\n", "fn f(x) {\n  abcdef = 1\n}\n"},
      {"model abcdefg {\n  input   x\n}\n", "model abcdefg {\n  input x\n}\n"},
      // Statements are neighbours where they begin.
      {"const abc = [1,\n             2]\nconst d   = 3\n", nullptr},
      {"const abc = [1,\n\n    2]\nconst d   = 3\n", "const abc = [1,\n\n    2]\nconst d = 3\n"},
      // Comments come after what is aligned.
      {"const a   = 1 # one\nconst bcd = 2    # two\n", "const a   = 1  # one\nconst bcd = 2  # two\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.source);
    const std::string once = formatted(c.source);
    EXPECT_EQ(once, c.expected == nullptr ? c.source : c.expected);
    EXPECT_EQ(formatted(once), once);
  }
}

TEST(FormatSource, KeepsContinuationsBelowTokens) {
  const struct {
    const char* source;
    const char* expected;  // null: the source
  } cases[] = {
      {"const k = [[1, 2],\n           [3, 4],\n           [5, 6]]\n", nullptr},
      {"model m {\n  output y = x |> dense(1)\n               |> dense(2)\n               |> flatten\n}\n", nullptr},
      {"fn f(a,\n     b)(c) = a\n", nullptr},
      {"fn f(x) {\n  y = if x then 1\n      else 2\n  return g(1) +\n         2\n}\n", nullptr},
      {"train {\n  class_weight {0: 1,\n                1: 2}\n}\n", nullptr},
      // It follows what it stands below.
      {"const k=[[1],\n         [2]]\n", "const k = [[1],\n           [2]]\n"},
      {"fn f(x) {\n      y =   g(1,\n              2)\n}\n", "fn f(x) {\n  y = g(1,\n        2)\n}\n"},
      {"const a   = f(1,\n              2)\nconst bcd = 3\n", nullptr},
      {"const k = [[1,   2],\n           [333, 4]]\n", nullptr},
      // Not below a token, or not below one of the expression.
      {"const a = f(1,\n  2)\n", "const a = f(1,\n    2)\n"},
      {"const a = 1 +\n  2\n", "const a = 1 +\n    2\n"},
      {"const abc = f(\n      1)\n", "const abc = f(\n    1)\n"},
      {"const a = f(1,\n\n            2)\n", "const a = f(1,\n\n    2)\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.source);
    const std::string once = formatted(c.source);
    EXPECT_EQ(once, c.expected == nullptr ? c.source : c.expected);
    EXPECT_EQ(formatted(once), once);
  }
}

TEST(FormatSource, ExamplesAreFormatted) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "examples")) {
    if (entry.path().extension() != ".tarn") continue;
    ++files;
    const std::string text = test::read_text(entry.path());
    EXPECT_EQ(formatted(text), text) << entry.path();
  }
  EXPECT_GE(files, 10);
}

TEST(FormatSource, IndentsBodiesBehindEqualSigns) {
  EXPECT_EQ(formatted("fn f(x) =\nif x then 1 +\n2\nelse g(\n3)\nfn g(x) = x +\n1\n"),
            "fn f(x) =\n"
            "  if x then 1 +\n"
            "  2\n"
            "  else g(\n"
            "      3)\n"
            "fn g(x) = x +\n"
            "    1\n");
}

TEST(FormatSource, KeepsCommentsAndSingleBlankLines) {
  EXPECT_EQ(formatted("\n\n# head  \nconst a = 1 # one\nconst bcd = 2     # two\n\n\n\nconst e = 3 # three\r\n"
                      "fn f(x) {\n# inside\nreturn x\n# last\n}\n# end"),
            "# head\n"
            "const a = 1    # one\n"
            "const bcd = 2  # two\n"
            "\n"
            "const e = 3  # three\n"
            "fn f(x) {\n"
            "  # inside\n"
            "  return x\n"
            "  # last\n"
            "}\n"
            "# end\n");
  EXPECT_EQ(formatted(""), "");
  EXPECT_EQ(formatted("\n\n"), "");
}

TEST(FormatSource, ReportsSyntaxErrors) {
  EXPECT_NE(formatted("const a = )").find("expected an expression"), std::string::npos);
}

TEST(FormatSource, KeepsTheMeaningAndItsOwnOutput) {
  const std::string text = tour();
  const std::string once = formatted(text);
  EXPECT_EQ(dumped(once), dumped(text));
  EXPECT_EQ(formatted(once), once);
}

// White space decides about alignment, and about nothing else.
TEST(FormatSource, WordsDoNotDependOnWhiteSpace) {
  const std::string expected = words_of(formatted(tour()));
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    // Lines indented anew, and spaces between words made longer; strings of the tour hold single spaces only at places
    // where they count, so they are left alone.
    std::string text;
    bool at_start = true;
    bool in_string = false;
    for (const char c : tour()) {
      if (at_start && c == ' ') continue;
      if (at_start) text.append(random() % 9, ' ');
      if (c == '"' && !text.ends_with('\\')) in_string = !in_string;
      if (c == '#') in_string = true;
      if (c == ' ' && !in_string) text.append(random() % 4, ' ');
      text += c;
      at_start = c == '\n';
      if (at_start) in_string = false;
    }
    const std::string once = formatted(text);
    ASSERT_EQ(words_of(once), expected);
    ASSERT_EQ(formatted(once), once);
  }
}

}  // namespace
}  // namespace tarn
