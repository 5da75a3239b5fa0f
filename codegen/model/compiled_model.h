// Ahead-of-time compilation: a model as an object file with a C interface, and its header. No LLVM in here.
//
// Contract of what is made: it exports the functions of the interface and nothing else, needs no other symbol (but
// functions of libm where the target lacks an instruction for them), is position independent, allocates nothing and has
// no data that can be written. For the same target it gives the bits that NativeProgram gives.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "codegen/machine/options.h"
#include "codegen/model/interface.h"

namespace tarn {

// What the code is written as: an object file, an archive with that object in it, assembly, LLVM IR as text or as
// bitcode.
enum class CodeFormat : std::uint8_t { object, archive, assembly, llvm_ir, bitcode };

// Code for one CPU: what the plan was made for, by target_of(codegen). Where weights are baked in, it is the plan
// with_baked_weights (passes/pipeline.h).
struct CpuVersion {
  CodegenOptions codegen;
  const ProgramPlan* plan = nullptr;
};

struct CompiledModelOptions {
  InterfaceRequest interface;
  // interface.bake_weights: the state (laid out as the program says, at least state_bytes) that holds the weights.
  std::span<const std::byte> weights;
  std::string source;  // "tarn 0.1.0 from iris.tarn", for the header
};

struct CompiledModel {
  std::string code;               // the bytes of the file
  std::string header;             // the C header
  std::uint64_t stack_bytes = 0;  // that a call needs at most
  ModelInterface interface;
};

// With several versions, which differ in their CPU, the object chooses when it is loaded: see cpu_dispatch.h. Errors:
// an unknown target, CPUs that do not go together, and those of model_interface.
Result<CompiledModel> compile_model(const Program& program, const std::vector<CpuVersion>& versions,
                                    const CompiledModelOptions& options, CodeFormat format);

}  // namespace tarn
