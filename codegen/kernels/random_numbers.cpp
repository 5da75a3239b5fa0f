// Philox-4x32-10 and the draws made of its words; the formulas stand in ir/random.h.
#include "codegen/kernels/random_numbers.h"

#include <fmt/format.h>

#include <array>

namespace tarn {

namespace {

using Words = std::array<llvm::Value*, 4>;

struct Product {
  llvm::Value *high, *low;
};

// The 64-bit product of 32-bit lanes by a constant, in halves.
Product multiply(llvm::IRBuilderBase& b, llvm::Value* a, std::uint32_t factor) {
  llvm::Type* const narrow = a->getType();
  llvm::Type* const wide = with_lanes(b.getInt64Ty(), lanes_of(a));
  llvm::Value* const product = b.CreateMul(b.CreateZExt(a, wide), llvm::ConstantInt::get(wide, factor));
  return {b.CreateTrunc(b.CreateLShr(product, 32), narrow), b.CreateMul(a, llvm::ConstantInt::get(narrow, factor))};
}

// The function (counter words, key words) -> words for a number of lanes, made at first use: a loop of ten rounds.
llvm::Function* philox_function(const Emission& emission, unsigned lanes) {
  const std::string name = fmt::format("philox.{}", lanes);
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::LLVMContext& context = emission.context();
  llvm::Type* const i32 = llvm::Type::getInt32Ty(context);
  llvm::Type* const word = with_lanes(i32, lanes);
  auto* const result = llvm::StructType::get(context, {word, word, word, word});
  llvm::Function* const function =
      make_internal_function(emission, name, result, {word, word, i32, i32, i32, i32},
                             {"element", "sample", "step_low", "step_high", "key_low", "key_high"});
  llvm::IRBuilder<> b(&function->getEntryBlock());
  llvm::BasicBlock* const entry = b.GetInsertBlock();
  const std::array<llvm::Value*, 7> initial = {function->getArg(0),
                                               function->getArg(1),
                                               widen(b, function->getArg(2), lanes),
                                               widen(b, function->getArg(3), lanes),
                                               function->getArg(4),
                                               function->getArg(5),
                                               b.getInt32(0)};
  llvm::BasicBlock* const round = llvm::BasicBlock::Create(context, "round", function);
  llvm::BasicBlock* const done = llvm::BasicBlock::Create(context, "done", function);
  b.CreateBr(round);
  b.SetInsertPoint(round);
  std::array<llvm::PHINode*, 7> phis{};
  for (std::size_t i = 0; i < phis.size(); ++i) {
    phis[i] = b.CreatePHI(initial[i]->getType(), 2);
    phis[i]->addIncoming(initial[i], entry);
  }
  const Product p = multiply(b, phis[0], 0xD2511F53U);
  const Product q = multiply(b, phis[2], 0xCD9E8D57U);
  const auto mix = [&](llvm::Value* high, llvm::Value* word_value, llvm::Value* key) {
    return b.CreateXor(b.CreateXor(high, word_value), widen(b, key, lanes));
  };
  llvm::Value* const count = b.CreateAdd(phis[6], b.getInt32(1));
  const std::array<llvm::Value*, 7> next = {mix(q.high, phis[1], phis[4]),
                                            q.low,
                                            mix(p.high, phis[3], phis[5]),
                                            p.low,
                                            b.CreateAdd(phis[4], b.getInt32(0x9E3779B9U)),
                                            b.CreateAdd(phis[5], b.getInt32(0xBB67AE85U)),
                                            count};
  for (std::size_t i = 0; i < phis.size(); ++i) phis[i]->addIncoming(next[i], round);
  b.CreateCondBr(b.CreateICmpEQ(count, b.getInt32(10)), done, round);
  b.SetInsertPoint(done);
  llvm::Value* words = llvm::PoisonValue::get(result);
  for (unsigned i = 0; i < 4; ++i) words = b.CreateInsertValue(words, next[i], i);
  b.CreateRet(words);
  return function;
}

Words emit_words(KernelFunction& kernel, const DrawArguments& draw) {
  llvm::IRBuilder<>& b = kernel.builder;
  llvm::Type* const i32 = b.getInt32Ty();
  const auto low = [&](llvm::Value* value) { return b.CreateTrunc(value, i32); };
  const auto high = [&](llvm::Value* value) { return b.CreateTrunc(b.CreateLShr(value, 32), i32); };
  llvm::Value* const words =
      b.CreateCall(philox_function(kernel.emission, lanes_of(draw.element)),
                   {draw.element, draw.sample, low(draw.step), high(draw.step), low(draw.key), high(draw.key)});
  return {b.CreateExtractValue(words, 0), b.CreateExtractValue(words, 1), b.CreateExtractValue(words, 2),
          b.CreateExtractValue(words, 3)};
}

llvm::Value* uniform_of(KernelFunction& kernel, llvm::Value* high, llvm::Value* low, DType dtype) {
  llvm::IRBuilder<>& b = kernel.builder;
  const unsigned lanes = lanes_of(high);
  llvm::Type* const real = with_lanes(kernel.emission.value_type(dtype), lanes);
  if (dtype == DType::f32) {
    return b.CreateFMul(b.CreateSIToFP(b.CreateLShr(high, 8), real), llvm::ConstantFP::get(real, 0x1p-24));
  }
  llvm::Type* const wide = with_lanes(b.getInt64Ty(), lanes);
  llvm::Value* const bits =
      b.CreateAdd(b.CreateShl(b.CreateZExt(high, wide), 21), b.CreateZExt(b.CreateLShr(low, 11), wide));
  return b.CreateFMul(b.CreateSIToFP(bits, real), llvm::ConstantFP::get(real, 0x1p-53));
}

}  // namespace

llvm::Value* emit_uniform(KernelFunction& kernel, const DrawArguments& draw) {
  const Words words = emit_words(kernel, draw);
  return uniform_of(kernel, words[0], words[1], draw.dtype);
}

llvm::Value* emit_normal(KernelFunction& kernel, const DrawArguments& draw) {
  llvm::IRBuilder<>& b = kernel.builder;
  const MathTarget math = kernel.emission.math();
  const Words words = emit_words(kernel, draw);
  llvm::Value* const u = uniform_of(kernel, words[0], words[2], draw.dtype);
  llvm::Value* const v = uniform_of(kernel, words[1], words[3], draw.dtype);
  const auto number = [&](double value) { return llvm::ConstantFP::get(u->getType(), value); };
  llvm::Value* const positive = b.CreateFAdd(u, number(draw.dtype == DType::f64 ? 0x1p-53 : 0x1p-24));
  llvm::Value* const radius = emit_sqrt(b, b.CreateFMul(number(-2), emit_log(b, positive, math)), math);
  return b.CreateFMul(radius, emit_cos_of_small(b, b.CreateFMul(number(6.283185307179586), v), math));
}

llvm::Value* emit_mix_bits(llvm::IRBuilderBase& b, llvm::Value* z) {
  const auto fold = [&](llvm::Value* x, unsigned bits) { return b.CreateXor(x, b.CreateLShr(x, bits)); };
  z = b.CreateMul(fold(z, 30), b.getInt64(0xBF58476D1CE4E5B9ULL));
  z = b.CreateMul(fold(z, 27), b.getInt64(0x94D049BB133111EBULL));
  return fold(z, 31);
}

}  // namespace tarn
