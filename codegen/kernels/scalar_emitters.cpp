// One emitter an elementwise operation, of its name. Transcendental functions are those of vector_math.h.
#include "codegen/kernels/scalar_emitters.h"

#include <cstddef>
#include <iterator>

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/MC/MCSubtargetInfo.h"

namespace tarn {

namespace {

using Builder = llvm::IRBuilderBase;

bool is_real(const llvm::Value* value) { return value->getType()->isFPOrFPVectorTy(); }
bool is_boolean(const llvm::Value* value) { return value->getType()->isIntOrIntVectorTy(1); }

llvm::Value* number(llvm::Type* type, double value) {
  if (type->isFPOrFPVectorTy()) return llvm::ConstantFP::get(type, value);
  return llvm::ConstantInt::get(type, static_cast<std::uint64_t>(static_cast<std::int64_t>(value)), true);
}

// x86 before SSE4.1, ARM of 32 bits and RISC-V round by a call of libm. There: adding and taking away 2^23 (2^52)
// leaves an integer, rounded to the nearest, half to even; what is as large as that is an integer already.
bool has_rounding(const Emission& emission) {
  const llvm::TargetMachine& machine = *emission.machine.llvm;
  const llvm::Triple& triple = machine.getTargetTriple();
  if (triple.isX86()) return machine.getMCSubtargetInfo()->checkFeatures("+sse4.1");
  return triple.isAArch64() || triple.isWasm();
}

llvm::Value* round_by_adding(Builder& b, llvm::Value* x) {
  llvm::Type* const type = x->getType();
  llvm::Value* const large = number(type, type->getScalarType()->isFloatTy() ? 0x1p23 : 0x1p52);
  llvm::Value* const magnitude = b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  llvm::Value* const rounded = b.CreateFSub(b.CreateFAdd(magnitude, large), large);
  llvm::Value* const chosen = b.CreateSelect(b.CreateFCmpOLT(magnitude, large), rounded, magnitude);
  return b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, chosen, x);
}

llvm::Value* emit_rounding(const Emission& e, Builder& b, llvm::Value* x, llvm::Intrinsic::ID intrinsic) {
  if (has_rounding(e)) return b.CreateUnaryIntrinsic(intrinsic, x);
  const llvm::FastMathFlags flags = b.getFastMathFlags();
  b.setFastMathFlags({});
  llvm::Value* result = round_by_adding(b, x);
  llvm::Value* const one = number(x->getType(), 1);
  if (intrinsic == llvm::Intrinsic::floor) {
    result = b.CreateSelect(b.CreateFCmpOGT(result, x), b.CreateFSub(result, one), result);
  } else if (intrinsic == llvm::Intrinsic::ceil) {
    result = b.CreateSelect(b.CreateFCmpOLT(result, x), b.CreateFAdd(result, one), result);
    result = b.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);  // ceil(-0.5) = -0
  }
  b.setFastMathFlags(flags);
  return result;
}

#define EMITTER(name) \
  llvm::Value* name([[maybe_unused]] const Emission& e, [[maybe_unused]] Builder& b, [[maybe_unused]] const Operands& x)

EMITTER(neg) { return is_real(x.a) ? b.CreateFNeg(x.a) : b.CreateNeg(x.a); }
// Scalars, as in a learning-rate schedule, are few and their speed does not matter, but compiling does: each function
// of vector_math.h becomes one function of the module, which all scalars call.
llvm::Value* call_or_inline(const Emission& e, Builder& b, Op op, llvm::ArrayRef<llvm::Value*> arguments,
                            llvm::function_ref<llvm::Value*(Builder&, llvm::ArrayRef<llvm::Value*>)> emit) {
  llvm::Type* const type = arguments.front()->getType();
  if (type->isVectorTy()) return emit(b, arguments);
  const std::string name = std::string(name_of(op)) + (type->isDoubleTy() ? ".f64" : ".f32");
  llvm::Function* function = e.module.getFunction(name);
  if (function == nullptr) {
    const std::vector<llvm::Type*> types(arguments.size(), type);
    function = make_internal_function(e, name, type, types);
    llvm::IRBuilder<> inside(&function->getEntryBlock());
    std::vector<llvm::Value*> parameters;
    for (auto& parameter : function->args()) parameters.push_back(&parameter);
    inside.CreateRet(emit(inside, parameters));
  }
  return b.CreateCall(function, arguments);
}

#define MATH_EMITTER(name)                                                                              \
  EMITTER(name) {                                                                                       \
    return call_or_inline(e, b, Op::name, {x.a}, [&](Builder& inside, llvm::ArrayRef<llvm::Value*> v) { \
      return emit_##name(inside, v[0], e.math());                                                       \
    });                                                                                                 \
  }
MATH_EMITTER(exp)
MATH_EMITTER(expm1)
MATH_EMITTER(log)
MATH_EMITTER(log1p)
MATH_EMITTER(softplus)
MATH_EMITTER(sin)
MATH_EMITTER(cos)
MATH_EMITTER(tanh)
MATH_EMITTER(sigmoid)
MATH_EMITTER(erf)
#undef MATH_EMITTER
EMITTER(sqrt) { return emit_sqrt(b, x.a, e.math()); }
EMITTER(rsqrt) { return emit_rsqrt(b, x.a, e.math()); }
EMITTER(pow) {
  return call_or_inline(e, b, Op::pow, {x.a, x.b}, [&](Builder& inside, llvm::ArrayRef<llvm::Value*> v) {
    return emit_pow(inside, v[0], v[1], e.math());
  });
}

EMITTER(abs) {
  if (is_real(x.a)) return b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x.a);
  return b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, x.a, b.getInt1(false));
}

EMITTER(sign) {
  llvm::Type* const type = x.a->getType();
  llvm::Value *const zero = number(type, 0), *const one = number(type, 1), *const minus_one = number(type, -1);
  if (!is_real(x.a)) {
    llvm::Value* const below = b.CreateSelect(b.CreateICmpSLT(x.a, zero), minus_one, zero);
    return b.CreateSelect(b.CreateICmpSGT(x.a, zero), one, below);
  }
  // 0 for both zeros; what is neither above, below nor equal to 0 is NaN and stays.
  llvm::Value* const at_zero = b.CreateSelect(b.CreateFCmpOEQ(x.a, zero), zero, x.a);
  llvm::Value* const below = b.CreateSelect(b.CreateFCmpOLT(x.a, zero), minus_one, at_zero);
  return b.CreateSelect(b.CreateFCmpOGT(x.a, zero), one, below);
}

EMITTER(floor) { return emit_rounding(e, b, x.a, llvm::Intrinsic::floor); }
EMITTER(ceil) { return emit_rounding(e, b, x.a, llvm::Intrinsic::ceil); }
EMITTER(round) { return emit_rounding(e, b, x.a, llvm::Intrinsic::roundeven); }

EMITTER(is_finite) {
  llvm::Value* const magnitude = b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x.a);
  return b.CreateFCmpOLT(magnitude, llvm::ConstantFP::getInfinity(x.a->getType()));
}

EMITTER(logical_not) { return b.CreateNot(x.a); }
EMITTER(stop_gradient) { return x.a; }

EMITTER(convert) {
  if (x.operand == x.result) return x.a;
  llvm::Type* const type = with_lanes(e.value_type(x.result), lanes_of(x.a));
  if (x.result == DType::boolean) {
    llvm::Value* const zero = llvm::Constant::getNullValue(x.a->getType());
    return is_real(x.a) ? b.CreateFCmpUNE(x.a, zero) : b.CreateICmpNE(x.a, zero);
  }
  if (x.result == DType::i32) {
    if (x.operand == DType::boolean) return b.CreateZExt(x.a, type);
    return b.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, x.a->getType()}, {x.a});
  }
  if (is_real(x.a)) return b.CreateFPCast(x.a, type);
  if (x.operand == DType::boolean) return b.CreateSelect(x.a, number(type, 1), number(type, 0));
  return b.CreateSIToFP(x.a, type);
}

EMITTER(add) { return is_real(x.a) ? b.CreateFAdd(x.a, x.b) : b.CreateAdd(x.a, x.b); }
EMITTER(sub) { return is_real(x.a) ? b.CreateFSub(x.a, x.b) : b.CreateSub(x.a, x.b); }
EMITTER(mul) { return is_real(x.a) ? b.CreateFMul(x.a, x.b) : b.CreateMul(x.a, x.b); }
EMITTER(div) { return b.CreateFDiv(x.a, x.b); }

// Integers go to f64, where the quotient of two of 32 bits rounds to the right side of every integer and products are
// exact; there is no integer division in vectors, and none that does not trap.
llvm::Value* to_f64(Builder& b, llvm::Value* x) { return b.CreateSIToFP(x, with_lanes(b.getDoubleTy(), lanes_of(x))); }
llvm::Value* to_i32(Builder& b, llvm::Value* x) {
  llvm::Type* const type = with_lanes(b.getInt32Ty(), lanes_of(x));
  return b.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, x->getType()}, {x});
}

llvm::Value* floor_of_quotient(const Emission& e, Builder& b, llvm::Value* x, llvm::Value* y) {
  return emit_rounding(e, b, b.CreateFDiv(x, y), llvm::Intrinsic::floor);
}

// x - q y, rounded once: fused, or with the product in twice the precision.
llvm::Value* rest_of_division(const Emission& e, Builder& b, llvm::Value* x, llvm::Value* q, llvm::Value* y) {
  if (e.math().has_fma || x->getType()->getScalarType()->isDoubleTy()) {
    return fused_multiply_add(e, b, b.CreateFNeg(q), y, x);
  }
  llvm::Type* const wide = with_lanes(b.getDoubleTy(), lanes_of(x));
  const auto extend = [&](llvm::Value* value) { return b.CreateFPExt(value, wide); };
  return b.CreateFPTrunc(b.CreateFSub(extend(x), b.CreateFMul(extend(q), extend(y))), x->getType());
}

EMITTER(floor_div) {
  if (is_real(x.a)) return floor_of_quotient(e, b, x.a, x.b);
  return to_i32(b, floor_of_quotient(e, b, to_f64(b, x.a), to_f64(b, x.b)));
}

EMITTER(mod) {
  if (!is_real(x.a)) {
    llvm::Value *const a = to_f64(b, x.a), *const divisor = to_f64(b, x.b);
    return to_i32(b, b.CreateFSub(a, b.CreateFMul(divisor, floor_of_quotient(e, b, a, divisor))));
  }
  // r = a - b floor(a / b); a quotient that was rounded up to an integer gives an r of the wrong sign, which one more b
  // corrects. A quotient of 0 leaves a, also where b is infinite.
  llvm::Value* const zero = number(x.a->getType(), 0);
  llvm::Value* const quotient = floor_of_quotient(e, b, x.a, x.b);
  llvm::Value* const rest =
      b.CreateSelect(b.CreateFCmpOEQ(quotient, zero), x.a, rest_of_division(e, b, x.a, quotient, x.b));
  llvm::Value* const wrong_sign = b.CreateXor(b.CreateFCmpOLT(rest, zero), b.CreateFCmpOLT(x.b, zero));
  return b.CreateSelect(b.CreateAnd(b.CreateFCmpONE(rest, zero), wrong_sign), b.CreateFAdd(rest, x.b), rest);
}

EMITTER(minimum) { return emit_minimum(b, x.a, x.b); }
EMITTER(maximum) { return emit_maximum(b, x.a, x.b); }
EMITTER(equal) { return is_real(x.a) ? b.CreateFCmpOEQ(x.a, x.b) : b.CreateICmpEQ(x.a, x.b); }
EMITTER(not_equal) { return is_real(x.a) ? b.CreateFCmpUNE(x.a, x.b) : b.CreateICmpNE(x.a, x.b); }

EMITTER(less) {
  if (is_real(x.a)) return b.CreateFCmpOLT(x.a, x.b);
  return is_boolean(x.a) ? b.CreateICmpULT(x.a, x.b) : b.CreateICmpSLT(x.a, x.b);
}
EMITTER(less_equal) {
  if (is_real(x.a)) return b.CreateFCmpOLE(x.a, x.b);
  return is_boolean(x.a) ? b.CreateICmpULE(x.a, x.b) : b.CreateICmpSLE(x.a, x.b);
}

EMITTER(logical_and) { return b.CreateAnd(x.a, x.b); }
EMITTER(logical_or) { return b.CreateOr(x.a, x.b); }
EMITTER(where) { return b.CreateSelect(x.a, x.b, x.c); }

#undef EMITTER

struct Row {
  Op op;
  llvm::Value* (*emit)(const Emission&, Builder&, const Operands&);
};

// An operation without an emitter above does not compile.
constexpr Row kRows[] = {
#define ELEMENTWISE(name, ...) {Op::name, name},
#define OPERATION(...)
#include "ir/ops.def"
};

constexpr bool stand_first() {
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].op != static_cast<Op>(i)) return false;
  }
  return true;
}
static_assert(stand_first(), "elementwise operations are the first of ir/ops.def");

}  // namespace

llvm::Value* emit_operation(const Emission& emission, llvm::IRBuilderBase& builder, Op op, const Operands& operands) {
  const std::size_t row = static_cast<std::size_t>(op);
  TARN_CHECK(row < std::size(kRows), "not an elementwise operation: " + std::string(name_of(op)));
  return kRows[row].emit(emission, builder, operands);
}

llvm::Value* emit_maximum(llvm::IRBuilderBase& b, llvm::Value* x, llvm::Value* y) {
  if (is_boolean(x)) return b.CreateOr(x, y);
  if (!is_real(x)) return b.CreateBinaryIntrinsic(llvm::Intrinsic::smax, x, y);
  // One compare and select is one instruction of x86, which gives y where either is NaN; the second select brings back
  // an x that is NaN.
  llvm::Value* const larger = b.CreateSelect(b.CreateFCmpOGT(x, y), x, y);
  return b.CreateSelect(b.CreateFCmpUNO(x, x), x, larger);
}

llvm::Value* emit_minimum(llvm::IRBuilderBase& b, llvm::Value* x, llvm::Value* y) {
  if (is_boolean(x)) return b.CreateAnd(x, y);
  if (!is_real(x)) return b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, x, y);
  llvm::Value* const smaller = b.CreateSelect(b.CreateFCmpOLT(x, y), x, y);
  return b.CreateSelect(b.CreateFCmpUNO(x, x), x, smaller);
}

}  // namespace tarn
