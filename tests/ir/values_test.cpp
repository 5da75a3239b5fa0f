// What each operation computes in the reference evaluator, against numbers from elsewhere. Functions: mpmath with 40
// digits; arrays: NumPy, or written out by hand. A row of the operation table without a case fails.
#include <cmath>
#include <limits>
#include <set>

#include "tests/ir/ir_test_support.h"

namespace tarn {
namespace {

using testing::evaluate_body;
using testing::message_of;

const double kNaN = std::numeric_limits<double>::quiet_NaN();

struct ScalarCase {
  Op op;
  double a, b, c, expected;
};

const ScalarCase kScalarCases[] = {
    {Op::neg, 1.5, 0, 0, -1.5},
    {Op::exp, 0.7, 0, 0, 2.0137527074704766},
    {Op::exp, -3.25, 0, 0, 0.03877420783172201},
    {Op::expm1, 1e-09, 0, 0, 1.0000000005000001e-09},
    {Op::expm1, -2.5, 0, 0, -0.9179150013761012},
    {Op::log, 0.7, 0, 0, -0.35667494393873245},
    {Op::log, 12.5, 0, 0, 2.5257286443082556},
    {Op::log1p, 1e-09, 0, 0, 9.999999995e-10},
    {Op::log1p, 1.5, 0, 0, 0.9162907318741551},
    {Op::softplus, 0.7, 0, 0, 1.103186048885458},
    {Op::softplus, -40.0, 0, 0, 4.248354255291589e-18},
    {Op::softplus, 800.0, 0, 0, 800.0},
    {Op::sqrt, 2.0, 0, 0, 1.4142135623730951},
    {Op::rsqrt, 0.09, 0, 0, 3.3333333333333335},
    {Op::sin, 0.7, 0, 0, 0.644217687237691},
    {Op::sin, -12.5, 0, 0, 0.06632189735120068},
    {Op::cos, -12.5, 0, 0, 0.9977982791785807},
    {Op::tanh, 0.7, 0, 0, 0.6043677771171635},
    {Op::tanh, -3.25, 0, 0, -0.996997635486526},
    {Op::sigmoid, 0.7, 0, 0, 0.668187772168166},
    {Op::sigmoid, -40.0, 0, 0, 4.248354255291589e-18},
    {Op::sigmoid, 800.0, 0, 0, 1.0},
    {Op::sigmoid, -800.0, 0, 0, 0.0},
    {Op::erf, 0.7, 0, 0, 0.6778011938374184},
    {Op::erf, -1.5, 0, 0, -0.9661051464753108},
    {Op::abs, -2.5, 0, 0, 2.5},
    {Op::sign, -2.5, 0, 0, -1},
    {Op::sign, 0, 0, 0, 0},
    {Op::sign, kNaN, 0, 0, kNaN},
    {Op::floor, -2.5, 0, 0, -3},
    {Op::ceil, -2.5, 0, 0, -2},
    {Op::round, 2.5, 0, 0, 2},
    {Op::round, 3.5, 0, 0, 4},
    {Op::round, -0.5, 0, 0, 0},
    {Op::is_finite, 1, 0, 0, 1},
    {Op::is_finite, -std::numeric_limits<double>::infinity(), 0, 0, 0},
    {Op::is_finite, kNaN, 0, 0, 0},
    {Op::logical_not, 0, 0, 0, 1},
    {Op::logical_not, 1, 0, 0, 0},
    {Op::convert, 2.75, 0, 0, 2.75},
    {Op::stop_gradient, 2.75, 0, 0, 2.75},
    {Op::add, 2, 3, 0, 5},
    {Op::sub, 2, 3, 0, -1},
    {Op::mul, 2, 3, 0, 6},
    {Op::div, 3, 2, 0, 1.5},
    {Op::floor_div, -7, 2, 0, -4},
    {Op::mod, -7, 3, 0, 2},
    {Op::mod, 7, -3, 0, -2},
    {Op::mod, 6, 3, 0, 0},
    {Op::mod, 5.5, 2, 0, 1.5},
    {Op::pow, 2.5, 1.5, 0, 3.952847075210474},
    {Op::pow, 0.3, -2, 0, 11.111111111111112},
    {Op::pow, 0, 0, 0, 1},
    {Op::minimum, 2, 3, 0, 2},
    {Op::minimum, kNaN, 3, 0, kNaN},
    {Op::minimum, 3, kNaN, 0, kNaN},
    {Op::maximum, 2, 3, 0, 3},
    {Op::maximum, kNaN, 3, 0, kNaN},
    {Op::maximum, 3, kNaN, 0, kNaN},
    {Op::equal, 2, 2, 0, 1},
    {Op::equal, kNaN, kNaN, 0, 0},
    {Op::not_equal, 2, 2, 0, 0},
    {Op::not_equal, kNaN, kNaN, 0, 1},
    {Op::less, 2, 2, 0, 0},
    {Op::less, 1, 2, 0, 1},
    {Op::less_equal, 2, 2, 0, 1},
    {Op::less_equal, 3, 2, 0, 0},
    {Op::logical_and, 1, 1, 0, 1},
    {Op::logical_and, 1, 0, 0, 0},
    {Op::logical_or, 1, 0, 0, 1},
    {Op::logical_or, 0, 0, 0, 0},
    {Op::where, 1, 5, 6, 5},
    {Op::where, 0, 5, 6, 6},
};

TEST(IrValues, ElementwiseFunctions) {
  for (const ScalarCase& c : kScalarCases) {
    const double value = info(c.op).scalar(c.a, c.b, c.c);
    if (std::isnan(c.expected)) {
      EXPECT_TRUE(std::isnan(value)) << name_of(c.op) << " " << c.a << " " << c.b;
    } else {
      // libm is good to about an ulp, a formula of a few operations to a few.
      EXPECT_NEAR(value, c.expected, 1e-15 * std::max(1e-18, std::fabs(c.expected)))
          << name_of(c.op) << " " << c.a << " " << c.b;
    }
  }
}

struct TensorCase {
  Op op;
  std::string body;  // the last node is %y
  Shape shape;
  std::vector<double> expected;
};

const std::string kMatrix = "%a: f64[2,3] = constant() {values = [1, 5, 3, 4, 2, 6]}\n";
const std::string kTable = "%t: f64[3,2] = constant() {values = [10, 11, 20, 21, 30, 31]}\n";
const std::string kIndices = "%i: i32[4] = constant() {values = [2, 0, 9, -5]}\n";

// Batched cases run on N = 2, with the input x = [[1, 2, 3], [4, 5, 6]].
const std::string kInput = "%x: f64[N,3] = input() {name = \"x\"}\n";

const TensorCase kTensorCases[] = {
    {Op::reduce_sum, kMatrix + "%y: f64[2] = reduce_sum(%a) {axes = [1]}", {2}, {9, 12}},
    {Op::reduce_sum, kMatrix + "%y: f64[3] = reduce_sum(%a) {axes = [0]}", {3}, {5, 7, 9}},
    {Op::reduce_sum, kMatrix + "%y: f64[] = reduce_sum(%a) {axes = [0, 1]}", {}, {21}},
    {Op::reduce_sum, kInput + "%y: f64[3] = reduce_sum(%x) {axes = [0]}", {3}, {5, 7, 9}},
    {Op::reduce_sum, kInput + "%y: f64[N] = reduce_sum(%x) {axes = [1]}", {2}, {6, 15}},
    {Op::reduce_prod, kMatrix + "%y: f64[2] = reduce_prod(%a) {axes = [1]}", {2}, {15, 48}},
    {Op::reduce_max, kMatrix + "%y: f64[2] = reduce_max(%a) {axes = [1]}", {2}, {5, 6}},
    {Op::reduce_max, "%a: f64[2] = constant() {values = [nan, 1]} %y: f64[] = reduce_max(%a) {axes = [0]}", {}, {kNaN}},
    {Op::reduce_max, "%a: f64[2] = constant() {values = [1, nan]} %y: f64[] = reduce_max(%a) {axes = [0]}", {}, {kNaN}},
    {Op::reduce_max, "%a: bool[3] = constant() {values = [0, 1, 0]} %y: bool[] = reduce_max(%a) {axes = [0]}", {}, {1}},
    {Op::reduce_min, kMatrix + "%y: f64[3] = reduce_min(%a) {axes = [0]}", {3}, {1, 2, 3}},
    {Op::reduce_min, "%a: bool[3] = constant() {values = [0, 1, 0]} %y: bool[] = reduce_min(%a) {axes = [0]}", {}, {0}},
    {Op::argmax, kMatrix + "%y: i32[2] = argmax(%a) {axes = [1]}", {2}, {1, 2}},
    {Op::argmax, "%a: f64[4] = constant() {values = [1, 7, 7, 2]} %y: i32[] = argmax(%a) {axes = [0]}", {}, {1}},
    {Op::argmin, kMatrix + "%y: i32[3] = argmin(%a) {axes = [0]}", {3}, {0, 1, 0}},
    {Op::batch_sum, kMatrix + "%y: f64[2,3] = batch_sum(%a)", {2, 3}, {1, 5, 3, 4, 2, 6}},
    {Op::contract,
     kMatrix + kTable + "%y: f64[2,2] = contract(%a, %t) {map = \"mk,kn->mn\"}",
     {2, 2},
     {200, 209, 260, 272}},
    {Op::contract,
     kMatrix + kTable + "%y: f64[2,2] = contract(%a, %t) {map = \"mk,kn->nm\"}",
     {2, 2},
     {200, 260, 209, 272}},
    {Op::contract,
     kInput + kTable + "%y: f64[N,2] = contract(%x, %t) {map = \"nk,km->nm\"}",
     {2, 2},
     {140, 146, 320, 335}},
    {Op::contract,
     kInput + "%y: f64[3,3] = contract(%x, %x) {map = \"na,nb->ab\"}",
     {3, 3},
     {17, 22, 27, 22, 29, 36, 27, 36, 45}},
    {Op::contract, kMatrix + kTable + "%y: f64[] = contract(%a, %t) {map = \"ab,cd->\"}", {}, {21 * 123}},
    {Op::reshape, kMatrix + "%y: f64[3,2] = reshape(%a)", {3, 2}, {1, 5, 3, 4, 2, 6}},
    {Op::reshape, kInput + "%y: f64[N,3,1] = reshape(%x)", {2, 3, 1}, {1, 2, 3, 4, 5, 6}},
    {Op::broadcast, kIndices + "%y: i32[2,4] = broadcast(%i) {axes = [1]}", {2, 4}, {2, 0, 9, -5, 2, 0, 9, -5}},
    {Op::broadcast, kIndices + "%y: i32[4,2] = broadcast(%i) {axes = [0]}", {4, 2}, {2, 2, 0, 0, 9, 9, -5, -5}},
    {Op::broadcast, kIndices + "%y: i32[N,4] = broadcast(%i) {axes = [1]}", {2, 4}, {2, 0, 9, -5, 2, 0, 9, -5}},
    {Op::transpose, kMatrix + "%y: f64[3,2] = transpose(%a) {axes = [1, 0]}", {3, 2}, {1, 4, 5, 2, 3, 6}},
    {Op::transpose,
     "%a: i32[2,1,3] = constant() {values = [1, 2, 3, 4, 5, 6]} %y: i32[3,2,1] = transpose(%a) {axes = [2, 0, 1]}",
     {3, 2, 1},
     {1, 4, 2, 5, 3, 6}},
    {Op::slice,
     kMatrix + "%y: f64[1,2] = slice(%a) {starts = [1, 0], limits = [2, 3], strides = [1, 2]}",
     {1, 2},
     {4, 6}},
    {Op::slice,
     kInput + "%y: f64[N,2] = slice(%x) {starts = [0, 1], limits = [-1, 3], strides = [1, 1]}",
     {2, 2},
     {2, 3, 5, 6}},
    {Op::slice, kMatrix + "%y: f64[0,3] = slice(%a) {starts = [1, 0], limits = [1, 3], strides = [1, 1]}", {0, 3}, {}},
    {Op::pad,
     kMatrix + "%y: f64[3,5] = pad(%a) {low = [1, 0], high = [0, 2], value = 9}",
     {3, 5},
     {9, 9, 9, 9, 9, 1, 5, 3, 9, 9, 4, 2, 6, 9, 9}},
    {Op::windows,
     kMatrix + "%y: f64[2,2,2] = windows(%a) {axes = [1], sizes = [2], steps = [1], dilations = [1]}",
     {2, 2, 2},
     {1, 5, 5, 3, 4, 2, 2, 6}},
    {Op::windows,
     "%v: f64[7] = constant() {values = [1, 2, 3, 4, 5, 6, 7]} %y: f64[2,2] = windows(%v) {axes = [0], sizes = [2], "
     "steps = "
     "[2], dilations = [3]}",
     {2, 2},
     {1, 4, 3, 6}},
    {Op::windows,
     kMatrix + "%y: f64[1,2,2,2] = windows(%a) {axes = [0, 1], sizes = [2, 2], steps = [1, 1], dilations = [1, 1]}",
     {1, 2, 2, 2},
     {1, 5, 4, 2, 5, 3, 2, 6}},
    // Windows that overlap by one element; the same with holes, of which the first element is left out.
    {Op::fold,
     "%v: f64[3,3] = constant() {values = [1, 2, 3, 4, 5, 6, 7, 8, 9]} %y: f64[7] = fold(%v) {axes = [0], steps = [2], "
     "dilations = [1], extents = [7], before = [0]}",
     {7},
     {1, 2, 7, 5, 13, 8, 9}},
    {Op::fold,
     "%v: f64[3,3] = constant() {values = [1, 2, 3, 4, 5, 6, 7, 8, 9]} %y: f64[5] = fold(%v) {axes = [0], steps = [1], "
     "dilations = [2], extents = [5], before = [1]}",
     {5},
     {4, 9, 5, 11, 6}},
    {Op::interleave,
     "%v: f64[3] = constant() {values = [1, 2, 3]} %w: f64[2] = constant() {values = [7, 8]} %y: f64[5] = "
     "interleave(%v, "
     "%w) {axes = [0], sizes = [2]}",
     {5},
     {1, 7, 2, 8, 3}},
    {Op::interleave,
     kMatrix + "%y: f64[4,6] = interleave(%a, %a, %a, %a) {axes = [0, 1], sizes = [2, 2]}",
     {4, 6},
     {1, 1, 5, 5, 3, 3, 1, 1, 5, 5, 3, 3, 4, 4, 2, 2, 6, 6, 4, 4, 2, 2, 6, 6}},
    {Op::argmax, kMatrix + "%y: i32[] = argmax(%a) {axes = [0, 1]}", {}, {5}},
    {Op::argmin,
     "%v: f64[2,1,3] = constant() {values = [1, 5, 3, 4, 1, 6]} %y: i32[1] = argmin(%v) {axes = [0, 2]}",
     {1},
     {0}},
    {Op::spread, kMatrix + "%y: f64[3,3] = spread(%a) {strides = [2, 1]}", {3, 3}, {1, 5, 3, 0, 0, 0, 4, 2, 6}},
    {Op::reverse, kMatrix + "%y: f64[2,3] = reverse(%a) {axes = [1]}", {2, 3}, {3, 5, 1, 6, 2, 4}},
    {Op::reverse, kMatrix + "%y: f64[2,3] = reverse(%a) {axes = [0, 1]}", {2, 3}, {6, 2, 4, 3, 5, 1}},
    {Op::concat,
     kMatrix + "%b: f64[2,1] = constant() {values = [7, 8]} %y: f64[2,4] = concat(%a, %b) {axis = 1}",
     {2, 4},
     {1, 5, 3, 7, 4, 2, 6, 8}},
    {Op::concat, kInput + "%y: f64[N,6] = concat(%x, %x) {axis = 1}", {2, 6}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}},
    // 9 is clamped to the last row, -5 to the first.
    {Op::gather,
     kTable + kIndices + "%y: f64[4,2] = gather(%t, %i) {axis = 0}",
     {4, 2},
     {30, 31, 10, 11, 30, 31, 10, 11}},
    {Op::gather,
     kTable + kIndices + "%y: f64[3,4] = gather(%t, %i) {axis = 1}",
     {3, 4},
     {11, 10, 11, 10, 21, 20, 21, 20, 31, 30, 31, 30}},
    {Op::scatter_add,
     kIndices +
         "%g: f64[4,2] = constant() {values = [1, 2, 3, 4, 5, 6, 7, 8]} %y: f64[3,2] = scatter_add(%g, %i) {axis = 0}",
     {3, 2},
     {10, 12, 0, 0, 6, 8}},
    {Op::constant, "%y: f32[2,2] = constant() {value = 2.5}", {2, 2}, {2.5, 2.5, 2.5, 2.5}},
    {Op::iota, "%y: i32[2,3] = iota() {axis = 1}", {2, 3}, {0, 1, 2, 0, 1, 2}},
    {Op::iota, "%y: f64[2,3] = iota() {axis = 0}", {2, 3}, {0, 0, 0, 1, 1, 1}},
    {Op::input, "%y: f64[N,3] = input() {name = \"x\"}", {2, 3}, {1, 2, 3, 4, 5, 6}},
    {Op::tensor, "%y: f64[2] = tensor() {name = \"w\"}", {2}, {0.5, -0.5}},
    {Op::batch_size, "%y: f64[] = batch_size()", {}, {2}},
    // random_uniform and random_normal of the context's seed 7 and step 3; numbers of a Philox written in Python from
    // the paper.
    {Op::random_uniform, "%y: f32[] = random_uniform() {stream = 42, per_step = 1}", {}, {0.8149734139442444}},
    {Op::random_uniform,
     "%y: f64[N,2] = random_uniform() {stream = 42}",
     {2, 2},
     {0.05415246480688163, 0.19248390847149444, 0.10194160488341308, 0.7271407675036774}},
    {Op::random_normal,
     "%y: f64[N,2] = random_normal() {stream = -3}",
     {2, 2},
     {-1.0577782966182747, 1.6903551191224897, 0.25220250908139563, 0.3453749109017391}},
};

EvaluationContext two_samples() {
  EvaluationContext context;
  context.batch = 2;
  context.seed = 7;
  context.step = 3;
  context.first_sample = 10;
  context.inputs["x"] = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  context.tensors["w"] = {{2}, {0.5, -0.5}};
  return context;
}

TEST(IrValues, Tensors) {
  for (const TensorCase& c : kTensorCases) {
    const HostTensor value = evaluate_body(c.body + "\nresult output \"y\" = %y", two_samples());
    EXPECT_EQ(value.shape, c.shape) << c.body;
    ASSERT_EQ(value.data.size(), c.expected.size()) << c.body;
    for (std::size_t i = 0; i < c.expected.size(); ++i) {
      if (std::isnan(c.expected[i])) {
        EXPECT_TRUE(std::isnan(value.data[i])) << c.body;
      } else {
        EXPECT_NEAR(value.data[i], c.expected[i], 1e-14) << c.body << " at " << i;
      }
    }
  }
}

TEST(IrValues, EveryOperationHasACase) {
  std::set<Op> covered;
  for (const ScalarCase& c : kScalarCases) covered.insert(c.op);
  for (const TensorCase& c : kTensorCases) covered.insert(c.op);
  for (const OpInfo& row : all_operations()) {
    if (row.op_class == OpClass::control) continue;
    EXPECT_TRUE(covered.count(row.op)) << row.name << " has no case in this file";
  }
}

TEST(IrValues, Conversions) {
  struct Case {
    std::string from, to, value;
    double expected;
  };
  const Case cases[] = {
      {"f64", "i32", "2.75", 2},
      {"f64", "i32", "-2.75", -2},
      {"f64", "i32", "nan", 0},
      {"f64", "i32", "1e30", 2147483647},
      {"f64", "i32", "-inf", -2147483648.0},
      {"f64", "bool", "0.5", 1},
      {"f64", "bool", "-0", 0},
      {"i32", "f32", "7", 7},
      {"bool", "f64", "1", 1},
      {"i32", "bool", "-3", 1},
      {"f32", "f64", "0.1", 0.1},
  };
  for (const Case& c : cases) {
    const std::string body = "%a: " + c.from + "[] = constant() {value = " + c.value + "} %y: " + c.to +
                             "[] = convert(%a) result output \"y\" = %y";
    EXPECT_EQ(evaluate_body(body).data, std::vector<double>{c.expected}) << body;
  }
}

TEST(IrValues, PerSampleGraphRunsOnOneSample) {
  EvaluationContext context;
  context.inputs["x"] = {{3}, {1, 2, 3}};
  const HostTensor value = evaluate_body(
      "%x: each f64[3] = input() {name = \"x\"} %s: f64[3] = batch_sum(%x) %y: each f64[3] = sub(%x, %s) result output "
      "\"y\" = %y",
      context);
  EXPECT_EQ(value.data, (std::vector<double>{0, 0, 0}));
}

TEST(IrValues, FailuresOfTheContext) {
  struct Case {
    std::string body, message;
  };
  const Case cases[] = {
      {"%y: f64[N,3] = input() {name = \"z\"}", "no value is given for input 'z'"},
      {"%y: f64[2] = tensor() {name = \"z\"}", "no value is given for tensor 'z'"},
      {"%y: f64[N,4] = input() {name = \"x\"}", "input 'x' has the shape [2, 3], not [2, 4]"},
      {"%y: f64[N,1073741825] = broadcast(%w) {axes = []}",
       "a value of 2147483650 elements is over the limit of 2147483648"},
      {"%x: f64[N] = input() {name = \"x\"} %y: f64[N] = grad(%x, %x)",
       "gradients must be expanded before a graph is evaluated"},
  };
  for (const Case& c : cases) {
    const auto parsed =
        testing::parse_body("%w: f64[] = constant() {value = 0}" + c.body + " result output \"y\" = %y");
    ASSERT_EQ(message_of(parsed), "") << c.body;
    EvaluationContext context = two_samples();
    if (c.body.find("grad") != std::string::npos) context.inputs["x"] = {{2}, {1, 2}};
    EXPECT_EQ(message_of(evaluate(parsed->graph, context)), c.message);
  }
}

TEST(IrValues, NodesThatNoResultNeedsStayEmpty) {
  const auto parsed = testing::parse_body(
      "%a: f64[] = constant() {value = 1} %b: f64[] = input() {name = \"missing\"} %y: f64[] = exp(%a) result output "
      "\"y\" = %y");
  ASSERT_TRUE(parsed.has_value());
  const auto values = evaluate_nodes(parsed->graph, {});
  ASSERT_EQ(message_of(values), "");
  EXPECT_EQ(values->at(0).data.size(), 1U);
  EXPECT_TRUE(values->at(1).data.empty());
  EXPECT_NEAR(values->at(2).data.at(0), std::exp(1.0), 1e-15);
}

}  // namespace
}  // namespace tarn
