// The exported C functions of a compiled model, around the functions of its program.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "codegen/model/interface.h"
#include "llvm/IR/Module.h"

namespace tarn {

// Adds the functions of the interface that compute to a module from emit_program, and makes everything else in it
// private. `weights` is the state that a baked model takes for its constants, else empty. With a level of x86-64 (see
// cpu_dispatch.h) the functions are private too, under the names of the level.
void emit_compiled_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                             const Target& target, const ModelInterface& interface, std::span<const std::byte> weights,
                             const std::string& level);
// The exported names of those.
std::vector<std::string> compiled_functions(const ModelInterface& interface);

}  // namespace tarn
