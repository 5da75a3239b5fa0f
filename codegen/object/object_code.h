// From an LLVM module to code that runs: an object file in memory, and a loader for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "codegen/machine/machine.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"

namespace tarn {

// An object file, or with `assembly` its text, of the module. Changes the module (code generation prepares it).
llvm::SmallVector<char, 0> emit_code(llvm::Module& module, const Machine& machine, bool assembly = false);

// Leaves in the module the functions of one part of `parts`, and declarations of what these call elsewhere: the
// parts of equal modules can be made at once and loaded together. Parts are about equally long.
void keep_part(llvm::Module& module, std::size_t part, std::size_t parts);

// Object files in executable memory, which it owns. Generated code calls nothing: a symbol that none of them defines
// is a bug.
class LoadedCode {
 public:
  virtual ~LoadedCode() = default;
  // Address of a function that the object exports; nullptr where there is none.
  virtual void* find(const std::string& symbol) const = 0;
};

// Fails where the system gives no executable memory.
Result<std::unique_ptr<LoadedCode>> load_objects(llvm::ArrayRef<llvm::StringRef> objects);

}  // namespace tarn
