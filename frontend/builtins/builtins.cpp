// Joining the tables of builtins, reading their signatures, and arguments that many have in common.
#include "frontend/builtins/builtins.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace tarn::elaboration {

namespace {

std::vector<Builtin> joined_tables() {
  std::vector<Builtin> all;
  for (const auto table : {elementwise_builtins(), reduction_builtins(), shape_builtins(), other_builtins()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

const std::vector<Builtin>& table() {
  static const std::vector<Builtin> builtins = joined_tables();
  return builtins;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::span<const Builtin> all_builtins() { return table(); }

const Builtin* find_builtin(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const Builtin*> map;
    for (const Builtin& builtin : table()) map.emplace(builtin.name, &builtin);
    return map;
  }();
  const auto it = by_name.find(name);
  return it == by_name.end() ? nullptr : it->second;
}

std::vector<BuiltinParameter> parameters_of(const Builtin& builtin) {
  std::vector<BuiltinParameter> parameters;
  const std::size_t open = builtin.signature.find('(');
  std::string_view list = builtin.signature.substr(open + 1, builtin.signature.rfind(')') - open - 1);
  bool by_name_only = false;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view part = trimmed(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (part == "*") {
      by_name_only = true;
      continue;
    }
    BuiltinParameter parameter;
    const std::size_t equals = part.find('=');
    parameter.required = equals == std::string_view::npos;
    parameter.variadic = part.starts_with("...");
    if (parameter.variadic) part.remove_prefix(3);
    parameter.name = trimmed(part.substr(0, equals));
    if (parameter.variadic) {
      parameter.required = false;
      parameter.name = trimmed(part);
      by_name_only = true;
      parameters.push_back(parameter);
      continue;
    }
    parameter.by_name_only = by_name_only;
    parameters.push_back(parameter);
  }
  return parameters;
}

std::optional<std::int64_t> axis_argument(BuiltinCall& call, std::size_t argument, std::int64_t otherwise,
                                          std::size_t rank) {
  std::int64_t axis = otherwise;
  if (call.has(argument)) {
    const auto given = call.elaborator.readings.to_integer(call.value(argument), call.span_of(argument), "the axis");
    if (!given) return std::nullopt;
    axis = *given;
  }
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    call.elaborator.reports.fail(
        call.span_of(argument),
        count == 0 ? fmt::format("there is no axis {}: this is a scalar", axis)
                   : fmt::format("there is no axis {}: the axes are 0 to {}, or -1 for the last", axis, count - 1));
    return std::nullopt;
  }
  return axis < 0 ? axis + count : axis;
}

std::optional<std::vector<std::int64_t>> axes_argument(BuiltinCall& call, std::size_t argument, const Shape& shape) {
  std::vector<std::int64_t> axes;
  const auto rank = static_cast<std::int64_t>(shape.size());
  if (!call.has(argument)) {
    for (std::int64_t i = 0; i < rank; ++i) axes.push_back(i);
    return axes;
  }
  const auto* list = call.value(argument).list();
  std::vector<Value> given = list != nullptr ? *list : std::vector<Value>{call.value(argument)};
  for (const Value& value : given) {
    const auto axis = call.elaborator.readings.to_integer(value, call.span_of(argument), "an axis");
    if (!axis) return std::nullopt;
    if (*axis < -rank || *axis >= rank) {
      call.elaborator.reports.fail(call.span_of(argument),
                                   fmt::format("there is no axis {} in the shape {}", *axis, to_string(shape)));
      return std::nullopt;
    }
    axes.push_back(*axis < 0 ? *axis + rank : *axis);
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    call.elaborator.reports.fail(call.span_of(argument), "an axis is given twice");
    return std::nullopt;
  }
  return axes;
}

}  // namespace tarn::elaboration
