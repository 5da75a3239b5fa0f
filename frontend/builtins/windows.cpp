// windows(x, sizes, …) and fold(x, extents, …), its adjoint: what convolution and pooling are made of. ir/windows.h
// says what both mean.
#include "ir/windows.h"

#include <fmt/format.h>

#include <numeric>

#include "frontend/builtins/builtins.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

// A number for each of `count` axes: one for all, or a list of as many.
std::optional<std::vector<std::int64_t>> numbers_for_axes(BuiltinCall& call, std::size_t argument, std::size_t count,
                                                          std::int64_t otherwise, const std::string& what) {
  Elaborator& e = call.elaborator;
  if (!call.has(argument)) return std::vector<std::int64_t>(count, otherwise);
  const Value& given = call.value(argument);
  const Span span = call.span_of(argument);
  std::vector<std::int64_t> numbers;
  const auto add = [&](const Value& value) {
    const auto number = e.readings.to_integer(value, span, what);
    if (number && (*number < 1 || *number > kMaxElements)) {
      e.reports.fail(span, fmt::format("{} must be from 1 to {}, not {}", what, kMaxElements, *number));
      return false;
    }
    if (number) numbers.push_back(*number);
    return number.has_value();
  };
  const auto* list = given.list();
  if (list == nullptr) {
    if (!add(given)) return std::nullopt;
    return std::vector<std::int64_t>(count, numbers.front());
  }
  if (list->size() != count) {
    e.reports.fail(span, fmt::format("{} needs a number for each of {}, not {}", what,
                                     counted(static_cast<std::int64_t>(count), "axis", "axes"), list->size()));
    return std::nullopt;
  }
  for (const Value& value : *list) {
    if (!add(value)) return std::nullopt;
  }
  return numbers;
}

// How many axes a list of sizes or extents names: a number names one.
std::size_t axes_named(const Value& given) { return given.list() == nullptr ? 1 : given.list()->size(); }

std::vector<std::int64_t> leading_axes(std::size_t count) {
  std::vector<std::int64_t> axes(count);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

}  // namespace

Value run_windows(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node || call.value(1).is_error()) return ErrorValue{};
  const std::size_t count = axes_named(call.value(1));
  const Shape shape = e.graphs.builder().shape(*node);
  if (count == 0 || count > shape.size()) {
    return e.reports.fail(call.span_of(1), fmt::format("sizes name {}, and {} has {}",
                                                       counted(static_cast<std::int64_t>(count), "axis", "axes"),
                                                       to_string(shape), shape.size()));
  }
  const auto sizes = numbers_for_axes(call, 1, count, 1, "a size");
  const auto steps = numbers_for_axes(call, 2, count, 1, "a stride");
  const auto dilations = numbers_for_axes(call, 3, count, 1, "a dilation");
  if (!sizes || !steps || !dilations) return ErrorValue{};
  return moved(
      call,
      e.nodes.make(
          Op::windows, {*node},
          {{Key::axes, leading_axes(count)}, {Key::sizes, *sizes}, {Key::steps, *steps}, {Key::dilations, *dilations}},
          nullptr, call.span, "windows"));
}

Value run_fold(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const std::optional<NodeId> node = e.nodes.to_node(call.value(0), std::nullopt, call.span);
  if (!node || call.value(1).is_error()) return ErrorValue{};
  const std::size_t count = axes_named(call.value(1));
  const auto extents = numbers_for_axes(call, 1, count, 1, "an extent");
  const auto steps = numbers_for_axes(call, 2, count, 1, "a stride");
  const auto dilations = numbers_for_axes(call, 3, count, 1, "a dilation");
  if (!extents || !steps || !dilations) return ErrorValue{};
  return moved(call, e.nodes.make(Op::fold, {*node},
                                  {{Key::axes, leading_axes(count)},
                                   {Key::extents, *extents},
                                   {Key::steps, *steps},
                                   {Key::dilations, *dilations},
                                   {Key::before, std::vector<std::int64_t>(count, 0)}},
                                  nullptr, call.span, "fold"));
}

}  // namespace tarn::elaboration
