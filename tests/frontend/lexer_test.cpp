// The lexer: which tokens, where they stand, which line ends count, and what is said about text that cannot be read.
#include "frontend/syntax/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tarn {
namespace {

struct Read {
  Sources sources;
  Lexed lexed;
  std::string_view text;
};

Read read(const std::string& text) {
  Read result;
  const FileId file = result.sources.add("test.tarn", text);
  result.lexed = lex(file, result.sources);
  result.text = result.sources.text(file);
  return result;
}

// The tokens separated by spaces: line ends as $, the rest as in the source.
std::string tokens(const std::string& text) {
  const Read result = read(text);
  std::string joined;
  for (const Token& token : result.lexed.tokens) {
    if (token.kind == TokenKind::file_end) break;
    if (!joined.empty()) joined += ' ';
    joined += token.kind == TokenKind::line_end ? "$" : std::string(token.text(result.text));
  }
  return joined;
}

TEST(Lexer, SplitsOperatorsAtTheLongestMatch) {
  EXPECT_EQ(tokens("a<-b=>c|>d..e//f==g!=h<=i>=j"), "a <- b => c |> d .. e // f == g != h <= i >= j");
  EXPECT_EQ(tokens("0..3"), "0 .. 3");
  EXPECT_EQ(tokens("1.5..2e3"), "1.5 .. 2e3");
  EXPECT_EQ(tokens("x.y[0:1_000]"), "x . y [ 0 : 1_000 ]");
  EXPECT_EQ(tokens("a # comment |> \"\nb"), "a $ b");
}

TEST(Lexer, EndsStatementsAtLineEndsThatCount) {
  const struct {
    const char* source;
    const char* expected;
  } cases[] = {
      {"a\nb", "a $ b"},
      {"\n\na\n\n\nb\n", "a $ b"},
      {"a; b", "a ; b"},
      {"a +\nb", "a + b"},
      {"a\n+ b", "a + b"},
      {"a\n- b", "a - b"},
      {"a =\nb", "a = b"},
      {"a =>\nb", "a => b"},
      {"a <-\nb", "a <- b"},
      {"a,\nb", "a , b"},
      {"if a then\nb\nelse\nc", "if a then b else c"},
      {"x\n  |> f\n  |> g", "x |> f |> g"},
      {"a and\nb\nor c\nin d", "a and b or c in d"},
      {"not\na", "not a"},
      {"(a\nb)\nc", "( a b ) $ c"},
      {"[a\nb]", "[ a b ]"},
      {"f(a {\nb\nc\n} d\ne)", "f ( a { $ b $ c $ } d e )"},
      {"a # x\n# y\n|> b", "a |> b"},
      {"a\r\nb", "a $ b"},
  };
  for (const auto& c : cases) EXPECT_EQ(tokens(c.source), c.expected) << c.source;
}

TEST(Lexer, ADeclarationAtTheMarginEndsOpenBrackets) {
  EXPECT_EQ(tokens("const a = f(1\nfn g(x) = x\nb"), "const a = f ( 1 $ fn g ( x ) = x $ b");
  EXPECT_EQ(tokens("m { f([1\ntrain {\nb"), "m { f ( [ 1 $ train { $ b");
  // Indented, or with something else behind it, the word is a name.
  EXPECT_EQ(tokens("f(1,\n  model\nmodel)\nb"), "f ( 1 , model model ) $ b");
}

TEST(Lexer, CountsColumnsInCodePoints) {
  const Read result = read("\xEF\xBB\xBFä = 1\n\"äöü\" b");
  ASSERT_EQ(result.lexed.diagnostics.size(), 1u);
  EXPECT_EQ(result.lexed.diagnostics[0].message, "unexpected character 'ä'");
  const std::vector<Token>& t = result.lexed.tokens;
  ASSERT_EQ(t.size(), 6u);  // = 1 $ "äöü" b end
  EXPECT_EQ(t[0].span(1), (Span{1, 1, 3, 1}));
  EXPECT_EQ(t[3].span(1), (Span{1, 2, 1, 5}));
  EXPECT_EQ(t[4].span(1), (Span{1, 2, 7, 1}));
}

TEST(Lexer, SplitsStringsAtInterpolations) {
  EXPECT_EQ(tokens(R"("a {x + 1} b {f("c {d}")}" e)"), R"("a { x + 1 } b { f ( "c { d }" ) }" e)");
  EXPECT_EQ(tokens(R"("{{x}} \" {[1, 2][0]}")"), R"("{{x}} \" { [ 1 , 2 ] [ 0 ] }")");
  // Brackets that are open in an interpolation end with it.
  EXPECT_EQ(tokens("\"{f(x}\" y\nz"), "\"{ f ( x }\" y $ z");
  EXPECT_EQ(decode_string_part(R"("a\n\t\"\\{{}}")"), "a\n\t\"\\{}");
  EXPECT_EQ(decode_string_part(R"(} b {)"), " b ");
  EXPECT_EQ(decode_string_part(R"("ends in a brace}}")"), "ends in a brace}");
}

TEST(Lexer, ReportsWhatCannotBeRead) {
  const struct {
    std::string source;
    std::uint32_t line, column, length;
    const char* message;
  } cases[] = {
      {"a\n \"b", 2, 2, 2, "the string has no closing '\"' on this line"},
      {"\"a {b\nc", 1, 1, 4, "the string has no closing '\"' on this line"},
      {"\"a {b", 1, 1, 4, "the string has no closing '\"' on this line"},
      {"\"\\q\"", 1, 2, 2, "'\\q' is not an escape: there are \\n, \\t, \\\" and \\\\"},
      {"\"a}\"", 1, 3, 1, "a '}' alone in a string: write '}}' for the character"},
      {"x ** 2", 1, 3, 2, "'**' is not an operator: write '^' for a power"},
      {"!x", 1, 1, 1, "'!' is not an operator: write 'not'"},
      {"x += 1", 1, 3, 2, "'+=' is not an operator: write 'a = a + b'"},
      {"a $ b", 1, 3, 1, "unexpected character '$'"},
      {"a \x01 b", 1, 3, 1, "unexpected character '\\x01'"},
      {"a \u2212 b", 1, 3, 1, "unexpected character '\u2212': write '-' for minus"},
      {"a \xFF b", 1, 3, 1, "the byte 0xFF is not UTF-8"},
      {"# \xC0\x80", 1, 3, 1, "the byte 0xC0 is not UTF-8"},        // too long a form of U+0000
      {"\"\xED\xA0\x80\"", 1, 2, 1, "the byte 0xED is not UTF-8"},  // a surrogate
      {"3x", 1, 1, 2, "'3x' is not a number"},
      {"0x10", 1, 1, 4, "'0x10' is not a number"},
      {"1__0", 1, 1, 4, "'1__0' is not a number"},
      {"1_", 1, 1, 2, "'1_' is not a number"},
      {"2e+", 1, 1, 3, "'2e+' is not a number"},
      {".5", 1, 1, 2, "'.5' is not a number: write a digit before the point"},
  };
  for (const auto& c : cases) {
    const Read result = read(c.source);
    ASSERT_FALSE(result.lexed.diagnostics.empty()) << c.source;
    EXPECT_EQ(result.lexed.diagnostics[0].message, c.message) << c.source;
    EXPECT_EQ(result.lexed.diagnostics[0].span, (Span{1, c.line, c.column, c.length})) << c.source;
    EXPECT_EQ(result.lexed.tokens.back().kind, TokenKind::file_end);
  }
}

TEST(Lexer, BoundsTheSizeOfAFile) {
  const Read large = read(std::string(kMaxSourceBytes + 1, ' '));
  ASSERT_EQ(large.lexed.diagnostics.size(), 1u);
  EXPECT_EQ(large.lexed.diagnostics[0].message, "the file has 16777217 bytes; at most 16777216 are read");
  EXPECT_TRUE(read(std::string(kMaxSourceBytes, ' ')).lexed.diagnostics.empty());
  EXPECT_TRUE(read(std::string(kMaxTokens, '(')).lexed.diagnostics.empty());
  const Read many = read(std::string(kMaxTokens + 1, '('));
  ASSERT_EQ(many.lexed.diagnostics.size(), 1u);
  EXPECT_EQ(many.lexed.diagnostics[0].message, "the file has more than 1000000 tokens");
}

TEST(Lexer, KeepsCommentsWithoutTrailingSpace) {
  const Read result = read("a # one  \n  # two\r\n#");
  ASSERT_EQ(result.lexed.comments.size(), 3u);
  EXPECT_EQ(result.lexed.comments[0].text(result.text), "# one");
  EXPECT_EQ(result.lexed.comments[1].text(result.text), "# two");
  EXPECT_EQ(result.lexed.comments[1].column, 3u);
  EXPECT_EQ(result.lexed.comments[2].text(result.text), "#");
}

}  // namespace
}  // namespace tarn
