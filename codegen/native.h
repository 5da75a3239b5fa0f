// Native code for a program: what the runtime calls. No LLVM in here; native.cpp and the files behind it are the only
// ones that see it.
//
// Contract of the memory: `state` has state_bytes(program) bytes and `workspace` workspace_bytes(threads), both 64-byte
// aligned and the caller's. Nothing generated allocates, keeps a pointer, or has global state; two calls may run at the
// same time if their workspaces (and, where written, states) differ.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/machine/options.h"
#include "codegen/program/entry_points.h"
#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// Object files of earlier runs, by a key that names all that decides about them. Called by several threads at once.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::optional<std::string> find(const std::string& key) = 0;
  virtual void keep(const std::string& key, std::string_view object) = 0;
};

class NativeProgram {
 public:
  virtual ~NativeProgram() = default;
  // Functions by need: each is compiled at the first call that asks for it (thread-safe); nullptr where the program has
  // no such graph.
  virtual InitFunction init() = 0;
  virtual TrainFunction train() = 0;
  virtual AdaptFunction adapt() = 0;
  virtual EvaluateFunction evaluate() = 0;
  virtual PredictFunction predict() = 0;
  // The same from packed weights, which copy_packed(plan.packed) makes of a state.
  virtual PredictFunction predict_packed() = 0;
  virtual ReportFunction report() = 0;
  // For calls that share kernels among so many threads.
  virtual std::uint64_t workspace_bytes(int threads = 1) const = 0;
  virtual const Target& target() const = 0;
};

// Compiles for this machine, in memory. `functions` names graphs to compile at once ("init", "train", …); the others
// follow when asked for.
Result<std::unique_ptr<NativeProgram>> compile_native(const Program& program, const ProgramPlan& plan,
                                                      const CodegenOptions& options,
                                                      const std::vector<std::string>& functions);

// LLVM IR or assembly of one function of the program, for `show`.
Result<std::string> print_llvm(const Program& program, const ProgramPlan& plan, const std::string& function,
                               const CodegenOptions& options);
Result<std::string> print_assembly(const Program& program, const ProgramPlan& plan, const std::string& function,
                                   const CodegenOptions& options);

}  // namespace tarn
