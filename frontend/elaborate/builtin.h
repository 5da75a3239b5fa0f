// A primitive operation as a name of the language; frontend/builtins has the tables of them.
//
// A row is a signature, as documentation and messages show it, and what it does. The signature is also what arguments
// are matched against: "x" is required, "axis = none" may be left out, "...parts" takes any number, and what stands
// behind "*" goes by name only.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "frontend/elaborate/elaborator.h"

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

}  // namespace tarn::elaboration
