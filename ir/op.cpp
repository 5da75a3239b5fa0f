// The operation table, made from ops.def, and the checks that hold for every operation. See op.h.
#include "ir/op.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "ir/gradient_rules.h"
#include "ir/gradient_terms.h"
#include "ir/tensor_functions.h"
#include "ir/type_rules.h"
#include "ir/views.h"

namespace tarn {

namespace {

double evaluate_sigmoid(double a) {
  // exp only of what is not positive, so that it never overflows.
  const double e = std::exp(-std::fabs(a));
  return (a >= 0 ? 1 : e) / (1 + e);
}

double evaluate_sign(double a) { return std::isnan(a) ? a : (a > 0 ? 1 : 0) - (a < 0 ? 1 : 0); }

double evaluate_mod(double a, double b) {
  // fmod is exact and has the sign of a; one more b brings it to the sign of b.
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double evaluate_minimum(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  return a <= b ? a : b;
}

double evaluate_maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  return a >= b ? a : b;
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Keys in the lower half; those of them that may be left out in the upper half, too.
using Keys = std::uint64_t;
constexpr unsigned kOptional = 32;
static_assert(kKeyCount <= kOptional);
constexpr Keys bit(Key key) { return Keys{1} << static_cast<unsigned>(key); }
constexpr Keys optional_bit(Key key) { return bit(key) | bit(key) << kOptional; }

// A specialization rather than a comparison: with -fsanitize=undefined GCC 12 takes no comparison of addresses for
// constant.
template <GradientRule rule>
constexpr GradientRule kRuleOrNull = rule;
template <>
constexpr GradientRule kRuleOrNull<gradient_rules::no_gradient> = nullptr;

// What all rows have.
constexpr OpInfo row(Op op, std::string_view name, OpClass op_class, int arity, Keys keys, TypeRule type_rule,
                     GradientRule gradient, TensorFunction tensor, std::string_view documentation) {
  OpInfo info{op, name, op_class, documentation};
  info.arity = arity;
  info.keys = static_cast<std::uint32_t>(keys);
  info.optional_keys = static_cast<std::uint32_t>(keys >> kOptional);
  info.type_rule = type_rule;
  info.gradient = gradient;
  info.tensor = tensor;
  return info;
}

constexpr OpInfo elementwise(OpInfo info, int cost, std::uint16_t facts, Signature signature, Notation notation,
                             ScalarFunction scalar) {
  info.cost = cost;
  info.facts = facts;
  info.signature = signature;
  info.notation = notation;
  info.scalar = scalar;
  return info;
}

constexpr OpInfo reduction(OpInfo info, Op combine, double identity, std::string_view result) {
  info.reduction = ReductionInfo{combine, identity, result == "index"};
  return info;
}

constexpr OpInfo view(OpInfo info, std::uint16_t facts, ViewRule rule, ViewAttributes attributes) {
  info.facts = facts;
  info.view_rule = rule;
  info.view_attributes = attributes;
  return info;
}

constexpr OpInfo draw(OpInfo info, Distribution distribution) {
  info.cost = kDrawCost;
  info.distribution = distribution;
  return info;
}

#define KEYS0 Keys{0}
#define KEYS1(a) bit(Key::a)
#define KEYS2(a, b) (bit(Key::a) | bit(Key::b))
#define KEYS3(a, b, c) (KEYS2(a, b) | bit(Key::c))
#define KEYS4(a, b, c, d) (KEYS2(a, b) | KEYS2(c, d))
#define KEYS5(a, b, c, d, e) (KEYS3(a, b, c) | KEYS2(d, e))
#define OPTIONAL1(a) optional_bit(Key::a)
#define OPTIONAL2(a, b) (optional_bit(Key::a) | optional_bit(Key::b))
#define SIGN(sign) (Notation{sign, {}})
#define CALL(parameters) (Notation{{}, parameters})
#define NO_NOTATION (Notation{})
#define RULE(name) kRuleOrNull<gradient_rules::name>
#define BY(...)                                                                          \
  ([](Builder& builder, NodeId node, NodeId gradient) {                                  \
    using namespace gradient_terms;                                                      \
    [[maybe_unused]] const Term y(builder, node), g(builder, gradient);                  \
    [[maybe_unused]] const Term a = operand(y, 0), b = operand(y, 1), c = operand(y, 2); \
    return nodes_of({__VA_ARGS__});                                                      \
  })
#define ROW(name, op_class, arity, keys, rule, gradient, evaluation, documentation) \
  row(Op::name, #name, OpClass::op_class, arity, keys, type_rules::rule, gradient, evaluation, documentation)
#define ELEMENTWISE(name, arity, rule, gradient, cost, facts, notation, value, documentation)                  \
  elementwise(ROW(name, elementwise, arity, KEYS0, rule, gradient, nullptr, documentation), cost, facts,       \
              Signature::rule, notation,                                                                       \
              [](const double a, [[maybe_unused]] const double b, [[maybe_unused]] const double c) -> double { \
                return value;                                                                                  \
              }),
#define REDUCTION(name, result, combine, identity, keys, rule, gradient, documentation)                            \
  reduction(ROW(name, reduction, 1, KEYS1(axes) | (keys), rule, RULE(gradient), tensor_functions::reduce_##result, \
                documentation),                                                                                    \
            Op::combine, identity, #result),
#define VIEW(name, facts, keys, documentation)                                                      \
  view(ROW(name, view, 1, keys, name, RULE(name), nullptr, documentation), facts, view_rules::name, \
       view_attributes::name),
#define FILLED_VIEW(name, keys, documentation)                                                             \
  view(ROW(name, assembly, 1, keys, name, RULE(name), nullptr, documentation), kNoFacts, view_rules::name, \
       view_attributes::name),
#define DRAW(name, distribution, documentation)                                                            \
  draw(ROW(name, draw, 0, KEYS1(stream) | OPTIONAL1(per_step), random, RULE(none), tensor_functions::draw, \
           documentation),                                                                                 \
       Distribution::distribution),
#define OPERATION(name, op_class, arity, keys, rule, gradient, evaluation, documentation) \
  ROW(name, op_class, arity, keys, rule, RULE(gradient), tensor_functions::evaluation, documentation),

constexpr std::array kOperations = {
#include "ir/ops.def"
};

Status check_attributes(const OpInfo& row, const Attributes& attributes) {
  Keys found = 0;
  for (const auto& [key, value] : attributes.entries()) {
    if ((row.keys & bit(key)) == 0) return error(fmt::format("'{}' has no attribute '{}'", row.name, name_of(key)));
    if (value.index() != kind_of(key)) {
      return error(
          fmt::format("attribute '{}' is {}, not {}", name_of(key), kind_name(kind_of(key)), kind_name(value.index())));
    }
    found |= bit(key);
  }
  for (std::size_t i = 0; i < kKeyCount; ++i) {
    const Key key = static_cast<Key>(i);
    if ((row.keys & ~found & ~row.optional_keys & bit(key)) != 0) {
      return error(fmt::format("'{}' needs the attribute '{}'", row.name, name_of(key)));
    }
  }
  return Done{};
}

}  // namespace

const OpInfo& info(Op op) { return kOperations[static_cast<std::size_t>(op)]; }

std::span<const OpInfo> all_operations() { return kOperations; }

std::optional<Op> op_named(std::string_view name) {
  for (const OpInfo& row : kOperations) {
    if (row.name == name) return row.op;
  }
  return std::nullopt;
}

Result<Type> infer_type(Op op, std::span<const Type> operands, const Attributes& attributes, const Type* requested) {
  const OpInfo& row = info(op);
  const bool right_count =
      row.arity == kVariadic ? !operands.empty() : operands.size() == static_cast<std::size_t>(row.arity);
  if (!right_count) {
    const std::string wanted = row.arity == kVariadic ? "one or more" : fmt::format("{}", row.arity);
    return error(fmt::format("'{}' takes {} operands, not {}", row.name, wanted, operands.size()));
  }
  TARN_RETURN_IF_ERROR(check_attributes(row, attributes));
  bool per_sample = false;
  bool batched = false;
  for (const Type& type : operands) {
    per_sample = per_sample || type.per_sample;
    batched = batched || has_batch(type.shape);
  }
  if (per_sample && batched) return error("a value of one sample meets one of the whole batch");
  return row.type_rule(operands, attributes, requested);
}

}  // namespace tarn
