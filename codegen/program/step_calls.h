// The kernels of a program's function: which functions they become, and the calls of these in the order of the plan's
// steps, with the guard, the rounds of repeats, and the counting of time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "codegen/program/kernel_calls.h"
#include "codegen/program/program_function.h"

namespace tarn {

class StepCalls {
 public:
  // Announces the kernels of the function's plan to `shared`.
  StepCalls(ProgramFunction& function, SharedKernels& shared);

  // Makes the functions of all kernels, and the table of the parameters of those that are shared.
  void emit_functions();

  // What all calls of a batch have in common.
  struct Batch {
    llvm::Value *count, *control;
  };
  // Runs all steps; at a guard that fails, returns from the function.
  void emit(const Batch& batch) { emit(emission_.plan.kernels, 0, parameters_, batch); }

 private:
  // A kernel and its number.
  struct Numbered {
    const Kernel* kernel;
    std::size_t number;
  };
  // Runs the kernels, the first of which has this number, with their parameters from `parameters` on. Gives where the
  // next parameters stand.
  llvm::Value* emit(const std::vector<Kernel>& kernels, std::size_t number, llvm::Value* parameters,
                    const Batch& batch);
  llvm::Value* emit_round(const std::vector<Numbered>& kernels, const CallRun& run, llvm::Value* parameters,
                          const Batch& batch);
  llvm::Value* emit_repeat(const Repeat& repeat, std::size_t first, llvm::Value* parameters, const Batch& batch);
  llvm::Value* emit_call(const Numbered& kernel, llvm::Value* parameters, const Batch& batch);
  void emit_guard(const FiniteGuard& guard);
  llvm::Function* kernel_function(const Kernel& kernel, const KernelShape& shape);
  void emit_parameters();
  std::optional<Split> split_here(const Kernel& kernel) const {
    return emission_.splits ? kernel.tactics.split : std::nullopt;
  }
  bool counts_ticks() const {
    return emission_.machine.count_ticks && (function_.row.has(kCountsSteps) || function_.predicts());
  }
  // The counter of time after kernel number `kernel`, which began at `before`.
  llvm::Value* emit_ticks(std::size_t kernel, llvm::Value* before);

  ProgramFunction& function_;
  llvm::IRBuilder<>& b_;  // of the function, as the next one
  Emission& emission_;
  SharedKernels& shared_;
  std::vector<KernelShape> shapes_;       // of the plan's kernels, by number
  std::vector<llvm::Function*> kernels_;  // nullptr for guards and repeats
  std::uint32_t repeats_ = 0;             // around what is emitted
  llvm::GlobalVariable* parameters_ = nullptr;
};

}  // namespace tarn
