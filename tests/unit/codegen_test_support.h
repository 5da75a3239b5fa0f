// For tests of code generation: plans by hand, run as native code and by the interpreter of plans.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/native.h"
#include "ir/evaluator.h"
#include "passes/kernel_plan.h"
#include "runtime/model.h"

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
  void add(KernelBody kernel, std::string name = "kernel");

  KernelPlan plan;
  Program program;
  EvaluationContext context;  // values of inputs and tensors
};

// Row-major strides of the axes, 0 where the axis is left out: linear({4, 5}) is {5, 1}.
Linear row_major(const Shape& shape);
Access at(BufferId buffer, std::vector<std::int64_t> strides, std::int64_t offset = 0);
Value load(BufferId buffer, std::vector<std::int64_t> strides, DType dtype, std::int64_t offset = 0);
Value operation(Op op, DType dtype, std::vector<ValueId> operands);
Value number(double value, DType dtype);
Value simple(Value::Kind kind, DType dtype);

struct NativeRun {
  std::vector<HostTensor> results;  // of plan.results
  std::map<std::string, HostTensor> tensors;
  Outcome outcome = Outcome::done;
};
// The plan compiled as the function of that name, to be run on values that may differ from run to run. `shared`: every
// kernel that threads can share is, and products read rows of inputs in place where they can.
class NativePlan {
 public:
  NativePlan(const HandPlan& hand, const CodegenOptions& options, std::string function = "adapt", bool shared = false);
  // Runs on `batch` samples of the context's inputs, from the context's tensors. Kernels that are shared are in so many
  // parts, the last one first.
  NativeRun run(const EvaluationContext& context, std::int64_t batch, int parts = 1) const;

 private:
  const HandPlan& hand_;
  std::string function_;
  std::uint64_t arena_ = 0;  // where it begins in the workspace
  std::unique_ptr<NativeProgram> native_;
};
// Compiles, and runs on the plan's own context; shared among 1, 2, 3 and 8 threads the bits must be the same.
NativeRun run_native(const HandPlan& hand, const CodegenOptions& options, std::int64_t batch,
                     const std::string& function = "adapt");

// The model of the text; null, and a failed expectation, where it is wrong.
std::shared_ptr<Model> compiled_model(const std::string& text, const std::string& cpu = "native",
                                      DType float_type = DType::f32);

// Functions of a program have outputs or stores; this gives a plan with both what it takes to run as one that stores.
void move_outputs_to_arena(KernelPlan& plan, std::int64_t max_batch);

// "native", x86-64 and, where this machine has it, x86-64-v3: vectors of 16, 32 and, with AVX-512, 64 bytes.
const std::vector<std::string>& cpus();
CodegenOptions options_for(const std::string& cpu);

// Numbers that the dtype can hold, between -limit and limit.
std::vector<double> random_numbers(std::uint64_t seed, std::size_t count, DType dtype, double limit = 2);

// Runs natively on every CPU and by the interpreter, and compares results and tensors: |difference| <= tolerance *
// (1 + |expected|), NaN equal to NaN.
void expect_as_interpreted(const HandPlan& hand, std::int64_t batch, double tolerance, const std::string& what);

}  // namespace tarn::testing
