// Type rules. See type_rules.h for what they share; each function is the rule of its name in ops.def.
#include "ir/type_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ir/counted.h"
#include "ir/shape_checks.h"
#include "ir/views.h"

namespace tarn {

namespace {

using Operands = std::span<const Type>;
using Integers = std::vector<std::int64_t>;

Result<Type> checked(Type type) {
  TARN_RETURN_IF_ERROR(check_shape(type.shape));
  return type;
}

Status need_numbers(const Type& type) {
  if (type.dtype == DType::boolean) return error("numbers are needed here, not bool");
  return Done{};
}

Status need_floating(const Type& type) {
  if (!is_floating(type.dtype)) return error(fmt::format("f32 or f64 is needed here, not {}", name_of(type.dtype)));
  return Done{};
}

Status need_same_dtypes(Operands operands) {
  for (const Type& type : operands) {
    if (type.dtype != operands.front().dtype) {
      return error(fmt::format("types do not agree: {} and {}", name_of(operands.front().dtype), name_of(type.dtype)));
    }
  }
  return Done{};
}

bool any_per_sample(Operands operands) {
  return std::any_of(operands.begin(), operands.end(), [](const Type& type) { return type.per_sample; });
}

// The type of an elementwise result: the one shape of the operands.
Result<Type> elementwise(Operands operands, DType dtype) {
  for (const Type& type : operands) {
    if (type.shape != operands.front().shape) {
      return error(
          fmt::format("shapes do not agree: {} and {}", to_string(operands.front().shape), to_string(type.shape)));
    }
  }
  return Type{dtype, any_per_sample(operands), operands.front().shape};
}

Shape without_axes(const Shape& shape, const Integers& axes) {
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end()) result.push_back(shape[i]);
  }
  return result;
}

Status need_elements(const Shape& shape, const Integers& axes) {
  for (const std::int64_t axis : axes) {
    if (shape[axis] == 0)
      return error(fmt::format("axis {} of {} has no elements to choose from", axis, to_string(shape)));
  }
  return Done{};
}

// Whether a constant of the type can hold the value.
bool fits(double value, DType dtype) {
  if (is_floating(dtype)) return true;
  if (dtype == DType::boolean) return value == 0 || value == 1;
  return value == std::trunc(value) && value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}

// Letters a-z, A-Z as 0..51.
std::size_t letter_index(char letter) {
  return letter >= 'a' ? static_cast<std::size_t>(letter - 'a') : static_cast<std::size_t>(letter - 'A') + 26;
}
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

using Extents = std::array<std::optional<std::int64_t>, 52>;

// Binds the letters of one operand to its extents.
Status bind_letters(std::string_view letters, const Shape& shape, Extents& extents) {
  if (letters.size() != shape.size()) {
    return error(fmt::format("\"{}\" names {}, but the shape is {}", letters, counted(letters.size(), "axis", "axes"),
                             to_string(shape)));
  }
  for (std::size_t i = 0; i < letters.size(); ++i) {
    std::optional<std::int64_t>& extent = extents[letter_index(letters[i])];
    if (extent && *extent != shape[i]) {
      const auto spell = [](std::int64_t e) { return e == kBatch ? std::string("N") : fmt::format("{}", e); };
      return error(fmt::format("axis '{}' has {} in one operand and {} in the other", letters[i], spell(*extent),
                               spell(shape[i])));
    }
    extent = shape[i];
  }
  return Done{};
}

// table[0:axis] + indices + table[axis+1:]
Shape gathered_shape(const Shape& table, const Shape& indices, std::int64_t axis) {
  Shape result(table.begin(), table.begin() + axis);
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), table.begin() + axis + 1, table.end());
  return result;
}

Status need_gatherable(const Type& table, const Type& indices, std::int64_t axis) {
  TARN_RETURN_IF_ERROR(need_axis(axis, table.shape));
  TARN_RETURN_IF_ERROR(need_elements(table.shape, {axis}));
  if (indices.dtype != DType::i32) return error(fmt::format("indices must be i32, not {}", name_of(indices.dtype)));
  if (depends_on_sample(table)) return error("a table cannot depend on the sample");
  if (depends_on_sample(indices) && axis != 0)
    return error("indices that depend on the sample need axis 0 of the table");
  return Done{};
}

// Sources take their whole type from the request.
Result<Type> requested_type(const Type* requested) {
  if (requested == nullptr) return needs_type();
  TARN_RETURN_IF_ERROR(check_type(*requested));
  return *requested;
}

}  // namespace

Status check_shape(const Shape& shape) {
  if (shape.size() > kMaxRank) {
    return error(fmt::format("a value of {} axes is over the limit of {}", shape.size(), kMaxRank));
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0 && !(i == 0 && shape[i] == kBatch))
      return error(fmt::format("{} is not a shape", to_string(shape)));
  }
  if (count_of_sample(shape) > kMaxElements) {
    return error(fmt::format("a value of {} elements is over the limit of {}", count_of_sample(shape), kMaxElements));
  }
  return Done{};
}

Status check_type(const Type& type) {
  if (type.per_sample && has_batch(type.shape)) return error("a value of one sample has no batch axis");
  return check_shape(type.shape);
}

Result<ContractionMap> parse_contraction_map(std::string_view map) {
  const auto bad = [&](std::string_view why) { return error(fmt::format("\"{}\" is no contraction: {}", map, why)); };
  const std::size_t comma = map.find(',');
  const std::size_t arrow = map.find("->");
  if (comma == std::string_view::npos || arrow == std::string_view::npos || arrow < comma) {
    return bad("it must look like \"mk,kn->mn\"");
  }
  const ContractionMap parts{map.substr(0, comma), map.substr(comma + 1, arrow - comma - 1), map.substr(arrow + 2)};
  for (const std::string_view part : {parts.a, parts.b, parts.result}) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (!is_letter(part[i])) return bad("axes are named by single letters");
      if (part.find(part[i], i + 1) != std::string_view::npos) return bad(fmt::format("'{}' stands twice", part[i]));
    }
  }
  for (const char letter : parts.result) {
    if (parts.a.find(letter) == std::string_view::npos && parts.b.find(letter) == std::string_view::npos) {
      return bad(fmt::format("'{}' is in no operand", letter));
    }
  }
  return parts;
}

namespace type_rules {

Result<Type> numeric(Operands operands, const Attributes&, const Type*) {
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands));
  TARN_RETURN_IF_ERROR(need_numbers(operands.front()));
  return elementwise(operands, operands.front().dtype);
}

Result<Type> floating(Operands operands, const Attributes&, const Type*) {
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands));
  TARN_RETURN_IF_ERROR(need_floating(operands.front()));
  return elementwise(operands, operands.front().dtype);
}

Result<Type> test(Operands operands, const Attributes&, const Type*) {
  TARN_RETURN_IF_ERROR(need_floating(operands.front()));
  return elementwise(operands, DType::boolean);
}

Result<Type> logical(Operands operands, const Attributes&, const Type*) {
  for (const Type& type : operands) {
    if (type.dtype != DType::boolean) return error(fmt::format("bool is needed here, not {}", name_of(type.dtype)));
  }
  return elementwise(operands, DType::boolean);
}

Result<Type> compare(Operands operands, const Attributes&, const Type*) {
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands));
  return elementwise(operands, DType::boolean);
}

Result<Type> select(Operands operands, const Attributes&, const Type*) {
  if (operands[0].dtype != DType::boolean) {
    return error(fmt::format("the condition must be bool, not {}", name_of(operands[0].dtype)));
  }
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands.subspan(1)));
  return elementwise(operands, operands[1].dtype);
}

Result<Type> convert(Operands operands, const Attributes&, const Type* requested) {
  if (requested == nullptr) return needs_type();
  return elementwise(operands, requested->dtype);
}

Result<Type> any(Operands operands, const Attributes&, const Type*) {
  return elementwise(operands, operands.front().dtype);
}

Result<Type> reduce(Operands operands, const Attributes& attributes, const Type*) {
  const Type& x = operands.front();
  TARN_RETURN_IF_ERROR(need_numbers(x));
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, x.shape));
  return Type{x.dtype, x.per_sample, without_axes(x.shape, axes)};
}

Result<Type> reduce_any(Operands operands, const Attributes& attributes, const Type*) {
  const Type& x = operands.front();
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, x.shape));
  TARN_RETURN_IF_ERROR(need_elements(x.shape, axes));
  return Type{x.dtype, x.per_sample, without_axes(x.shape, axes)};
}

Result<Type> arg_reduce(Operands operands, const Attributes& attributes, const Type*) {
  const Type& x = operands.front();
  TARN_RETURN_IF_ERROR(need_numbers(x));
  const Integers& axes = attributes.integers(Key::axes);
  TARN_RETURN_IF_ERROR(need_rising_axes(axes, x.shape));
  if (axes.empty()) return error("an axis is needed here");
  TARN_RETURN_IF_ERROR(need_elements(x.shape, axes));
  return Type{DType::i32, x.per_sample, without_axes(x.shape, axes)};
}

Result<Type> batch_sum(Operands operands, const Attributes&, const Type*) {
  const Type& x = operands.front();
  TARN_RETURN_IF_ERROR(need_numbers(x));
  if (has_batch(x.shape)) return error("a sum over the samples of a batched value is a sum over its first axis");
  return Type{x.dtype, false, x.shape};
}

Result<Type> contract(Operands operands, const Attributes& attributes, const Type*) {
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands));
  TARN_RETURN_IF_ERROR(need_numbers(operands.front()));
  TARN_TRY(const ContractionMap map, parse_contraction_map(attributes.text(Key::map)));
  Extents extents;
  TARN_RETURN_IF_ERROR(bind_letters(map.a, operands[0].shape, extents));
  TARN_RETURN_IF_ERROR(bind_letters(map.b, operands[1].shape, extents));
  Shape shape;
  for (const char letter : map.result) shape.push_back(*extents[letter_index(letter)]);
  if (std::count(shape.begin(), shape.end(), kBatch) != (has_batch(shape) ? 1 : 0)) {
    return batch_axis_moved("moved from the first place");
  }
  return checked({operands.front().dtype, any_per_sample(operands), std::move(shape)});
}

// The type of a view's result: what its map says.
Result<Type> view(ViewRule rule, Operands operands, const Attributes& attributes, const Type* requested) {
  const Type& x = operands.front();
  TARN_TRY(ViewMap map, rule(x.shape, attributes, requested == nullptr ? nullptr : &requested->shape));
  if (map.fill && !fits(*map.fill, x.dtype)) return error(fmt::format("{} is no {}", *map.fill, name_of(x.dtype)));
  if (x.per_sample && has_batch(map.shape)) return error("a value of one sample has no batch axis");
  return checked({x.dtype, x.per_sample, std::move(map.shape)});
}
#define VIEW(name, ...)                                                                       \
  Result<Type> name(Operands operands, const Attributes& attributes, const Type* requested) { \
    return view(view_rules::name, operands, attributes, requested);                           \
  }
#define FILLED_VIEW VIEW
#define OPERATION(...)
#include "ir/ops.def"

Result<Type> spread(Operands operands, const Attributes& attributes, const Type*) {
  const Type& x = operands.front();
  const Integers& strides = attributes.integers(Key::strides);
  TARN_RETURN_IF_ERROR(need_one_for_each_axis(Key::strides, strides, x.shape));
  Shape shape = x.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == kBatch && strides[i] != 1) return batch_axis_moved("spread");
    if (strides[i] < 1 || strides[i] > kMaxElements)
      return error(fmt::format("elements cannot be spread by {}", strides[i]));
    if (shape[i] > 0) shape[i] = (shape[i] - 1) * strides[i] + 1;
  }
  return checked({x.dtype, x.per_sample, std::move(shape)});
}

Result<Type> concat(Operands operands, const Attributes& attributes, const Type*) {
  const Shape& first = operands.front().shape;
  const std::int64_t axis = attributes.integer(Key::axis);
  TARN_RETURN_IF_ERROR(need_same_dtypes(operands));
  TARN_RETURN_IF_ERROR(need_axis(axis, first));
  if (axis == 0 && has_batch(first)) return batch_axis_moved("joined");
  Type result{operands.front().dtype, any_per_sample(operands), first};
  result.shape[axis] = 0;
  for (const Type& part : operands) {
    Shape rest = part.shape;
    if (rest.size() == first.size()) rest[axis] = first[axis];
    if (rest != first) {
      return error(
          fmt::format("shapes do not agree beside axis {}: {} and {}", axis, to_string(first), to_string(part.shape)));
    }
    result.shape[axis] += part.shape[axis];
    TARN_RETURN_IF_ERROR(check_shape(result.shape));
  }
  return result;
}

Result<Type> gather(Operands operands, const Attributes& attributes, const Type*) {
  const std::int64_t axis = attributes.integer(Key::axis);
  TARN_RETURN_IF_ERROR(need_gatherable(operands[0], operands[1], axis));
  return checked(
      {operands[0].dtype, operands[1].per_sample, gathered_shape(operands[0].shape, operands[1].shape, axis)});
}

Result<Type> scatter_add(Operands operands, const Attributes& attributes, const Type* requested) {
  if (requested == nullptr) return needs_type();
  const Type table{operands[0].dtype, false, requested->shape};
  const std::int64_t axis = attributes.integer(Key::axis);
  TARN_RETURN_IF_ERROR(check_shape(table.shape));
  TARN_RETURN_IF_ERROR(need_numbers(table));
  TARN_RETURN_IF_ERROR(need_gatherable(table, operands[1], axis));
  if (any_per_sample(operands)) return error("values of single samples are added up after batching only");
  const Shape expected = gathered_shape(table.shape, operands[1].shape, axis);
  if (operands[0].shape != expected) {
    return error(fmt::format("shapes do not agree: {} and {}", to_string(operands[0].shape), to_string(expected)));
  }
  return table;
}

Result<Type> constant(Operands, const Attributes& attributes, const Type* requested) {
  TARN_TRY(Type type, requested_type(requested));
  if (type.per_sample) return error("a constant is the same for every sample");
  if (attributes.has(Key::value) == attributes.has(Key::values))
    return error("a constant has either 'value' or 'values'");
  const auto refuse = [&](double value) { return error(fmt::format("{} is no {}", value, name_of(type.dtype))); };
  if (attributes.has(Key::value)) {
    if (!fits(attributes.number(Key::value), type.dtype)) return refuse(attributes.number(Key::value));
    return type;
  }
  const std::vector<double>& values = attributes.numbers(Key::values);
  if (has_batch(type.shape)) return error("a constant with a batch axis has one value for all elements");
  if (static_cast<std::int64_t>(values.size()) != element_count(type.shape)) {
    return error(fmt::format("{} {} not fill the shape {}", counted(values.size(), "value"),
                             agreeing(values.size(), "does", "do"), to_string(type.shape)));
  }
  for (const double value : values) {
    if (!fits(value, type.dtype)) return refuse(value);
  }
  return type;
}

Result<Type> iota(Operands, const Attributes& attributes, const Type* requested) {
  TARN_TRY(Type type, requested_type(requested));
  TARN_RETURN_IF_ERROR(need_numbers(type));
  TARN_RETURN_IF_ERROR(need_axis(attributes.integer(Key::axis), type.shape));
  if (type.per_sample) return error("an index is the same for every sample");
  return type;
}

Result<Type> input(Operands, const Attributes&, const Type* requested) { return requested_type(requested); }

Result<Type> tensor(Operands, const Attributes&, const Type* requested) {
  TARN_TRY(Type type, requested_type(requested));
  if (depends_on_sample(type)) return error("a tensor of the model cannot depend on the sample");
  return type;
}

Result<Type> batch_size(Operands, const Attributes&, const Type* requested) {
  TARN_TRY(Type type, requested_type(requested));
  TARN_RETURN_IF_ERROR(need_numbers(type));
  if (type.per_sample || !type.shape.empty()) return error("the number of samples is one number");
  return type;
}

Result<Type> random(Operands, const Attributes& attributes, const Type* requested) {
  TARN_TRY(Type type, requested_type(requested));
  TARN_RETURN_IF_ERROR(need_floating(type));
  const bool per_step = attributes.has(Key::per_step) && attributes.integer(Key::per_step) != 0;
  if (per_step && depends_on_sample(type)) return error("a draw for the whole step cannot depend on the sample");
  return type;
}

Result<Type> grad(Operands operands, const Attributes&, const Type*) {
  const Type& y = operands[0];
  const Type& x = operands[1];
  TARN_RETURN_IF_ERROR(need_floating(y));
  TARN_RETURN_IF_ERROR(need_floating(x));
  if (!y.shape.empty() && y.shape != Shape{kBatch}) {
    return error(fmt::format("a gradient is taken of a scalar, not of {}", to_string(y.shape)));
  }
  if (depends_on_sample(y) && !depends_on_sample(x)) {
    return error("the gradient of a value of each sample is taken by what depends on the sample");
  }
  return x;
}

}  // namespace type_rules

}  // namespace tarn
