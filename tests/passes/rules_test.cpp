// Every rewrite rule, by itself: the rule makes random examples of its left side, and both sides are evaluated. A new
// row is tested without another line here.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "passes/rules/pattern.h"
#include "passes/rules/rules.h"
#include "tests/support/compiler/pass_test_support.h"

namespace tarn {
namespace {

using testing::difference_of_results;
using testing::random_values;
using testing::text_of;

constexpr int kExamples = 60;
// Of the random examples of a rule, so many must be ones that it changes; the rest may happen to be of a simpler form.
constexpr int kLeastFits = kExamples / 6;
// Both sides are sums of a few terms in double precision.
constexpr double kRuleTolerance = 1e-12;

std::vector<const Rule*> all_rules() {
  return select_rules({algebra_rules(), movement_rules(), folding_rules(), stable_form_rules()}, true);
}

// One example: the left side as the first graph, the right side as the second. False where the rule left it as it is.
bool rewrite_example(const Rule& rule, std::uint64_t seed, Graph& left, Graph& right) {
  Builder builder(left);
  ExampleMaker maker(builder, seed);
  left.add_result(ResultKind::value, "side", rule.example(maker));
  RuleHits hits;
  right = rewrite(left, {&rule}, hits);
  return hits.contains(rule.name);
}

class RuleTest : public ::testing::TestWithParam<const Rule*> {};

TEST_P(RuleTest, BothSidesAreEqual) {
  const Rule& rule = *GetParam();
  int fits = 0;
  for (std::uint64_t seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(rule.equation + ", seed " + std::to_string(seed));
    Graph left, right;
    if (!rewrite_example(rule, seed, left, right)) continue;
    ++fits;
    ASSERT_TRUE(verify(right).has_value()) << verify(right).error().front().message << text_of(right);
    ASSERT_EQ(difference_of_results(left, right, random_values(left, seed), kRuleTolerance), "")
        << text_of(left) << text_of(right);
  }
  EXPECT_GE(fits, kLeastFits) << rule.equation;
}

INSTANTIATE_TEST_SUITE_P(All, RuleTest, ::testing::ValuesIn(all_rules()),
                         [](const auto& info) { return info.param->name; });

TEST(Rules, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Rule* rule : all_rules()) EXPECT_TRUE(names.insert(rule->name).second) << rule->name;
}

TEST(Rules, ThatChangeRoundingAreOffByDefault) {
  for (const Rule* rule : select_rules({algebra_rules(), movement_rules()}, false))
    EXPECT_FALSE(rule->changes_rounding) << rule->name;
  EXPECT_LT(select_rules({algebra_rules()}, false).size(), select_rules({algebra_rules()}, true).size());
}

TEST(Patterns, MatchBothOrdersAndTheSameNodeAtEveryOccurrence) {
  using namespace algebra;
  Graph graph;
  Builder b(graph);
  const NodeId p = b.source(Op::tensor, {DType::f32, false, {2}}, {{Key::name, "p"}});
  const NodeId q = b.source(Op::tensor, {DType::f32, false, {2}}, {{Key::name, "q"}});
  const NodeId sum = b.add(b.constant_like(0, p), p);
  Bindings bindings;
  EXPECT_TRUE(match(x + 0, graph, sum, bindings));
  EXPECT_EQ(bindings.node('x'), p);
  bindings = {};
  EXPECT_FALSE(match(x + x, graph, b.add(p, q), bindings));
  bindings = {};
  EXPECT_TRUE(match(x + x, graph, b.add(p, p), bindings));
  bindings = {};
  EXPECT_FALSE(match(x - 0, graph, b.sub(b.constant_like(0, p), p), bindings)) << "subtraction has one order";
  bindings = {};
  EXPECT_TRUE(match((x * y) + x, graph, b.add(p, b.mul(q, p)), bindings));
}

TEST(Patterns, AreWrittenAsEquations) {
  using namespace algebra;
  EXPECT_EQ(to_string((x + 0) * pow(y, 2)), "((x + 0) * pow(y, 2))");
  EXPECT_EQ(to_string(where(0 < x, -x, x)), "where((0 < x), -x, x)");
}

TEST(Patterns, NumbersTakeTheTypeOfTheirNeighbour) {
  using namespace algebra;
  Graph graph;
  Builder b(graph);
  const NodeId p = b.source(Op::tensor, {DType::f32, false, {2, 3}}, {{Key::name, "p"}});
  Bindings bindings;
  bindings.nodes['x' - 'a'] = p;
  const NodeId made = build(where(0 < x, x * 2, 0), bindings, b, graph[p].type);
  EXPECT_EQ(graph[made].type, graph[p].type);
  EXPECT_TRUE(verify(graph).has_value());
}

// Folding rounds to the type of the result: 1 - 1e-7 is not a float.
TEST(Folding, RoundsToTheTypeOfTheResult) {
  for (const auto& [dtype, expected] :
       {std::pair{DType::f32, static_cast<double>(1.0F - 1e-7F)}, std::pair{DType::f64, 1 - 1e-7}}) {
    Graph graph;
    Builder b(graph);
    graph.add_result(ResultKind::value, "v", b.sub(b.constant(1, dtype), b.constant(1e-7, dtype)));
    RuleHits hits;
    const Graph folded = rewrite(graph, select_rules({folding_rules()}, false), hits);
    ASSERT_EQ(folded.size(), 1U) << text_of(folded);
    EXPECT_EQ(folded[0].attributes.number(Key::value), expected);
  }
}

TEST(Folding, LeavesOverflowAndNanToTheRun) {
  Graph graph;
  Builder b(graph);
  const auto whole = [&](double value) { return b.constant(value, DType::i32); };
  graph.add_result(ResultKind::value, "overflow", b.mul(whole(70000), whole(70000)));
  graph.add_result(ResultKind::value, "nan", b.unary(Op::log, b.constant(-1, DType::f32)));
  graph.add_result(ResultKind::value, "infinite", b.unary(Op::exp, b.constant(1000, DType::f32)));
  RuleHits hits;
  const Graph folded = rewrite(graph, select_rules({folding_rules()}, false), hits);
  EXPECT_TRUE(hits.empty());
  EXPECT_EQ(folded.size(), graph.size());
}

}  // namespace
}  // namespace tarn
