// Loops in LLVM IR: counted loops that carry values in registers, and vector loops with masks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "codegen/kernels/emission.h"

namespace tarn {

using Carried = std::vector<llvm::Value*>;

Range range_of(KernelFunction& kernel, const Extent& extent);
// The axis of a loop kernel: all of it, or where threads share it this one's part.
Range own_range(KernelFunction& function, const LoopKernel& kernel, std::size_t axis);

// do { carried = body(index, carried) } while ((index += step) < end); nothing is looped where the range is one step.
using LoopBody = std::function<Carried(llvm::Value* index, const Carried& carried)>;
Carried emit_loop(llvm::IRBuilder<>& builder, const Range& range, std::int64_t step, Carried carried,
                  const LoopBody& body);

// The same over groups of `lanes` indices. `mask` says which lanes are below the end; nullptr where all are. Unless
// masks are cheap, or one step suffices, full groups and the rest get code of their own, so the body is called twice.
using VectorLoopBody = std::function<Carried(llvm::Value* index, llvm::Value* mask, const Carried& carried)>;
Carried emit_vector_loop(const Emission& emission, llvm::IRBuilder<>& builder, const Range& range, unsigned lanes,
                         Carried carried, const VectorLoopBody& body);

// The lanes i of an <lanes x i1> with first + i < end.
llvm::Value* emit_mask(llvm::IRBuilderBase& builder, llvm::Value* first, llvm::Value* end, unsigned lanes);

// if (condition) carried = body(carried). `rarely`: the body is kept out of the way.
Carried emit_if(llvm::IRBuilder<>& builder, llvm::Value* condition, const Carried& carried,
                const std::function<Carried(const Carried&)>& body, bool rarely = false);

}  // namespace tarn
