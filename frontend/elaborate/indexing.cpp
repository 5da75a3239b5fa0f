// x[i, a:b]: lists and tensors. See evaluator.h.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/elaborate/elaborator.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

// Begin and end of a slice as Python has them: negative ones count from the end, and both are moved into the range.
std::int64_t clamp_index(std::int64_t i, std::int64_t length) {
  return std::clamp<std::int64_t>(i < 0 ? i + length : i, 0, length);
}

struct Bounds {
  std::int64_t begin = 0, end = 0;
};

std::optional<Bounds> slice_bounds(Elaborator& elaborator, const ast::Index::Item& item, std::int64_t length) {
  Bounds bounds{0, length};
  bool good = true;
  const auto read = [&](const ast::ExpressionPtr& expression, std::int64_t& bound) {
    if (!expression) return;
    const auto value = elaborator.readings.to_integer(elaborator.evaluator.evaluate(*expression), expression->span,
                                                      "the bound of a slice");
    if (value) bound = clamp_index(*value, length);
    good = good && value.has_value();
  };
  read(item.begin, bounds.begin);
  read(item.end, bounds.end);
  if (!good) return std::nullopt;
  return bounds;
}

std::optional<std::int64_t> position(Elaborator& elaborator, const ast::Index::Item& item, std::int64_t length,
                                     const std::string& what) {
  const auto value = elaborator.readings.to_integer(elaborator.evaluator.evaluate(*item.index), item.span, "an index");
  if (!value) return std::nullopt;
  if (*value < -length || *value >= length) {
    elaborator.reports.fail(item.span, fmt::format("the index {} is out of range: {} has {}", *value, what,
                                                   tarn::counted(length, "element")));
    return std::nullopt;
  }
  return *value < 0 ? *value + length : *value;
}

Value index_list(Elaborator& elaborator, const std::vector<Value>& list, const std::vector<ast::Index::Item>& items,
                 Span span) {
  if (items.size() != 1)
    return elaborator.reports.fail(span, "a list has one axis: list[0][1] looks into a list of lists");
  const auto length = static_cast<std::int64_t>(list.size());
  if (!items[0].is_slice) {
    const auto at = position(elaborator, items[0], length, "the list");
    return at ? list[static_cast<std::size_t>(*at)] : Value(ErrorValue{});
  }
  const auto bounds = slice_bounds(elaborator, items[0], length);
  if (!bounds) return ErrorValue{};
  if (!elaborator.reports.spend(static_cast<std::uint64_t>(length), span)) return ErrorValue{};
  const std::int64_t end = std::max(bounds->begin, bounds->end);
  return make_list(std::vector<Value>(list.begin() + bounds->begin, list.begin() + end));
}

}  // namespace

Value Evaluator::index(const ast::Index& index, Span span) {
  const Value object = evaluate(*index.object);
  if (object.is_error()) return ErrorValue{};
  if (const auto* list = object.list()) return index_list(e_, *list, index.items, span);
  const auto* tensor_value = object.get<TensorValue>();
  if (tensor_value == nullptr)
    return e_.reports.fail(index.object->span, fmt::format("{} has no elements to pick from", kind_of(object)));
  const std::optional<NodeId> node = e_.nodes.to_node(object, std::nullopt, span);
  if (!node) return ErrorValue{};
  // Elements of what is weak are, too.
  const auto picked = [&](NodeId elements) {
    return TensorValue{elements, e_.graphs.current().number, tensor_value->weak, {}};
  };
  const Shape shape = e_.graphs.builder().shape(*node);
  if (index.items.size() > shape.size()) {
    return e_.reports.fail(span,
                           fmt::format("{} for the {} of {}", tarn::counted(index.items.size(), "index", "indices"),
                                       tarn::counted(shape.size(), "axis", "axes"), to_string(shape)));
  }
  std::vector<std::int64_t> starts(shape.size(), 0), strides(shape.size(), 1), limits(shape.begin(), shape.end());
  Shape kept;
  for (std::size_t i = 0; i < index.items.size(); ++i) {
    const ast::Index::Item& item = index.items[i];
    if (!item.is_slice) {
      const auto at = position(e_, item, shape[i], fmt::format("axis {} of {}", i, to_string(shape)));
      if (!at) return ErrorValue{};
      starts[i] = *at;
      limits[i] = *at + 1;
      continue;
    }
    const auto bounds = slice_bounds(e_, item, shape[i]);
    if (!bounds) return ErrorValue{};
    if (bounds->begin >= bounds->end) {
      return e_.reports.fail(item.span, fmt::format("the slice is empty: axis {} of {} has {}", i, to_string(shape),
                                                    tarn::counted(shape[i], "element")));
    }
    starts[i] = bounds->begin;
    limits[i] = bounds->end;
    kept.push_back(bounds->end - bounds->begin);
  }
  kept.insert(kept.end(), shape.begin() + static_cast<std::ptrdiff_t>(index.items.size()), shape.end());
  if (!e_.reports.spend(1, span)) return ErrorValue{};
  e_.nodes.locate(span);
  if (limits == shape && std::all_of(starts.begin(), starts.end(), [](auto s) { return s == 0; })) {
    return picked(e_.graphs.builder().reshape(*node, kept));
  }
  return picked(e_.graphs.builder().reshape(e_.graphs.builder().slice(*node, starts, limits, strides), kept));
}

}  // namespace tarn::elaboration
