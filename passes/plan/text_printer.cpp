// The printing half of the text form of kernel plans: text.h says what it looks like. print() leaves out what does
// not help somebody who reads, print_whole() nothing. Structures are taken apart by structured bindings, so that a
// field added to one of them is a compile error here until it is printed as well.
#include <fmt/format.h>

#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "ir/joined.h"
#include "ir/text_parts.h"
#include "passes/plan/access.h"
#include "passes/plan/tactics_text.h"
#include "passes/plan/text.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

using Names = std::vector<std::string>;

std::string text_of(const Extent& extent) {
  const auto& [constant, times_batch] = extent;
  if (!times_batch) return fmt::format("{}", constant);
  return constant == 1 ? "N" : fmt::format("{}N", constant);
}

// "2*i + j + 3", with the names of the axes and behind these those of the repeats.
std::string text_of(const Linear& linear, const Names& names) {
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

// How buffers are called: in the whole text so that each has a name of its own that reads back.
Names labels_of(const std::vector<Buffer>& buffers, bool whole) {
  std::map<std::string, int> count;
  for (const Buffer& buffer : buffers) ++count[buffer.name];
  Names labels;
  for (std::size_t id = 0; id < buffers.size(); ++id) {
    const std::string& name = buffers[id].name;
    if (!whole) {
      labels.push_back(name);
      continue;
    }
    const std::string word = is_name(name) && !plan_words::is_reserved(name) ? name : quoted(name);
    labels.push_back(count[name] > 1 ? fmt::format("{}${}", word, id) : word);
  }
  return labels;
}

// A value of a body with a name of its own.
struct NamedValue {
  std::string_view name;
  ValueId value;
};

// What a body stands in.
struct Surroundings {
  std::vector<Extent> axes;           // those of the kernel, then repeats around it
  Names names;                        // of these
  DType product = DType::f32;         // of a product's epilogue
  std::vector<Reduction> reductions;  // those that a tail takes up
};

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

// The equations of one body.
class BodyPrinter {
 public:
  BodyPrinter(const KernelPlan& plan, const Names& labels, bool whole, const Body& body, Surroundings around)
      : plan_(plan), labels_(labels), whole_(whole), body_(body), around_(std::move(around)) {}

  // One equation a value that is used twice or would make a long line, then the stores, then the reductions, then what
  // the body gives.
  void print(std::string& out, const std::string& indent, const std::vector<Reduction>& reductions,
             std::string_view over, const std::optional<NamedValue>& given = std::nullopt) {
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

  std::string access_text(const Access& access) const {
    const auto& [buffer_id, at, row, row_stride, row_limit, bounds, fill] = access;
    const Buffer& buffer = plan_.buffers[buffer_id];
    const std::string flat = tarn::text_of(at, around_.names), inside = bounds_text(access);
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

 private:
  std::string bounds_text(const Access& access) const {
    std::string text;
    for (const auto& [index, limit, stride] : access.bounds) {
      text += fmt::format(", inside {} < {}{}", tarn::text_of(index, around_.names), limit,
                          whole_ ? fmt::format(" by {}", stride) : "");
    }
    return text.empty() ? text : fmt::format("{}, else {}", text, access.fill);
  }

  void count_uses(const std::vector<Reduction>& reductions, const std::optional<NamedValue>& given) {
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

  // What is computed, has a name where it is used twice or would make a long line. In the whole text so has what would
  // not be read at all, or be taken for another value.
  bool has_name(ValueId id, const std::string& text) {
    constexpr std::size_t kLongest = 60;
    const Value& value = body_.values[id];
    const bool computed =
        value.kind == Value::Kind::operation || value.kind == Value::Kind::draw || value.access.row != kNoValue;
    if (computed && (uses_[id] > 1 || text.size() > kLongest)) return true;
    if (!whole_) return false;
    return uses_[id] == 0 ||
           (value.kind != Value::Kind::operation && !leaves_.insert(plan_words::leaf_key(value)).second);
  }

  DType dtype_of_reduction(Op op, ValueId value) const {
    return gives_index(op) ? DType::i32 : body_.values[value].dtype;
  }

  // The type that somebody who reads the value would give it.
  std::optional<DType> natural_dtype(const Value& value) const {
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

  std::string typed(ValueId id, std::string text) const {
    const Value& value = body_.values[id];
    if (!whole_ || natural_dtype(value) == value.dtype) return text;
    return fmt::format("{}:{}", text, name_of(value.dtype));
  }

  std::string value_text(const Value& value) const {
    const auto& [kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction] = value;
    switch (kind) {
      case Value::Kind::operation:
        return operation_text(value);
      case Value::Kind::constant:
        return fmt::format("{}", number);
      case Value::Kind::load:
        return access_text(access);
      case Value::Kind::index:
        return fmt::format("{}({})", whole_ ? "index" : "", tarn::text_of(linear, around_.names));
      case Value::Kind::batch_size:
        return "N";
      case Value::Kind::draw:
        return fmt::format("{}(sample {}, element {}{})", name_of(distribution), tarn::text_of(sample, around_.names),
                           tarn::text_of(linear, around_.names), whole_ ? fmt::format(", stream {}", stream) : "");
      case Value::Kind::product:
        return "product";
      case Value::Kind::reduced:
        return fmt::format("r{}", reduction);
    }
    return {};
  }

  std::string operation_text(const Value& value) const {
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

  // The access by the axes of its buffer, where every index is one axis of the loop; else nothing.
  std::string text_by_axes(const Access& access, const Buffer& buffer) const {
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
    Names parts(order.size());
    for (const std::size_t dimension : order) {
      if (given[dimension] != nullptr) {
        parts[dimension] = tarn::text_of(given[dimension]->index, around_.names);
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
      parts[dimension] = tarn::text_of(index, around_.names);
    }
    return rest.offset == 0 && is_constant(rest) ? joined(parts, ", ") : std::string();
  }

  const KernelPlan& plan_;
  const Names& labels_;
  bool whole_;
  const Body& body_;
  Surroundings around_;
  std::vector<int> uses_;
  std::set<std::string> leaves_;  // keys of those that stand where they are used
  Names values_;                  // as they stand where they are used
};

class Printer {
 public:
  Printer(const KernelPlan& plan, bool whole) : plan_(plan), whole_(whole), labels_(labels_of(plan.buffers, whole)) {}

  std::string print(const Locations* locations, const Sources& sources) {
    locations_ = locations;
    sources_ = &sources;
    print_kernels(plan_.kernels);
    for (const std::string& remark : plan_.remarks) out_ += "remark: " + remark + "\n";
    return std::move(out_);
  }

  std::string print_whole(const std::string& name, const Locations* locations, const Sources& sources) {
    const auto& [buffers, kernels, max_batch, arena_bytes, constants, results, remarks] = plan_;
    append("plan {} {{\n  max_batch {}\n  arena {}\n", name_text(name), max_batch, arena_bytes);
    print_constants(constants);
    for (BufferId id = 0; id < buffers.size(); ++id) print_buffer(id, buffers[id]);
    for (const PlanResult& result : results) {
      const auto& [kind, result_name, buffer] = result;
      append("  result {} {} = {}\n", name_of(kind), quoted(result_name), labels_[buffer]);
    }
    locations_ = locations;
    sources_ = &sources;
    print_whole_kernels(kernels);
    if (!remarks.empty()) out_ += '\n';
    for (const std::string& remark : remarks) append("remark {}\n", quoted(remark));
    return std::move(out_) + "}\n" + print_tactics(plan_, name);
  }

 private:
  template <class... T>
  void append(fmt::format_string<T...> format, T&&... values) {
    out_ += fmt::format(format, std::forward<T>(values)...);
  }

  static std::string_view kind_of(const LoopKernel&) { return "loop"; }
  static std::string_view kind_of(const ContractionKernel&) { return "product"; }
  static std::string_view kind_of(const FiniteGuard&) { return "guard"; }
  static std::string_view kind_of(const Repeat&) { return "repeat"; }

  void print_kernels(const std::vector<Kernel>& kernels) {
    for (const Kernel& kernel : kernels) {
      const std::size_t number = next_number_++;
      if (const auto* guard = std::get_if<FiniteGuard>(&kernel.body)) {
        append("kernel {}: {}\n", number, text_of(*guard));
        continue;
      }
      const std::string origin = locations_ == nullptr ? "" : origin_of(kernel.location, *locations_, *sources_);
      append("kernel {} \"{}\"   {}{}{}\n", number, kernel.name, cost_text(kernel), origin.empty() ? "" : "   ",
             origin);
      print_kernel(kernel);
    }
  }

  void print_whole_kernels(const std::vector<Kernel>& kernels) {
    for (const Kernel& kernel : kernels) {
      const auto& [name, body, location, tactics] = kernel;
      append("\nkernel {} {} {}", next_number_++, quoted(name),
             std::visit([](const auto& k) { return kind_of(k); }, body));
      if (locations_ != nullptr) print_location(out_, *locations_, location, *sources_);
      append("   # {}\n", cost_text(kernel));
      print_kernel(kernel);
    }
  }

  std::string cost_text(const Kernel& kernel) const {
    const auto& [flops, bytes] = cost_of(plan_, kernel);
    return fmt::format("{}, {}", plan_words::quantity(flops, "FLOP"), plan_words::quantity(bytes, "B"));
  }

  void print_constants(const std::vector<std::byte>& constants) {
    if (constants.empty()) return;
    out_ += "  constants {";
    for (std::size_t i = 0; i < constants.size(); ++i) {
      if (i % 4 == 0) out_ += i % 32 == 0 ? "\n    " : " ";
      append("{:02x}", std::to_integer<unsigned>(constants[i]));
    }
    out_ += "\n  }\n";
  }

  void print_buffer(BufferId id, const Buffer& buffer) {
    const auto& [name, space, index, offset, dtype, shape, strides] = buffer;
    const bool by_number = space == Space::input || space == Space::output || index != 0;
    append("  buffer {}: {} strides [{}] in {}{} at {}\n", labels_[id], to_string(Type{dtype, false, shape}),
           joined(strides, ", "), plan_words::name_of(space), by_number ? fmt::format(" {}", index) : "", offset);
  }

  void print_kernel(const Kernel& kernel) {
    std::visit([this](const auto& body) { print_body(body); }, kernel.body);
  }

  std::string text_of(const FiniteGuard& guard) const {
    const auto& [buffer] = guard;
    return fmt::format("the step ends here unless {} is finite", labels_[buffer]);
  }
  void print_body(const FiniteGuard& guard) { append("  {}\n", text_of(guard)); }

  // The steps stand further to the right.
  void print_body(const Repeat& repeat) {
    const auto& [count, steps, carried] = repeat;
    Names names;
    for (const BufferId buffer : carried) names.push_back(labels_[buffer]);
    append("  {} times{}{} {{\n", count, names.empty() ? "" : "   carries ", joined(names, ", "));
    std::string before = std::exchange(out_, {});
    repeats_.push_back({count, false});
    if (whole_) {
      print_whole_kernels(steps);
    } else {
      print_kernels(steps);
    }
    repeats_.pop_back();
    for (std::size_t at = 0; at < out_.size();) {
      const std::size_t end = out_.find('\n', at) + 1;
      if (end - at > 1) before += "  ";
      before.append(out_, at, end - at);
      at = end;
    }
    out_ = std::move(before) + "  }\n";
  }

  // What kernels with these axes stand in.
  Surroundings around(std::vector<Extent> axes, Names names) const {
    const Names indices = plan_words::repeat_indices(repeats_.size());
    axes.insert(axes.end(), repeats_.begin(), repeats_.end());
    names.insert(names.end(), indices.begin(), indices.end());
    return {std::move(axes), std::move(names), {}, {}};
  }

  void print_body(const LoopKernel& kernel) {
    const auto& [axes, reduced, body, reductions, tail] = kernel;
    const Names names = plan_words::loop_axes(axes.size());
    std::string kept, over;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      (reduced[i] ? over : kept) += fmt::format(" {} < {}", names[i], tarn::text_of(axes[i]));
    }
    if (!kept.empty()) append("  for{}\n", kept);
    if (!over.empty()) append("    over{}\n", over);
    print_bodies(body, reductions, tail, around(axes, names), over.empty() ? "    " : "      ", "");
  }

  // A body and its reductions, `over` some axes; then the tail.
  void print_bodies(const Body& body, const std::vector<Reduction>& reductions, const Body& tail, Surroundings around,
                    const std::string& indent, std::string_view over) {
    BodyPrinter(plan_, labels_, whole_, body, around).print(out_, indent, reductions, over);
    around.reductions = reductions;
    if (whole_ && !(tail.values.empty() && tail.stores.empty())) out_ += "    then\n";
    BodyPrinter(plan_, labels_, whole_, tail, std::move(around)).print(out_, "    ", {}, "");
  }

  void print_body(const ContractionKernel& kernel) {
    const auto& [batch, rows, columns, inner, dtype, a, b, epilogue, sums, tail] = kernel;
    const plan_words::Role m{"m", rows.size()}, n{"n", columns.size()}, k{"k", inner.size()};
    Surroundings points = around(axes_with(kernel, rows, columns), plan_words::product_axes(batch.size(), m, n));
    points.product = dtype;
    append("  for{}\n", text_of(points.names, axes_with(kernel, rows, columns)));
    const Surroundings left = around(axes_with(kernel, rows, inner), plan_words::product_axes(batch.size(), m, k)),
                       right = around(axes_with(kernel, inner, columns), plan_words::product_axes(batch.size(), k, n));
    append("    product{} = sum over{} of {} * {}\n",
           whole_ && dtype != a.body.values[a.value].dtype ? fmt::format(": {}", name_of(dtype)) : "",
           text_of(plan_words::role_axes(k), inner), operand_text(a, left, plan_words::kLeft),
           operand_text(b, right, plan_words::kRight));
    print_computed(a, left, plan_words::kLeft);
    print_computed(b, right, plan_words::kRight);
    print_bodies(epilogue, sums, tail, points, "    ", fmt::format(" over {}", joined(plan_words::role_axes(m), " ")));
  }
  // A load of the type that somebody who reads it would give it.
  bool is_plain(const Operand& operand) const {
    return operand.is_load() && operand.body.values.front().dtype == plan_.buffers[operand.access().buffer].dtype;
  }
  // Where it stands in the product: an element, or the name of what is computed.
  std::string operand_text(const Operand& operand, const Surroundings& place, std::string_view name) const {
    if (!is_plain(operand)) return std::string(name);
    return BodyPrinter(plan_, labels_, whole_, {}, place).access_text(operand.access());
  }
  void print_computed(const Operand& operand, const Surroundings& place, std::string_view name) {
    if (is_plain(operand)) return;
    const auto& [body, value] = operand;
    append("    {}\n", name);
    BodyPrinter(plan_, labels_, whole_, body, place).print(out_, "      ", {}, "", NamedValue{name, value});
  }
  // " m < N n < 8"
  static std::string text_of(const Names& names, const std::vector<Extent>& axes) {
    std::string text;
    for (std::size_t i = 0; i < axes.size(); ++i) text += fmt::format(" {} < {}", names[i], tarn::text_of(axes[i]));
    return text;
  }

  const KernelPlan& plan_;
  bool whole_;
  Names labels_;
  const Locations* locations_ = nullptr;  // none: places in the source are left out
  const Sources* sources_ = nullptr;
  std::string out_;
  std::size_t next_number_ = 0;
  std::vector<Extent> repeats_;  // around what is printed
};

}  // namespace

std::string print(const KernelPlan& plan, const Locations* locations, const Sources& sources) {
  return Printer(plan, false).print(locations, sources);
}

std::string print_whole(const KernelPlan& plan, const std::string& name, const Locations* locations,
                        const Sources& sources) {
  return Printer(plan, true).print_whole(name, locations, sources);
}

}  // namespace tarn
