// One function of a program while it is written: what it is given, its frame, and where buffers are in it.
// functions.cpp writes its loops over batches, step_calls.h its calls of kernels.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "codegen/kernels/emission.h"
#include "codegen/program/entry_points.h"
#include "codegen/program/workspace.h"
#include "ir/program.h"
#include "ir/program_functions.h"

namespace tarn {

class ProgramFunction {
 public:
  ProgramFunction(llvm::Module& in, const Program& of, const ProgramPlan& plan, const std::string& called,
                  const Machine& machine);

  bool predicts() const { return row.has(kPredicts); }

  // Begins it: entry block, frame, workspace.
  void begin(llvm::Type* result, const std::vector<std::pair<llvm::Type*, const char*>>& arguments);
  llvm::Value* argument(const char* name);
  void set_slot(std::uint32_t slot, llvm::Value* value);
  void set_key_and_step(llvm::Value* first_sample);
  llvm::Value* space_base(const Buffer& buffer);
  void return_when(llvm::Value* condition, Outcome outcome);

  const Program& program;
  const std::string name;
  const FunctionInfo& row;
  const WorkspaceLayout layout;
  llvm::Module& module;
  Emission emission;
  llvm::IRBuilder<> b;
  // Of the function, when it has begun.
  llvm::Value *frame = nullptr, *state = nullptr, *workspace = nullptr, *arena = nullptr, *key = nullptr;

 private:
  llvm::Function* function_ = nullptr;
  std::vector<std::string> argument_names_;  // LLVM keeps none where nobody reads them
};

}  // namespace tarn
