// Elaboration: what expressions are worth, how parameters are called, what is shared, what each graph stores, and the
// limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "frontend_test_support.h"
#include "ir/random.h"

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

// ---------------------------------------------------------------- training

const char* const kLine = "model m { input x; param a = 2; output y = a * x }\n";

TEST(Elaborate, GraphsStoreWhatTheyMust) {
  const Compiled c = compile(
      "model m { input x[4]; output y = x |> batch_norm |> dense(3) }\ntrain { target t[3]; loss mse(y, t); optimizer "
      "adam }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const auto stores = [&](const std::string& graph) {
    std::vector<std::string> names;
    for (const GraphResult& r : c.program().graphs.at(graph).results()) {
      if (r.kind == ResultKind::store && !r.name.starts_with("metric.")) names.push_back(r.name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  std::vector<std::string> moved = {"batch_norm_1.beta", "batch_norm_1.gamma", "dense_1.bias", "dense_1.kernel"}, slots;
  for (const std::string& p : moved) {
    slots.push_back(p + ".m");
    slots.push_back(p + ".v");
  }
  moved.insert(moved.end(), slots.begin(), slots.end());
  for (const char* state : {"batch_norm_1.moving_mean", "batch_norm_1.moving_var", "step"}) moved.emplace_back(state);
  std::sort(moved.begin(), moved.end());
  EXPECT_EQ(stores("train"), moved);
  EXPECT_TRUE(stores("evaluate").empty());
  std::vector<std::string> all = moved;
  for (const char* hyper : {"optimizer.lr", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon", "epoch"})
    all.emplace_back(hyper);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(stores("init"), all);
  EXPECT_TRUE(c.program().graphs.at("predict").results().size() == 1);
}

TEST(Elaborate, LossIsTheMeanOfTheBatchAndItsMetricIsWeightedBySize) {
  const Compiled c =
      compile(std::string(kLine) + "train { target t; loss mse(y, t); metric mae(y, t); optimizer sgd(lr = 0.5) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  Values tensors = initial_tensors(c.program());
  // y = 2 4, t = 1 1: errors 1 3; d loss / d a = mean(2 e x) = (2 + 12) / 2 = 7.
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}};
  Values next = train_step(c.program(), inputs, tensors, 2);
  EXPECT_DOUBLE_EQ(next["loss"].data[0], 5);
  EXPECT_DOUBLE_EQ(next["a"].data[0], 2 - 0.5 * 7);
  EXPECT_DOUBLE_EQ(next["metric.loss.total"].data[0], 10);
  EXPECT_DOUBLE_EQ(next["metric.loss.count"].data[0], 2);
  EXPECT_DOUBLE_EQ(next["step"].data[0], 1);
  for (const auto& [name, value] : next) tensors[name] = value;
  const Values reported = report(c.program(), tensors);
  EXPECT_DOUBLE_EQ(reported.at("loss").data[0], 5);
  EXPECT_DOUBLE_EQ(reported.at("mae").data[0], 2);
  const std::vector<MetricInfo>& metrics = c.program().metrics;
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].name, "loss");
  EXPECT_EQ(metrics[1].name, "mae");
}

TEST(Elaborate, RegularizersAndPenaltiesAreInTheObjective) {
  const Compiled c = compile(
      "layer costly(x) { penalty 0.5 * x^2; return x }\n"
      "model m { input x; param a = 2, regularizer = l2(0.1); output y = costly(a * x) }\ntrain { target t; loss "
      "mse(y, t); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values tensors = initial_tensors(c.program());
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}};
  // mse 5, l2 0.1 * 4, penalty mean(0.5 * 4, 0.5 * 16)
  for (const Values& values :
       {train_step(c.program(), inputs, tensors, 2), evaluate_batch(c.program(), inputs, tensors, 2)}) {
    EXPECT_NEAR(values.at("loss").data[0], 5 + 0.4 + 5, 1e-12);
  }
}

TEST(Elaborate, SeveralLossesReachTheirOwnParameters) {
  const Compiled c = compile(
      "model m { input x; param a = 1; param b = 1; output y = a * b * x }\n"
      "train { loss 3 * y for a; loss other = 5 * y for b; loss 7 * y; optimizer sgd(lr = 1); optimizer sgd(lr = 0.1) "
      "for b }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values next = train_step(c.program(), {{"x", {{1}, {1}}}}, initial_tensors(c.program()), 1);
  EXPECT_DOUBLE_EQ(next.at("loss").data[0], 15);
  EXPECT_DOUBLE_EQ(next.at("a").data[0], 1 - 10);
  EXPECT_NEAR(next.at("b").data[0], 1 - 0.1 * 12, 1e-12);
  std::vector<std::string> names;
  for (const MetricInfo& metric : c.program().metrics) names.push_back(metric.name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "loss_1", "other", "loss_2"}));
  EXPECT_EQ(c.program().find_tensor("optimizer.b.lr")->initial, 0.1);
}

struct UpdateCase {
  const char* what;
  const char* settings;
  double a, b;  // after one step from a = 2, b = 3
};

// loss = 3 a + 4 b: the gradient is (3, 4), its norm 5.
const UpdateCase kUpdates[] = {
    {"plain", "optimizer sgd(lr = 1)", -1, -1},
    {"freeze", "optimizer sgd(lr = 1)\nfreeze a", 2, -1},
    {"clip_value", "optimizer sgd(lr = 1)\nclip_value 3.5", -1, -0.5},
    {"clip_norm is by parameter", "optimizer sgd(lr = 1)\nclip_norm 1", 1, 2},
    {"clip_norm for one", "optimizer sgd(lr = 1)\nclip_norm 1 for a", 1, -1},
    {"clip_global_norm", "optimizer sgd(lr = 1)\nclip_global_norm 1", 1.4, 2.2},
    {"clip_global_norm that is not reached", "optimizer sgd(lr = 1)\nclip_global_norm 10", -1, -1},
    {"weight_decay", "optimizer sgd(lr = 1)\nweight_decay 0.1", 2 - 0.2 - 3, 3 - 0.3 - 4},
    {"an optimizer that applies another", "optimizer decayed(sgd(lr = 1), 0.1, 1)", 2 - 0.2 - 3, 3 - 0.3 - 4},
    {"a schedule", "optimizer sgd(lr = exponential_decay(step + 1, 1, 1, 0.5))", 0.5, 1},
    {"the more specific optimizer wins", "optimizer sgd(lr = 1)\noptimizer sgd(lr = 0) for b", -1, 3},
};

TEST(Elaborate, Updates) {
  for (const UpdateCase& c : kUpdates) {
    SCOPED_TRACE(c.what);
    FrontendOptions options;
    options.float_type = DType::f64;
    const Compiled compiled =
        compile("model m { input x; param a = 2; param b = 3; output y = (3 * a + 4 * b) * x }\ntrain { loss y\n" +
                    std::string(c.settings) + "\n}",
                options);
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    const Values tensors = initial_tensors(compiled.program());
    const Values next = train_step(compiled.program(), {{"x", {{2}, {1, 1}}}}, tensors, 2);
    const auto value = [&](const char* name) {
      return next.contains(name) ? next.at(name).data[0] : tensors.at(name).data[0];
    };
    EXPECT_NEAR(value("a"), c.a, 1e-12);
    EXPECT_NEAR(value("b"), c.b, 1e-12);
  }
}

TEST(Elaborate, ConstraintsHoldAfterTheUpdate) {
  const Compiled c = compile(
      "model m { input x; param a = 2, constraint = non_neg; output y = a * x }\ntrain { loss 5 * y; optimizer sgd(lr "
      "= 1) }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(train_step(c.program(), {{"x", {{1}, {1}}}}, initial_tensors(c.program()), 1).at("a").data[0], 0);
}

TEST(Elaborate, HyperParametersAreTensorsUnlessTheyDecideTheStructure) {
  const Compiled plain = compile(std::string(kLine) + "train { loss y; optimizer sgd(lr = 0.5) }");
  ASSERT_TRUE(plain.result.program) << plain.messages();
  EXPECT_EQ(plain.program().find_tensor("optimizer.lr")->initial, 0.5);
  EXPECT_EQ(plain.program().find_tensor("optimizer.momentum"), nullptr) << "it chose the branch without momentum";
  EXPECT_EQ(plain.program().find_tensor("a.v"), nullptr);
  const Compiled momentum = compile(std::string(kLine) + "train { loss y; optimizer sgd(lr = 0.5, momentum = 0.9) }");
  ASSERT_TRUE(momentum.result.program) << momentum.messages();
  EXPECT_EQ(momentum.program().find_tensor("optimizer.momentum")->initial, 0.9);
  EXPECT_NE(momentum.program().find_tensor("a.v"), nullptr);
}

TEST(Elaborate, StatesMoveInTrainingOnly) {
  const Compiled c = compile(
      "layer counting(x) { state n = 10; n <- n + batch_sum(1); return x * n }\n"
      "model m { input x; if training { k = 1 } else { k = 1 }; output y = x * k |> counting_in_training }\n"
      "layer counting_in_training(x) = if training then counting(x) else x\n"
      "train { loss y; optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  const Values next = train_step(c.program(), {{"x", {{2}, {1, 1}}}}, initial_tensors(c.program()), 2);
  EXPECT_EQ(next.at("counting_in_training_1.counting_1.n").data[0], 12);
  EXPECT_EQ(next.at("loss").data[0], 12) << "below the line the name means the new value";
}

TEST(Elaborate, MetricsWithStates) {
  const Compiled c = compile(
      "metric spread(y, t, factor = 1) {\n  state most = -1000\n  state n = 0\n  d = factor * (y - t)\n"
      "  most <- max(most, batch_sum(d))\n  n <- n + batch_sum(1)\n  return [1, 2] * most / n\n}\n" +
      std::string(kLine) + "train { target t; loss mse(y, t); metric spread(y, t, factor = 10); optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  Values tensors = initial_tensors(c.program());
  EXPECT_EQ(tensors.at("metric.spread.most").data[0], -1000);
  for (const auto& [name, value] :
       evaluate_batch(c.program(), {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 1}}}}, tensors, 2))
    tensors[name] = value;
  EXPECT_EQ(report(c.program(), tensors).at("spread").data, (std::vector<double>{20, 40}));
  EXPECT_EQ(c.program().metrics[1].shape, (Shape{2}));
}

struct AccuracyCase {
  const char* model;
  const char* train;
  const char* resolved;
};

TEST(Elaborate, AccuracyResolvesByShapesAndLoss) {
  const AccuracyCase cases[] = {
      {"output y = x |> dense(3, softmax)", "target t[3]\nloss categorical_crossentropy(y, t)", "categorical_accuracy"},
      {"output y = x |> dense(3, softmax)", "target t: i32\nloss sparse_categorical_crossentropy(y, t)",
       "sparse_categorical_accuracy"},
      {"output y = x |> dense(3, softmax)", "target t[1]\nloss sparse_categorical_crossentropy(y, t)",
       "sparse_categorical_accuracy"},
      {"output y = x |> dense(1, sigmoid)", "target t[1]\nloss binary_crossentropy(y, t)", "binary_accuracy"},
      {"output y = sum(x |> dense(1, sigmoid))", "target t\nloss mse(y, t)", "binary_accuracy"},
      {"output y = x |> dense(3, sigmoid)", "target t[3]\nloss binary_crossentropy(y, t)", "binary_accuracy"},
  };
  for (const AccuracyCase& c : cases) {
    const Compiled compiled = compile("model m { input x[4]\n" + std::string(c.model) + "\n}\ntrain {\n" + c.train +
                                      "\nmetric accuracy(y, t)\noptimizer sgd\n}");
    ASSERT_TRUE(compiled.result.program) << compiled.messages();
    EXPECT_EQ(compiled.program().metrics[1].name, "accuracy");
    EXPECT_EQ(compiled.program().metrics[1].resolved, c.resolved) << c.train;
  }
}

TEST(Elaborate, WeightsOfSamplesAndClasses) {
  const Compiled c =
      compile(std::string(kLine) +
              "train { target t; target w; loss mse(y, t); sample_weight w; class_weight {1: 10}; optimizer sgd }");
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().find_input("w")->role, InputRole::sample_weight);
  // errors^2: (2 - 1)^2 * 2 * 10, (4 - 0)^2 * 3 * 1, divided by the number of samples
  const Values inputs = {{"x", {{2}, {1, 2}}}, {"t", {{2}, {1, 0}}}, {"w", {{2}, {2, 3}}}};
  const Values tensors = initial_tensors(c.program());
  EXPECT_DOUBLE_EQ(train_step(c.program(), inputs, tensors, 2).at("loss").data[0], (20 + 48) / 2.0);
  // Classes are weighed in training alone, as in Keras.
  EXPECT_DOUBLE_EQ(evaluate_batch(c.program(), inputs, tensors, 2).at("loss").data[0], (2 + 48) / 2.0);
}

// ---------------------------------------------------------------- settings and --set

TEST(Elaborate, SettingsReachTheProgram) {
  const Compiled c = compile(std::string(kLine) + R"(train {
  target t
  loss mse(y, t)
  optimizer sgd
  epochs 2 * 5
  batch 7
  shuffle false
  seed 9
  validation_split 0.25
  early_stopping(monitor = "val_loss", patience = 4, min_delta = 0.5, restore_best = true)
  reduce_on_plateau(factor = 0.5, patience = 2)
  checkpoint("folder", every = 3)
}
data {
  csv "rows.csv"
  x = scale(column("a"), 1 / 2)
  t = ordinal(column(3), 2)
  drop_missing
  header false
  shuffle_rows 4
  separator ";"
}
data validation { csv "more.csv" })");
  ASSERT_TRUE(c.result.program) << c.messages();
  const TrainSettings& s = c.program().settings;
  EXPECT_EQ(s.epochs, 10);
  EXPECT_EQ(s.batch, 7);
  EXPECT_FALSE(s.shuffle);
  EXPECT_EQ(s.seed, 9U);
  EXPECT_EQ(s.validation_split, 0.25);
  ASSERT_TRUE(s.early_stopping);
  EXPECT_EQ(s.early_stopping->patience, 4);
  EXPECT_TRUE(s.early_stopping->restore_best);
  ASSERT_TRUE(s.reduce_on_plateau);
  EXPECT_EQ(s.reduce_on_plateau->factor, 0.5);
  ASSERT_EQ(s.checkpoints.size(), 1U);
  EXPECT_EQ(s.checkpoints[0].every, 3);
  const DataSource& data = c.program().data.at("");
  EXPECT_EQ(data.files.at(""), "rows.csv");
  ASSERT_EQ(data.bindings.size(), 2U);
  EXPECT_EQ(data.bindings[0].scale, 0.5);
  EXPECT_EQ(data.bindings[1].encoding, DataBinding::Encoding::ordinal);
  EXPECT_EQ(data.bindings[1].classes, 2);
  EXPECT_EQ(data.bindings[1].columns[0].first_index, 3);
  EXPECT_TRUE(data.drop_missing);
  EXPECT_EQ(data.header, std::optional<bool>(false));
  EXPECT_EQ(data.shuffle_rows, std::optional<std::uint64_t>(4));
  EXPECT_EQ(data.separator, ';');
  const DataSource& validation = c.program().data.at("validation");
  EXPECT_EQ(validation.files.at(""), "more.csv");
  EXPECT_EQ(validation.bindings.size(), 2U) << "what it does not say, it inherits";
  EXPECT_FALSE(validation.shuffle_rows);
}

TEST(Elaborate, OverridesTakeThePlaceOfConstantsAndKeys) {
  const std::string text =
      "const width = 3\nmodel m { input x[2]; output y = x |> dense(width) }\ntrain { target t[width]; loss mse(y, t); "
      "optimizer sgd; batch 4; early_stopping(patience = 1) }";
  FrontendOptions options;
  options.overrides = {{"width", "2 * 4"},    {"epochs", "30"},         {"batch", "5"},
                       {"optimizer", "adam"}, {"optimizer.lr", "0.25"}, {"early_stopping.patience", "8"}};
  options.seed = 77;
  const Compiled c = compile(text, options);
  ASSERT_TRUE(c.result.program) << c.messages();
  EXPECT_EQ(c.program().find_tensor("dense_1.kernel")->type.shape, (Shape{2, 8}));
  EXPECT_EQ(c.program().settings.epochs, 30);
  EXPECT_EQ(c.program().settings.batch, 5);
  EXPECT_EQ(c.program().settings.seed, 77U);
  EXPECT_EQ(c.program().settings.early_stopping->patience, 8);
  EXPECT_EQ(c.program().find_tensor("optimizer.lr")->initial, 0.25);
  EXPECT_NE(c.program().find_tensor("dense_1.kernel.m"), nullptr);
  EXPECT_EQ(c.program().constants, (std::map<std::string, std::string>{{"width", "2 * 4"}}));
}

TEST(Elaborate, OverridesThatFitNothing) {
  const std::string text =
      "const width = 3\nmodel m { input x[2]; output y = x |> dense(width) }\ntrain { target t[width]; loss mse(y, t); "
      "optimizer sgd }";
  const std::pair<std::pair<std::string, std::string>, const char*> cases[] = {
      {{"widht", "3"}, "'widht' is neither a constant of the file nor a key of its train block; did you mean 'width'?"},
      {{"epoch", "3"}, "did you mean 'epochs'?"},
      {{"optimizer.rate", "3"}, "'sgd' has no argument 'rate'"},
      {{"width", "3 +"}, "error"},
      {{"width", "none"}, "an extent of a shape must be an integer, not none"},
      {{"epochs", "-1"}, "'epochs' must be at least 0, and is -1"},
  };
  for (const auto& [override_, message] : cases) {
    FrontendOptions options;
    options.overrides = {override_};
    const Compiled c = compile(text, options);
    EXPECT_FALSE(c.result.program);
    EXPECT_NE(c.messages().find(message), std::string::npos) << c.messages();
  }
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

// ---------------------------------------------------------------- limits, each at N and N + 1

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
