// What every function of a compiled model's C interface is written with: its signature and arguments, early returns,
// arrays of pointers, constants, copies.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/model/interface.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace tarn {

class InterfaceWriter {
 protected:
  using Parameters = std::vector<std::pair<llvm::Type*, std::string>>;

  // With a level of x86-64 (cpu_dispatch.h) functions are private, under the names of the level.
  InterfaceWriter(llvm::Module& module, const Program& program, const ModelInterface& interface, std::string level)
      : module_(module),
        program_(program),
        api_(interface),
        level_(std::move(level)),
        b_(module.getContext()),
        pointer_(llvm::PointerType::getUnqual(module.getContext())),
        size_(module.getDataLayout().getIntPtrType(module.getContext())),
        real_(interface.real == DType::f64 ? b_.getDoubleTy() : b_.getFloatTy()) {}

  // Begins the function NAME_name.
  void begin(const std::string& name, llvm::Type* result, const Parameters& parameters);
  llvm::Value* argument(const std::string& name);
  // Parameters for arrays.
  static void add(Parameters& parameters, const std::vector<InterfaceArray>& arrays, llvm::Type* pointer);
  // The parameters of the groups as an array of pointers, each in 8 bytes at its index.
  llvm::Value* pointers(const std::vector<const std::vector<InterfaceArray>*>& groups, std::size_t count);

  void return_when(llvm::Value* condition, llvm::Value* result);
  void when(llvm::Value* condition, const std::function<void()>& action);
  void copy_bytes(llvm::Value* from, llvm::Value* to, std::uint64_t bytes);  // a multiple of 4, not 0
  // Data in the module; what is there already is used again.
  llvm::Constant* constant(llvm::Constant* data, const char* name, std::uint64_t alignment);

  llvm::Module& module_;
  const Program& program_;
  const ModelInterface& api_;
  const std::string level_;  // of x86-64, if there are several: its functions are not the ones that are exported
  llvm::IRBuilder<> b_;
  llvm::PointerType* pointer_;
  llvm::IntegerType* size_;
  llvm::Type* real_;
  llvm::Function* function_ = nullptr;
};

}  // namespace tarn
