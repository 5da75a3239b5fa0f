// Plans as native code, in memory between pages without access: that of every buffer is guarded, to the byte, at its
// back and at its front.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/native.h"
#include "tests/support/compiler/hand_plan.h"
#include "tests/support/compiler/spread_plan.h"

namespace tarn::testing {

struct NativeRun {
  std::vector<HostTensor> results;  // of plan.results
  std::map<std::string, HostTensor> tensors;
  Outcome outcome = Outcome::done;
};
// NaNs are the same, whatever their bits.
void expect_same_bits(const NativeRun& run, const NativeRun& expected, const std::string& what);

// The plan compiled as the function of that name, to be run on values that may differ from run to run.
class NativePlan {
 public:
  // together: tensors in the state, temporaries in the workspace, as in a session.
  // apart: every tensor, temporary and constant is guarded by itself (spread_plan.h); every kernel that threads can
  // share is, and products read rows of inputs in place where they can.
  enum class Memory { together, apart };
  NativePlan(const HandPlan& hand, const CodegenOptions& options, std::string function = "adapt",
             Memory memory = Memory::together);
  // Runs on `batch` samples of the context's inputs, from the context's tensors; once with each end of the buffers
  // guarded, which must give the same bits. Kernels that are shared are in so many parts, the last one first.
  NativeRun run(const EvaluationContext& context, std::int64_t batch, int parts = 1) const;

 private:
  NativeRun run_once(const EvaluationContext& context, std::int64_t batch, int parts) const;

  HandPlan hand_;
  std::vector<SpreadRegion> regions_;  // Memory::apart
  std::string function_;
  std::uint64_t arena_ = 0;  // where it begins in the workspace
  std::unique_ptr<NativeProgram> native_;
};
// Compiles, and runs on the plan's own context; with memory apart, shared among 1, 2, 3 and 8 threads, the bits must be
// the same.
NativeRun run_native(const HandPlan& hand, const CodegenOptions& options, std::int64_t batch,
                     const std::string& function = "adapt");

}  // namespace tarn::testing
