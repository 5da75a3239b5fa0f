// One function of the module that hands tasks to the caller's threads, and one that they call. See calls_in_parts.h.
#include "codegen/program/calls_in_parts.h"

#include "codegen/program/entry_points.h"

namespace tarn {

namespace {

// A task: the function, the five addresses, n, and the number of parts, 8 bytes each.
enum TaskField : std::int64_t { kFunction, kAddresses, kCount = 6, kParts, kTaskFields };

llvm::FunctionType* type_in_parts(const Emission& emission) {
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  return llvm::FunctionType::get(llvm::Type::getVoidTy(emission.context()),
                                 {pointer, pointer, pointer, pointer, i64, pointer, i64, i64}, false);
}

// void (task, part)
llvm::Function* part_function(const Emission& emission) {
  constexpr const char* kName = "do_part";
  if (llvm::Function* const known = emission.module.getFunction(kName)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(emission, kName, llvm::Type::getVoidTy(emission.context()),
                                                          {pointer, i64}, {"task", "part"});
  llvm::IRBuilder<> b(&function->getEntryBlock());
  const auto field = [&](llvm::Type* type, std::int64_t number) {
    return b.CreateAlignedLoad(type, byte_address(b, function->getArg(0), 8 * number), llvm::Align(8));
  };
  const auto address = [&](std::int64_t number) { return field(pointer, kAddresses + number); };
  b.CreateCall(type_in_parts(emission), field(pointer, kFunction),
               {address(0), address(1), address(2), address(3), field(i64, kCount), address(4), function->getArg(1),
                field(i64, kParts)});
  b.CreateRetVoid();
  return function;
}

// void (function, five addresses, n, from, control)
llvm::Function* share_function(const Emission& emission) {
  constexpr const char* kName = "share";
  if (llvm::Function* const known = emission.module.getFunction(kName)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function =
      make_internal_function(emission, kName, llvm::Type::getVoidTy(emission.context()),
                             {pointer, pointer, pointer, pointer, pointer, pointer, i64, i64, pointer},
                             {"function", "a", "b", "c", "d", "parameters", "n", "from", "control"});
  const auto argument = [&](unsigned i) { return function->getArg(i); };
  llvm::Value *const n = argument(kCount), *const from = argument(7), *const control = argument(8);
  llvm::IRBuilder<> b(&function->getEntryBlock());
  llvm::AllocaInst* const task = b.CreateAlloca(llvm::ArrayType::get(i64, kTaskFields));
  task->setAlignment(llvm::Align(8));
  const auto field = [&](llvm::Type* type, std::size_t offset) {
    return b.CreateLoad(type, byte_address(b, control, static_cast<std::int64_t>(offset)));
  };
  // There is scratch memory for no more.
  llvm::Value* const threads = b.CreateBinaryIntrinsic(
      llvm::Intrinsic::smin, b.CreateSExt(field(b.getInt32Ty(), offsetof(Control, threads)), i64),
      b.getInt64(static_cast<std::uint64_t>(emission.machine.most_threads)));
  llvm::Value* const parallel_for = field(pointer, offsetof(Control, parallel_for));
  llvm::Value* const given = b.CreateAnd(b.CreateICmpSGT(threads, b.getInt64(1)), b.CreateIsNotNull(parallel_for));
  llvm::BasicBlock* const shared = llvm::BasicBlock::Create(emission.context(), "shared", function);
  llvm::BasicBlock* const alone = llvm::BasicBlock::Create(emission.context(), "alone", function);
  b.CreateCondBr(b.CreateAnd(given, b.CreateICmpUGE(n, from)), shared, alone);
  b.SetInsertPoint(alone);
  b.CreateCall(type_in_parts(emission), argument(kFunction),
               {argument(1), argument(2), argument(3), argument(4), n, argument(5), b.getInt64(0), b.getInt64(1)});
  b.CreateRetVoid();
  b.SetInsertPoint(shared);
  for (std::int64_t i = kFunction; i <= kCount; ++i) {
    b.CreateAlignedStore(argument(static_cast<unsigned>(i)), byte_address(b, task, 8 * i), llvm::Align(8));
  }
  b.CreateAlignedStore(threads, byte_address(b, task, 8 * kParts), llvm::Align(8));
  auto* const type = llvm::FunctionType::get(b.getVoidTy(), {pointer, i64, pointer, pointer}, false);
  b.CreateCall(type, parallel_for,
               {field(pointer, offsetof(Control, context)), threads, part_function(emission), task});
  b.CreateRetVoid();
  return function;
}

}  // namespace

void emit_call_in_parts(const Emission& emission, llvm::IRBuilderBase& builder, llvm::Function* function,
                        const std::array<llvm::Value*, 5>& addresses, llvm::Value* n, std::int64_t from,
                        llvm::Value* control) {
  builder.CreateCall(share_function(emission),
                     {function, addresses[0], addresses[1], addresses[2], addresses[3], addresses[4], n,
                      builder.getInt64(static_cast<std::uint64_t>(from)), control});
}

}  // namespace tarn
