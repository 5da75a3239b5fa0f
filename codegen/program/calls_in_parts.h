// Calls of functions whose work threads share.
#pragma once

#include <array>

#include "codegen/kernels/emission.h"

namespace tarn {

// Calls function(addresses…, n, …, part, parts) for every part, where `function` is a KernelFunction in parts and the
// last of the addresses its parameters. The threads of `control` do that where it has any and n is at least `from`;
// else there is one part.
void emit_call_in_parts(const Emission& emission, llvm::IRBuilderBase& builder, llvm::Function* function,
                        const std::array<llvm::Value*, 5>& addresses, llvm::Value* n, std::int64_t from,
                        llvm::Value* control);

}  // namespace tarn
