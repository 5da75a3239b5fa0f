// The functions of a program: what entry_points.h calls InitFunction, TrainFunction and so on, around the kernels of a
// plan.
#pragma once

#include <memory>

#include "codegen/kernels/emission.h"
#include "codegen/program/workspace.h"
#include "ir/program.h"

namespace tarn {

// One module with functions for the graphs of those names ("train", …), all of which the plan has. The function for a
// graph is exported as `tarn_<name>`; kernels and tiles are internal, and functions of equal shape are shared.
std::unique_ptr<llvm::Module> emit_program(llvm::LLVMContext& context, const Program& program, const ProgramPlan& plan,
                                           const std::vector<std::string>& names, const Machine& machine);
// The same, into a module that is there.
void emit_program(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                  const std::vector<std::string>& names, const Machine& machine);
std::string symbol_of(const std::string& name);

// Control::batches_done, so that another thread may read it: in one piece where the machine writes 8 bytes so.
void store_batches_done(llvm::IRBuilderBase& builder, llvm::Value* control, llvm::Value* count);

}  // namespace tarn
