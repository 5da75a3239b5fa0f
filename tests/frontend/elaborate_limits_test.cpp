// The limits of elaboration, each at N and N + 1.
#include <gtest/gtest.h>

#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

bool compiles(const std::string& text, const ElaborationLimits& limits = {}) {
  FrontendOptions options;
  options.limits = limits;
  return compile(text, options).result.program.has_value();
}

std::string with_call(const std::string& call) {
  return "fn f(n) = if n == 0 then 0 else f(n - 1)\nmodel m { input x; output y = x + " + call + " }";
}

TEST(Elaborate, LimitOfCalls) {
  EXPECT_TRUE(compiles(with_call("f(199)")));
  EXPECT_FALSE(compiles(with_call("f(200)")));
}

TEST(Elaborate, LimitOfNesting) {
  ElaborationLimits limits;
  limits.call_depth = 1'000'000;
  // Each level of f is a call inside the value of a conditional: the smallest n that is refused is found, and the one
  // before it is fine.
  limits.nesting = 50;
  int n = 0;
  while (n < 60 && compiles(with_call("f(" + std::to_string(n) + ")"), limits)) ++n;
  EXPECT_GT(n, 10);
  EXPECT_LT(n, 60);
  limits.nesting = 51;
  EXPECT_TRUE(compiles(with_call("f(" + std::to_string(n) + ")"), limits));
}

TEST(Elaborate, DeepestCallsInsideDeepestExpressionsStayWithinTheStack) {
  std::string deep = "n";
  for (int i = 0; i < 150; ++i) deep = "(1 + " + deep + ")";
  EXPECT_FALSE(compiles("fn f(n) = f(" + deep + ")\nmodel m { input x; output y = x + f(0) }"));
}

TEST(Elaborate, LimitOfListLength) {
  ElaborationLimits limits;
  limits.list_length = 10;
  const auto model = [](const std::string& list) { return "model m { input x; output y = x + sum(" + list + ") }"; };
  EXPECT_TRUE(compiles(model("0..10"), limits));
  EXPECT_FALSE(compiles(model("0..11"), limits));
  EXPECT_TRUE(compiles(model("concat(0..5, 0..5)"), limits));
  EXPECT_FALSE(compiles(model("concat(0..5, 0..6)"), limits));
}

TEST(Elaborate, LimitOfSteps) {
  const std::string text = "model m { input x; h = x; repeat 100 { h = h + 1 }; output y = h }";
  ElaborationLimits limits;
  std::uint64_t least = 1, most = 100'000;
  while (least < most) {
    limits.steps = (least + most) / 2;
    if (compiles(text, limits)) {
      most = limits.steps;
    } else {
      least = limits.steps + 1;
    }
  }
  EXPECT_GT(least, 100U);
  limits.steps = least;
  EXPECT_TRUE(compiles(text, limits));
  limits.steps = least - 1;
  EXPECT_FALSE(compiles(text, limits));
}

TEST(Elaborate, LimitOfNodes) {
  ElaborationLimits limits;
  limits.nodes = 40;
  int n = 0;
  const auto text = [](int count) {
    return "model m { input x; h = x; repeat " + std::to_string(count) + " { h = h * h + x }; output y = h }";
  };
  while (n < 100 && compiles(text(n), limits)) ++n;
  EXPECT_GT(n, 10);
  EXPECT_LT(n, 30);
}

TEST(Elaborate, LimitsOfShapes) {
  const auto model = [](const std::string& shape) { return "model m { input x" + shape + "; output y = sum(x) }"; };
  EXPECT_TRUE(compiles(model("[1, 1, 1, 1, 1, 1, 1, 2]")));
  EXPECT_FALSE(compiles(model("[1, 1, 1, 1, 1, 1, 1, 1, 2]")));
  EXPECT_TRUE(compiles(model("[2147483648]")));
  EXPECT_FALSE(compiles(model("[2147483649]")));
  EXPECT_FALSE(compiles(model("[65536, 65536, 65536, 65536, 65536]")));
}

TEST(Elaborate, ExponentialListsEnd) {
  // l doubles in depth: 2^60 numbers if anybody counted them all.
  EXPECT_FALSE(compiles("model m { input x; l = [1, 2]; repeat 60 { l = [l, l] }; output y = x + sum(l) }"));
  EXPECT_FALSE(compiles("model m { input x; l = [1, 2]; repeat 60 { l = [l, l] }; output y = x + l }"));
  EXPECT_FALSE(
      compiles("model m { input x; l = [1, 2]; repeat 60 { l = [l, l] }; check l == 3, \"{l}\"; output y = x }"));
  EXPECT_FALSE(
      compiles("model m { input x; l = [1, 2]; repeat 60 { l = [l, l] }; k = [1, 2]; repeat 60 { k = [k, k] }; check l "
               "== k; output y = x }"));
  EXPECT_FALSE(compiles("model m { input x; l = [1, 2]; repeat 60 { l = concat(l, l) }; output y = x + len(l) }"));
}

TEST(Elaborate, CompilesInLinearTime) {
  const auto nodes = [](int layers) {
    const Compiled c = compile("model m { input x[4]; h = x; repeat " + std::to_string(layers) +
                               " { h = h |> dense(4, relu) }; output y = h }");
    return c.result.program ? c.program().graphs.at("predict").size() : 0;
  };
  const NodeId few = nodes(10), many = nodes(100);
  EXPECT_GT(few, 0U);
  EXPECT_LE(many, 10 * few);
}

}  // namespace
}  // namespace tarn
