// From an LLVM module to code that runs: an object file in memory, and a loader for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "codegen/machine.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"

namespace tarn {

// An object file, or with `assembly` its text, of the module. Changes the module (code generation prepares it).
llvm::SmallVector<char, 0> emit_code(llvm::Module& module, const Machine& machine, bool assembly = false);

// An object file in executable memory, which it owns. Generated code calls nothing: an undefined symbol is a bug.
class LoadedCode {
 public:
  virtual ~LoadedCode() = default;
  // Address of a function that the object exports; nullptr where there is none.
  virtual void* find(const std::string& symbol) const = 0;
};

// Fails where the system gives no executable memory.
Result<std::unique_ptr<LoadedCode>> load_object(llvm::StringRef object);

}  // namespace tarn
