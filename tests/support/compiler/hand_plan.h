// Kernel plans made by hand, for tests of code generation.
#pragma once

#include <string>
#include <vector>

#include "ir/evaluator.h"
#include "passes/plan/kernel_plan.h"

namespace tarn::testing {

// A plan for one function ("adapt" unless said otherwise) of a program made for it. Inputs of the program have the
// batch axis, tensors have not; results lie in the arena.
class HandPlan {
 public:
  explicit HandPlan(std::int64_t max_batch = 64);

  // Buffers with their values; kBatch may stand first in the shape of an input, whose values are for max_batch samples.
  BufferId input(DType dtype, const Shape& shape, std::vector<double> values);
  BufferId tensor(const std::string& name, DType dtype, const Shape& shape, std::vector<double> values);
  BufferId constant(DType dtype, const Shape& shape, const std::vector<double>& values);
  // A result in the arena, compared after the run. `initial`: not compared by the interpreter.
  BufferId result(DType dtype, const Shape& shape);
  void add(KernelBody kernel, std::string name = "kernel", const CpuTactics& tactics = {});
  void add(KernelBody kernel, const CpuTactics& tactics) { add(std::move(kernel), "kernel", tactics); }

  KernelPlan plan;
  Program program;
  EvaluationContext context;  // values of inputs and tensors
};

// Tactics of a loop whose vectors lie along the axis, and of a product of the form.
CpuTactics along(std::uint32_t vector_axis);
CpuTactics in_form(CpuTactics::Form form);

// Row-major strides of the axes, 0 where the axis is left out: linear({4, 5}) is {5, 1}.
Linear row_major(const Shape& shape);
Access at(BufferId buffer, std::vector<std::int64_t> strides, std::int64_t offset = 0);
Value load(BufferId buffer, std::vector<std::int64_t> strides, DType dtype, std::int64_t offset = 0);
Value operation(Op op, DType dtype, std::vector<ValueId> operands);
Value number(double value, DType dtype);
Value simple(Value::Kind kind, DType dtype);

// Elements in memory, in the type that they have there.
void write_element(std::byte* to, DType dtype, double value);
double read_element(const std::byte* from, DType dtype);

}  // namespace tarn::testing
