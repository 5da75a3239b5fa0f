// The equations of numbers and booleans. See rules.h for what a row may change, pattern.h for the words.
#include <cmath>

#include "passes/rules/pattern.h"

namespace tarn {

namespace {

// A power of two times or divided by a number is exact (but for denormals).
bool is_power_of_two(double value) {
  int exponent = 0;
  return std::isfinite(value) && std::fabs(std::frexp(value, &exponent)) == 0.5 && std::abs(exponent) < 100;
}
bool k_is_power_of_two(const Bindings& b) { return is_power_of_two(b.number('k')) && b.number('k') != 1; }
bool k_and_l_are_powers_of_two(const Bindings& b) {
  return is_power_of_two(b.number('k')) && is_power_of_two(b.number('l'));
}
bool k_is_finite(const Bindings& b) { return std::isfinite(b.number('k')); }
bool k_is_finite_and_not_0(const Bindings& b) { return std::isfinite(b.number('k')) && b.number('k') != 0; }

std::vector<Rule> sums() {
  using namespace algebra;
  return {
      equation("add_zero", x + 0, x),
      equation("sub_zero", x - 0, x),
      equation("zero_sub", 0 - x, -x),
      equation("neg_neg", -(-x), x),
      equation("neg_sub", -(x - y), y - x),
      equation("add_neg", x + (-y), x - y),
      equation("sub_neg", x - (-y), x + y),
      equation("neg_minus", (-x) - y, -(x + y)),
      equation("add_selected", where(c, x, 0) + where(c, 0, y), where(c, x, y)),
      fast_equation("sub_same", sub(x, x), 0),
      fast_equation("add_numbers", (x + k) + l, x + (k + l)),
      fast_equation("add_back", (x - y) + y, x),
  };
}

std::vector<Rule> products() {
  using namespace algebra;
  return {
      equation("mul_one", x * 1, x),
      equation("mul_minus_one", x * -1, -x),
      equation("neg_mul", (-x) * y, -(x * y)),
      equation("div_one", x / 1, x),
      equation("div_minus_one", x / -1, -x),
      equation("neg_div", (-x) / y, -(x / y)),
      equation("div_neg", x / (-y), -(x / y)),
      equation("div_power_of_two", x / k, x * (1 / k), k_is_power_of_two),
      equation("mul_powers_of_two", (x * k) * l, x * (k * l), k_and_l_are_powers_of_two),
      equation("one_div_sqrt", 1 / sqrt(x), rsqrt(x)),
      equation("mul_selected_first", where(c, x, 0) * k, where(c, x * k, 0), k_is_finite),
      equation("mul_selected_second", where(c, 0, x) * k, where(c, 0, x * k), k_is_finite),
      fast_equation("mul_zero", x * 0, 0),
      fast_equation("mul_numbers", (x * k) * l, x * (k * l)),
      fast_equation("div_number", x / k, x * (1 / k), k_is_finite_and_not_0),
      fast_equation("div_sqrt", x / sqrt(y), x * rsqrt(y)),
      fast_equation("div_div", (x / y) / z, x / (y * z)),
  };
}

std::vector<Rule> powers() {
  using namespace algebra;
  return {
      equation("pow_0", pow(x, 0), 1),
      equation("pow_1", pow(x, 1), x),
      equation("pow_2", pow(x, 2), x * x),
      equation("pow_3", pow(x, 3), (x * x) * x),
      equation("pow_4", pow(x, 4), (x * x) * (x * x)),
      equation("pow_half", pow(x, 0.5), sqrt(x)),
      equation("pow_minus_half", pow(x, -0.5), rsqrt(x)),
      equation("pow_minus_1", pow(x, -1), 1 / x),
      equation("pow_minus_2", pow(x, -2), 1 / (x * x)),
      equation("pow_one_and_a_half", pow(x, 1.5), x * sqrt(x)),
      equation("pow_of_1", pow(1, x), 1),
  };
}

std::vector<Rule> functions() {
  using namespace algebra;
  return {
      equation("abs_neg", abs(-x), abs(x)),
      equation("abs_abs", abs(abs(x)), abs(x)),
      equation("abs_square", abs(x * x), x * x),
      equation("tanh_neg", tanh(-x), -tanh(x)),
      equation("sin_neg", sin(-x), -sin(x)),
      equation("cos_neg", cos(-x), cos(x)),
      equation("erf_neg", erf(-x), -erf(x)),
      equation("floor_floor", floor(floor(x)), floor(x)),
      equation("ceil_ceil", ceil(ceil(x)), ceil(x)),
      equation("round_round", round(round(x)), round(x)),
      equation("sign_sign", sign(sign(x)), sign(x)),
      equation("minimum_same", minimum(x, x), x),
      equation("maximum_same", maximum(x, x), x),
      equation("minimum_neg", minimum(-x, -y), -maximum(x, y)),
      equation("maximum_neg", maximum(-x, -y), -minimum(x, y)),
  };
}

std::vector<Rule> selections() {
  using namespace algebra;
  return {
      equation("where_same", where(c, x, x), x),
      equation("where_true", where(1, x, y), x),
      equation("where_false", where(0, x, y), y),
      equation("where_not", where(logical_not(c), x, y), where(c, y, x)),
      equation("where_where_first", where(c, where(c, x, y), z), where(c, x, z)),
      equation("where_where_second", where(c, x, where(c, y, z)), where(c, x, z)),
      equation("where_negs", where(c, -x, -y), -where(c, x, y)),
      // relu as where(x > 0, x, 0 * x). The product is a zero wherever x is finite; NaN stays NaN.
      equation("relu", where(0 < x, x, x * 0), maximum(x, 0)),
      // Its gradient: what is masked out is a zero even where the incoming gradient is not finite.
      equation("relu_gradient", where(c, x, x * 0), where(c, x, 0)),
  };
}

std::vector<Rule> conditions() {
  using namespace algebra;
  return {
      equation("not_not", logical_not(logical_not(c)), c),
      equation("and_true", logical_and(c, 1), c),
      equation("and_false", logical_and(c, 0), 0),
      equation("and_same", logical_and(c, c), c),
      equation("or_false", logical_or(c, 0), c),
      equation("or_true", logical_or(c, 1), 1),
      equation("or_same", logical_or(c, c), c),
      equation("not_equal", logical_not(equal(x, y)), not_equal(x, y)),
      equation("not_not_equal", logical_not(not_equal(x, y)), equal(x, y)),
      // (not c) and (not d) = not (c or d), and its dual
      equation("and_nots", logical_and(logical_not(c), logical_not(d)), logical_not(logical_or(c, d))),
      equation("or_nots", logical_or(logical_not(c), logical_not(d)), logical_not(logical_and(c, d))),
  };
}

}  // namespace

std::span<const Rule> algebra_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    for (std::vector<Rule>& group :
         std::vector<std::vector<Rule>>{sums(), products(), powers(), functions(), selections(), conditions()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return rules;
}

}  // namespace tarn
