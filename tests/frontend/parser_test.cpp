// The parser: the tree of every form of the language, positions, messages, recovery, limits, and text that is no
// program.
#include "frontend/syntax/parser.h"
#include "frontend/syntax/dump.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/files.h"

namespace tarn {
namespace {

struct Parsed {
  Sources sources;
  ParseResult result;
};

Parsed parse_text(const std::string& text) {
  Parsed parsed;
  const FileId file = parsed.sources.add("test.tarn", text);
  parsed.result = parse(file, parsed.sources);
  return parsed;
}

// "line:column: message" a line.
std::string messages(const Diagnostics& diagnostics) {
  std::string all;
  for (const Diagnostic& d : diagnostics) all += fmt::format("{}:{}: {}\n", d.span.line, d.span.column, d.message);
  return all;
}

std::string errors(const std::string& text) { return messages(parse_text(text).result.diagnostics); }

std::string expression(const std::string& text) {
  Sources sources;
  const auto result = parse_expression(sources.add("--set", text), sources);
  return result ? ast::dump(**result) : messages(result.error());
}

// The dump of the statements of a block of the given head, without what encloses them, joined by " | ".
std::string statements(const std::string& head, const std::string& text) {
  const Parsed parsed = parse_text(head + " {\n" + text + "\n}");
  if (!parsed.result.diagnostics.empty()) return messages(parsed.result.diagnostics);
  const std::string dump = ast::dump(*parsed.result.file);
  const std::string margin = "\n    ";
  const std::size_t begin = dump.find(margin);
  if (begin == std::string::npos) return "";
  std::string inner = dump.substr(begin + margin.size(), dump.size() - begin - margin.size() - 3);  // without "))\n"
  for (std::size_t at = 0; (at = inner.find(margin, at)) != std::string::npos;) {
    const bool deeper = inner[at + margin.size()] == ' ';
    inner.replace(at, margin.size(), deeper ? "" : " | ");
  }
  return inner;
}

struct Case {
  const char* source;
  const char* expected;
};

TEST(Parser, Precedence) {
  const Case cases[] = {
      {"a + b * c", "(+ a (* b c))"},
      {"a - b - c", "(- (- a b) c)"},
      {"a * b / c // d % e @ f", "(@ (% (// (/ (* a b) c) d) e) f)"},
      {"-x^2", "(- (^ x 2))"},
      {"2^-x^2", "(^ 2 (- (^ x 2)))"},
      {"a^b^c", "(^ a (^ b c))"},
      {"a * -b", "(* a (- b))"},
      {"--a", "(- (- a))"},
      {"a - -b", "(- a (- b))"},
      {"-f(x)[0]", "(- (index (call f x) 0))"},
      {"0..n - 1", "(.. 0 (- n 1))"},
      {"i in 0..3", "(in i (.. 0 3))"},
      {"i not in l", "(not (in i l))"},
      {"a < b + 1 and not c == d or e", "(or (and (< a (+ b 1)) (not (== c d))) e)"},
      {"not not a", "(not (not a))"},
      {"a or b and c", "(or a (and b c))"},
      {"(a + b) * c", "(* (+ a b) c)"},
      {"if a then b else c + 1", "(if a b (+ c 1))"},
      {"if a then b else if c then d else e", "(if a b (if c d e))"},
      {"if a then b |> f else c |> g", "(|> (if a (|> b f) c) g)"},
      {"a + 1 |> f |> g(2)", "(|> (|> (+ a 1) f) (call g 2))"},
      {"x => x |> f", "(=> (x) (|> x f))"},
      {"a |> x => x + 1 |> f", "(|> a (=> (x) (|> (+ x 1) f)))"},
      {"x => y => x", "(=> (x) (=> (y) x))"},
      {"(a, b = 2) => a", "(=> (a (= b 2)) a)"},
      {"() => 1", "(=> () 1)"},
      {"f(x => x, y = z => z)", "(call f (=> (x) x) (= y (=> (z) z)))"},
  };
  for (const Case& c : cases) EXPECT_EQ(expression(c.source), c.expected) << c.source;
}

TEST(Parser, Primaries) {
  const Case cases[] = {
      {"1_000", "1_000"},
      {"true", "true"},
      {"none", "none"},
      {"pi", "pi"},
      {"[]", "(list)"},
      {"[1, [2, 3],]", "(list 1 (list 2 3))"},
      {"[i * 2 for i in 0..3]", "(list-of (* i 2) (for i (.. 0 3)))"},
      {"[a for a, b in l if b > 0]", "(list-of a (for a b l) (if (> b 0)))"},
      {"[if i == k then 1 else 2 for i in l]", "(list-of (if (== i k) 1 2) (for i l))"},
      {"f()", "(call f)"},
      {"f(a, k = 1,)(b)", "(call (call f a (= k 1)) b)"},
      {"f(\n  a,\n  b\n)", "(call f a b)"},
      {"x[0, 1:3, :, :-1, 2:]", "(index x 0 (slice 1 3) (slice * *) (slice * (- 1)) (slice 2 *))"},
      {"enc.dense_1.kernel[0]", "(index (. (. enc dense_1) kernel) 0)"},
      {R"("a\tb")", R"("a\tb")"},
      {R"("")", R"("")"},
      {R"("{n} of {a + "b{c}"}!")", R"((string n " of " (+ a (string "b" c)) "!"))"},
      {R"("a".."d")", R"((.. "a" "d"))"},
      {"repeat(state, model = loss)", "(call repeat state (= model loss))"},
      {"scan(a, b)", "(call scan a b)"},
  };
  for (const Case& c : cases) EXPECT_EQ(expression(c.source), c.expected) << c.source;
}

TEST(Parser, Numbers) {
  Sources sources;
  const auto number = [&](const std::string& text) {
    auto result = parse_expression(sources.add("n", text), sources);
    return result ? std::get<ast::Number>((*result)->node) : ast::Number{};
  };
  EXPECT_TRUE(number("9223372036854775807").is_integer);
  EXPECT_EQ(number("9223372036854775807").integer, INT64_MAX);
  EXPECT_EQ(number("10_000").integer, 10000);
  EXPECT_EQ(number("10_000").value, 10000.0);
  EXPECT_FALSE(number("1e3").is_integer);
  EXPECT_EQ(number("1e3").value, 1000.0);
  EXPECT_EQ(number("0.1").value, 0.1);
  EXPECT_EQ(number("0.1").spelling, "0.1");
  EXPECT_EQ(expression("9223372036854775808"),
            "1:1: the integer is too large: the largest is 9223372036854775807; write 1e19 for a real number\n");
  EXPECT_EQ(expression("1e400"), "1:1: the number is out of the range of 64-bit floating point\n");
}

TEST(Parser, Declarations) {
  const Case cases[] = {
      {"import \"a b.tarn\"\nimport keras1", "(file\n  (import \"a b.tarn\")\n  (import keras1))\n"},
      {"const n = 3", "(file\n  (const n 3))\n"},
      {"fn f() = 1", "(file\n  (fn f () 1))\n"},
      {"fn f(a, b = 1)(c)() = a", "(file\n  (fn f (a (= b 1)) (c) () a))\n"},
      {"layer f(n)(x) { return x, n }", "(file\n  (layer f (n) (x)\n    (return x n)))\n"},
      {"optimizer o()(w, g) { b(w, g) }", "(file\n  (optimizer o () (w g)\n    (evaluate (call b w g))))\n"},
      {"metric m(y) { return y }", "(file\n  (metric m (y)\n    (return y)))\n"},
      {"model m { }\ntrain { }\ndata { }\ndata test { }", "(file\n  (model m)\n  (train)\n  (data)\n  (data test))\n"},
      {"", "(file)\n"},
  };
  for (const Case& c : cases) {
    const Parsed parsed = parse_text(c.source);
    EXPECT_EQ(messages(parsed.result.diagnostics), "") << c.source;
    EXPECT_EQ(ast::dump(*parsed.result.file), c.expected) << c.source;
  }
}

TEST(Parser, StatementsOfAModel) {
  const Case cases[] = {
      {"input x[4, n]: i32; input s", "(input x (shape 4 n) (type i32)) | (input s)"},
      {"output y = x\noutput z", "(output y x) | (output z)"},
      {"param w[shape(x), 3]: f64 = zeros, regularizer = l2, trainable = false",
       "(param w (shape (call shape x) 3) (type f64) (initial zeros) (= regularizer l2) (= trainable false))"},
      {"param w[], trainable = false", "(param w (shape) (= trainable false))"},
      {"param a[[i for i in l]] = 0", "(param a (shape (list-of i (for i l))) (initial 0))"},
      {"slot v = 0; slot u[] = 1", "(slot v (initial 0)) | (slot u (shape) (initial 1))"},
      {"state m[c] = 0; m <- m + 1", "(state m (shape c) (initial 0)) | (<- m (+ m 1))"},
      {"a, b = f(x)", "(= (a b) (call f x))"},
      {"x |> f(1)", "(evaluate (|> x (call f 1)))"},
      {"check c % g == 0, \"{c} by {g}\"\ncheck (a)", "(check (== (% c g) 0) (string c \" by \" g)) | (check a)"},
      {"penalty -sum(x)", "(penalty (- (call sum x)))"},
      {"adapt { m <- 1 }", "(adapt  (<- m 1))"},
      {"for i, j in l { x = i }", "(for (i j) l  (= (x) i))"},
      {"repeat 2 * n { x = 1 }", "(repeat (* 2 n)  (= (x) 1))"},
      {"if a { x = 1 } else if b { x = 2 }\nelse { x = 3 }",
       "(if  (a    (= (x) 1))  (b    (= (x) 2))  (else    (= (x) 3)))"},
      {"h, c = scan(p in x, q in y, h = a, c = b) { h = p }",
       "(= (h c) (scan (in p x) (in q y) (= h a) (= c b)  (= (h) p)))"},
      {"fn f(x) = x; const n = 1", "(fn f (x) x) | (const n 1)"},
      // The words of statements are names where nothing fits behind them.
      {"loss = 3; state = loss; input, model = f(state(1))",
       "(= (loss) 3) | (= (state) loss) | (= (input model) (call f (call state 1)))"},
      {"repeat = 1; check = 2; repeat <- 3; param(w, g)",
       "(= (repeat) 1) | (= (check) 2) | (<- repeat 3) | (evaluate (call param w g))"},
  };
  for (const Case& c : cases) EXPECT_EQ(statements("model m", c.source), c.expected) << c.source;
}

TEST(Parser, StatementsOfTrain) {
  const Case cases[] = {
      {"target t[3]: i32; target s", "(target t (shape 3) (type i32)) | (target s)"},
      {"loss f(y, t)", "(loss (call f y t))"},
      {"loss main = a + b for gen, disc.dense_1", "(loss (name main) (+ a b) (for gen disc.dense_1))"},
      {"loss -x", "(loss (- x))"},
      {"loss (a + b) / 2", "(loss (/ (+ a b) 2))"},
      {"metric accuracy(y, t)\nmetric m = f(y)", "(metric (call accuracy y t)) | (metric (name m) (call f y))"},
      {"optimizer sgd; optimizer adam(lr = 1) for a.bias",
       "(optimizer sgd) | (optimizer (call adam (= lr 1)) (for a.bias))"},
      {"epochs 1000; batch 2 * n", "(setting epochs 1000) | (setting batch (* 2 n))"},
      {"freeze a, b.c", "(setting freeze a (. b c))"},
      {"class_weight {0: 1, \"b\": 2.5, -1: n}", "(setting class_weight (map (0 1) (\"b\" 2.5) ((- 1) n)))"},
      {"class_weight {\n  0: 1,\n  1: 2,\n}", "(setting class_weight (map (0 1) (1 2)))"},
      {"class_weight(y = {0: 1})", "(setting class_weight (= y (map (0 1))))"},
      {"early_stopping(monitor = \"val_loss\",\n  patience = 3)",
       "(setting early_stopping (= monitor \"val_loss\") (= patience 3))"},
      {"checkpoint \"p\", every = 2", "(setting checkpoint \"p\" (= every 2))"},
      {"batch (1 + 2) * 3", "(setting batch (* (+ 1 2) 3))"},
      {"clip_norm 1 for gen", "(setting clip_norm 1 (for gen))"},
      {"verbose", "(setting verbose)"},
      {"rate = 3; fn f(x) = x", "(= (rate) 3) | (fn f (x) x)"},
      {"loss = 3; metric = 4", "(= (loss) 3) | (= (metric) 4)"},
  };
  for (const Case& c : cases) EXPECT_EQ(statements("train", c.source), c.expected) << c.source;
}

TEST(Parser, StatementsOfData) {
  const Case cases[] = {
      {"csv \"a.csv\"; drop_missing", "(setting csv \"a.csv\") | (setting drop_missing)"},
      {"npy x = \"a\", t = \"b\"", "(setting npy (= x \"a\") (= t \"b\"))"},
      {"x = columns(\"a\"..\"d\")", "(= (x) (call columns (.. \"a\" \"d\")))"},
      {"header true; separator \";\"", "(setting header true) | (setting separator \";\")"},
  };
  for (const Case& c : cases) EXPECT_EQ(statements("data", c.source), c.expected) << c.source;
}

TEST(Parser, SpansPutTheCaretUnderTheExpression) {
  Sources sources;
  const FileId file = sources.add("--set", "ä + relu(x,\n  2) |> f");
  // ä is no name, and the lexer leaves it out; the columns behind it stay right.
  const FileId good = sources.add("--set", "a + relu(x,\n  2) |> f[1, 2:3]");
  EXPECT_FALSE(parse_expression(file, sources));
  auto parsed = parse_expression(good, sources);
  ASSERT_TRUE(parsed);
  const auto& pipe = std::get<ast::Pipe>((*parsed)->node);
  EXPECT_EQ((*parsed)->span, (Span{good, 1, 1, 11})) << "cut at the end of the first line";
  EXPECT_EQ(pipe.operator_span, (Span{good, 2, 6, 2}));
  const auto& sum = std::get<ast::Binary>(pipe.value->node);
  EXPECT_EQ(sum.operator_span, (Span{good, 1, 3, 1}));
  EXPECT_EQ(sum.right->span, (Span{good, 1, 5, 7}));
  EXPECT_EQ(std::get<ast::Call>(sum.right->node).callee->span, (Span{good, 1, 5, 4}));
  EXPECT_EQ(pipe.function->span, (Span{good, 2, 9, 9}));
  EXPECT_EQ(std::get<ast::Index>(pipe.function->node).items[1].span, (Span{good, 2, 14, 3}));

  const Parsed string = parse_text("fn f(x) {\n  check x, \"a {x + 1} b\"\n}");
  const auto& body = std::get<ast::Function>(string.result.file->statements[0].node).block;
  EXPECT_EQ(body.statements[0].span, (Span{1, 2, 3, 22}));
  const auto& message = std::get<ast::String>(std::get<ast::Check>(body.statements[0].node).message->node);
  ASSERT_EQ(message.parts.size(), 3u);
  EXPECT_EQ(message.parts[1].expression->span, (Span{1, 2, 16, 5}));
}

TEST(Parser, MessagesSayWhatWasExpectedAndFound) {
  const Case cases[] = {
      {"fn f(x = x", "1:11: expected ',' or ')', found the end of the file\n"},
      {"fn f(x) x", "1:9: expected '=' or '{' and the body of 'f', found 'x'\n"},
      {"fn f(x) = (x +", "1:15: expected an expression, found the end of the file\n"},
      {"fn f(x) = x y", "1:13: expected the end of the statement, found 'y'\n"},
      {"fn f(x) = x[]", "1:13: expected an index, found ']'\n"},
      {"fn f(x) = x.1", "1:12: '.1' is not a number: write a digit before the point\n"},
      {"fn f(x, x) = x", "1:9: the parameter 'x' is declared twice\n"},
      {"const a = f(k = 1, k = 2)", "1:20: the argument 'k' is given twice\n"},
      {"const a = f(k = 1, 2)", "1:20: an argument without a name stands behind one with a name\n"},
      {"const a = 1 < 2 < 3", "1:17: comparisons do not chain: write 'a < b and b < c'\n"},
      {"const a = 1 + if b then c else d", "1:15: 'if' binds looser than the operator before it: put it in ( )\n"},
      {"const a = if b then c",
       "1:22: expected 'else': every 'if' in an expression has one, found the end of the file\n"},
      {"const a = 1 => 2", "1:13: '=>' needs parameters on its left: 'x => …' or '(a, b) => …'\n"},
      {"const a = \"{}\"", "1:13: expected an expression, found '}'\n"},
      {"const a = \"{b c}\"", "1:15: expected '}', found 'c'\n"},
      {"import \"{a}\"", "1:8: the name of a file in 'import' cannot hold {…}\n"},
      {"width = 3", "1:1: a value at the top level of a file is a constant: const width = …\n"},
      {"3", "1:1: expected a declaration ('model', 'train', 'data', 'fn', 'layer', …), found '3'\n"},
      {"}", "1:1: this '}' closes nothing\n"},
      {"model {}", "1:7: expected the name of the model, found '{'\n"},
      {"model m {", "1:10: expected '}', found the end of the file\n"},
      {"input x", "1:1: 'input' does not belong here: it stands in a model, function or layer\n"},
      {"model m { loss y }", "1:11: 'loss' does not belong here: it stands in a 'train' block\n"},
      {"model m {\ntrain { }\n}",
       "2:1: 'train' does not belong here: it stands at the top level of a file; is a '}' missing above?\n"},
      {"model m { input x = 3 }", "1:19: 'input' takes no value: it comes from the data\n"},
      {"model m { paramm w[3] = 1 }", "1:11: 'paramm' begins no statement; did you mean 'param'?\n"},
      {"model m { frobnicate w }", "1:11: 'frobnicate' begins no statement\n"},
      {"model m { input 3 }", "1:17: expected a name, found '3'\n"},
      {"train { loss }", "1:14: expected an expression, found '}'\n"},
      {"train\n{ }", "1:6: expected '{', found the end of the line\n"},
      {"import\n", "1:7: expected a file in \"\" or the name of a module, found the end of the file\n"},
      {"fn f(x) { paramm w = 1 }", "1:11: 'paramm' begins no statement; did you mean 'param'?\n"},
      {"fn f(x) { x[0] = 1 }", "1:11: only a name can stand on the left of '='\n"},
      {"fn f(x) { a.b <- 1 }", "1:11: only a name can stand on the left of '<-'\n"},
      {"fn f(x) { a + b }", "1:11: this expression does nothing: give its value a name, or remove it\n"},
      {"fn f(x) { if x then 1 }", "1:16: as a statement, 'if' takes a block: if c { … }\n"},
      {"fn f(x) { if x<-1 { } }",
       "1:15: expected '{', found '<-'; a comparison with a negative value is written 'a < -b'\n"},
      {"fn f(x) { if x = 1 { } }", "1:16: expected '{', found '='\n"},
      {"fn f(x) { a = b = 1 }", "1:17: unexpected '='; equality is written '=='\n"},
      {"fn f(x) { return }", "1:18: expected an expression, found '}'\n"},
      {"fn f(x) { param w, 3 }", "1:20: expected an option, as in 'regularizer = l2', found '3'\n"},
      {"fn f(x) { check x, y }", "1:20: expected a message in \"\", found 'y'\n"},
      {"train { x[0] = 1 }", "1:9: only a name can stand on the left of '='\n"},
      {"train { class_weight {0 1} }", "1:25: expected ':' after the key, found '1'\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(errors(c.source), c.expected) << c.source;
  }
}

TEST(Parser, PointsToTheBracketThatIsOpen) {
  const Parsed parsed = parse_text("model m {\n  y = f(x\n  z = 3\n}\nfn g(x) = x");
  ASSERT_EQ(messages(parsed.result.diagnostics), "3:3: expected ',' or ')', found 'z'\n");
  ASSERT_EQ(parsed.result.diagnostics[0].notes.size(), 1u);
  EXPECT_EQ(parsed.result.diagnostics[0].notes[0].span, (Span{1, 2, 8, 1}));
}

TEST(Parser, GoesOnBehindAnError) {
  EXPECT_EQ(errors("fn f(x { y = 1 }\n"
                   "const a = )\n"
                   "model m {\n"
                   "  input 3\n"
                   "  if a b { c = 1 }\n"
                   "  for i { d = 1\n e = 2 }\n"
                   "  y = 1 +* 2; z = ]; ok = 1\n"
                   "}\n"
                   "train {\n"
                   "  class_weight {0: , 1: 2}\n"
                   "  loss\n"
                   "  loss a for\n"
                   "}\n"
                   "const b = (\n"
                   "fn g(x) = ]\n"),
            "1:8: expected ',' or ')', found '{'\n"
            "2:11: expected an expression, found ')'\n"
            "4:9: expected a name, found '3'\n"
            "5:8: expected '{', found 'b'\n"
            "6:9: expected 'in', found '{'\n"
            "8:10: expected an expression, found '*'\n"
            "8:19: expected an expression, found ']'\n"
            "11:20: expected an expression, found ','\n"
            "12:7: expected an expression, found the end of the line\n"
            "13:13: expected a name, found the end of the line\n"
            "15:12: expected an expression, found the end of the line\n"
            "16:11: expected an expression, found ']'\n");
}

TEST(Parser, KeepsWhatIsRightBesideAnError) {
  const Parsed parsed = parse_text("const a = 1\nconst b = +\nconst c = 3");
  // The line that ends in an operator goes on with the next one.
  EXPECT_EQ(messages(parsed.result.diagnostics), "2:11: expected an expression, found '+'\n");
  EXPECT_EQ(ast::dump(*parsed.result.file), "(file\n  (const a 1))\n");
  const Parsed other = parse_text("const a = 1\nconst b = ,1\nconst c = 3");
  EXPECT_EQ(ast::dump(*other.result.file), "(file\n  (const a 1)\n  (const c 3))\n");
}

TEST(Parser, SaysNothingMoreWhereTheLexerHasComplained) {
  EXPECT_EQ(errors("fn f(x) {\n  t = é\n}\n"), "2:7: unexpected character 'é'\n");
  EXPECT_EQ(errors("const a = \"b\nconst c = 1"), "1:11: the string has no closing '\"' on this line\n");
}

TEST(Parser, StopsAtTwentyErrors) {
  std::string text;
  for (int i = 0; i < kMaxSyntaxErrors; ++i) text += "const a = )\n";
  EXPECT_EQ(parse_text(text).result.diagnostics.size(), 20u);
  const Diagnostics more = parse_text(text + text).result.diagnostics;
  ASSERT_EQ(more.size(), 21u);
  EXPECT_EQ(more.back().severity, Severity::note);
  EXPECT_EQ(more.back().message, "only the first 20 errors are shown");
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Parser, LimitsNesting) {
  // What opens a level, what stands inside, what closes it, and how many levels the innermost takes itself.
  const struct {
    const char* open;
    const char* inside;
    const char* close;
    int inner_levels;
  } cases[] = {
      {"(", "1", ")", 1},       {"[", "1", "]", 1},
      {"f(", "1", ")", 1},      {"x[", "1", "]", 1},
      {"-", "1", "", 1},        {"not ", "1", "", 1},
      {"1^", "1", "", 1},       {"x => ", "1", "", 1},
      {"\"{(", "1", ")}\"", 1}, {"if a then b else ", "1", "", 2},
  };
  for (const auto& c : cases) {
    const std::string_view open = c.open;
    // An interpolation and the parenthesis in it are two levels, and strings have a limit of their own.
    if (open[0] == '"') {
      EXPECT_EQ(expression(repeated(c.open, 20) + c.inside + repeated(c.close, 20)).find("deep"), std::string::npos);
      EXPECT_NE(expression(repeated(c.open, 21) + c.inside + repeated(c.close, 21)).find("nested more than 20 deep"),
                std::string::npos);
      continue;
    }
    const int most = ast::kMaxNesting - c.inner_levels;
    EXPECT_EQ(expression(repeated(c.open, most) + c.inside + repeated(c.close, most)).find("deep"), std::string::npos)
        << open;
    const std::string beyond = expression(repeated(c.open, most + 1) + c.inside + repeated(c.close, most + 1));
    EXPECT_NE(beyond.find("nested more than 200 deep"), std::string::npos) << open << beyond.substr(0, 200);
  }
  const auto blocks = [](int count) {
    return errors("fn f(x) {" + repeated("if a {", count - 1) + repeated("}", count - 1) + "}");
  };
  // The condition of the innermost `if` takes a level too, inside all blocks but its own.
  EXPECT_EQ(blocks(ast::kMaxNesting), "");
  EXPECT_NE(blocks(ast::kMaxNesting + 1).find("nested more than 200 deep"), std::string::npos);
}

TEST(Parser, LimitsTheDepthOfTheTree) {
  // n additions make a tree of n + 1 levels.
  EXPECT_EQ(expression("1" + repeated("+1", ast::kMaxDepth - 1)).find("deep"), std::string::npos);
  EXPECT_NE(expression("1" + repeated("+1", ast::kMaxDepth)).find("more than 1000 operations deep"), std::string::npos);
  EXPECT_NE(expression("x" + repeated("(1)", ast::kMaxDepth)).find("more than 1000 operations deep"),
            std::string::npos);
  // A scan is as deep as the deepest statement of its body.
  const auto scan = [](int operations) {
    return expression("scan(p in x, h = 0) {\n h = 1\n h = 1" + repeated("+1", operations) + "\n h = 2\n}");
  };
  EXPECT_EQ(scan(ast::kMaxDepth - 2).find("deep"), std::string::npos);
  EXPECT_NE(scan(ast::kMaxDepth - 1).find("more than 1000 operations deep"), std::string::npos);
  // Width is no depth.
  EXPECT_EQ(errors("const a = [" + repeated("1 + 2,\n", 20000) + "]"), "");
}

TEST(Parser, ReadsTheTour) {
  const Parsed parsed = parse_text(test::read_text(test::source_folder() / "tests/golden/syntax/tour.tarn"));
  EXPECT_EQ(format(parsed.result.diagnostics, parsed.sources), "");
  EXPECT_EQ(parsed.result.file->statements.size(), 18u);
}

// Nothing may crash, hang, or lose the place of an error; what is right is that the checks below hold.
void check_any_text(const std::string& text) {
  const Parsed parsed = parse_text(text);
  ASSERT_NE(parsed.result.file, nullptr);
  ASSERT_LE(parsed.result.diagnostics.size(), static_cast<std::size_t>(kMaxSyntaxErrors + 1));
  for (const Diagnostic& d : parsed.result.diagnostics) {
    if (d.severity == Severity::note) continue;
    ASSERT_EQ(d.span.file, 1u) << d.message;
    ASSERT_GE(d.span.line, 1u) << d.message;
    ASSERT_GE(d.span.column, 1u) << d.message;
    ASSERT_GE(d.span.length, 1u) << d.message;
  }
  ast::dump(*parsed.result.file);
}

TEST(ParserFuzz, Truncations) {
  const std::string text = test::read_text(test::source_folder() / "tests/golden/syntax/tour.tarn");
  for (std::size_t size = 0; size < text.size(); ++size) {
    ASSERT_NO_FATAL_FAILURE(check_any_text(text.substr(0, size))) << size;
    ASSERT_NO_FATAL_FAILURE(check_any_text(text.substr(size))) << size;
  }
}

TEST(ParserFuzz, TokenSoup) {
  const std::vector<std::string> words = {"model",
                                          "train",
                                          "data",
                                          "fn",
                                          "layer",
                                          "param",
                                          "state",
                                          "slot",
                                          "input",
                                          "output",
                                          "if",
                                          "then",
                                          "else",
                                          "for",
                                          "in",
                                          "scan",
                                          "not",
                                          "and",
                                          "check",
                                          "loss",
                                          "x",
                                          "y",
                                          "3",
                                          "0.5",
                                          "\"s\"",
                                          "\"",
                                          "{",
                                          "}",
                                          "(",
                                          ")",
                                          "[",
                                          "]",
                                          ",",
                                          ":",
                                          ".",
                                          "=",
                                          "=>",
                                          "<-",
                                          "|>",
                                          "..",
                                          "+",
                                          "-",
                                          "*",
                                          "^",
                                          "@",
                                          "<",
                                          "==",
                                          "\n",
                                          "\n",
                                          ";",
                                          "#",
                                          "\"{",
                                          "}\"",
                                          "\\",
                                          "\xFF",
                                          "é",
                                          "model m {\n",
                                          "scan(p in x) {",
                                          "(a) =>",
                                          "return",
                                          "class_weight {0: 1}",
                                          "f(x)\n"};
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const std::size_t size = random() % 80;
    for (std::size_t i = 0; i < size; ++i) text += words[random() % words.size()] + (random() % 3 == 0 ? "" : " ");
    ASSERT_NO_FATAL_FAILURE(check_any_text(text)) << text;
  }
}

TEST(ParserFuzz, Mutations) {
  const std::string original = test::read_text(test::source_folder() / "tests/golden/syntax/tour.tarn");
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 1000; ++round) {
    std::string text = original;
    for (int change = 0; change < 5; ++change) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 10);
          break;
        case 1:
          text[at] = static_cast<char>(random());
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
      }
    }
    ASSERT_NO_FATAL_FAILURE(check_any_text(text)) << text;
  }
}

}  // namespace
}  // namespace tarn
