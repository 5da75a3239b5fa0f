// The operation table, made from ops.def, and the checks that hold for every operation. See op.h.
#include "ir/op.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "ir/gradient_rules.h"
#include "ir/tensor_functions.h"
#include "ir/type_rules.h"

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

constexpr std::uint32_t bit(Key key) { return 1U << static_cast<unsigned>(key); }

// A specialization rather than a comparison: with -fsanitize=undefined GCC 12 takes no comparison of addresses for
// constant.
template <GradientRule rule>
constexpr GradientRule kRuleOrNull = rule;
template <>
constexpr GradientRule kRuleOrNull<gradient_rules::no_gradient> = nullptr;

#define KEYS0 0U
#define KEYS1(a) bit(Key::a)
#define KEYS2(a, b) (bit(Key::a) | bit(Key::b))
#define KEYS3(a, b, c) (bit(Key::a) | bit(Key::b) | bit(Key::c))
#define ELEMENTWISE(name, arity, rule, gradient, value, documentation)                                                 \
  OpInfo{                                                                                                              \
      Op::name,                                                                                                        \
      #name,                                                                                                           \
      OpClass::elementwise,                                                                                            \
      arity,                                                                                                           \
      KEYS0,                                                                                                           \
      type_rules::rule,                                                                                                \
      kRuleOrNull<gradient_rules::gradient>,                                                                           \
      []([[maybe_unused]] double a, [[maybe_unused]] double b, [[maybe_unused]] double c) -> double { return value; }, \
      nullptr,                                                                                                         \
      documentation},
#define OPERATION(name, op_class, arity, keys, rule, gradient, evaluation, documentation) \
  OpInfo{Op::name,                                                                        \
         #name,                                                                           \
         OpClass::op_class,                                                               \
         arity,                                                                           \
         keys,                                                                            \
         type_rules::rule,                                                                \
         kRuleOrNull<gradient_rules::gradient>,                                           \
         nullptr,                                                                         \
         tensor_functions::evaluation,                                                    \
         documentation},

constexpr std::array kOperations = {
#include "ir/ops.def"
};

// Attributes that may be left out: a constant has one of value and values, and draws are per sample unless they say
// otherwise.
constexpr std::uint32_t kOptionalKeys = bit(Key::value) | bit(Key::values) | bit(Key::per_step);

Status check_attributes(const OpInfo& row, const Attributes& attributes) {
  std::uint32_t found = 0;
  for (const auto& [key, value] : attributes.entries()) {
    if ((row.keys & bit(key)) == 0) return error(fmt::format("'{}' has no attribute '{}'", row.name, name_of(key)));
    if (value.index() != kind_of(key)) {
      return error(
          fmt::format("attribute '{}' is {}, not {}", name_of(key), kind_name(kind_of(key)), kind_name(value.index())));
    }
    found |= bit(key);
  }
  const std::uint32_t optional = row.op == Op::pad ? bit(Key::per_step) : kOptionalKeys;
  for (std::size_t i = 0; i < kKeyCount; ++i) {
    const Key key = static_cast<Key>(i);
    if ((row.keys & ~found & ~optional & bit(key)) != 0) {
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
