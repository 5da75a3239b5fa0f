// Kernel plans as text, for `show --stage fused` and `show --stage memory`: kernels as loops over equations.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "passes/access.h"
#include "passes/kernel_plan.h"

namespace tarn {
namespace {

using Names = std::vector<std::string>;

std::string text_of(const Extent& extent) {
  if (!extent.times_batch) return fmt::format("{}", extent.constant);
  return extent.constant == 1 ? "N" : fmt::format("{}N", extent.constant);
}

std::string quantity(double value, std::string_view unit) {
  for (const std::string_view prefix : {"", "k", "M", "G"}) {
    if (value < 1000 || prefix == "G") return fmt::format("{:.3g} {}{}", value, prefix, unit);
    value /= 1000;
  }
  return {};
}

// "2*i + j + 3"
std::string text_of(const Linear& linear, const Names& names) {
  std::string text;
  const auto add = [&](const std::string& part, bool negative) {
    text += text.empty() ? (negative ? "-" : "") : negative ? " - " : " + ";
    text += part;
  };
  for (std::size_t i = 0; i < linear.strides.size(); ++i) {
    const std::int64_t stride = linear.strides[i];
    if (stride == 0) continue;
    const std::int64_t size = stride < 0 ? -stride : stride;
    add(size == 1 ? names[i] : fmt::format("{}*{}", size, names[i]), stride < 0);
  }
  if (linear.offset != 0 || text.empty()) add(fmt::format("{}", std::abs(linear.offset)), linear.offset < 0);
  return text;
}

class Printer {
 public:
  explicit Printer(const KernelPlan& plan) : plan_(plan) {}

  std::string print() {
    for (std::size_t i = 0; i < plan_.kernels.size(); ++i) {
      const Kernel& kernel = plan_.kernels[i];
      const KernelCost cost = cost_of(plan_, kernel);
      if (const auto* guard = std::get_if<FiniteGuard>(&kernel.body)) {
        out_ +=
            fmt::format("kernel {}: the step ends here unless {} is finite\n", i, plan_.buffers[guard->buffer].name);
        continue;
      }
      out_ += fmt::format("kernel {} \"{}\"   {}, {}\n", i, kernel.name, quantity(cost.flops, "FLOP"),
                          quantity(cost.bytes, "B"));
      if (const auto* loop = std::get_if<LoopKernel>(&kernel.body)) print_loop(*loop);
      if (const auto* product = std::get_if<ContractionKernel>(&kernel.body)) print_contraction(*product);
    }
    for (const std::string& remark : plan_.remarks) out_ += "remark: " + remark + "\n";
    return std::move(out_);
  }

 private:
  // The access by the axes of its buffer where every index is one axis of the loop; else by the element's number.
  std::string text_of(const Access& access, const std::vector<Extent>& axes, const Names& names,
                      const Names& values) const {
    const Buffer& buffer = plan_.buffers[access.buffer];
    std::string inside = by_axes(access, buffer, axes, names);
    if (inside.empty() && !buffer.shape.empty()) inside = tarn::text_of(access.at, names);
    if (access.row != kNoValue)
      inside = tarn::text_of(access.at, names) + fmt::format(" + {}*{}", access.row_stride, values[access.row]);
    return inside.empty() ? buffer.name : fmt::format("{}[{}]", buffer.name, inside);
  }

  static std::string by_axes(const Access& access, const Buffer& buffer, const std::vector<Extent>& axes,
                             const Names& names) {
    std::vector<std::size_t> order(buffer.strides.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(-buffer.strides[a], a) < std::pair(-buffer.strides[b], b);
    });
    Linear rest = access.at;
    std::vector<std::string> parts(order.size());
    for (const std::size_t dimension : order) {
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
      parts[dimension] = tarn::text_of(index, names);
    }
    return rest.offset == 0 && is_constant(rest) ? fmt::format("{}", fmt::join(parts, ", ")) : std::string();
  }

  static std::string operation_text(const Value& value, const Names& values) {
    const auto operand = [&](std::size_t i) -> const std::string& { return values[value.operands[i]]; };
    // A conversion is written as the type.
    if (value.op == Op::convert) return fmt::format("{}({})", name_of(value.dtype), operand(0));
    const OpInfo& row = info(value.op);
    if (const std::string_view sign = row.notation.sign; !sign.empty()) {
      return row.arity == 1 ? fmt::format("{}{}", sign, operand(0))
                            : fmt::format("({} {} {})", operand(0), sign, operand(1));
    }
    std::string text = fmt::format("{}(", name_of(value.op));
    for (std::size_t i = 0; i < value.operands.size(); ++i) text += (i > 0 ? ", " : "") + operand(i);
    return text + ")";
  }

  // One equation a value that is used twice or would make a long line, then the stores.
  Names print_body(const Body& body, const std::vector<Extent>& axes, const Names& names, const Names& given,
                   std::string_view indent, const std::vector<ValueId>& used) {
    constexpr std::size_t kLongest = 60;
    std::vector<int> uses(body.values.size(), 0);
    for (const Value& value : body.values) {
      for (const ValueId operand : value.operands) ++uses[operand];
    }
    for (const Store& store : body.stores) ++uses[store.value];
    for (const ValueId value : used) ++uses[value];
    Names values;
    for (ValueId id = 0; id < body.values.size(); ++id) {
      std::string text = value_text(body.values[id], axes, names, values, given);
      const bool computed = body.values[id].kind == Value::Kind::operation || body.values[id].kind == Value::Kind::draw;
      if (computed && (uses[id] > 1 || text.size() > kLongest)) {
        out_ += fmt::format("{}t{} = {}\n", indent, id, text);
        text = fmt::format("t{}", id);
      }
      values.push_back(std::move(text));
    }
    for (const Store& store : body.stores) {
      out_ += fmt::format("{}{} {} {}{}\n", indent, text_of(store.access, axes, names, values),
                          store.accumulate ? "+=" : "=", values[store.value], store.guarded ? "   if finite" : "");
    }
    return values;
  }

  std::string value_text(const Value& value, const std::vector<Extent>& axes, const Names& names, const Names& values,
                         const Names& given) const {
    switch (value.kind) {
      case Value::Kind::operation:
        return operation_text(value, values);
      case Value::Kind::constant:
        return fmt::format("{}", value.number);
      case Value::Kind::load:
        return text_of(value.access, axes, names, values);
      case Value::Kind::index:
        return "(" + tarn::text_of(value.linear, names) + ")";
      case Value::Kind::batch_size:
        return "N";
      case Value::Kind::draw:
        return fmt::format("{}(sample {}, element {})", name_of(value.distribution), tarn::text_of(value.sample, names),
                           tarn::text_of(value.linear, names));
      case Value::Kind::product:
        return "product";
      case Value::Kind::reduced:
        return given[value.reduction];
    }
    return {};
  }

  static std::string split_text(const std::optional<Split>& split, const Names& names) {
    if (!split) return {};
    const std::string from = split->from_batch > 1 ? fmt::format(" from N = {} on", split->from_batch) : "";
    return fmt::format("   threads share {}{}", names[split->axis], from);
  }

  void print_loop(const LoopKernel& kernel) {
    Names names;
    std::string kept, reduced;
    for (std::size_t i = 0; i < kernel.axes.size(); ++i) {
      names.push_back(std::string(1, static_cast<char>('i' + i)));
      const bool vector = kernel.vector_axis == i;
      (kernel.reduced[i] ? reduced : kept) +=
          fmt::format(" {}{} < {}", names.back(), vector ? " (vector)" : "", tarn::text_of(kernel.axes[i]));
    }
    if (!kept.empty()) out_ += fmt::format("  for{}{}\n", kept, split_text(kernel.split, names));
    std::string indent = "    ";
    if (!reduced.empty()) {
      out_ += fmt::format("    over{}\n", reduced);
      indent += "  ";
    }
    const Names given = print_reduced(kernel.body, kernel.reductions, kernel.axes, names, indent, "");
    print_body(kernel.tail, kernel.axes, names, given, "    ", {});
  }

  // A body and its reductions, `over` some axes; the names of these.
  Names print_reduced(const Body& body, const std::vector<Reduction>& reductions, const std::vector<Extent>& axes,
                      const Names& names, const std::string& indent, std::string_view over) {
    std::vector<ValueId> used;
    used.reserve(reductions.size());
    for (const Reduction& r : reductions) used.push_back(r.value);
    const Names values = print_body(body, axes, names, {}, indent, used);
    Names given;
    for (std::size_t i = 0; i < reductions.size(); ++i) {
      const Reduction& r = reductions[i];
      given.push_back(fmt::format("r{}", i));
      out_ += fmt::format("{}r{} = {}{} of {}\n", indent, i, name_of(r.op), over, values[r.value]);
    }
    return given;
  }

  void print_contraction(const ContractionKernel& kernel) {
    Names names;
    std::vector<Extent> axes = kernel.batch;
    std::string space;
    for (std::size_t i = 0; i < kernel.batch.size(); ++i) names.push_back(fmt::format("b{}", i));
    const auto with = [&](const char* first, const char* second) {
      Names result = names;
      result.insert(result.end(), {first, second});
      return result;
    };
    const auto of = [&](const Extent& first, const Extent& second) {
      std::vector<Extent> result = kernel.batch;
      result.insert(result.end(), {first, second});
      return result;
    };
    const bool columns = kernel.form == ContractionKernel::Form::columns;
    const std::string in_place =
        kernel.rows_in_place ? fmt::format("   reads {} in place", plan_.buffers[kernel.a.buffer].name) : "";
    for (std::size_t i = 0; i < kernel.batch.size(); ++i)
      space += fmt::format(" {} < {}", names[i], tarn::text_of(kernel.batch[i]));
    out_ +=
        fmt::format("  for{} m < {} n{} < {}{}{}\n    product = sum over k{} < {} of {} * {}\n", space,
                    tarn::text_of(kernel.rows), columns ? " (vector)" : "", tarn::text_of(kernel.columns),
                    split_text(kernel.split, with("m", "n")), in_place, columns ? "" : " (vector)",
                    tarn::text_of(kernel.inner), text_of(kernel.a, of(kernel.rows, kernel.inner), with("m", "k"), {}),
                    text_of(kernel.b, of(kernel.inner, kernel.columns), with("k", "n"), {}));
    const std::vector<Extent> points = of(kernel.rows, kernel.columns);
    const Names given = print_reduced(kernel.epilogue, kernel.sums, points, with("m", "n"), "    ", " over m");
    print_body(kernel.tail, points, with("m", "n"), given, "    ", {});
  }

  const KernelPlan& plan_;
  std::string out_;
};

std::string_view name_of_space(Space space) {
  switch (space) {
    case Space::state:
      return "state";
    case Space::accumulators:
      return "accumulators";
    case Space::arena:
      return "arena";
    case Space::input:
      return "input";
    case Space::output:
      return "output";
    case Space::constants:
      return "constants";
  }
  return "";
}

}  // namespace

std::string print(const KernelPlan& plan) { return Printer(plan).print(); }

std::string print_memory(const KernelPlan& plan) {
  std::vector<std::pair<std::size_t, std::size_t>> lives(plan.buffers.size(), {SIZE_MAX, 0});
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    for_each_buffer(plan.kernels[k].body, [&](BufferId id) { lives[id] = {std::min(lives[id].first, k), k}; });
  }
  std::string out =
      fmt::format("arena {}, constants {}, batch {}\n", quantity(static_cast<double>(plan.arena_bytes), "B"),
                  quantity(static_cast<double>(plan.constants.size()), "B"), plan.max_batch);
  for (BufferId id = 0; id < plan.buffers.size(); ++id) {
    const Buffer& buffer = plan.buffers[id];
    const double bytes = static_cast<double>(element_count(with_batch(buffer.shape, plan.max_batch))) *
                         static_cast<double>(size_of(buffer.dtype));
    out += fmt::format("{:12} {:>10}  {:>10}  ", name_of_space(buffer.space), buffer.offset, quantity(bytes, "B"));
    out += lives[id].first == SIZE_MAX ? std::string("unused      ")
                                       : fmt::format("{:>4} .. {:<4}", lives[id].first, lives[id].second);
    out += fmt::format("  {}{} {}\n", name_of(buffer.dtype), to_string(buffer.shape), buffer.name);
  }
  return out;
}

}  // namespace tarn
