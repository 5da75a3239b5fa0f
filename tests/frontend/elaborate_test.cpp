// Elaboration: what expressions are worth, how parameters are called, what is shared, and where nodes come from.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/random.h"
#include "tests/support/compiler/frontend_test_support.h"

namespace tarn {
namespace {

using namespace frontend_test;

// ---------------------------------------------------------------- values of expressions

struct ExpressionCase {
  const char* expression;
  Shape shape;
  std::vector<double> values;
};

// x = [1, 2, -3], m = [[1, 2], [3, 4]]. Expected values by hand, after NumPy's rules.
const ExpressionCase kExpressions[] = {
    // precedence and operators
    {"2 + 3 * x", {3}, {5, 8, -7}},
    {"-x^2", {3}, {-1, -4, -9}},
    {"2^-1 * x", {3}, {0.5, 1, -1.5}},
    {"2^3^2 + 0 * x[0]", {}, {512}},
    {"7 // 2 + 7 % 3 + x", {3}, {5, 6, 1}},
    {"-7 // 2 + -7 % 3 + 0 * x", {3}, {-2, -2, -2}},
    {"x // 2", {3}, {0, 1, -2}},
    {"x % 2", {3}, {1, 0, 1}},
    {"where(x > 0 and not (x == 2), 1, 0)", {3}, {1, 0, 0}},
    {"where(x >= 2 or x < 0, x, 10)", {3}, {10, 2, -3}},
    {"where(x != 2, 1, 0) + where(x <= 1, 1, 0)", {3}, {2, 0, 2}},
    {"if 2 in [1, 2] and true then x else -x", {3}, {1, 2, -3}},
    {"if 3 in [1, 2] or none == 0 then x else -x", {3}, {-1, -2, 3}},
    // broadcasting
    {"m + x[0:2]", {2, 2}, {2, 4, 4, 6}},
    {"m * reshape(x[0:2], [2, 1])", {2, 2}, {1, 2, 6, 8}},
    {"broadcast(x, [2, 3])", {2, 3}, {1, 2, -3, 1, 2, -3}},
    {"x + [10, 20, 30]", {3}, {11, 22, 27}},
    {"[[1], [2]] * x[0:2]", {2, 2}, {1, 2, 2, 4}},
    // lists and comprehensions
    {"sum([i * i for i in 0..4]) * x", {3}, {14, 28, -42}},
    {"[i for i in 0..5 if i % 2 == 1] + x[0:2]", {2}, {2, 5}},
    {"sum([a * b for a, b in [[1, 2], [3, 4]]]) + x", {3}, {15, 16, 11}},
    {"len(concat([1, 2], [3])) * x", {3}, {3, 6, -9}},
    {"[1, 2, 3][-1] * x", {3}, {3, 6, -9}},
    {"sum([1, 2, 3][0:2]) * x", {3}, {3, 6, -9}},
    {"prod(shape(m)) + max([3, 9, 4]) + min([3, 9]) + x", {3}, {17, 18, 13}},
    {"mean([1, 2]) * x", {3}, {1.5, 3, -4.5}},
    {"(2 * [1, 2] - 1)[1] * x", {3}, {3, 6, -9}},
    {"if all([i > 0 for i in [1, 2]]) and any([false, true]) then x else 0 * x", {3}, {1, 2, -3}},
    // reductions
    {"sum(m)", {}, {10}},
    {"sum(m, axis = 0)", {2}, {4, 6}},
    {"sum(m, axis = -1, keepdims = true)", {2, 1}, {3, 7}},
    {"mean(m, axis = [0, 1])", {}, {2.5}},
    {"prod(x)", {}, {-6}},
    {"max(x) + min(x)", {}, {-1}},
    {"max(x, 0)", {3}, {1, 2, 0}},
    {"min(x, 0, -1)", {3}, {-1, -1, -3}},
    {"argmax(x) + argmin(x)", {}, {3}},
    {"argmax(m, axis = 0)", {2}, {1, 1}},
    {"where(any(x > 1), 1, 0) + where(all(x > 1), 1, 0)", {}, {1}},
    {"mean(x > 0)", {}, {2.0 / 3}},
    {"mean(x, axis = [])", {3}, {1, 2, -3}},
    // shapes
    {"reshape(m, [-1])", {4}, {1, 2, 3, 4}},
    {"reshape(m, [[1, 4]])", {1, 4}, {1, 2, 3, 4}},
    {"transpose(m)", {2, 2}, {1, 3, 2, 4}},
    {"transpose(reshape(x, [1, 3, 1]), [1, 0, 2])", {3, 1, 1}, {1, 2, -3}},
    {"concat(x, [5], x[0:1])", {5}, {1, 2, -3, 5, 1}},
    {"concat(m, m, axis = 1)", {2, 4}, {1, 2, 1, 2, 3, 4, 3, 4}},
    {"stack([x[0] > 0, 0.5])", {2}, {1, 0.5}},
    {"stack([i32(x[1]), 0.5, x[0] > 2])", {3}, {2, 0.5, 0}},
    {"stack([x[0] > 0, i32(x[1])])", {2}, {1, 2}},
    {"concat(x > 0, [2, true])", {5}, {1, 1, 0, 2, 1}},
    {"where(stack([x[0] > 0, false]), 7, 8)", {2}, {7, 8}},
    {"stack([x, 2 * x])", {2, 3}, {1, 2, -3, 2, 4, -6}},
    {"stack([x, 2 * x], axis = 1)", {3, 2}, {1, 2, 2, 4, -3, -6}},
    {"split(x, 3)[1]", {1}, {2}},
    {"split(m, 2, axis = 1)[0]", {2, 1}, {1, 3}},
    {"pad(x, [1, 2], value = 9)", {6}, {9, 1, 2, -3, 9, 9}},
    {"pad(m, [[0, 1], [1, 0]])", {3, 3}, {0, 1, 2, 0, 3, 4, 0, 0, 0}},
    {"flip(x)", {3}, {-3, 2, 1}},
    {"flip(m, axis = 1)", {2, 2}, {2, 1, 4, 3}},
    {"m[0]", {2}, {1, 2}},
    {"m[-1, 0]", {}, {3}},
    {"m[:, 1]", {2}, {2, 4}},
    {"x[-2:]", {2}, {2, -3}},
    {"x[0:9]", {3}, {1, 2, -3}},
    {"rank(m) * 100 + dim(m, -1) * 10 + len(x) + 0 * x[0]", {}, {223}},
    // products
    {"m @ m", {2, 2}, {7, 10, 15, 22}},
    {"x[0:2] @ m", {2}, {7, 10}},
    {"m @ x[0:2]", {2}, {5, 11}},
    {"x @ x", {}, {14}},
    {"einsum(\"ij,jk->ki\", m, m)", {2, 2}, {7, 15, 10, 22}},
    {"einsum(\"ij,ij->\", m, m)", {}, {30}},
    {"einsum(\"i,j->ij\", x[0:2], x[0:2])", {2, 2}, {1, 2, 2, 4}},
    {"einsum(\"ij->j\", m)", {2}, {4, 6}},
    {"einsum(\"ij->ji\", m)", {2, 2}, {1, 3, 2, 4}},
    {"einsum(\"ij,k->k\", m, x)", {3}, {10, 20, -30}},
    // indices and types
    {"iota(3) + x", {3}, {1, 3, -1}},
    {"one_hot(i32(x), 3)", {3, 3}, {0, 1, 0, 0, 0, 1, 0, 0, 0}},
    {"i32(x / 2)", {3}, {0, 1, -1}},
    {"i32(x) / 2", {3}, {0.5, 1, -1.5}},
    {"i32(x) // 2", {3}, {0, 1, -2}},
    {"f64(x > 0) + (x > 0)", {3}, {2, 2, 0}},
    {"clip(x, -1, 1.5)", {3}, {1, 1.5, -1}},
    {"round(x / 2)", {3}, {0, 1, -2}},
    {"floor(x / 2) + ceil(x / 2)", {3}, {1, 2, -3}},
    {"sign(x) + abs(x)", {3}, {2, 3, 2}},
    {"stop_gradient(x)", {3}, {1, 2, -3}},
    {"where(is_finite(x / [0, 1, 1]), x, 7)", {3}, {7, 2, -3}},
    // functions
    {"x |> (a => a + 1)", {3}, {2, 3, -2}},
    {"x |> clip(0, 1)", {3}, {1, 1, 0}},
    {"twice(a => a * 3, x)", {3}, {9, 18, -27}},
    {"scaled(10)(x)", {3}, {10, 20, -30}},
    {"x |> scaled(10)", {3}, {10, 20, -30}},
    {"x |> scaled", {3}, {2, 4, -6}},
    {"swapped(x, 5 * x)", {3}, {4, 8, -12}},
    {"power(x)", {3}, {1, 4, 9}},
    {"power(x, n = 3)", {3}, {1, 8, -27}},
};
const char* const kDeclarations =
    "fn twice(f, x) = f(f(x))\n"
    "fn scaled(factor = 2)(x) = factor * x\n"
    "fn pair(a, b) { return b, a }\n"
    "fn swapped(a, b) { p, q = pair(a, b); return p - q }\n"
    "fn power(x, n = 2) { y = 1; repeat n { y = y * x }; return y }\n";

TEST(Elaborate, Expressions) {
  for (const ExpressionCase& c : kExpressions) {
    SCOPED_TRACE(c.expression);
    const HostTensor value = value_of(c.expression, kDeclarations);
    EXPECT_EQ(to_string(value.shape), to_string(c.shape));
    ASSERT_EQ(value.data.size(), c.values.size());
    for (std::size_t i = 0; i < c.values.size(); ++i) EXPECT_NEAR(value.data[i], c.values[i], 1e-12) << i;
  }
}

TEST(Elaborate, TypesOfResults) {
  const Compiled c = compile(
      "model m { input x[2]; input i: i32; input d: f64; input b: bool\n"
      "output a = x + i; output e = i / 2; output f = i * 2; output g = x * d; output h = b * x; output k = x > 0\n"
      "output l = i + 0.5; output n = f64(x); output o = where(b, 1, 0); output p = argmax(x) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const std::map<std::string, DType> expected = {
      {"a", DType::f32},     {"e", DType::f32}, {"f", DType::i32}, {"g", DType::f64}, {"h", DType::f32},
      {"k", DType::boolean}, {"l", DType::f32}, {"n", DType::f64}, {"o", DType::f32}, {"p", DType::i32}};
  ASSERT_EQ(c.program().outputs.size(), expected.size());
  for (const OutputInfo& output : c.program().outputs)
    EXPECT_EQ(name_of(output.type.dtype), name_of(expected.at(output.name))) << output.name;
}

TEST(Elaborate, PrecisionChangesWhatHasNoTypeOfItsOwn) {
  FrontendOptions options;
  options.float_type = DType::f64;
  const Compiled c =
      compile("model m { input x[2]; input z[2]: f32; output y = x |> dense(3); output u = z * 2; output v = f32(x) }",
              options);
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().find_input("x")->type.dtype, DType::f64);
  EXPECT_EQ(c.program().find_input("z")->type.dtype, DType::f32);
  EXPECT_EQ(c.program().find_tensor("dense_1.kernel")->type.dtype, DType::f64);
  EXPECT_EQ(c.program().outputs[0].type.dtype, DType::f64);
  EXPECT_EQ(c.program().outputs[1].type.dtype, DType::f32);
  EXPECT_EQ(c.program().outputs[2].type.dtype, DType::f32);
}

// ---------------------------------------------------------------- models

struct NamesCase {
  const char* what;
  const char* model;  // statements of a model with x[4]
  std::vector<std::string> names;
};

const char* const kLayers =
    "layer block(units)(x) { a = dense(units); return a(x) |> dense(2) }\n"
    "layer pairwise(f)(x) = f(x) + f(2 * x)\n"
    "layer scale(x) { param s[4] = 1; return s * x }\n"
    "layer steps(x) { for i in 0..2 { param w[4] = 0; x = x + w }; return x }\n"
    "fn fresh(x) { d = dense(4); return d(x) }\n";

const NamesCase kNames[] = {
    {"unnamed layers are numbered as they come",
     "output y = x |> dense(3) |> dense(2)",
     {"dense_1.kernel", "dense_1.bias", "dense_2.kernel", "dense_2.bias"}},
    {"a bound layer has its name", "enc = dense(3); output y = enc(x)", {"enc.kernel", "enc.bias"}},
    {"applied twice it is shared", "enc = dense(4); output y = enc(enc(x))", {"enc.kernel", "enc.bias"}},
    {"an alias is the same layer", "enc = dense(4); other = enc; output y = enc(other(x))", {"enc.kernel", "enc.bias"}},
    {"a copy is not",
     "enc = dense(4); other = copy(enc); output y = enc(other(x))",
     {"other.kernel", "other.bias", "enc.kernel", "enc.bias"}},
    {"nested layers give paths",
     "output y = x |> block(3)",
     {"block_1.a.kernel", "block_1.a.bias", "block_1.dense_1.kernel", "block_1.dense_1.bias"}},
    {"nested layers are shared with theirs",
     "b = block(4); output y = b(x) + b(2 * x)",
     {"b.a.kernel", "b.a.bias", "b.dense_1.kernel", "b.dense_1.bias"}},
    {"lambdas make once and share",
     "enc = a => a |> dense(4) |> dense(4); output y = enc(enc(x))",
     {"enc.dense_1.kernel", "enc.dense_1.bias", "enc.dense_2.kernel", "enc.dense_2.bias"}},
    {"a copy of a lambda has its own",
     "enc = a => a |> dense(4); other = copy(enc); output y = enc(other(x))",
     {"other.dense_1.kernel", "other.dense_1.bias", "enc.dense_1.kernel", "enc.dense_1.bias"}},
    {"names bound again in a loop are numbered",
     "h = x; for i in 0..3 { d = dense(4, use_bias = false); h = d(h) }; output y = h",
     {"d.kernel", "d_1.kernel", "d_2.kernel"}},
    {"layers of a list share what they are",
     "all = [dense(4, use_bias = false) for i in 0..2]; output y = all[0](all[1](all[0](x)))",
     {"dense_1.kernel", "dense_2.kernel"}},
    {"a layer as argument belongs where it was made",
     "output y = x |> pairwise(dense(2, use_bias = false))",
     {"dense_1.kernel"}},
    {"a function makes new ones each time",
     "output y = fresh(fresh(x))",
     {"d.kernel", "d.bias", "d_1.kernel", "d_1.bias"}},
    {"a layer without configuration", "output y = x |> scale", {"scale_1.s"}},
    {"… applied by name, twice", "output y = scale(scale(x))", {"scale_1.s", "scale_2.s"}},
    {"… and bound", "f = scale; output y = f(f(x))", {"scale_1.s", "scale_2.s"}},
    {"a bare configurable layer that is bound is one layer",
     "f = layer_norm; output y = f(f(x))",
     {"f.gamma", "f.beta"}},
    {"parameters in a loop", "output y = x |> steps", {"steps_1.w", "steps_1.w_1"}},
    {"parameters of the model", "param w[4] = 1; output y = w * x", {"w"}},
    {"a name that is taken",
     "dense_1 = dense(4, use_bias = false); output y = dense_1(x) |> dense(2, use_bias = false)",
     {"dense_1.kernel", "dense_2.kernel"}},
    {"a parameter read by its path",
     "enc = dense(4, use_bias = false); h = enc(x); output y = h @ transpose(enc.kernel)",
     {"enc.kernel"}},
};

TEST(Elaborate, NamesAndSharing) {
  for (const NamesCase& c : kNames) {
    SCOPED_TRACE(c.what);
    // The train block elaborates the model twice more: names must come out the same.
    const Compiled compiled = compile(std::string(kLayers) + "model m {\n input x[4]\n " + c.model +
                                      "\n}\ntrain { loss sum(y); optimizer sgd }");
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    std::vector<std::string> names;
    for (const TensorInfo& t : compiled.program().tensors) {
      if (t.kind == TensorKind::parameter) names.push_back(t.name);
    }
    EXPECT_EQ(names, c.names);
    for (const auto& [name, graph] : compiled.program().graphs) EXPECT_TRUE(verify(graph).has_value()) << name;
  }
}

TEST(Elaborate, ALambdaSeesWhatStandsAroundIt) {
  const HostTensor value = value_of("apply(2)(x)", "fn apply(k) = v => k * v + k");
  EXPECT_EQ(value.data, (std::vector<double>{4, 6, -4}));
}

// Network and number from the issue that asked for it: 0.93015909 within 2e-7.
TEST(Elaborate, NetworkWithWeightsInTheFile) {
  const Compiled c = compile(R"(
model by_hand {
  input x[2]
  h = x |> dense(5, tanh, kernel_init = [[-1.08239257, 0.32482854, 0.95010394, 0.00501535, -0.47380614], [-0.56682748, 1.15749049, 0.91618514, 0.37518814, -0.67639047]],
                 bias_init = [-0.18290569, 0.21453567, 0.01353107, 0.27740911, 0.09604219])
  output hidden = h
  output y = h |> dense(1, tanh, kernel_init = [[-0.8775745], [1.09351909], [0.21981503], [1.31380796], [-0.10301871]], bias_init = [0.27410847])
})");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_FALSE(c.program().trainable);
  const Values outputs = predict(c.program(), {{"x", {{2}, {0.3, 0.1}}}}, initial_tensors(c.program()));
  EXPECT_NEAR(outputs.at("y").data[0], 0.93015909, 2e-7);
  const double hidden[] = {-0.5112, 0.4034, 0.3715, 0.3063, -0.1133};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(outputs.at("hidden").data[static_cast<std::size_t>(i)], hidden[i], 5e-5);
}

// Course networks: numbers from the issue.
TEST(Elaborate, CourseNetworks) {
  const std::string weights =
      "const k1 = [[.1,.4,.7,.1,.3],[.2,.5,.8,.1,.4],[.3,.6,.9,.2,.5]]\nconst b1 = [.1,.2,.3,.4,.5]\n"
      "const k2 = [[.1,.6,.1,.6],[.2,.7,.2,.7],[.3,.8,.3,.8],[.4,.9,.4,.9],[.5,.1,.5,.1]]\nconst b2 = [.1,.2,.3,.4]\n";
  std::string text = weights +
                     "model m { input x[3]; h = x |> dense(5, relu, kernel_init = k1, bias_init = b1)\n"
                     "z = dense(4, kernel_init = k2, bias_init = b2)(h); output y = softmax(z); output r = z }";
  for (std::size_t at; (at = text.find("[.")) != std::string::npos;) text.replace(at, 2, "[0.");
  for (std::size_t at; (at = text.find(",.")) != std::string::npos;) text.replace(at, 2, ",0.");
  const Compiled c = compile(text);
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values outputs = predict(c.program(), {{"x", {{3}, {1, 2, 3}}}}, initial_tensors(c.program()));
  const double softmax[] = {0.00443583, 0.44573018, 0.00541793, 0.54441607}, linear[] = {4.59, 9.2, 4.79, 9.4};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(outputs.at("y").data[i], softmax[i], 1e-8);
    EXPECT_NEAR(outputs.at("r").data[i], linear[i], 1e-6);
  }
}

TEST(Elaborate, ConditionsAndLoopsUnroll) {
  const Compiled c = compile(R"(
const depth = 3
model m {
  input x[2]
  h = x
  for i in 0..depth { if i % 2 == 0 { h = h + i } else if i == 1 { h = h * 10 } else { h = 0 * h } }
  output y = h
})");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(predict(c.program(), {{"x", {{2}, {1, 2}}}}, {}).at("y").data, (std::vector<double>{12, 22}));
}

// ---------------------------------------------------------------- random draws

std::vector<std::int64_t> streams(const Graph& graph) {
  std::vector<std::int64_t> found;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].attributes.has(Key::stream)) found.push_back(graph[id].attributes.integer(Key::stream));
  }
  return found;
}

TEST(Elaborate, InitializersDrawFromTheStreamOfTheirParameter) {
  const Compiled c = compile("model m { input x[4]; output y = x |> dense(3) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(streams(c.program().graphs.at("init")),
            (std::vector<std::int64_t>{static_cast<std::int64_t>(stream_of("dense_1.kernel", 0))}));
}

TEST(Elaborate, AnotherLayerChangesNobodysNumbers) {
  const Compiled one = compile("model m { input x[4]; enc = dense(3); output y = enc(x) }");
  const Compiled two = compile(
      "model m { input x[4]; z = x |> dense(4) |> dropout(0.5); enc = dense(3); output y = enc(x); output u = z }");
  ASSERT_TRUE(one.result.program && two.result.program);
  EXPECT_EQ(initial_tensors(one.program(), 5).at("enc.kernel").data,
            initial_tensors(two.program(), 5).at("enc.kernel").data);
  EXPECT_NE(initial_tensors(one.program(), 5).at("enc.kernel").data,
            initial_tensors(one.program(), 6).at("enc.kernel").data);
}

TEST(Elaborate, EveryDrawIsAStreamOfItsOwn) {
  const Compiled c = compile(
      "model m { input x[4]; d = dropout(0.5); output y = d(x) + d(2 * x) + (x |> dropout(0.5)) + random_normal([4]) * "
      "random_normal([4]) }\n"
      "train { loss sum(y); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  std::vector<std::int64_t> found = streams(c.program().graphs.at("train"));
  ASSERT_EQ(found.size(), 5U);
  std::sort(found.begin(), found.end());
  EXPECT_EQ(std::unique(found.begin(), found.end()), found.end());
  EXPECT_EQ(streams(c.program().graphs.at("predict")).size(), 2U) << "dropout draws only while training";
}

// ---------------------------------------------------------------- places

TEST(Elaborate, NodesKnowTheCallsThatLedToThem) {
  const Compiled c = compile("model m {\n  input x[4]\n  output y = x |> dense(3, relu)\n}");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Graph& graph = c.program().graphs.at("predict");
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (graph[id].op != Op::contract) continue;
    const Location& location = (*graph.locations())[graph[id].location];
    EXPECT_EQ(location.context, "layer 'dense'");
    EXPECT_TRUE(c.sources.name(location.span.file).starts_with("prelude/"));
    const Span outermost = graph.locations()->outermost(graph[id].location);
    EXPECT_EQ(c.sources.name(outermost.file), "test.tarn");
    EXPECT_EQ(outermost.line, 3U);
    EXPECT_EQ(outermost.column, 19U);
    return;
  }
  FAIL() << "no product";
}

TEST(Elaborate, LayersForTheSummary) {
  const Compiled c = compile(std::string(kLayers) + "model m { input x[4]; b = block(3); output y = b(x) + b(2 * x) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const std::vector<LayerInfo>& layers = c.program().layers;
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].path, "b");
  EXPECT_EQ(layers[0].layer, "block");
  EXPECT_EQ(layers[0].depth, 0);
  EXPECT_TRUE(layers[0].tensors.empty());
  EXPECT_EQ(layers[1].path, "b.a");
  EXPECT_EQ(layers[1].output, (Shape{3}));
  EXPECT_EQ(layers[1].depth, 1);
  EXPECT_EQ(layers[1].tensors, (std::vector<std::string>{"b.a.kernel", "b.a.bias"}));
}

}  // namespace
}  // namespace tarn
