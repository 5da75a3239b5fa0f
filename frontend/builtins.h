// The primitive operations as names of the language: what the prelude is written in.
//
// A row is a signature, as documentation and messages show it, and what it does. The signature is also what arguments
// are matched against: "x" is required, "axis = none" may be left out, "...parts" takes any number, and what stands
// behind "*" goes by name only.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "frontend/elaborator.h"

namespace tarn::elaboration {

struct BuiltinCall {
  Elaborator& elaborator;
  const Builtin& builtin;
  Span span;
  const void* place;                               // of the call in the source
  std::vector<std::optional<Argument>> arguments;  // one for each parameter; the variadic one's is empty
  std::vector<Argument> rest;                      // what the variadic one took

  const Value& value(std::size_t i) const { return arguments[i]->value; }
  Span span_of(std::size_t i) const { return arguments[i] ? arguments[i]->span : span; }
  bool has(std::size_t i) const { return arguments[i].has_value() && !arguments[i]->value.is<NoneValue>(); }
};

struct Builtin {
  std::string_view name;
  std::string_view signature;  // "sum(x, *, axis = none, keepdims = false)"
  Value (*run)(BuiltinCall& call);
  std::string_view documentation;
};

struct BuiltinParameter {
  std::string_view name;
  bool required = false, by_name_only = false, variadic = false;
};
std::vector<BuiltinParameter> parameters_of(const Builtin& builtin);

std::span<const Builtin> all_builtins();
const Builtin* find_builtin(std::string_view name);

// The tables, by theme; all_builtins() joins them.
std::span<const Builtin> elementwise_builtins();  // builtins_elementwise.cpp
std::span<const Builtin> reduction_builtins();    // builtins_reduction.cpp
std::span<const Builtin> shape_builtins();        // builtins_shape.cpp
std::span<const Builtin> other_builtins();        // builtins_other.cpp

// einsum.cpp: a product of two operands, or a sum and transposition of one, by letters.
Value run_einsum(BuiltinCall& call);
// value_ranges.cpp
Value run_takes(BuiltinCall& call);
// gather.cpp
Value run_gather(BuiltinCall& call);

// Axes counted from either end as an ascending list; none given: all. An error says what is wrong.
std::optional<std::vector<std::int64_t>> axes_argument(BuiltinCall& call, std::size_t argument, const Shape& shape);
// One axis counted from either end.
std::optional<std::int64_t> axis_argument(BuiltinCall& call, std::size_t argument, std::int64_t otherwise,
                                          std::size_t rank);

}  // namespace tarn::elaboration
