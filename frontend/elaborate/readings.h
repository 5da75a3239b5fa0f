// Compile-time readings of values: numbers, truth values, shapes and lists within the limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/elaborate/reports.h"

namespace tarn::elaboration {

class Readings {
 public:
  Readings(Reports& reports, Graphs& graphs) : reports_(reports), graphs_(graphs) {}

  // An error names what the value is for ("the axis").
  std::optional<std::int64_t> to_integer(const Value& value, Span span, const std::string& what);
  std::optional<double> to_number(const Value& value, Span span, const std::string& what);
  std::optional<bool> to_truth(const Value& value, Span span, const std::string& what);
  // Extents of a shape, nested lists spliced, checked against the limits.
  std::optional<Shape> to_shape(const Value& value, Span span, bool allow_inferred = false);
  bool append_extents(const Value& value, Span span, bool allow_inferred, Shape& shape);
  bool check_shape(const Shape& shape, Span span);
  // A list of what may be lists; an error where they nest too deep.
  Value new_list(std::vector<Value> elements, Span span, bool several = false);
  // Whether a list is short enough to be looked through; an error where it is not.
  bool check_total(const Value& value, Span span);
  // A hyper-parameter where a compile-time value is needed stands for the number that was given.
  Value known(const Value& value) const;

 private:
  Reports& reports_;
  Graphs& graphs_;
};

}  // namespace tarn::elaboration
