// See body_printer.h. Structures are taken apart by structured bindings, so that a field added to one of them is a
// compile error here until it is printed as well.
#include "passes/plan/body_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ir/joined.h"
#include "passes/plan/access.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

// "2*i + j + 3", with the names of the axes and behind these those of the repeats.
std::string linear_text(const Linear& linear, const std::vector<std::string>& names) {
  const auto& [strides, offset, repeat_strides] = linear;
  std::string text;
  const auto add = [&](const std::string& part, bool negative) {
    text += text.empty() ? (negative ? "-" : "") : negative ? " - " : " + ";
    text += part;
  };
  const auto add_index = [&](std::int64_t stride, const std::string& name) {
    if (stride == 0) return;
    const std::int64_t size = stride < 0 ? -stride : stride;
    add(size == 1 ? name : fmt::format("{}*{}", size, name), stride < 0);
  };
  for (std::size_t i = 0; i < strides.size(); ++i) add_index(strides[i], names[i]);
  for (std::size_t d = 0; d < repeat_strides.size(); ++d) add_index(repeat_strides[d], names[strides.size() + d]);
  if (offset != 0 || text.empty()) add(fmt::format("{}", offset < 0 ? -offset : offset), offset < 0);
  return text;
}

// The order in which somebody who reads the text makes the values of a body.
class ReadingOrder {
 public:
  ReadingOrder(const Body& body, const std::vector<bool>& named)
      : body_(body), named_(named), is_made_(body.values.size(), false) {}

  void define(ValueId id) {
    const Value& value = body_.values[id];
    if (value.kind == Value::Kind::load) use(value.access);
    for (const ValueId operand : value.operands) use(operand);
    made_.push_back(id);
    is_made_[id] = true;
  }
  void use(ValueId id) {
    if (!named_[id] && !is_made_[id]) define(id);
  }
  void use(const Access& access) {
    if (access.row != kNoValue) use(access.row);
  }

  bool is_natural() const { return std::is_sorted(made_.begin(), made_.end()); }
  // "1 0 2-4"
  std::string text() const {
    std::string text;
    for (std::size_t i = 0; i < made_.size();) {
      std::size_t end = i + 1;
      while (end < made_.size() && made_[end] == made_[end - 1] + 1) ++end;
      text += end - i > 1 ? fmt::format(" {}-{}", made_[i], made_[end - 1]) : fmt::format(" {}", made_[i]);
      i = end;
    }
    return text;
  }

 private:
  const Body& body_;
  const std::vector<bool>& named_;
  std::vector<bool> is_made_;
  std::vector<ValueId> made_;
};

}  // namespace

std::string text_of(const Extent& extent) {
  const auto& [constant, times_batch] = extent;
  if (!times_batch) return fmt::format("{}", constant);
  return constant == 1 ? "N" : fmt::format("{}N", constant);
}

void BodyPrinter::print(std::string& out, const std::string& indent, const std::vector<Reduction>& reductions,
                        std::string_view over, const std::optional<NamedValue>& given) {
  const auto& [body_values, stores] = body_;
  count_uses(reductions, given);
  std::vector<bool> named(body_values.size(), false);
  for (ValueId id = 0; id < body_values.size(); ++id) {
    std::string text = typed(id, value_text(body_values[id]));
    named[id] = has_name(id, text);
    if (named[id]) {
      out += fmt::format("{}t{} = {}\n", indent, id, text);
      text = fmt::format("t{}", id);
    }
    values_.push_back(std::move(text));
  }
  ReadingOrder order(body_, named);
  for (ValueId id = 0; id < body_values.size(); ++id) {
    if (named[id]) order.define(id);
  }
  for (const Store& store : stores) {
    const auto& [value, access, accumulate, guarded] = store;
    order.use(access);
    order.use(value);
    out += fmt::format("{}{} {} {}{}\n", indent, access_text(access), accumulate ? "+=" : "=", values_[value],
                       guarded ? "   if finite" : "");
  }
  for (std::size_t i = 0; i < reductions.size(); ++i) {
    const auto& [op, value, dtype, multiply_add] = reductions[i];
    order.use(value);
    out += fmt::format("{}r{}{} = {}{} of {}\n", indent, i,
                       whole_ && dtype != dtype_of_reduction(op, value) ? fmt::format(": {}", name_of(dtype)) : "",
                       multiply_add ? plan_words::kMultiplyAdd : name_of(op), over, values_[value]);
  }
  if (given) {
    order.use(given->value);
    out += fmt::format("{}{} = {}\n", indent, given->name, values_[given->value]);
  }
  if (whole_ && !order.is_natural()) out += fmt::format("{}order{}\n", indent, order.text());
}

std::string BodyPrinter::access_text(const Access& access) const {
  const auto& [buffer_id, at, row, row_stride, row_limit, bounds, fill] = access;
  const Buffer& buffer = plan_.buffers[buffer_id];
  const std::string flat = linear_text(at, around_.names), inside = bounds_text(access);
  if (row != kNoValue) {
    return whole_ ? fmt::format("{}[element {}, row {} * {} < {}{}]", labels_[buffer_id], flat, values_[row],
                                row_stride, row_limit, inside)
                  : fmt::format("{}[{} + {}*{}{}]", buffer.name, flat, row_stride, values_[row], inside);
  }
  const std::string by_axes = text_by_axes(access, buffer);
  if (!by_axes.empty()) return fmt::format("{}[{}{}]", labels_[buffer_id], by_axes, inside);
  if (buffer.shape.empty() && bounds.empty() && (!whole_ || flat == "0")) return labels_[buffer_id];
  return fmt::format("{}[{}{}{}]", labels_[buffer_id], whole_ ? "element " : "", flat, inside);
}

std::string BodyPrinter::bounds_text(const Access& access) const {
  std::string text;
  for (const auto& [index, limit, stride] : access.bounds) {
    text += fmt::format(", inside {} < {}{}", linear_text(index, around_.names), limit,
                        whole_ ? fmt::format(" by {}", stride) : "");
  }
  return text.empty() ? text : fmt::format("{}, else {}", text, access.fill);
}

void BodyPrinter::count_uses(const std::vector<Reduction>& reductions, const std::optional<NamedValue>& given) {
  uses_.assign(body_.values.size(), 0);
  if (given) ++uses_[given->value];
  const auto use_row = [&](const Access& access) {
    if (access.row != kNoValue) ++uses_[access.row];
  };
  for (const Value& value : body_.values) {
    for (const ValueId operand : value.operands) ++uses_[operand];
    use_row(value.access);
  }
  for (const Store& store : body_.stores) {
    ++uses_[store.value];
    use_row(store.access);
  }
  for (const Reduction& reduction : reductions) ++uses_[reduction.value];
}

bool BodyPrinter::has_name(ValueId id, const std::string& text) {
  constexpr std::size_t kLongest = 60;
  const Value& value = body_.values[id];
  const bool computed =
      value.kind == Value::Kind::operation || value.kind == Value::Kind::draw || value.access.row != kNoValue;
  if (computed && (uses_[id] > 1 || text.size() > kLongest)) return true;
  if (!whole_) return false;
  return uses_[id] == 0 ||
         (value.kind != Value::Kind::operation && !leaves_.insert(plan_words::leaf_key(value)).second);
}

DType BodyPrinter::dtype_of_reduction(Op op, ValueId value) const {
  return gives_index(op) ? DType::i32 : body_.values[value].dtype;
}

std::optional<DType> BodyPrinter::natural_dtype(const Value& value) const {
  switch (value.kind) {
    case Value::Kind::operation: {
      if (value.op == Op::convert) return value.dtype;
      std::vector<DType> operands;
      for (const ValueId operand : value.operands) operands.push_back(body_.values[operand].dtype);
      return plan_words::dtype_of_operation(value.op, operands);
    }
    case Value::Kind::load:
      return plan_.buffers[value.access.buffer].dtype;
    case Value::Kind::product:
      return around_.product;
    case Value::Kind::reduced:
      return around_.reductions[value.reduction].dtype;
    case Value::Kind::constant:
    case Value::Kind::index:
    case Value::Kind::batch_size:
    case Value::Kind::draw:
      return DType::f32;
  }
  return std::nullopt;
}

std::string BodyPrinter::typed(ValueId id, std::string text) const {
  const Value& value = body_.values[id];
  if (!whole_ || natural_dtype(value) == value.dtype) return text;
  return fmt::format("{}:{}", text, name_of(value.dtype));
}

std::string BodyPrinter::value_text(const Value& value) const {
  const auto& [kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction] = value;
  switch (kind) {
    case Value::Kind::operation:
      return operation_text(value);
    case Value::Kind::constant:
      return fmt::format("{}", number);
    case Value::Kind::load:
      return access_text(access);
    case Value::Kind::index:
      return fmt::format("{}({})", whole_ ? "index" : "", linear_text(linear, around_.names));
    case Value::Kind::batch_size:
      return "N";
    case Value::Kind::draw:
      return fmt::format("{}(sample {}, element {}{})", name_of(distribution), linear_text(sample, around_.names),
                         linear_text(linear, around_.names), whole_ ? fmt::format(", stream {}", stream) : "");
    case Value::Kind::product:
      return "product";
    case Value::Kind::reduced:
      return fmt::format("r{}", reduction);
  }
  return {};
}

std::string BodyPrinter::operation_text(const Value& value) const {
  const auto operand = [&](std::size_t i) -> const std::string& { return values_[value.operands[i]]; };
  const OpInfo& row = info(value.op);
  const std::string_view sign = row.notation.sign;
  if (row.arity == 2 && !sign.empty()) return fmt::format("({} {} {})", operand(0), sign, operand(1));
  // "-5" is a number.
  const bool of_number = !value.operands.empty() && body_.values[value.operands[0]].kind == Value::Kind::constant;
  if (row.arity == 1 && !sign.empty() && !of_number) return fmt::format("{}{}", sign, operand(0));
  std::string text = fmt::format("{}(", value.op == Op::convert ? name_of(value.dtype) : name_of(value.op));
  for (std::size_t i = 0; i < value.operands.size(); ++i) text += (i > 0 ? ", " : "") + operand(i);
  return text + ")";
}

std::string BodyPrinter::text_by_axes(const Access& access, const Buffer& buffer) const {
  std::vector<std::size_t> order(buffer.strides.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(-buffer.strides[a], a) < std::pair(-buffer.strides[b], b);
  });
  const std::vector<Extent>& axes = around_.axes;
  // With the repeats as further axes.
  const auto all_strides = [&](const Linear& linear) {
    Linear all{linear.strides, linear.offset};
    all.strides.insert(all.strides.end(), linear.repeat_strides.begin(), linear.repeat_strides.end());
    all.strides.resize(axes.size());
    return all;
  };
  Linear rest = all_strides(access.at);
  // Indices with bounds are those of axes that are as long.
  std::vector<const Bound*> given(order.size(), nullptr);
  for (const Bound& bound : access.bounds) {
    const auto fits = [&](std::size_t d) {
      return given[d] == nullptr && bound.stride == buffer.strides[d] && bound.limit == buffer.shape[d];
    };
    const auto found = std::find_if(order.begin(), order.end(), fits);
    if (found == order.end()) continue;
    given[*found] = &bound;
    rest = sum(rest, scaled(all_strides(bound.index), -bound.stride));
  }
  std::vector<std::string> parts(order.size());
  for (const std::size_t dimension : order) {
    if (given[dimension] != nullptr) {
      parts[dimension] = linear_text(given[dimension]->index, around_.names);
      continue;
    }
    const std::int64_t stride = buffer.strides[dimension];
    const std::int64_t extent = buffer.shape[dimension];
    if (stride <= 0 || extent == 1) {
      parts[dimension] = "0";
      continue;
    }
    Linear index = constant_linear(axes.size(), rest.offset / stride);
    rest.offset %= stride;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (rest.strides[i] % stride != 0) continue;
      index.strides[i] = rest.strides[i] / stride;
      rest.strides[i] = 0;
      if (index.strides[i] != 0 && extent != kBatch && (axes[i].times_batch || axes[i].constant > extent)) return {};
    }
    parts[dimension] = linear_text(index, around_.names);
  }
  return rest.offset == 0 && is_constant(rest) ? joined(parts, ", ") : std::string();
}

}  // namespace tarn
