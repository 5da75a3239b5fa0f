// See streams.h.
#include "codegen/contraction/streams.h"

#include <fmt/format.h>

#include "codegen/kernels/loops.h"
#include "codegen/kernels/reductions.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

namespace {

// for k in groups: for every vector of columns: c += sum over the group of a[k] * b[k, :], in the order of k.
void emit_stream(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, DType dtype, unsigned lanes) {
  llvm::Type* const element = e.value_type(dtype);
  const llvm::Align align(size_of(dtype));
  llvm::Value *const a_stride = function->getArg(1), *const b_stride = function->getArg(3);
  llvm::Value *const count = function->getArg(4), *const c = function->getArg(6);
  const Range columns = {b.getInt64(0), function->getArg(5)};
  const auto zero = [&](unsigned width) { return llvm::Constant::getNullValue(with_lanes(element, width)); };
  const auto over_columns = [&](const std::function<llvm::Value*(llvm::Value*, llvm::Value*, llvm::Value*)>& sum) {
    emit_vector_loop(e, b, columns, lanes, {}, [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
      llvm::Value* const at = b.CreateGEP(element, c, column);
      llvm::Value* const next = sum(column, mask, at);
      if (mask == nullptr) {
        b.CreateAlignedStore(next, at, align);
      } else {
        b.CreateMaskedStore(next, at, align, mask);
      }
      return Carried{};
    });
  };
  const auto load = [&](llvm::Value* at, llvm::Value* mask) -> llvm::Value* {
    llvm::Type* const vector = with_lanes(element, lanes);
    if (mask == nullptr) return b.CreateAlignedLoad(vector, at, align);
    return b.CreateMaskedLoad(vector, at, align, mask, zero(lanes));
  };
  over_columns([&](llvm::Value*, llvm::Value*, llvm::Value*) { return zero(lanes); });
  const auto group = [&](unsigned size, const Carried& at) {
    std::vector<llvm::Value*> factors, rows;
    for (unsigned i = 0; i < size; ++i) {
      const auto nth = [&](llvm::Value* base, llvm::Value* stride) {
        return moved_by(b, base, b.CreateMul(stride, b.getInt64(i)));
      };
      factors.push_back(widen(b, b.CreateAlignedLoad(element, nth(at[0], a_stride), align), lanes));
      rows.push_back(nth(at[1], b_stride));
    }
    over_columns([&](llvm::Value* column, llvm::Value* mask, llvm::Value* place) {
      llvm::Value* sum = load(place, mask);
      for (unsigned i = 0; i < size; ++i) {
        sum = fused_multiply_add(e, b, factors[i], load(b.CreateGEP(element, rows[i], column), mask), sum);
      }
      return sum;
    });
    llvm::Value* const steps = b.getInt64(size);
    return Carried{moved_by(b, at[0], b.CreateMul(a_stride, steps)), moved_by(b, at[1], b.CreateMul(b_stride, steps))};
  };
  const auto groups = [&](llvm::Value* begin, llvm::Value* end, unsigned size, const Carried& at) {
    return emit_if(b, b.CreateICmpNE(begin, end), at, [&](const Carried& values) {
      return emit_loop(b, {begin, end}, size, values,
                       [&](llvm::Value*, const Carried& inner) { return group(size, inner); });
    });
  };
  llvm::Value* const whole = b.CreateSub(count, b.CreateURem(count, b.getInt64(kCosts.streamed_steps)));
  const Carried rest = groups(b.getInt64(0), whole, kCosts.streamed_steps, {function->getArg(0), function->getArg(2)});
  groups(whole, count, 1, rest);
  b.CreateRetVoid();
}

}  // namespace

llvm::Function* stream_function(const Emission& emission, DType dtype, unsigned lanes) {
  const std::string name = fmt::format("stream.{}.{}", name_of(dtype), lanes);
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(
      emission, name, llvm::Type::getVoidTy(emission.context()), {pointer, i64, pointer, i64, i64, i64, pointer},
      {"a", "a_k_stride", "b", "b_k_stride", "count", "columns", "c"});
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  builder.setFastMathFlags(math_flags(emission));
  emit_stream(emission, builder, function, dtype, lanes);
  return function;
}

}  // namespace tarn
