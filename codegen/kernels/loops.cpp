// Counted loops and vector loops. See loops.h.
#include "codegen/kernels/loops.h"

#include <utility>

#include "llvm/IR/MDBuilder.h"

namespace tarn {

Range range_of(KernelFunction& kernel, const Extent& extent) {
  return {kernel.integer(0), kernel.extent(extent), extent.times_batch ? 0 : extent.constant, extent.constant};
}

Range own_range(KernelFunction& function, const LoopKernel& kernel, std::size_t axis) {
  const Range whole = range_of(function, kernel.axes[axis]);
  const CpuTactics& tactics = function.tactics;
  if (!tactics.split || tactics.split->axis != axis) return whole;
  return function.share_of(whole, axis == tactics.vector_axis ? kSplitVectors : 1);
}

Carried emit_loop(llvm::IRBuilder<>& builder, const Range& range, std::int64_t step, Carried carried,
                  const LoopBody& body) {
  if (range.count > 0 && range.count <= step) return body(range.begin, carried);
  llvm::LLVMContext& context = builder.getContext();
  llvm::BasicBlock* const before = builder.GetInsertBlock();
  llvm::Function* const function = before->getParent();
  llvm::BasicBlock* const loop = llvm::BasicBlock::Create(context, "loop", function);
  llvm::BasicBlock* const after = llvm::BasicBlock::Create(context, "done", function);
  builder.CreateBr(loop);
  builder.SetInsertPoint(loop);
  llvm::PHINode* const index = builder.CreatePHI(builder.getInt64Ty(), 2);
  index->addIncoming(range.begin, before);
  std::vector<llvm::PHINode*> phis;
  for (llvm::Value*& value : carried) {
    llvm::PHINode* const phi = builder.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, before);
    phis.push_back(phi);
    value = phi;
  }
  const Carried next = body(index, carried);
  llvm::BasicBlock* const latch = builder.GetInsertBlock();
  llvm::Value* const stepped = builder.CreateAdd(index, builder.getInt64(static_cast<std::uint64_t>(step)), "",
                                                 /*HasNUW=*/true, /*HasNSW=*/true);
  builder.CreateCondBr(builder.CreateICmpULT(stepped, range.end), loop, after);
  index->addIncoming(stepped, latch);
  for (std::size_t i = 0; i < phis.size(); ++i) phis[i]->addIncoming(next[i], latch);
  builder.SetInsertPoint(after);
  return next;
}

Carried emit_if(llvm::IRBuilder<>& builder, llvm::Value* condition, const Carried& carried,
                const std::function<Carried(const Carried&)>& body, bool rarely) {
  llvm::LLVMContext& context = builder.getContext();
  llvm::BasicBlock* const before = builder.GetInsertBlock();
  llvm::BasicBlock* const then = llvm::BasicBlock::Create(context, "then", before->getParent());
  llvm::BasicBlock* const after = llvm::BasicBlock::Create(context, "after", before->getParent());
  builder.CreateCondBr(condition, then, after,
                       rarely ? llvm::MDBuilder(context).createUnlikelyBranchWeights() : nullptr);
  builder.SetInsertPoint(then);
  const Carried changed = body(carried);
  llvm::BasicBlock* const end = builder.GetInsertBlock();
  builder.CreateBr(after);
  builder.SetInsertPoint(after);
  Carried merged;
  for (std::size_t i = 0; i < carried.size(); ++i) {
    llvm::PHINode* const phi = builder.CreatePHI(carried[i]->getType(), 2);
    phi->addIncoming(carried[i], before);
    phi->addIncoming(changed[i], end);
    merged.push_back(phi);
  }
  return merged;
}

llvm::Value* emit_mask(llvm::IRBuilderBase& builder, llvm::Value* first, llvm::Value* end, unsigned lanes) {
  // The number of indices left fits into 32 bits: kMaxElements.
  llvm::Type* const i32 = builder.getInt32Ty();
  llvm::Value* const left = builder.CreateTrunc(builder.CreateSub(end, first), i32);
  std::vector<llvm::Constant*> numbers;
  for (unsigned lane = 0; lane < lanes; ++lane) numbers.push_back(builder.getInt32(lane));
  return builder.CreateICmpULT(llvm::ConstantVector::get(numbers), builder.CreateVectorSplat(lanes, left));
}

namespace {

// Whole groups, then what is left.
Carried emit_split_loop(llvm::IRBuilder<>& builder, const Range& range, unsigned lanes, Carried carried,
                        const VectorLoopBody& body) {
  llvm::Value* const size = builder.getInt64(lanes);
  llvm::Value* const count = builder.CreateSub(range.end, range.begin);
  llvm::Value* const rest = builder.CreateURem(count, size);
  llvm::Value* const whole_end = builder.CreateSub(range.end, rest);
  const Range whole = {range.begin, whole_end, range.count / lanes * lanes, lanes};
  const auto whole_loop = [&](const Carried& values) {
    return emit_loop(builder, whole, lanes, values,
                     [&](llvm::Value* index, const Carried& inner) { return body(index, nullptr, inner); });
  };
  if (range.count >= lanes) {
    carried = whole_loop(carried);
  } else {
    carried = emit_if(builder, builder.CreateICmpUGE(count, size), carried, whole_loop);
  }
  const auto remainder = [&](const Carried& values) {
    return body(whole_end, emit_mask(builder, whole_end, range.end, lanes), values);
  };
  if (range.count > 0) return remainder(carried);
  return emit_if(builder, builder.CreateICmpNE(rest, builder.getInt64(0)), carried, remainder);
}

}  // namespace

Carried emit_vector_loop(const Emission& emission, llvm::IRBuilder<>& builder, const Range& range, unsigned lanes,
                         Carried carried, const VectorLoopBody& body) {
  const auto unmasked = [&](llvm::Value* index, const Carried& values) { return body(index, nullptr, values); };
  if (lanes == 1 || range.multiple % lanes == 0 || (range.count > 0 && range.count % lanes == 0)) {
    return emit_loop(builder, range, lanes, std::move(carried), unmasked);
  }
  const auto masked = [&](llvm::Value* index, const Carried& values) {
    return body(index, emit_mask(builder, index, range.end, lanes), values);
  };
  const bool one_step = range.count > 0 && range.count < lanes;
  if (one_step || emission.machine.target.has_masks())
    return emit_loop(builder, range, lanes, std::move(carried), masked);
  return emit_split_loop(builder, range, lanes, std::move(carried), body);
}

}  // namespace tarn
