// The functions of a program: what native.h calls InitFunction, TrainFunction and so on, around the kernels of a plan.
#pragma once

#include <memory>

#include "codegen/emission.h"
#include "codegen/workspace.h"
#include "ir/program.h"

namespace tarn {

// The module for the graph of that name ("train", …); its one exported function is called `tarn_<name>`. The plan has
// that graph.
std::unique_ptr<llvm::Module> emit_program_function(llvm::LLVMContext& context, const Program& program,
                                                    const ProgramPlan& plan, const std::string& name,
                                                    const Machine& machine);
std::string symbol_of(const std::string& name);

}  // namespace tarn
