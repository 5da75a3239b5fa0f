// The printing half of the text form of kernel plans: text.h says what it looks like. print() leaves out what does
// not help somebody who reads, print_whole() nothing. Bodies are for body_printer.h. Structures are taken apart by
// structured bindings, so that a field added to one of them is a compile error here until it is printed as well.
#include <fmt/format.h>

#include <map>
#include <utility>

#include "ir/joined.h"
#include "ir/text_parts.h"
#include "passes/plan/body_printer.h"
#include "passes/plan/tactics_text.h"
#include "passes/plan/text.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

using Names = std::vector<std::string>;

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
