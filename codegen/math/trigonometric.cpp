// sin and cos. Both are internal functions of the module, one for each type, because arguments beyond 2^20 need a
// branch.
//
// x = n pi/2 + r, n = round(2 x / pi), |r| <= pi/4, always in f64. Up to 2^20 by Cody and Waite with pi/2 in parts of
// 33 bits, whose products with n are exact; beyond by Payne and Hanek, lane by lane. Then, z = r^2,
//   sin r = r + r^3 S(z),   cos r = 1 - z/2 + z^2 C(z),
// and the two low bits of n choose between them and give the sign.
#include <array>
#include <limits>
#include <string>

#include "codegen/math/coefficients.h"
#include "codegen/math/internal.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

namespace tarn {

using namespace vector_math_coefficients;

namespace {

constexpr double kLargestCodyWaite = 0x1p20;
constexpr unsigned kWordsRead = 4;

enum class Circular { kSin, kCos };

/// An empty internal function with the target attributes of the function that the builder is in.
llvm::Function* create_internal_function(llvm::IRBuilderBase& builder, llvm::FunctionType* type,
                                         const std::string& name) {
  llvm::Function* caller = builder.GetInsertBlock()->getParent();
  auto* function = llvm::Function::Create(type, llvm::Function::InternalLinkage, name, caller->getParent());
  for (const char* attribute :
       {"target-cpu", "target-features", "tune-cpu", "prefer-vector-width", "min-legal-vector-width"})
    if (caller->hasFnAttribute(attribute)) function->addFnAttr(caller->getFnAttribute(attribute));
  function->setDoesNotThrow();
  function->setDoesNotAccessMemory();
  function->setWillReturn();
  return function;
}

llvm::GlobalVariable* two_over_pi_digits(llvm::Module& module) {
  const char* name = "tarn.two_over_pi";
  if (llvm::GlobalVariable* existing = module.getNamedGlobal(name)) return existing;
  llvm::Constant* digits = llvm::ConstantDataArray::get(
      module.getContext(), llvm::ArrayRef(kTwoOverPiDigits.data(), kTwoOverPiDigits.size()));
  auto* global =
      new llvm::GlobalVariable(module, digits->getType(), true, llvm::GlobalValue::PrivateLinkage, digits, name);
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

/// Reads 192 binary digits of 2/pi from digit `first` (an i64) on: three words, the most significant first.
std::array<llvm::Value*, 3> read_digits(llvm::IRBuilderBase& builder, llvm::Module& module, llvm::Value* first) {
  llvm::Type* word = builder.getInt64Ty();
  llvm::Value* index = builder.CreateLShr(first, 6);
  std::array<llvm::Value*, kWordsRead> words;
  for (unsigned i = 0; i < kWordsRead; ++i) {
    llvm::Value* position = builder.CreateAdd(index, builder.getInt64(i));
    words[i] = builder.CreateLoad(word, builder.CreateInBoundsGEP(word, two_over_pi_digits(module), position));
  }
  llvm::Value* shift = builder.CreateAnd(first, 63);
  std::array<llvm::Value*, 3> digits;
  for (unsigned i = 0; i < 3; ++i)
    digits[i] = builder.CreateIntrinsic(llvm::Intrinsic::fshl, {word}, {words[i], words[i + 1], shift});
  return digits;
}

/// high · 2^64 + low.
llvm::Value* join_words(llvm::IRBuilderBase& builder, llvm::Value* high, llvm::Value* low) {
  llvm::Type* wide = builder.getInt128Ty();
  return builder.CreateOr(builder.CreateShl(builder.CreateZExt(high, wide), 64), builder.CreateZExt(low, wide));
}

/// x y in 128 bits, from products of halves: not every machine multiplies 64 bits by 64, and it is rare.
llvm::Value* wide_product(llvm::IRBuilderBase& builder, llvm::Value* x, llvm::Value* y) {
  const auto low = [&](llvm::Value* value) { return builder.CreateAnd(value, 0xFFFFFFFF); };
  const auto high = [&](llvm::Value* value) { return builder.CreateLShr(value, 32); };
  llvm::Value* upper = builder.CreateAdd(builder.CreateMul(high(x), low(y)), high(builder.CreateMul(low(x), low(y))));
  llvm::Value* lower = builder.CreateAdd(builder.CreateMul(low(x), high(y)), low(upper));
  llvm::Value* top = builder.CreateAdd(builder.CreateMul(high(x), high(y)), high(upper));
  return join_words(builder, builder.CreateAdd(top, high(lower)), builder.CreateMul(x, y));
}

/// (fraction · 2^-128) pi/2 in two parts, for a nonzero signed 128-bit fraction with at most 63 leading zeros in its
/// magnitude.
TwoPart fraction_to_angle(VectorContext& context, llvm::Value* fraction) {
  llvm::IRBuilderBase& builder = context.ir();
  llvm::Type* word = builder.getInt64Ty();
  llvm::Type* wide = builder.getInt128Ty();
  llvm::Value* is_negative = builder.CreateICmpSLT(fraction, llvm::ConstantInt::get(wide, 0));
  llvm::Value* magnitude = builder.CreateSelect(is_negative, builder.CreateNeg(fraction), fraction);
  llvm::Value* top = builder.CreateTrunc(builder.CreateLShr(magnitude, 64), word);
  llvm::Value* bottom = builder.CreateTrunc(magnitude, word);
  llvm::Value* zeros = builder.CreateIntrinsic(llvm::Intrinsic::ctlz, {word}, {top, builder.getFalse()});
  // A shift by 0 to 63, word by word: where words are narrow, one of 128 bits would be a call.
  top = builder.CreateIntrinsic(llvm::Intrinsic::fshl, {word}, {top, bottom, zeros});
  llvm::Value* normalized = join_words(builder, top, builder.CreateShl(bottom, zeros));
  // The leading 53 bits and the next 53, both exact as f64.
  auto part = [&](unsigned shift) {
    llvm::Value* bits = builder.CreateTrunc(builder.CreateLShr(normalized, shift), word);
    return context.real(
        builder.CreateSIToFP(builder.CreateAnd(bits, context.mantissa_mask() * 2 + 1), builder.getDoubleTy()));
  };
  // 2^-(53 + zeros), with the sign.
  Real scale = power_of_two(context.bits(context.exponent_bias() - 53) - Bits{&context, zeros});
  scale = select(Mask{&context, is_negative}, -scale, scale);
  Real high = part(75) * scale;
  Real low = part(22) * scale * 0x1p-53;
  TwoPart product = two_product(high, context.number(kHalfPiExtendedF64[0]));
  Real rest = multiply_add(high, kHalfPiExtendedF64[1], low * kHalfPiExtendedF64[0]);
  return fast_two_sum(product.high, product.low + rest);
}

/// {double r, double r_low, i64 n} = tarn.reduce_huge(double x): x = n pi/2 + r + r_low (n modulo 4), for 2^20 <= |x|
/// finite; any numbers for other x. Payne and Hanek, "Radian reduction for trigonometric functions" (1983): x = m 2^e
/// with a 53-bit m; the digits of 2/pi worth 4 or more after multiplication by x only add to n multiples of 4, and
/// digits far behind the point do not matter.
llvm::Function* reduce_huge(llvm::IRBuilderBase& outer, MathTarget target) {
  llvm::Module& module = *outer.GetInsertBlock()->getModule();
  const char* name = target.has_fma ? "tarn.reduce_huge" : "tarn.reduce_huge.nofma";
  if (llvm::Function* existing = module.getFunction(name)) return existing;
  llvm::Type* real = outer.getDoubleTy();
  auto* result_type = llvm::StructType::get(real, real, outer.getInt64Ty());
  llvm::Function* function = create_internal_function(outer, llvm::FunctionType::get(result_type, {real}, false), name);
  function->addFnAttr(llvm::Attribute::NoInline);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "entry", function));
  VectorContext context(builder, real, target);

  Bits bits = to_bits(context.real(function->getArg(0)));
  llvm::Value* field = ((bits >> 52) & 0x7ff).value;
  llvm::Value* mantissa = ((bits & context.mantissa_mask()) | (context.mantissa_mask() + 1)).value;
  // e = field - 1075; digits worth 2^1 at most start 2 before digit e, behind 64 zeros. Clamped for the lanes that are
  // not huge.
  llvm::Value* least = builder.getInt64(1075 - 62);
  llvm::Value* clamped = builder.CreateSelect(builder.CreateICmpULT(field, least), least, field);
  llvm::Value* largest = builder.getInt64(2046);
  clamped = builder.CreateSelect(builder.CreateICmpUGT(clamped, largest), largest, clamped);
  auto digits = read_digits(builder, module, builder.CreateSub(clamped, least));

  // mantissa · digits modulo 2^192: two bits before the point, 190 behind.
  llvm::Type* wide = builder.getInt128Ty();
  auto widen = [&](llvm::Value* value) { return builder.CreateZExt(value, wide); };
  llvm::Value* low = builder.CreateLShr(wide_product(builder, mantissa, digits[2]), 64);
  llvm::Value* middle = builder.CreateAdd(wide_product(builder, mantissa, digits[1]), low);
  llvm::Value* high = builder.CreateShl(widen(builder.CreateMul(mantissa, digits[0])), 64);
  llvm::Value* product = builder.CreateAdd(high, middle);
  // Rounded to the nearest integer, the fraction is the remaining bits read as a signed number.
  llvm::Value* n =
      builder.CreateLShr(builder.CreateAdd(product, builder.CreateShl(llvm::ConstantInt::get(wide, 1), 125)), 126);
  TwoPart r = fraction_to_angle(context, builder.CreateShl(product, 2));
  // For negative x everything is negated.
  Mask is_negative = is_nonzero(bits >> 63);
  Bits quotient{&context, builder.CreateTrunc(n, builder.getInt64Ty())};
  quotient = select(is_negative, context.bits(0) - quotient, quotient);
  llvm::Value* result = llvm::PoisonValue::get(result_type);
  result = builder.CreateInsertValue(result, select(is_negative, -r.high, r.high).value, 0);
  result = builder.CreateInsertValue(result, select(is_negative, -r.low, r.low).value, 1);
  builder.CreateRet(builder.CreateInsertValue(result, quotient.value, 2));
  return function;
}

/// x = n pi/2 + r + r_low, with n modulo 4 (or more) in the low bits.
struct Reduced {
  llvm::Value *r, *r_low, *n;
};

/// For |x| <= 2^20. r_low is 0 if a single part is enough.
Reduced reduce_cody_waite(Real x, bool single_part) {
  double rounder = 0x1.8p52;
  Real sum = multiply_add(x, kTwoOverPiF64[0], rounder);
  Real minus_n = rounder - sum;
  // Each product with a part of 33 bits is exact, and so is the first sum.
  Real r = multiply_add(minus_n, kHalfPiF64[0], x);
  if (single_part) {
    r = multiply_add(minus_n, kHalfPiF64[2], multiply_add(minus_n, kHalfPiF64[1], r));
    return {r.value, x.context->number(0).value, to_bits(sum).value};
  }
  TwoPart second = two_sum(r, minus_n * kHalfPiF64[1]);
  TwoPart third = two_sum(second.high, minus_n * kHalfPiF64[2]);
  Real rest = multiply_add(minus_n, kHalfPiF64[3], second.low + third.low);
  TwoPart result = fast_two_sum(third.high, rest);
  return {result.high.value, result.low.value, to_bits(sum).value};
}

/// Emits `reduced` with the huge lanes of x (f64) replaced, in a loop over the lanes; ends in a new block.
Reduced replace_huge_lanes(llvm::IRBuilder<>& builder, llvm::Value* x, llvm::Value* is_huge, Reduced reduced,
                           MathTarget target) {
  llvm::Function* reduce = reduce_huge(builder, target);
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  std::array<llvm::Value*, 3> values = {reduced.r, reduced.r_low, reduced.n};
  if (vector == nullptr) {
    // The branch that leads here has tested the only lane.
    llvm::Value* call = builder.CreateCall(reduce, {x});
    for (unsigned field = 0; field < 3; ++field) values[field] = builder.CreateExtractValue(call, field);
    return {values[0], values[1], values[2]};
  }
  llvm::BasicBlock* before = builder.GetInsertBlock();
  llvm::BasicBlock* loop = llvm::BasicBlock::Create(builder.getContext(), "lane", before->getParent());
  llvm::BasicBlock* after = llvm::BasicBlock::Create(builder.getContext(), "lanes_done", before->getParent());
  builder.CreateBr(loop);
  builder.SetInsertPoint(loop);
  llvm::PHINode* lane = builder.CreatePHI(builder.getInt32Ty(), 2);
  lane->addIncoming(builder.getInt32(0), before);
  std::array<llvm::PHINode*, 3> phis;
  for (unsigned field = 0; field < 3; ++field) {
    phis[field] = builder.CreatePHI(values[field]->getType(), 2);
    phis[field]->addIncoming(values[field], before);
  }
  llvm::Value* lane_is_huge = builder.CreateExtractElement(is_huge, lane);
  llvm::Value* call = builder.CreateCall(reduce, {builder.CreateExtractElement(x, lane)});
  for (unsigned field = 0; field < 3; ++field) {
    llvm::Value* old = builder.CreateExtractElement(phis[field], lane);
    llvm::Value* value = builder.CreateSelect(lane_is_huge, builder.CreateExtractValue(call, field), old);
    values[field] = builder.CreateInsertElement(phis[field], value, lane);
    phis[field]->addIncoming(values[field], loop);
  }
  llvm::Value* next = builder.CreateAdd(lane, builder.getInt32(1));
  lane->addIncoming(next, loop);
  builder.CreateCondBr(builder.CreateICmpEQ(next, builder.getInt32(vector->getNumElements())), after, loop);
  builder.SetInsertPoint(after);
  return {values[0], values[1], values[2]};
}

/// sin or cos of n pi/2 + r + r_low, in the format of the context.
Real circular_of_reduced(Circular which, Real r, Real r_low, Bits n) {
  VectorContext& context = *r.context;
  Real z = r * r;
  Real sine_tail = polynomial(z, context.pick(kSinF32, kSinF64));
  Real cosine_tail = multiply_add(polynomial(z, context.pick(kCosF32, kCosF64)), z, -0.5);
  Real sine = r, cosine = r;
  if (context.is_f64()) {
    // sin(r + l) = sin r + l cos r, cos(r + l) = cos r - l sin r, to first order in l and with two terms of cos r, one
    // of sin r.
    sine = r + multiply_add(r * z, sine_tail, r_low * multiply_add(z, -0.5, 1));
    cosine = multiply_add(z, cosine_tail, -(r * r_low)) + 1.0;
  } else {
    sine = multiply_add(r * z, sine_tail, r);
    cosine = multiply_add(z, cosine_tail, 1);
  }
  // n modulo 4:   0      1      2      3
  // sin           sin    cos   -sin   -cos
  // cos           cos   -sin   -cos    sin
  Bits quadrant = which == Circular::kSin ? n : n + 1;
  Real value = select(is_nonzero(quadrant & 1), cosine, sine);
  Bits sign = (quadrant >> 1) << (context.is_f64() ? 63 : 31);
  return to_real(to_bits(value) ^ sign);
}

/// `reduced`, by Payne and Hanek in the lanes that are too large for Cody and Waite.
Reduced reduce_what_is_huge(llvm::IRBuilder<>& builder, Real wide_x, Reduced reduced, MathTarget target) {
  llvm::BasicBlock* entry = builder.GetInsertBlock();
  llvm::Function* function = entry->getParent();
  llvm::Value* is_huge = (absolute(wide_x) > kLargestCodyWaite).value;
  llvm::Value* any_huge = is_huge->getType()->isVectorTy() ? builder.CreateOrReduce(is_huge) : is_huge;
  llvm::BasicBlock* huge = llvm::BasicBlock::Create(builder.getContext(), "huge", function);
  llvm::BasicBlock* join = llvm::BasicBlock::Create(builder.getContext(), "join", function);
  builder.CreateCondBr(any_huge, huge, join);
  builder.SetInsertPoint(huge);
  Reduced replaced = replace_huge_lanes(builder, wide_x.value, is_huge, reduced, target);
  llvm::BasicBlock* huge_end = builder.GetInsertBlock();
  builder.CreateBr(join);
  builder.SetInsertPoint(join);
  auto merge = [&](llvm::Value* common, llvm::Value* rare) {
    llvm::PHINode* phi = builder.CreatePHI(common->getType(), 2);
    phi->addIncoming(common, entry);
    phi->addIncoming(rare, huge_end);
    return phi;
  };
  return {merge(reduced.r, replaced.r), merge(reduced.r_low, replaced.r_low), merge(reduced.n, replaced.n)};
}

void emit_circular_body(llvm::Function* function, Circular which, bool is_small, MathTarget target) {
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(function->getContext(), "entry", function));
  llvm::Type* type = function->getReturnType();
  VectorContext context(builder, type, target);
  Real argument = context.real(function->getArg(0));
  double infinity = std::numeric_limits<double>::infinity();
  Real x = select(absolute(argument) == infinity, std::numeric_limits<double>::quiet_NaN(), argument);

  llvm::Type* wide_type = type->getWithNewType(builder.getDoubleTy());
  VectorContext wide(builder, wide_type, target);
  Real wide_x = wide.real(context.is_f64() ? x.value : builder.CreateFPExt(x.value, wide_type));
  Reduced reduced = reduce_cody_waite(wide_x, !context.is_f64());
  if (!is_small) reduced = reduce_what_is_huge(builder, wide_x, reduced, target);
  llvm::Value *r = reduced.r, *n = reduced.n;
  if (!context.is_f64()) {
    r = builder.CreateFPTrunc(r, type);
    n = builder.CreateTrunc(n, context.bits_type());
  }
  Real low = context.is_f64() ? context.real(reduced.r_low) : context.number(0);
  Real result = circular_of_reduced(which, context.real(r), low, {&context, n});
  // sin x rounds to x: keeps the sign of zero and the last bit of denormals.
  if (which == Circular::kSin) result = select(absolute(x) < context.pick(0x1p-13, 0x1p-27), x, result);
  builder.CreateRet(result.value);
}

/// `is_small`: |x| <= 2^20.
llvm::Value* emit_circular(llvm::IRBuilderBase& builder, llvm::Value* x, Circular which, bool is_small,
                           MathTarget target) {
  llvm::Type* type = x->getType();
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  std::string name = which == Circular::kSin ? "tarn.sin" : "tarn.cos";
  if (vector != nullptr) name += ".v" + std::to_string(vector->getNumElements());
  name += type->getScalarType()->isDoubleTy() ? ".f64" : ".f32";
  if (!target.has_fma) name += ".nofma";
  if (is_small) name += ".small";
  llvm::Function* function = builder.GetInsertBlock()->getModule()->getFunction(name);
  if (function == nullptr) {
    function = create_internal_function(builder, llvm::FunctionType::get(type, {type}, false), name);
    emit_circular_body(function, which, is_small, target);
  }
  VectorContext context(builder, type, target);
  return builder.CreateCall(function, {x});
}

}  // namespace

llvm::Value* emit_sin(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_circular(builder, x, Circular::kSin, false, target);
}

llvm::Value* emit_cos(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_circular(builder, x, Circular::kCos, false, target);
}

llvm::Value* emit_cos_of_small(llvm::IRBuilderBase& builder, llvm::Value* x, MathTarget target) {
  return emit_circular(builder, x, Circular::kCos, true, target);
}

}  // namespace tarn
