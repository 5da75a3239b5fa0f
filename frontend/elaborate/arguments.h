// Arguments of calls, and which parameter each is for.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontend/elaborate/reports.h"

namespace tarn::elaboration {

struct BuiltinCall;

struct Argument {
  Value value;
  Span span;
};
struct NamedArgument {
  std::string_view name;
  Span name_span;
  Argument argument;
};
struct Arguments {
  std::vector<Argument> positional;
  std::vector<NamedArgument> named;
  bool has_error() const;
};

// Gives each of the arguments to its parameter. False after an error.
bool match_builtin(Reports& reports, Arguments arguments, BuiltinCall& call);
// For each parameter of the list the value that is given, none where the default stands; nothing after an error.
std::optional<std::vector<std::optional<Value>>> match_given(Reports& reports, const FunctionValue& function,
                                                             std::size_t list, Arguments arguments, Span span);

}  // namespace tarn::elaboration
