// The exported C functions of a compiled model, around the functions of its program.
#pragma once

#include <cstddef>
#include <span>

#include "codegen/model_interface.h"
#include "llvm/IR/Module.h"

namespace tarn {

// Adds the functions of the interface to a module from emit_program, and makes everything else in it private: no symbol
// remains but theirs. `weights` is the state that a baked model takes for its constants, else empty.
void emit_compiled_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                             const Target& target, const ModelInterface& interface, std::span<const std::byte> weights);

}  // namespace tarn
