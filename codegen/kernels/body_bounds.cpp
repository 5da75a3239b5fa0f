// Loads with bounds: which lanes are inside, and loops in which all of them are. See bodies.h.
#include <algorithm>
#include <bit>

#include "codegen/kernels/bodies.h"

namespace tarn {

// Where an access is inside of its bounds: what is the same for all lanes, and what each lane that `exists` has.
// Nothing stands for true. (They stay apart: of a splat and a constant that is false in half of a mask, LLVM 19 makes a
// load without a mask where it cuts vectors in two.)
BodyEmitter::LanesInside BodyEmitter::inside(const Access& access, llvm::Value* exists) {
  LanesInside inside{nullptr, exists};
  for (const Bound& bound : access.bounds) {
    llvm::Value* const index = emit_index(bound.index, DType::i32);
    llvm::Value* const limit = builder_.getInt32(static_cast<std::uint32_t>(bound.limit));
    // As numbers without a sign, those below 0 are the largest.
    llvm::Value* const is_inside = builder_.CreateICmpULT(index, widen(builder_, limit, lanes_of(index)));
    llvm::Value*& all = lanes_of(is_inside) == 1 ? inside.all : inside.each;
    all = all == nullptr ? is_inside : builder_.CreateAnd(all, is_inside);
  }
  return inside;
}

// No lane that is outside touches memory.
llvm::Value* BodyEmitter::emit_bounded_load(const Access& access, DType dtype, bool varying) {
  llvm::Type* const type = kernel_.emission.memory_type(dtype);
  const llvm::Align align(size_of(dtype));
  llvm::Constant* const fill = type->isIntegerTy()
                                   ? llvm::ConstantInt::getSigned(type, static_cast<std::int64_t>(access.fill))
                                   : llvm::ConstantFP::get(type, access.fill);
  // What all lanes share is loaded for those that exist.
  const LanesInside inside = this->inside(access, varying ? nest_.mask : nullptr);
  const Address address = address_of(access, dtype);
  llvm::Type* const vector = with_lanes(type, nest_.lanes);
  llvm::Value* const outside = varying ? widen(builder_, fill, nest_.lanes) : fill;
  const auto load_one = [&](llvm::Value* is_inside) {
    return emit_if(builder_, is_inside, {fill},
                   [&](const Carried&) { return Carried{builder_.CreateAlignedLoad(type, address.first, align)}; })
        .front();
  };
  const auto load = [&]() -> llvm::Value* {
    if (!varying) return builder_.CreateAlignedLoad(type, address.first, align);
    llvm::Value* const mask = inside.each != nullptr ? inside.each : widen(builder_, builder_.getTrue(), nest_.lanes);
    if (address.others != nullptr) {
      return builder_.CreateMaskedGather(vector, builder_.CreateGEP(type, address.first, address.others), align, mask,
                                         outside);
    }
    if (address.stride != 0) return builder_.CreateMaskedLoad(vector, address.first, align, mask, outside);
    llvm::Value* const one = load_one(builder_.CreateOrReduce(mask));
    return builder_.CreateSelect(mask, widen(builder_, one, nest_.lanes), outside);
  };
  llvm::Value* const loaded =
      inside.all == nullptr
          ? load()
          : emit_if(builder_, inside.all, {outside}, [&](const Carried&) { return Carried{load()}; }).front();
  if (dtype != DType::boolean) return loaded;
  return builder_.CreateICmpNE(loaded, llvm::Constant::getNullValue(loaded->getType()));
}

bool BodyEmitter::has_bounds() const {
  for (std::size_t i = 0; i < body_.values.size(); ++i) {
    const Value& value = body_.values[i];
    const bool is_bounded = value.kind == Value::Kind::load && !value.access.bounds.empty();
    if (is_bounded && analysis_.needed[i] && analysis_.level[i] == nest_.depth - 1) return true;
  }
  return false;
}

BodyEmitter::Inside BodyEmitter::inside_bounds(const Range& range) {
  const auto innermost = std::find(nest_.level_of_axis.begin(), nest_.level_of_axis.end(), nest_.depth - 1);
  const auto axis = static_cast<std::size_t>(innermost - nest_.level_of_axis.begin());
  Inside found;
  for (std::size_t i = 0; i < body_.values.size(); ++i) {
    const Value& value = body_.values[i];
    if (value.kind != Value::Kind::load || !analysis_.needed[i] || analysis_.level[i] != nest_.depth - 1) continue;
    for (const Bound& bound : value.access.bounds) narrow(found, bound, range, axis);
  }
  if (found.begin == nullptr) return found;
  found.begin = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, found.begin, range.end);
  if (found.condition != nullptr) found.end = builder_.CreateSelect(found.condition, found.end, found.begin);
  found.condition = nullptr;
  found.end = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, found.end, found.begin);
  return found;
}

// 0 <= base + stride * i < limit: for i from ceil(-base / stride) to floor((limit - 1 - base) / stride).
void BodyEmitter::narrow(Inside& found, const Bound& bound, const Range& range, std::size_t axis) {
  const Linear& linear = bound.index;
  const auto number = std::find(strides_.begin(), strides_.end(), linear.strides) - strides_.begin();
  // Down to the level around the innermost.
  llvm::Value* base = sums_[static_cast<std::size_t>(nest_.depth) - 1][static_cast<std::size_t>(number)];
  base = builder_.CreateAdd(base == nullptr ? kernel_.integer(0) : base, kernel_.integer(linear.offset));
  for (std::size_t repeat = 0; repeat < linear.repeat_strides.size(); ++repeat) {
    base = multiply_add(builder_, kernel_.round(repeat), linear.repeat_strides[repeat], base);
  }
  const auto require = [&](llvm::Value* index) {
    // As numbers without a sign, those below 0 are the largest.
    llvm::Value* const holds = builder_.CreateICmpULT(index, kernel_.integer(bound.limit));
    found.condition = found.condition == nullptr ? holds : builder_.CreateAnd(found.condition, holds);
  };
  const std::int64_t stride = axis < linear.strides.size() ? linear.strides[axis] : 0;
  if (stride == 0) return require(base);
  const bool divides = stride == -1 || (stride > 0 && std::has_single_bit(static_cast<std::uint64_t>(stride)));
  if (!divides) {
    // What is between two indices that are inside is so, too.
    require(multiply_add(builder_, range.begin, stride, base));
    require(multiply_add(builder_, builder_.CreateSub(range.end, kernel_.integer(1)), stride, base));
    return;
  }
  if (found.begin == nullptr) found = {found.condition, range.begin, range.end};
  // Of -base - (stride - 1), …, and of the last index that is inside; for -1 the two change places.
  const bool backwards = stride == -1;
  llvm::Value* first = backwards ? builder_.CreateSub(base, kernel_.integer(bound.limit - 1))
                                 : builder_.CreateSub(kernel_.integer(stride - 1), base);
  llvm::Value* last = backwards ? base : builder_.CreateSub(kernel_.integer(bound.limit - 1), base);
  if (stride > 1) {
    const int shift = std::countr_zero(static_cast<std::uint64_t>(stride));
    first = builder_.CreateAShr(first, static_cast<std::uint64_t>(shift));
    last = builder_.CreateAShr(last, static_cast<std::uint64_t>(shift));
  }
  llvm::Value* const behind = builder_.CreateAdd(last, kernel_.integer(1));
  found.begin = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, found.begin, first);
  found.end = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, found.end, behind);
}

namespace {

// Indices from `begin` to `end` of the range, if there are any; vectors begin where those of the range do.
void emit_part(const Emission& emission, llvm::IRBuilder<>& builder, const Nest& nest, const Range& range,
               llvm::Value* begin, llvm::Value* end, const VectorLoopBody& body) {
  emit_if(builder, builder.CreateICmpULT(begin, end), {}, [&](const Carried&) {
    const Range part = {begin, end, 0, range.multiple % nest.lanes == 0 ? nest.lanes : 1};
    return emit_vector_loop(emission, builder, part, nest.lanes, {}, body);
  });
}

}  // namespace

void emit_bounded_loop(const Emission& emission, llvm::IRBuilder<>& builder, BodyEmitter& body, Nest& nest,
                       const Range& range, const VectorLoopBody& loop_body) {
  const auto whole = [&](const Carried&) {
    return emit_vector_loop(emission, builder, range, nest.lanes, {}, loop_body);
  };
  if (!body.has_bounds()) return static_cast<void>(whole({}));
  const BodyEmitter::Inside inside = body.inside_bounds(range);
  const auto within = [&](const auto& emit) {
    nest.within_bounds = true;
    emit();
    nest.within_bounds = false;
  };
  if (inside.begin == nullptr) {
    within([&] { emit_if(builder, inside.condition, {}, whole); });
    emit_if(builder, builder.CreateNot(inside.condition), {}, whole);
    return;
  }
  // Whole vectors, as they are counted from the beginning of the range; the last may be a part of one.
  const auto whole_vectors = [&](llvm::Value* index, std::uint64_t more) {
    llvm::Value* const count = builder.CreateAdd(builder.CreateSub(index, range.begin), builder.getInt64(more));
    llvm::Value* const lanes = builder.getInt64(static_cast<std::uint64_t>(-std::int64_t{nest.lanes}));
    return builder.CreateAdd(range.begin, builder.CreateAnd(count, lanes));
  };
  llvm::Value* begin = whole_vectors(inside.begin, nest.lanes - 1);
  llvm::Value* end =
      builder.CreateSelect(builder.CreateICmpEQ(inside.end, range.end), range.end, whole_vectors(inside.end, 0));
  llvm::Value* const none = builder.CreateICmpUGE(begin, end);
  begin = builder.CreateSelect(none, range.begin, begin);
  end = builder.CreateSelect(none, range.begin, end);
  within([&] { emit_part(emission, builder, nest, range, begin, end, loop_body); });
  // What is in front of them, and what is behind.
  emit_loop(builder, {builder.getInt64(0), builder.getInt64(2), 2}, 1, {}, [&](llvm::Value* side, const Carried&) {
    llvm::Value* const in_front = builder.CreateICmpEQ(side, builder.getInt64(0));
    emit_part(emission, builder, nest, range, builder.CreateSelect(in_front, range.begin, end),
              builder.CreateSelect(in_front, begin, range.end), loop_body);
    return Carried{};
  });
}

}  // namespace tarn
