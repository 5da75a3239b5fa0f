// Accumulators of reductions: what a reduction starts from, how a value enters, how two accumulators become one.
#pragma once

#include "codegen/kernels/loops.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// argmax and argmin carry a value and an index, the others a value. NaN is never the largest or smallest of argmax and
// argmin; where nothing is, the index is 0.
class ReductionEmitter {
 public:
  // `dtype`: of the value that is reduced.
  ReductionEmitter(const Emission& emission, llvm::IRBuilder<>& builder, const Reduction& reduction, DType dtype)
      : emission_(emission),
        builder_(builder),
        reduction_(*info(reduction.op).reduction),
        dtype_(dtype),
        multiply_add_(reduction.multiply_add) {}

  bool finds_index() const { return reduction_.gives_index; }
  std::size_t width() const { return finds_index() ? 2 : 1; }
  // The accumulator of nothing.
  Carried identity(unsigned lanes) const;
  // With the value of one point (or of one point a lane) at the index (an i32) along the reduced axis.
  Carried update(const Carried& accumulator, llvm::Value* value, llvm::Value* index, llvm::Value* mask) const;
  // Whether the factors of a product go into the sum unrounded.
  bool is_fused() const { return multiply_add_ && emission_.machine.target.has_fma; }
  // With the product of one point (or of one point a lane).
  Carried multiply_add(const Carried& accumulator, llvm::Value* a, llvm::Value* b, llvm::Value* mask) const;
  // As if the points of `a` came before those of `b`.
  Carried combine(const Carried& a, const Carried& b) const;
  // All lanes into one: the upper half of the lanes into the lower half, until one is left.
  Carried across_lanes(Carried accumulator) const;
  // The same of several accumulators without an index at once, at most as many as they have lanes: a vector of their
  // results.
  llvm::Value* across_lanes_of_each(std::vector<llvm::Value*> accumulators) const;
  llvm::Value* result(const Carried& accumulator) const { return accumulator.back(); }

 private:
  llvm::Value* combine_values(llvm::Value* a, llvm::Value* b) const;
  llvm::Value* better(llvm::Value* a, llvm::Value* b) const;

  const Emission& emission_;
  llvm::IRBuilder<>& builder_;
  ReductionInfo reduction_;
  DType dtype_;
  bool multiply_add_;
};

}  // namespace tarn
