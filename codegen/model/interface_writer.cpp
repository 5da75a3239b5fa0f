// See interface_writer.h.
#include "codegen/model/interface_writer.h"

#include <algorithm>

#include "codegen/kernels/loops.h"
#include "codegen/model/cpu_dispatch.h"
#include "llvm/IR/Constants.h"

namespace tarn {

void InterfaceWriter::begin(const std::string& name, llvm::Type* result, const Parameters& parameters) {
  std::vector<llvm::Type*> types;
  for (const auto& parameter : parameters) types.push_back(parameter.first);
  const std::string exported = api_.prefix + "_" + name;
  function_ =
      llvm::Function::Create(llvm::FunctionType::get(result, types, false),
                             level_.empty() ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::PrivateLinkage,
                             level_.empty() ? exported : name_at_level(exported, level_), module_);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  for (auto& value : function_->args()) value.setName(parameters[value.getArgNo()].second);
  b_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function_));
}

llvm::Value* InterfaceWriter::argument(const std::string& name) {
  for (auto& value : function_->args()) {
    if (value.getName() == name) return &value;
  }
  return nullptr;
}

void InterfaceWriter::return_when(llvm::Value* condition, llvm::Value* result) {
  llvm::BasicBlock* const leave = llvm::BasicBlock::Create(module_.getContext(), "leave", function_);
  llvm::BasicBlock* const go_on = llvm::BasicBlock::Create(module_.getContext(), "go_on", function_);
  b_.CreateCondBr(condition, leave, go_on);
  b_.SetInsertPoint(leave);
  b_.CreateRet(result);
  b_.SetInsertPoint(go_on);
}

void InterfaceWriter::when(llvm::Value* condition, const std::function<void()>& action) {
  emit_if(b_, condition, {}, [&](const Carried&) {
    action();
    return Carried{};
  });
}

void InterfaceWriter::add(Parameters& parameters, const std::vector<InterfaceArray>& arrays, llvm::Type* pointer) {
  for (const InterfaceArray& array : arrays) parameters.emplace_back(pointer, array.parameter);
}

llvm::Value* InterfaceWriter::pointers(const std::vector<const std::vector<InterfaceArray>*>& groups,
                                       std::size_t count) {
  llvm::AllocaInst* const table =
      b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), std::max<std::size_t>(count, 1)));
  table->setAlignment(llvm::Align(8));
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) {
      b_.CreateAlignedStore(argument(array.parameter),
                            byte_address(b_, table, static_cast<std::int64_t>(8 * array.index)), llvm::Align(8));
    }
  }
  return table;
}

llvm::Constant* InterfaceWriter::constant(llvm::Constant* data, const char* name, std::uint64_t alignment) {
  for (llvm::GlobalVariable& known : module_.globals()) {
    if (known.hasInitializer() && known.getInitializer() == data &&
        known.getAlign().valueOrOne() >= llvm::Align(alignment))
      return &known;
  }
  auto* const global = new llvm::GlobalVariable(module_, data->getType(), /*isConstant=*/true,
                                                llvm::GlobalValue::PrivateLinkage, data, name);
  global->setAlignment(llvm::Align(alignment));
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

void InterfaceWriter::copy_bytes(llvm::Value* from, llvm::Value* to, std::uint64_t bytes) {
  const std::uint64_t size = bytes % 8 == 0 ? 8 : 4;
  llvm::Type* const word = b_.getIntNTy(static_cast<unsigned>(8 * size));
  emit_loop(b_, {b_.getInt64(0), b_.getInt64(bytes)}, static_cast<std::int64_t>(size), {},
            [&](llvm::Value* at, const Carried&) {
              llvm::Value* const source = b_.CreateGEP(b_.getInt8Ty(), from, at);
              b_.CreateAlignedStore(b_.CreateAlignedLoad(word, source, llvm::Align(size)),
                                    b_.CreateGEP(b_.getInt8Ty(), to, at), llvm::Align(size));
              return Carried{};
            });
}

}  // namespace tarn
