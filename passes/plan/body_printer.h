// Prints the parts of a plan's text that kernels are made of: functions of axes, accesses, and bodies. text.h says what
// they look like; body_parser.h reads them.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

std::string text_of(const Extent& extent);

// A value of a body with a name of its own.
struct NamedValue {
  std::string_view name;
  ValueId value;
};

// What a body stands in.
struct Surroundings {
  std::vector<Extent> axes;           // those of the kernel, then repeats around it
  std::vector<std::string> names;     // of these
  DType product = DType::f32;         // of a product's epilogue
  std::vector<Reduction> reductions;  // those that a tail takes up
};

// The equations of one body; `labels` are the names of the plan's buffers, `whole` as print_whole() has them.
class BodyPrinter {
 public:
  BodyPrinter(const KernelPlan& plan, const std::vector<std::string>& labels, bool whole, const Body& body,
              Surroundings around)
      : plan_(plan), labels_(labels), whole_(whole), body_(body), around_(std::move(around)) {}

  // One equation a value that is used twice or would make a long line, then the stores, then the reductions, then what
  // the body gives.
  void print(std::string& out, const std::string& indent, const std::vector<Reduction>& reductions,
             std::string_view over, const std::optional<NamedValue>& given = std::nullopt);
  std::string access_text(const Access& access) const;

 private:
  std::string bounds_text(const Access& access) const;
  void count_uses(const std::vector<Reduction>& reductions, const std::optional<NamedValue>& given);
  // What is computed, has a name where it is used twice or would make a long line. In the whole text so has what would
  // not be read at all, or be taken for another value.
  bool has_name(ValueId id, const std::string& text);
  DType dtype_of_reduction(Op op, ValueId value) const;
  // The type that somebody who reads the value would give it.
  std::optional<DType> natural_dtype(const Value& value) const;
  std::string typed(ValueId id, std::string text) const;
  std::string value_text(const Value& value) const;
  std::string operation_text(const Value& value) const;
  // The access by the axes of its buffer, where every index is one axis of the loop; else nothing.
  std::string text_by_axes(const Access& access, const Buffer& buffer) const;

  const KernelPlan& plan_;
  const std::vector<std::string>& labels_;
  bool whole_;
  const Body& body_;
  Surroundings around_;
  std::vector<int> uses_;
  std::set<std::string> leaves_;     // keys of those that stand where they are used
  std::vector<std::string> values_;  // as they stand where they are used
};

}  // namespace tarn
