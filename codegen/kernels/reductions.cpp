// Accumulators of reductions. See reductions.h.
#include "codegen/kernels/reductions.h"

#include <cmath>
#include <numeric>

#include "codegen/kernels/scalar_emitters.h"

namespace tarn {

namespace {

// The number, or the one of the type that is nearest to it.
llvm::Constant* nearest(llvm::Type* type, double number) {
  if (type->isFPOrFPVectorTy()) return llvm::ConstantFP::get(type, number);
  const unsigned bits = type->getScalarSizeInBits();
  if (bits == 1) return llvm::ConstantInt::get(type, number > 0 ? 1 : 0);
  if (std::isfinite(number))
    return llvm::ConstantInt::get(type, static_cast<std::uint64_t>(static_cast<std::int64_t>(number)), true);
  return llvm::ConstantInt::get(
      type, number < 0 ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getSignedMaxValue(bits));
}

}  // namespace

Carried ReductionEmitter::identity(unsigned lanes) const {
  llvm::Type* const type = with_lanes(emission_.value_type(dtype_), lanes);
  Carried result = {nearest(type, reduction_.identity)};
  if (finds_index()) result.push_back(llvm::Constant::getNullValue(with_lanes(builder_.getInt32Ty(), lanes)));
  return result;
}

llvm::Value* ReductionEmitter::better(llvm::Value* a, llvm::Value* b) const {
  if (a->getType()->isFPOrFPVectorTy())
    return reduction_.finds_largest() ? builder_.CreateFCmpOGT(a, b) : builder_.CreateFCmpOLT(a, b);
  if (dtype_ == DType::boolean)
    return reduction_.finds_largest() ? builder_.CreateICmpUGT(a, b) : builder_.CreateICmpULT(a, b);
  return reduction_.finds_largest() ? builder_.CreateICmpSGT(a, b) : builder_.CreateICmpSLT(a, b);
}

llvm::Value* ReductionEmitter::combine_values(llvm::Value* a, llvm::Value* b) const {
  return emit_operation(emission_, builder_, reduction_.combine, {a, b, nullptr, dtype_, dtype_});
}

Carried ReductionEmitter::update(const Carried& accumulator, llvm::Value* value, llvm::Value* index,
                                 llvm::Value* mask) const {
  if (!finds_index()) {
    llvm::Value* const next = combine_values(accumulator[0], value);
    return {mask == nullptr ? next : builder_.CreateSelect(mask, next, accumulator[0])};
  }
  // Points come in rising order, so of equal values the first stays.
  llvm::Value* wins = better(value, accumulator[0]);
  if (mask != nullptr) wins = builder_.CreateAnd(wins, mask);
  return {builder_.CreateSelect(wins, value, accumulator[0]), builder_.CreateSelect(wins, index, accumulator[1])};
}

Carried ReductionEmitter::multiply_add(const Carried& accumulator, llvm::Value* a, llvm::Value* b,
                                       llvm::Value* mask) const {
  llvm::Value* const next = fused_multiply_add(emission_, builder_, a, b, accumulator[0]);
  return {mask == nullptr ? next : builder_.CreateSelect(mask, next, accumulator[0])};
}

Carried ReductionEmitter::combine(const Carried& a, const Carried& b) const {
  if (!finds_index()) return {combine_values(a[0], b[0])};
  // Of equal values the one with the smaller index. The identity's index 0 stands for "none so far" as well; it wins
  // only over another identity, or over values that are equal to it, for which 0 or some earlier index is right.
  llvm::Value* const equal =
      a[0]->getType()->isFPOrFPVectorTy() ? builder_.CreateFCmpOEQ(a[0], b[0]) : builder_.CreateICmpEQ(a[0], b[0]);
  llvm::Value* const earlier = builder_.CreateAnd(equal, builder_.CreateICmpULT(b[1], a[1]));
  llvm::Value* const wins = builder_.CreateOr(better(b[0], a[0]), earlier);
  return {builder_.CreateSelect(wins, b[0], a[0]), builder_.CreateSelect(wins, b[1], a[1])};
}

Carried ReductionEmitter::across_lanes(Carried accumulator) const {
  for (unsigned lanes = lanes_of(accumulator[0]); lanes > 1; lanes /= 2) {
    std::vector<int> lower(lanes / 2), upper(lanes / 2);
    std::iota(lower.begin(), lower.end(), 0);
    std::iota(upper.begin(), upper.end(), static_cast<int>(lanes / 2));
    Carried a, b;
    for (llvm::Value* const value : accumulator) {
      a.push_back(builder_.CreateShuffleVector(value, lower));
      b.push_back(builder_.CreateShuffleVector(value, upper));
    }
    if (lanes == 2) {
      for (Carried* half : {&a, &b}) {
        for (llvm::Value*& value : *half) value = builder_.CreateExtractElement(value, std::uint64_t{0});
      }
    }
    accumulator = combine(a, b);
  }
  return accumulator;
}

// In each round two vectors become one: the halves of what each holds of an accumulator are added up, and the sums
// stand behind each other.
llvm::Value* ReductionEmitter::across_lanes_of_each(std::vector<llvm::Value*> accumulators) const {
  const std::size_t count = accumulators.size();
  std::size_t lanes = lanes_of(accumulators[0]);
  if (lanes == 1) {
    llvm::Value* all = llvm::PoisonValue::get(with_lanes(accumulators[0]->getType(), static_cast<unsigned>(count)));
    for (std::size_t i = 0; i < count; ++i) all = builder_.CreateInsertElement(all, accumulators[i], i);
    return all;
  }
  // Every vector holds `each` accumulators one behind the other, with `left` lanes of each.
  std::size_t each = 1;
  for (std::size_t left = lanes; left > 1; left /= 2) {
    std::vector<llvm::Value*> next;
    const bool pairs = accumulators.size() > 1;
    for (std::size_t i = 0; i < accumulators.size(); i += pairs ? 2 : 1) {
      llvm::Value* const a = accumulators[i];
      llvm::Value* const b = i + 1 < accumulators.size() ? accumulators[i + 1] : a;
      std::vector<int> lower, upper;
      for (std::size_t held = 0; held < (pairs ? 2 : 1) * each; ++held) {
        const std::size_t first = (held / each) * lanes + (held % each) * left;
        for (std::size_t lane = 0; lane < left / 2; ++lane) {
          lower.push_back(static_cast<int>(first + lane));
          upper.push_back(static_cast<int>(first + left / 2 + lane));
        }
      }
      next.push_back(
          combine_values(builder_.CreateShuffleVector(a, b, lower), builder_.CreateShuffleVector(a, b, upper)));
    }
    accumulators = std::move(next);
    if (pairs) each *= 2;
    lanes = each * left / 2;
  }
  TARN_CHECK(accumulators.size() == 1, "more accumulators than lanes");
  return accumulators[0];
}

}  // namespace tarn
