// Making, describing and taking apart the values of the elaborator. See values.h.
#include "frontend/elaborate/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tarn::elaboration {

namespace {

constexpr std::size_t kLongestText = 200;
constexpr int kDeepestList = 64;  // that is printed

void append_text(std::string& out, const Value& value, int depth) {
  if (out.size() > kLongestText || depth > kDeepestList) return;
  if (const auto* list = value.list()) {
    out += '[';
    bool first = true;
    for (const Value& element : *list) {
      if (!first) out += ", ";
      first = false;
      append_text(out, element, depth + 1);
      if (out.size() > kLongestText) break;
    }
    out += ']';
  } else if (const auto* number = value.get<NumberValue>()) {
    out += to_text(number->value);
  } else if (const auto* truth = value.get<bool>()) {
    out += *truth ? "true" : "false";
  } else if (const auto* text = value.get<std::string>()) {
    out += depth > 0 ? '"' + *text + '"' : *text;
  } else if (const FunctionValue* function = value.function()) {
    out += function->declaration != nullptr ? function->declaration->name.name : "a function";
  } else {
    out += kind_of(value);
  }
}

// The shape that the first elements have.
Shape leading_shape(const Value& value) {
  Shape shape;
  const Value* first = &value;
  while (const auto* list = first->list()) {
    shape.insert(shape.end(), static_cast<std::int64_t>(list->size()));
    if (list->empty() || shape.size() > kMaxRank) break;
    first = &list->front();
  }
  return shape;
}

// Adds the elements below `value`; `depth` is the axis. Returns why it is not rectangular, or "".
std::string append_array(ArrayLiteral& array, const Value& value, std::size_t depth, std::size_t most) {
  if (const auto* list = value.list()) {
    if (depth >= array.shape.size()) return "numbers and lists are mixed";
    if (array.shape[depth] != static_cast<std::int64_t>(list->size())) {
      return fmt::format("its rows have different lengths, {} and {}", array.shape[depth], list->size());
    }
    for (const Value& element : *list) {
      if (std::string reason = append_array(array, element, depth + 1, most); !reason.empty()) return reason;
    }
    return {};
  }
  if (depth != array.shape.size()) return "numbers and lists are mixed";
  if (array.values.size() >= most) return fmt::format("it has more than {} numbers", most);
  if (const auto* number = value.get<NumberValue>()) {
    array.values.push_back(number->value);
    array.integers = array.integers && number->is_integer;
    array.truth_values = false;
    return {};
  }
  if (const auto* truth = value.get<bool>()) {
    array.values.push_back(*truth ? 1 : 0);
    array.integers = false;
    return {};
  }
  return fmt::format("an element is {}", kind_of(value));
}

}  // namespace

std::string FunctionValue::description() const {
  if (declaration == nullptr) return "function";
  const std::string_view kind =
      declaration->kind == ast::FunctionKind::function ? "function" : ast::spelling(declaration->kind);
  return fmt::format("{} '{}'", kind, declaration->name.name);
}

Value integer(std::int64_t value) { return NumberValue{static_cast<double>(value), true}; }
Value real(double value) { return NumberValue{value, false}; }

const std::vector<Value>* Value::list() const {
  const ListValue* l = get<ListValue>();
  return l != nullptr ? &l->data->elements : nullptr;
}

int depth_of(const Value& value) {
  if (const auto* list = value.get<ListValue>()) return list->data->depth;
  const FunctionValue* function = value.function();
  return function != nullptr ? function->depth : 0;
}

std::uint64_t total_of(const Value& value) {
  const auto* list = value.get<ListValue>();
  return list != nullptr ? list->data->total : 1;
}

Value make_list(std::vector<Value> elements, bool several) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  ListData data;
  for (const Value& element : elements) {
    data.total = std::min(kMost, data.total + total_of(element));
    data.depth = std::max(data.depth, 1 + depth_of(element));
    data.numeric = data.numeric && is_numeric(element);
  }
  data.elements = std::move(elements);
  return ListValue{std::make_shared<const ListData>(std::move(data)), several};
}

Value make_list(const Shape& shape) {
  std::vector<Value> elements;
  elements.reserve(shape.size());
  for (std::int64_t extent : shape) elements.push_back(integer(extent));
  return make_list(std::move(elements));
}

bool is_numeric(const Value& value) {
  if (const auto* list = value.get<ListValue>()) return list->data->numeric;
  return value.is<NumberValue>() || value.is<bool>();
}

std::string kind_of(const Value& value) {
  if (value.is<ErrorValue>()) return "an error";
  if (value.is<NoneValue>()) return "none";
  if (value.is<NumberValue>()) return "a number";
  if (value.is<bool>()) return "a truth value";
  if (value.is<std::string>()) return "a string";
  if (const auto* list = value.get<ListValue>()) return list->several ? "several values" : "a list";
  if (value.is<TensorValue>()) return "a tensor";
  if (const FunctionValue* function = value.function()) {
    if (function->is_layer()) return "a layer";
    if (function->is(ast::FunctionKind::optimizer)) return "an optimizer";
    if (function->is(ast::FunctionKind::metric)) return "a metric";
  }
  return "a function";
}

std::string to_text(double number) { return fmt::format("{}", number); }

std::string to_text(const Value& value) {
  std::string out;
  append_text(out, value, 0);
  if (out.size() > kLongestText) out = out.substr(0, kLongestText) + " …";
  return out;
}

std::variant<ArrayLiteral, NotAnArray> to_array(const Value& value, std::size_t most) {
  ArrayLiteral array;
  array.shape = leading_shape(value);
  if (array.shape.size() > kMaxRank) return NotAnArray{fmt::format("it is nested deeper than {} lists", kMaxRank)};
  if (std::string reason = append_array(array, value, 0, most); !reason.empty()) return NotAnArray{std::move(reason)};
  return array;
}

}  // namespace tarn::elaboration
