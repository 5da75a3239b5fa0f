// See arguments.h.
#include "frontend/elaborate/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "frontend/elaborate/builtin.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

std::vector<std::string> names_of(const std::vector<ast::Parameter>& parameters) {
  std::vector<std::string> names;
  for (const ast::Parameter& p : parameters) names.push_back(p.name.name);
  return names;
}

}  // namespace

bool Arguments::has_error() const {
  return std::any_of(positional.begin(), positional.end(), [](const Argument& a) { return a.value.is_error(); }) ||
         std::any_of(named.begin(), named.end(), [](const NamedArgument& a) { return a.argument.value.is_error(); });
}

bool match_builtin(Reports& reports, Arguments arguments, BuiltinCall& call) {
  const Builtin& builtin = call.builtin;
  const std::vector<BuiltinParameter> parameters = parameters_of(builtin);
  const auto fail = [&](Span span, const std::string& message) {
    reports.fail(span, message, "call", std::string(builtin.signature));
    return false;
  };
  call.arguments.resize(parameters.size());
  std::size_t next = 0;
  for (Argument& argument : arguments.positional) {
    if (next < parameters.size() && parameters[next].variadic) {
      call.rest.push_back(std::move(argument));
    } else if (next < parameters.size() && !parameters[next].by_name_only) {
      call.arguments[next++] = std::move(argument);
    } else {
      const bool by_name = next < parameters.size();
      return fail(argument.span,
                  by_name
                      ? fmt::format("'{}' takes '{}' by name only", builtin.name, parameters[next].name)
                      : fmt::format("'{}' takes {}, and {} {} given", builtin.name, tarn::counted(next, "argument"),
                                    arguments.positional.size(), agreeing(arguments.positional.size(), "is", "are")));
    }
  }
  for (NamedArgument& named : arguments.named) {
    const auto it = std::find_if(parameters.begin(), parameters.end(),
                                 [&](const BuiltinParameter& p) { return p.name == named.name && !p.variadic; });
    if (it == parameters.end()) {
      std::vector<std::string> names;
      for (const BuiltinParameter& p : parameters) names.emplace_back(p.name);
      return fail(named.name_span, fmt::format("'{}' has no argument '{}'{}", builtin.name, named.name,
                                               did_you_mean(named.name, names)));
    }
    auto& slot = call.arguments[static_cast<std::size_t>(it - parameters.begin())];
    if (slot) return fail(named.name_span, fmt::format("'{}' is given twice", named.name));
    slot = std::move(named.argument);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].required && !call.arguments[i]) {
      return fail(call.span, fmt::format("'{}' needs '{}'", builtin.name, parameters[i].name));
    }
  }
  return true;
}

std::optional<std::vector<std::optional<Value>>> match_given(Reports& reports, const FunctionValue& function,
                                                             std::size_t list, Arguments arguments, Span span) {
  const std::vector<ast::Parameter>& parameters = function.parameters(list);
  const std::string name =
      function.declaration != nullptr ? fmt::format("'{}'", function.declaration->name.name) : "the function";
  std::vector<std::optional<Value>> given(parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    reports.fail(arguments.positional[parameters.size()].span,
                 fmt::format("{} takes {}{}, and {} {} given", name, tarn::counted(parameters.size(), "argument"),
                             function.list_count() > 1 && list == 0 ? " before its input" : "",
                             arguments.positional.size(), agreeing(arguments.positional.size(), "is", "are")),
                 "call", reports.signature(function));
    return std::nullopt;
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) given[i] = std::move(arguments.positional[i].value);
  bool good = true;
  for (NamedArgument& named : arguments.named) {
    const auto it = std::find_if(parameters.begin(), parameters.end(),
                                 [&](const ast::Parameter& p) { return p.name.name == named.name; });
    if (it == parameters.end()) {
      reports.fail(named.name_span,
                   fmt::format("{} has no argument '{}'{}", name, named.name,
                               proposal(named.name, names_of(parameters), WordPlace::argument)),
                   "call", reports.signature(function));
      good = false;
      continue;
    }
    auto& slot = given[static_cast<std::size_t>(it - parameters.begin())];
    if (slot)
      reports.fail(named.name_span, fmt::format("'{}' is given twice", named.name), "call",
                   reports.signature(function));
    good = good && !slot;
    slot = std::move(named.argument.value);
  }
  if (!good) return std::nullopt;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i] || parameters[i].default_value) continue;
    reports.fail(span, fmt::format("{} needs '{}'", name, parameters[i].name.name), "call",
                 reports.signature(function));
    return std::nullopt;
  }
  return given;
}

}  // namespace tarn::elaboration
