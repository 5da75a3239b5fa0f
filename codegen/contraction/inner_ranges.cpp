// See inner_ranges.h.
#include "codegen/contraction/inner_ranges.h"

#include <algorithm>
#include <cstdlib>

#include "codegen/kernels/loops.h"

namespace tarn {

namespace {

// x / by, rounded down.
llvm::Value* divide_down(llvm::IRBuilder<>& b, llvm::Value* x, std::int64_t by) {
  if (by == 1) return x;
  llvm::Value* const is_negative = b.CreateICmpSLT(x, b.getInt64(0));
  llvm::Value* const shifted = b.CreateSelect(is_negative, b.CreateSub(x, b.getInt64(by - 1)), x);
  return b.CreateSDiv(shifted, b.getInt64(by));
}

}  // namespace

InnerRanges::InnerRanges(const Contraction& contraction)
    : whole_(contraction), index_(contraction.kernel.row_axis() + 1, nullptr) {}

void InnerRanges::enter(std::size_t axis, llvm::Value* index) {
  if (const auto of_a = whole_.axis_of_a(axis)) index_[*of_a] = index;
}

bool InnerRanges::is_bounded(std::size_t inner) const {
  if (!whole_.tiling.skips_outside) return false;
  const std::size_t axis = whole_.kernel.inner_axis_of_a(inner);
  const std::vector<Bound>& bounds = whole_.kernel.a.access().bounds;
  return std::any_of(bounds.begin(), bounds.end(), [&](const Bound& bound) { return bound.index.strides[axis] != 0; });
}

// 0 <= offset + stride * i < limit: with a stride s > 0, i from -offset / s up to (limit - 1 - offset) / s; with -s,
// from (offset - limit + 1) / s up to offset / s; rounded inwards.
InnerRanges::Inside InnerRanges::inside(std::size_t inner) const {
  llvm::IRBuilder<>& b = whole_.builder;
  const std::size_t axis = whole_.kernel.inner_axis_of_a(inner);
  const llvm::Intrinsic::ID larger = llvm::Intrinsic::smax, smaller = llvm::Intrinsic::smin;
  llvm::Value* const extent = whole_.function.extent(whole_.kernel.inner[inner]);
  llvm::Value *first = b.getInt64(0), *end = extent;
  for (const Bound& bound : whole_.kernel.a.access().bounds) {
    const std::int64_t stride = bound.index.strides[axis];
    if (stride == 0) continue;
    llvm::Value* offset = b.getInt64(bound.index.offset);
    for (std::size_t i = 0; i < index_.size(); ++i) {
      if (bound.index.strides[i] != 0) offset = multiply_add(b, index_[i], bound.index.strides[i], offset);
    }
    llvm::Value* const rest = b.CreateSub(b.getInt64(bound.limit - 1), offset);
    const std::int64_t step = std::abs(stride);
    llvm::Value* const below = stride > 0 ? offset : rest;  // elements that go before index 0
    llvm::Value* const least = b.CreateNeg(divide_down(b, below, step));
    llvm::Value* const most = divide_down(b, stride > 0 ? rest : offset, step);
    first = b.CreateBinaryIntrinsic(larger, first, least);
    end = b.CreateBinaryIntrinsic(smaller, end, b.CreateAdd(most, b.getInt64(1)));
  }
  return {first, b.CreateBinaryIntrinsic(larger, b.CreateSub(end, first), b.getInt64(0))};
}

void InnerRanges::loop_over(std::size_t inner, std::int64_t step,
                            const std::function<void(llvm::Value*, llvm::Value*)>& body) const {
  llvm::IRBuilder<>& b = whole_.builder;
  const auto loop = [&](const Range& range) {
    return emit_loop(b, range, step, {}, [&](llvm::Value* index, const Carried&) {
      body(index, range.end);
      return Carried{};
    });
  };
  if (!is_bounded(inner)) {
    loop(range_of(whole_.function, whole_.kernel.inner[inner]));
    return;
  }
  const Inside range = inside(inner);
  llvm::Value* const end = b.CreateAdd(range.first, range.count);
  emit_if(b, b.CreateICmpNE(range.count, b.getInt64(0)), {}, [&](const Carried&) { return loop({range.first, end}); });
}

}  // namespace tarn
