// The exported C functions of a compiled model that compute nothing and are the same on every machine: sizes, checks,
// copies of weights, tables.
#pragma once

#include "codegen/model/interface.h"
#include "llvm/IR/Module.h"

namespace tarn {

void emit_common_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                           const ModelInterface& interface);

}  // namespace tarn
