// See readings.h.
#include "frontend/elaborate/readings.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace tarn::elaboration {

namespace {

std::string not_known(const Value& value, const std::string& what, const char* wanted) {
  if (value.is<TensorValue>()) return fmt::format("{} must be known at compile time, and this is a tensor", what);
  return fmt::format("{} must be {}, not {}", what, wanted, kind_of(value));
}

}  // namespace

Value Readings::known(const Value& value) const {
  const auto* tensor = value.get<TensorValue>();
  if (tensor == nullptr || !tensor->known || !graphs_.owns(*tensor)) return value;
  if (graphs_.type_of(*tensor).dtype == DType::boolean) return *tensor->known != 0;
  return NumberValue{*tensor->known, std::floor(*tensor->known) == *tensor->known};
}

std::optional<std::int64_t> Readings::to_integer(const Value& given, Span span, const std::string& what) {
  const Value value = known(given);
  if (value.is_error()) return std::nullopt;
  const auto* number = value.get<NumberValue>();
  if (number == nullptr) {
    reports_.fail(span, not_known(value, what, "an integer"));
    return std::nullopt;
  }
  constexpr double kLargest = 9007199254740992.0;  // 2^53: up to here doubles are exact
  if (!number->is_integer || std::fabs(number->value) > kLargest) {
    const char* hint = std::floor(number->value) == number->value ? " (`//` divides integers)" : "";
    reports_.fail(span, fmt::format("{} must be an integer, not {}{}", what, to_text(number->value), hint));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number->value);
}

std::optional<double> Readings::to_number(const Value& given, Span span, const std::string& what) {
  const Value value = known(given);
  if (value.is_error()) return std::nullopt;
  if (const auto* number = value.get<NumberValue>()) return number->value;
  reports_.fail(span, not_known(value, what, "a number"));
  return std::nullopt;
}

std::optional<bool> Readings::to_truth(const Value& given, Span span, const std::string& what) {
  const Value value = known(given);
  if (value.is_error()) return std::nullopt;
  if (const bool* truth = value.get<bool>()) return *truth;
  reports_.fail(span, not_known(value, what, "true or false"));
  return std::nullopt;
}

bool Readings::append_extents(const Value& value, Span span, bool allow_inferred, Shape& shape) {
  if (!reports_.spend(1, span)) return false;
  if (const auto* list = value.list()) {
    for (const Value& element : *list) {
      if (!append_extents(element, span, allow_inferred, shape)) return false;
    }
    return true;
  }
  const std::optional<std::int64_t> extent = to_integer(value, span, "an extent of a shape");
  if (!extent) return false;
  if (*extent < 1 && !(allow_inferred && *extent == -1)) {
    reports_.fail(span, fmt::format("every axis needs at least one element, and this one has {}", *extent));
    return false;
  }
  if (shape.size() >= kMaxRank) {
    reports_.fail(span, fmt::format("a shape has at most {} axes", kMaxRank));
    return false;
  }
  shape.push_back(*extent);
  return true;
}

bool Readings::check_shape(const Shape& shape, Span span) {
  if (shape.size() > kMaxRank) {
    reports_.fail(span,
                  fmt::format("a shape has at most {} axes, and {} has {}", kMaxRank, to_string(shape), shape.size()));
    return false;
  }
  if (element_count(shape) > kMaxElements) {
    reports_.fail(span,
                  fmt::format("a tensor has at most {} elements, and {} has more", kMaxElements, to_string(shape)));
    return false;
  }
  return true;
}

std::optional<Shape> Readings::to_shape(const Value& value, Span span, bool allow_inferred) {
  Shape shape;
  if (value.is_error() || !append_extents(value, span, allow_inferred, shape)) return std::nullopt;
  if (!allow_inferred && !check_shape(shape, span)) return std::nullopt;
  return shape;
}

Value Readings::new_list(std::vector<Value> elements, Span span, bool several) {
  Value list = make_list(std::move(elements), several);
  if (depth_of(list) > kMaxValueDepth)
    return reports_.fail(span, fmt::format("lists nest deeper than {}", kMaxValueDepth));
  return list;
}

bool Readings::check_total(const Value& value, Span span) {
  if (total_of(value) <= 2 * reports_.options.limits.list_length) return true;
  reports_.fail(span,
                fmt::format("a list of lists has at most {} numbers in all", reports_.options.limits.list_length));
  return false;
}

}  // namespace tarn::elaboration
