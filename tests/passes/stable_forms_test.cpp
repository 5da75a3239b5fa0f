// Stable forms: cross-entropy on softmax and sigmoid outputs, written with its guard as the prelude writes it, at
// logits where the plain formulas overflow, underflow or lose their gradient. Expected values are the closed forms,
// softmax(z) - t and sigmoid(z) - t.
#include <gmock/gmock.h>

#include <cmath>

#include "passes/graph_passes.h"
#include "tests/support/compiler/pass_test_support.h"

namespace tarn {
namespace {

using testing::expect_graph;
using testing::text_of;

// Sums of three terms in double precision.
constexpr double kStableTolerance = 1e-15;

double stable_sigmoid(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
double stable_softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }

struct Formula {
  std::string name;
  // From the logits to the loss of one sample, written naively over z (a tensor, f64[3]) and t (an input, f64[3]).
  std::string body;
};

class StableForm : public ::testing::TestWithParam<Formula> {
 protected:
  // Loss and gradient by the logits.
  std::vector<HostTensor> run(const std::vector<double>& z, const std::vector<double>& t) {
    const std::string text = R"(graph t {
      %z: f64[3] = tensor() {name = "z"}
      %t: f64[3] = tensor() {name = "t"}
      %zero: f64[] = constant() {value = 0}
      %one: f64[] = constant() {value = 1}
      %ones: f64[3] = broadcast(%one) {axes = []}
      %lo0: f64[] = constant() {value = 1e-07}
      %hi0: f64[] = constant() {value = 0.9999999}
      %lo: f64[3] = broadcast(%lo0) {axes = []}
      %hi: f64[3] = broadcast(%hi0) {axes = []}
    )" + GetParam().body + R"(
      %g: f64[3] = grad(%loss, %z)
      result loss "loss" = %loss
      result value "gradient" = %g
    })";
    Sources sources;
    Result<NamedGraph> parsed = parse_graph(text, "t.ir", sources);
    EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().front().message);
    PassContext context = testing::checked_context();
    const Graph lowered = expect_graph(lower_meaning(parsed->graph, context));
    EvaluationContext values;
    values.tensors["z"] = {{3}, z};
    values.tensors["t"] = {{3}, t};
    const std::vector<HostTensor> meaning = evaluate(lowered, values).value();
    // The optimizing passes keep it so.
    const Graph optimized = expect_graph(optimize(parsed->graph, context));
    const std::vector<HostTensor> fast = evaluate(optimized, values).value();
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_EQ(testing::difference(meaning[i], fast[i], kStableTolerance), "") << text_of(optimized);
    return meaning;
  }
};

const char* const kSoftmax = R"(
  %m: f64[] = reduce_max(%z) {axes = [0]}
  %mb: f64[3] = broadcast(%m) {axes = []}
  %ms: f64[3] = stop_gradient(%mb)
  %d: f64[3] = sub(%z, %ms)
  %e: f64[3] = exp(%d)
  %s: f64[] = reduce_sum(%e) {axes = [0]}
  %s1: f64[1] = reshape(%s)
  %s0: f64[] = reshape(%s1)
  %sb: f64[3] = broadcast(%s0) {axes = []}
  %y: f64[3] = div(%e, %sb)
)";
const char* const kCrossEntropy = R"(
  %tq: f64[3] = mul(%t, %q)
  %sum: f64[] = reduce_sum(%tq) {axes = [0]}
  %loss: f64[] = neg(%sum)
)";
const char* const kBinaryCrossEntropy = R"(
  %r: f64[3] = sub(%ones, %t)
  %a: f64[3] = mul(%t, %q)
  %b: f64[3] = mul(%r, %p)
  %ab: f64[3] = add(%a, %b)
  %sum: f64[] = reduce_sum(%ab) {axes = [0]}
  %loss: f64[] = neg(%sum)
)";

class SoftmaxForm : public StableForm {};
class SigmoidForm : public StableForm {};

const std::vector<std::vector<double>> kLogits = {{0, 0, 0},        {100, -100, 0},   {-100, 100, 0},
                                                  {1000, -1000, 0}, {0.3, -1.2, 2.5}, {-100, -100, -100}};

TEST_P(SoftmaxForm, LossAndGradientAtTheExtremes) {
  for (const std::vector<double>& z : kLogits) {
    for (std::size_t label = 0; label < 3; ++label) {
      SCOPED_TRACE(::testing::PrintToString(z) + ", class " + std::to_string(label));
      std::vector<double> t(3, 0.0);
      t[label] = 1;
      const std::vector<HostTensor> found = run(z, t);
      const double top = std::max({z[0], z[1], z[2]});
      double sum = 0;
      for (const double logit : z) sum += std::exp(logit - top);
      const double loss = std::log(sum) + (top - z[label]);
      EXPECT_NEAR(found[0].data[0], loss, kStableTolerance * (1 + loss));
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(found[1].data[i], std::exp(z[i] - top) / sum - t[i], kStableTolerance) << i;
    }
  }
}

TEST_P(SigmoidForm, LossAndGradientAtTheExtremes) {
  for (const std::vector<double>& z : kLogits) {
    for (const std::vector<double>& t : {std::vector<double>{1, 1, 1}, {0, 0, 0}, {0, 1, 0.25}}) {
      SCOPED_TRACE(::testing::PrintToString(z) + ", targets " + ::testing::PrintToString(t));
      const std::vector<HostTensor> found = run(z, t);
      double loss = 0;
      for (std::size_t i = 0; i < 3; ++i) loss += t[i] * stable_softplus(-z[i]) + (1 - t[i]) * stable_softplus(z[i]);
      EXPECT_NEAR(found[0].data[0], loss, kStableTolerance * (1 + loss));
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(found[1].data[i], stable_sigmoid(z[i]) - t[i], kStableTolerance) << i;
    }
  }
}

const std::string kGuardQ = "%c: f64[3] = maximum(%y, %lo)\n %c2: f64[3] = minimum(%c, %hi)\n %q: f64[3] = log(%c2)\n";

const Formula kSoftmaxFormulas[] = {
    {"plain", std::string(kSoftmax) + "%q: f64[3] = log(%y)\n" + kCrossEntropy},
    {"guarded", std::string(kSoftmax) + kGuardQ + kCrossEntropy},
    {"guarded_the_other_way",
     std::string(kSoftmax) +
         "%c: f64[3] = minimum(%hi, %y)\n %c2: f64[3] = maximum(%lo, %c)\n %q: f64[3] = log(%c2)\n" + kCrossEntropy},
    {"normalised_twice_and_guarded", std::string(kSoftmax) + R"(
      %n: f64[] = reduce_sum(%y) {axes = [0]}
      %nb: f64[3] = broadcast(%n) {axes = []}
      %yn: f64[3] = div(%y, %nb)
      %c: f64[3] = maximum(%yn, %lo)
      %c2: f64[3] = minimum(%c, %hi)
      %q: f64[3] = log(%c2)
    )" + kCrossEntropy},
    {"through_a_reshape_and_a_slice", std::string(kSoftmax) + R"(
      %w: f64[1,3] = reshape(%y)
      %v: f64[1,3] = slice(%w) {starts = [0, 0], limits = [1, 3], strides = [1, 1]}
      %lw: f64[1,3] = broadcast(%lo0) {axes = []}
      %c: f64[1,3] = maximum(%v, %lw)
      %q1: f64[1,3] = log(%c)
      %q: f64[3] = reshape(%q1)
    )" + kCrossEntropy},
};
INSTANTIATE_TEST_SUITE_P(All, SoftmaxForm, ::testing::ValuesIn(kSoftmaxFormulas),
                         [](const auto& info) { return info.param.name; });

const Formula kSigmoidFormulas[] = {
    {"plain", R"(
      %y: f64[3] = sigmoid(%z)
      %q: f64[3] = log(%y)
      %o: f64[3] = sub(%ones, %y)
      %p: f64[3] = log(%o)
    )" + std::string(kBinaryCrossEntropy)},
    {"guarded", "%y: f64[3] = sigmoid(%z)\n" + kGuardQ + R"(
      %o: f64[3] = sub(%ones, %c2)
      %p: f64[3] = log(%o)
    )" + kBinaryCrossEntropy},
    {"through_a_reshape", R"(
      %y0: f64[3] = sigmoid(%z)
      %y1: f64[3,1] = reshape(%y0)
      %y: f64[3] = reshape(%y1)
    )" + kGuardQ + R"(
      %o: f64[3] = sub(%ones, %c2)
      %p: f64[3] = log(%o)
    )" + kBinaryCrossEntropy},
    // max(z, 0) - z t + log1p(exp(-|z|)): the kinks at 0 are none of the function.
    {"from_logits", R"(
      %zs: f64[3] = broadcast(%zero) {axes = []}
      %x: f64[3] = maximum(%z, %zs)
      %zt: f64[3] = mul(%z, %t)
      %xd: f64[3] = sub(%x, %zt)
      %ab: f64[3] = abs(%z)
      %na: f64[3] = neg(%ab)
      %ea: f64[3] = exp(%na)
      %l: f64[3] = log1p(%ea)
      %each: f64[3] = add(%xd, %l)
      %loss: f64[] = reduce_sum(%each) {axes = [0]}
    )"},
    {"log_of_one_plus_exp", R"(
      %ez: f64[3] = exp(%z)
      %oe: f64[3] = add(%ones, %ez)
      %l: f64[3] = log(%oe)
      %zt: f64[3] = mul(%z, %t)
      %each: f64[3] = sub(%l, %zt)
      %loss: f64[] = reduce_sum(%each) {axes = [0]}
    )"},
};
INSTANTIATE_TEST_SUITE_P(All, SigmoidForm, ::testing::ValuesIn(kSigmoidFormulas),
                         [](const auto& info) { return info.param.name; });

// A clip that is no guard, and a guard on what is no probability, stay.
TEST(StableForms, KeepOtherClips) {
  const auto kept = [](const std::string& body) {
    Sources sources;
    NamedGraph parsed = parse_graph("graph t {\n" + body + "}\n", "t.ir", sources).value();
    PassContext context;
    const Graph graph = expect_graph(use_stable_forms(parsed.graph, context));
    return text_of(graph) == text_of(parsed.graph);
  };
  EXPECT_TRUE(kept(R"(
    %z: f64[] = tensor() {name = "z"}
    %1: f64[] = sigmoid(%z)
    %2: f64[] = constant() {value = 0.1}
    %3: f64[] = maximum(%1, %2)
    %4: f64[] = log(%3)
    result value "v" = %4
  )")) << "0.1 is no guard";
  EXPECT_TRUE(kept(R"(
    %z: f64[] = tensor() {name = "z"}
    %1: f64[] = tanh(%z)
    %2: f64[] = constant() {value = 1e-07}
    %3: f64[] = maximum(%1, %2)
    %4: f64[] = log(%3)
    result value "v" = %4
  )")) << "tanh is no probability";
}

// y / sum(y) over other axes than those y was normalised over is no softmax.
TEST(StableForms, NormaliseAgainOverOtherAxes) {
  Graph graph;
  Builder b(graph);
  const NodeId z = b.source(Op::tensor, {DType::f64, false, {2, 3}}, {{Key::name, std::string("z")}});
  const NodeId e = b.unary(Op::exp, z);
  const auto normalised = [&](NodeId y, std::int64_t axis) {
    return b.div(y, b.broadcast(b.sum(y, {axis}), {2, 3}, {1 - axis}));
  };
  graph.add_result(ResultKind::value, "v", normalised(normalised(e, 1), 0));
  PassContext context;
  const Graph stable = expect_graph(use_stable_forms(graph, context));
  EXPECT_EQ(text_of(stable), text_of(graph));
  EXPECT_EQ(testing::difference_of_results(graph, stable, testing::random_values(graph, 1), 0), "");
}

}  // namespace
}  // namespace tarn
