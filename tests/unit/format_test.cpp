// The source formatter: what it changes, what it leaves, and that it changes neither meaning nor its own output.
#include "frontend/format_source.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "frontend/parser.h"

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

std::string tour() {
  std::ifstream file(std::string(TARN_SOURCE_DIR) + "/tests/golden/syntax/tour.tarn", std::ios::binary);
  EXPECT_TRUE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
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

TEST(FormatSource, DoesNotDependOnWhiteSpace) {
  const std::string expected = formatted(tour());
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
      if (at_start) text.append(random() % 5, ' ');
      if (c == '"' && !text.ends_with('\\')) in_string = !in_string;
      if (c == '#') in_string = true;
      if (c == ' ' && !in_string) text.append(random() % 3, ' ');
      text += c;
      at_start = c == '\n';
      if (at_start) in_string = false;
    }
    ASSERT_EQ(formatted(text), expected);
  }
}

}  // namespace
}  // namespace tarn
