// The pipeline: optimizing passes leave values as they are, however they are combined; options, dumps and reproducers;
// linear time.
#include <gmock/gmock.h>

#include <chrono>

#include "passes/graph_passes.h"
#include "tests/support/compiler/pass_test_support.h"

namespace tarn {
namespace {

using testing::checked_context;
using testing::difference_of_results;
using testing::expect_graph;
using testing::random_graph;
using testing::random_values;
using testing::text_of;

// Rules move a factor or a sign through sums of at most a few hundred terms in double precision.
constexpr double kTolerance = 1e-12;
constexpr int kOptimizedGraphs = 200;

Graph with_gradients(std::uint64_t seed) {
  Graph graph = random_graph(seed, {.steps = 10, .loss = true});
  Builder b(graph);
  const NodeId loss = graph.result(ResultKind::loss, "loss");
  for (NodeId id = 0, size = graph.size(); id < size; ++id) {
    if (graph[id].op == Op::tensor)
      graph.add_result(ResultKind::store, graph[id].attributes.text(Key::name),
                       b.sub(id, b.make(Op::grad, {loss, id})));
  }
  return graph;
}

// Long vectors, which a batch fills: small layers and short rows are done as they are best.
PassContext planning_context() {
  PassContext context = checked_context();
  PlannedFor& planned = context.planned_for.emplace();
  planned.options.target.vector_bytes = 64;
  planned.max_batch = 20;
  return context;
}

class OptimizingPass : public ::testing::TestWithParam<Pass> {};

TEST_P(OptimizingPass, LeavesValuesAsTheyAre) {
  for (std::uint64_t seed = 1; seed <= kOptimizedGraphs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PassContext context = planning_context();
    const Graph before = expect_graph(lower_meaning(with_gradients(seed), context));
    const EvaluationContext values = random_values(before, seed);
    const auto wrong = [&](const Graph& graph) {
      const Graph after = expect_graph(GetParam().run(graph, context));
      EXPECT_TRUE(verify(after).has_value());
      return difference_of_results(graph, after, values, kTolerance);
    };
    const std::string found = wrong(before);
    if (found.empty()) continue;
    const Graph small = testing::shrink(before, [&](const Graph& graph) { return !wrong(graph).empty(); });
    FAIL() << found << "\n" << text_of(small) << text_of(expect_graph(GetParam().run(small, context)));
  }
}

TEST_P(OptimizingPass, ChangesNothingTheSecondTime) {
  for (std::uint64_t seed = 1; seed <= kOptimizedGraphs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PassContext context = planning_context();
    const Graph before = expect_graph(lower_meaning(with_gradients(seed), context));
    const Graph once = expect_graph(GetParam().run(before, context));
    EXPECT_EQ(text_of(expect_graph(GetParam().run(once, context))), text_of(once));
  }
}

TEST_P(OptimizingPass, CanBeLeftOut) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    PassContext all = planning_context(), without = planning_context();
    without.options.disabled = {GetParam().name};
    const Graph graph = with_gradients(seed);
    const Graph a = expect_graph(optimize(graph, all)), b = expect_graph(optimize(graph, without));
    EXPECT_EQ(difference_of_results(a, b, random_values(a, seed), kTolerance), "") << seed;
    EXPECT_FALSE(without.seconds.contains(GetParam().name));
  }
}

std::vector<Pass> optimizing_passes() {
  std::vector<Pass> passes;
  for (const Pass& pass : graph_passes()) {
    if (pass.kind == Pass::Kind::cost || pass.kind == Pass::Kind::plan) passes.push_back(pass);
  }
  return passes;
}
INSTANTIATE_TEST_SUITE_P(All, OptimizingPass, ::testing::ValuesIn(optimizing_passes()),
                         [](const auto& info) { return info.param.name; });

TEST(Pipeline, FastMathChangesNoMoreThanRounding) {
  for (std::uint64_t seed = 1; seed <= kOptimizedGraphs; ++seed) {
    PassContext exact = checked_context(), fast = checked_context();
    fast.options.allow_reassociation = true;
    const Graph graph = with_gradients(seed);
    const Graph a = expect_graph(optimize(graph, exact)), b = expect_graph(optimize(graph, fast));
    EXPECT_EQ(difference_of_results(a, b, random_values(a, seed), 1e-9), "") << seed;
  }
}

TEST(Pipeline, ChecksItsOptions) {
  const Graph graph = random_graph(1, {});
  const auto message = [&](const std::function<void(PassOptions&)>& set) {
    PassContext context;
    set(context.options);
    const Result<Graph> result = optimize(graph, context);
    return result ? std::string() : result.error().front().message;
  };
  EXPECT_EQ(message([](PassOptions& o) { o.stop_after = "simplfy"; }),
            "stop after: there is no pass 'simplfy'; did you mean 'simplify'?");
  EXPECT_EQ(message([](PassOptions& o) { o.dump_after = {"everything"}; }),
            "dump after: there is no pass 'everything'");
  EXPECT_EQ(message([](PassOptions& o) { o.disabled = {"autodiff"}; }),
            "'autodiff' is part of the language's meaning and cannot be disabled");
  EXPECT_EQ(message([](PassOptions& o) { o.disabled = {"folds"}; }),
            "no plan is without 'folds': it cannot be disabled");
  EXPECT_EQ(message([](PassOptions& o) { o.disabled = {"simplify"}; }), "");
}

TEST(Pipeline, DumpsWhatChangesAndStopsWhereAsked) {
  PassContext context = checked_context();
  std::vector<std::string> dumps;
  context.options.dump_after = {"all"};
  context.options.stop_after = "autodiff";
  context.options.dump = [&](const std::string& text) { dumps.push_back(text.substr(0, text.find('\n'))); };
  Sources sources;
  const NamedGraph parsed = parse_graph(R"(graph t {
    %x: each f32[] = input() {name = "x"}
    %1: each f32[] = add(%x, %x)
    result output "y" = %1
  })",
                                        "t.ir", sources)
                                .value();
  const Graph graph = expect_graph(optimize(parsed.graph, context));
  EXPECT_THAT(dumps, ::testing::ElementsAre("# after batching"));
  EXPECT_EQ(context.seconds.size(), 3U);
}

// Small texts that ask for a million operations.
TEST(Pipeline, WindowsThatMakeTooManyPartsAreRefused) {
  const auto message = [](const std::string& value, const std::string& steps) {
    Sources sources;
    const std::string text =
        "graph t {\n" + value + "\n%x: f32[N,300,300] = fold(%w) {axes = [1, 2], steps = " + steps +
        ", dilations = [1, 1], extents = [300, 300], before = [0, 0]}\n" + "result output \"x\" = %x\n}\n";
    PassContext context = planning_context();
    const Result<Graph> made = run_pass("folds", parse_graph(text, "t.ir", sources).value().graph, context);
    return made ? std::string() : made.error().front().message;
  };
  const std::string large = "%w: f32[N,3,3,100,100] = input() {name = \"w\"}";
  EXPECT_EQ(message(large, "[1, 1]"),
            "windows that overlap are added up in 10000 parts here, over the limit of 4096; larger strides or smaller "
            "windows have fewer");
  EXPECT_EQ(message("%w: f32[N,3,3,101,101] = input() {name = \"w\"}", "[100, 100]"),
            "windows that overlap are added up in 40000 parts here, over the limit of 4096; larger strides or smaller "
            "windows have fewer");
  EXPECT_EQ(message(large, "[100, 100]"), "") << "side by side";
  const std::string alike =
      "%g: f32[N,3,3] = input() {name = \"g\"}\n%w: f32[N,3,3,100,100] = broadcast(%g) {axes = [0, 1, 2]}";
  EXPECT_EQ(message(alike, "[1, 1]"), "");
  // Of a single window the stride says nothing: it makes no phases and no border as long as itself.
  for (const std::string_view single :
       {"%w: f32[N,1,1,3,3] = input() {name = \"w\"}",
        "%g: f32[N,1,1] = input() {name = \"g\"}\n%w: f32[N,1,1,3,3] = broadcast(%g) {axes = [0, 1, 2]}",
        "%g: f32[N,1,1,8] = input() {name = \"g\"}\n%k: f32[3,3,8] = input() {name = \"k\"}\n"
        "%w: f32[N,1,1,3,3] = contract(%g, %k) {map = \"npqf,ijf->npqij\"}"}) {
    EXPECT_EQ(message(std::string(single), "[100000, 100000]"), "") << single;
  }
  const std::string product =
      "%g: f32[N,3,3,8] = input() {name = \"g\"}\n%k: f32[KERNEL] = input() {name = \"k\"}\n"
      "%w: f32[N,3,3,100,100] = contract(%g, %k) {map = \"npqf,LETTERS->npqij\"}";
  const auto product_with = [&](const std::string& shape, const std::string& letters) {
    std::string text = product;
    text.replace(text.find("KERNEL"), 6, shape);
    return text.replace(text.find("LETTERS"), 7, letters);
  };
  // The windows of the shifted places, 300 x 300 x 100 x 100 of 8, are a value on the way.
  EXPECT_EQ(message(product_with("100,100,8", "ijf"), "[1, 1]"),
            "adding up these windows takes a value of 7200000000 elements, over the limit of 2147483648");
  // Elements that differ from place to place: no product of shifted places.
  EXPECT_EQ(message(product_with("3,3,100,100,8", "pqijf"), "[1, 1]"),
            "windows that overlap are added up in 10000 parts here, over the limit of 4096; larger strides or smaller "
            "windows have fewer");
}

// What only a plan needs runs for a plan alone, and never for the reference evaluator.
TEST(Pipeline, PassesForThePlanRunWhereOneIsMade) {
  const Graph graph = with_gradients(1);
  PassContext with = planning_context(), without = checked_context(), meaning = planning_context();
  expect_graph(optimize(graph, with));
  expect_graph(optimize(graph, without));
  expect_graph(lower_meaning(graph, meaning));
  for (const Pass& pass : graph_passes()) {
    EXPECT_TRUE(with.seconds.contains(pass.name)) << pass.name;
    EXPECT_EQ(without.seconds.contains(pass.name), pass.kind <= Pass::Kind::cost) << pass.name;
    EXPECT_EQ(meaning.seconds.contains(pass.name), pass.kind == Pass::Kind::meaning) << pass.name;
  }
}

TEST(Pipeline, ReproducerIsReadBack) {
  PassContext context;
  context.graph_name = "train";
  context.options.allow_reassociation = true;
  const Graph graph = random_graph(3, {});
  const std::string text = reproducer(graph, "batching", context);
  EXPECT_TRUE(text.starts_with("# tarn-opt --passes=batching --fast-math --verify-each tarn-reproducer-batching.txt\n"))
      << text;
  Sources sources;
  const Result<NamedGraph> read = parse_graph(text, "r.txt", sources);
  ASSERT_TRUE(read.has_value()) << read.error().front().message;
  EXPECT_EQ(read->name, "train");
  EXPECT_EQ(text_of(read->graph), text_of(graph));
  // Of a pass for the plan it says what is planned for.
  context.planned_for = {{.target = {.vector_bytes = 32}, .fuse = false}, 20};
  const std::string planned = reproducer(graph, "row_sums", context);
  EXPECT_TRUE(planned.starts_with("# tarn-opt --passes=row_sums --fast-math --batch 20 --vector-bytes 32 --no-fuse "))
      << planned;
}

// A loss of 20,000 operations and its gradient: 20 times the nodes may take 20 times the time of 1,000, not 400 times.
// Half a minute is far above the one and far below the other, on any machine, under any sanitizer.
TEST(Pipeline, IsLinearInTheNodes) {
  Graph graph;
  Builder b(graph);
  const NodeId w = b.source(Op::tensor, {DType::f32, false, {}}, {{Key::name, std::string("w")}});
  NodeId x = b.source(Op::input, {DType::f32, true, {}}, {{Key::name, std::string("x")}});
  for (int i = 0; i < 5000; ++i) {
    x = b.add(b.unary(Op::tanh, b.mul(x, w)), b.neg(b.constant(0.25 * (i % 7), DType::f32)));
  }
  const NodeId loss = b.unary(Op::batch_sum, x);
  graph.add_result(ResultKind::loss, "loss", loss);
  graph.add_result(ResultKind::value, "g", b.make(Op::grad, {loss, w}));
  ASSERT_GE(graph.size(), 15000U);
  PassContext context = checked_context();
  const auto start = std::chrono::steady_clock::now();
  const Graph optimized = expect_graph(optimize(graph, context));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GT(optimized.size(), 20000U);
  EXPECT_LT(seconds, 30);
}

// ---------------------------------------------------------------- whole graphs, before and after

struct GoldenPair {
  std::string name, before, after;
};

class GoldenGraph : public ::testing::TestWithParam<GoldenPair> {};

TEST_P(GoldenGraph, BecomesWhatIsWritten) {
  Sources sources;
  const Result<NamedGraph> before = parse_graph("graph t {\n" + GetParam().before + "}\n", "t.ir", sources);
  ASSERT_TRUE(before.has_value()) << before.error().front().message;
  const Result<NamedGraph> after = parse_graph("graph t {\n" + GetParam().after + "}\n", "t.ir", sources);
  ASSERT_TRUE(after.has_value()) << after.error().front().message;
  PassContext context = checked_context();
  EXPECT_EQ(text_of(expect_graph(optimize(before->graph, context))), text_of(after->graph));
}

const GoldenPair kGolden[] = {
    {"dense_layer_and_its_gradient", R"(
      %x: each f32[4] = input() {name = "x"}
      %w: f32[4,3] = tensor() {name = "w"}
      %1: each f32[3] = contract(%x, %w) {map = "k,kn->n"}
      %2: each f32[] = reduce_sum(%1) {axes = [0]}
      %3: f32[] = batch_sum(%2)
      %4: f32[4,3] = grad(%3, %w)
      result loss "loss" = %3
      result store "w" = %4
)",
     R"(
      %x: f32[N,4] = input() {name = "x"}
      %w: f32[4,3] = tensor() {name = "w"}
      %1: f32[N,3] = contract(%x, %w) {map = "Nk,kn->Nn"}
      %2: f32[] = reduce_sum(%1) {axes = [0, 1]}
      %3: f32[] = constant() {value = 1}
      %4: f32[N,3] = broadcast(%3) {axes = []}
      %5: f32[4,3] = contract(%4, %x) {map = "Nn,Nk->kn"}
      result loss "loss" = %2
      result store "w" = %5
)"},
    {"relu_of_slope_zero_and_its_gradient", R"(
      %x: f32[2] = tensor() {name = "x"}
      %g: f32[2] = tensor() {name = "g"}
      %0: f32[] = constant() {value = 0}
      %z: f32[2] = broadcast(%0) {axes = []}
      %c: bool[2] = less(%z, %x)
      %d: f32[2] = sub(%x, %z)
      %m: f32[2] = mul(%z, %d)
      %y: f32[2] = where(%c, %x, %m)
      %p: f32[2] = mul(%y, %g)
      %s: f32[] = reduce_sum(%p) {axes = [0]}
      %r: f32[2] = grad(%s, %x)
      result value "y" = %y
      result value "r" = %r
)",
     R"(
      %x: f32[2] = tensor() {name = "x"}
      %g: f32[2] = tensor() {name = "g"}
      %0: f32[] = constant() {value = 0}
      %z: f32[2] = broadcast(%0) {axes = []}
      %c: bool[2] = less(%z, %x)
      %y: f32[2] = maximum(%x, %z)
      %r: f32[2] = where(%c, %g, %z)
      result value "y" = %y
      result value "r" = %r
)"},
    {"scalars_are_computed_once", R"(
      %w: f32[5] = tensor() {name = "w"}
      %r: f64[] = tensor() {name = "rate"}
      %1: f32[] = convert(%r)
      %2: f32[5] = broadcast(%1) {axes = []}
      %3: f32[] = constant() {value = 0.25}
      %4: f32[5] = broadcast(%3) {axes = []}
      %5: f32[5] = sub(%4, %2)
      %6: f32[5] = mul(%w, %5)
      result store "w" = %6
)",
     R"(
      %w: f32[5] = tensor() {name = "w"}
      %r: f64[] = tensor() {name = "rate"}
      %1: f32[] = convert(%r)
      %2: f32[] = constant() {value = 0.25}
      %3: f32[] = sub(%2, %1)
      %4: f32[5] = broadcast(%3) {axes = []}
      %5: f32[5] = mul(%w, %4)
      result store "w" = %5
)"},
};
INSTANTIATE_TEST_SUITE_P(All, GoldenGraph, ::testing::ValuesIn(kGolden),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tarn
