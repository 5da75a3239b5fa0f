// What code is made for, and what is known of this machine. No LLVM in here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/diagnostics.h"
#include "passes/plan/target.h"

namespace tarn {

class ObjectStore;

enum class OptimizationLevel : std::uint8_t { none, less, standard };

struct CodegenOptions {
  std::string triple;    // empty: this machine's
  std::string cpu;       // empty or "native": this machine's
  std::string features;  // LLVM's feature string, added to the cpu's
  bool fast_math = false;
  OptimizationLevel level = OptimizationLevel::less;
  // Times every kernel (Control::kernel_ticks, which callers of train and predict must then give).
  bool count_ticks = false;
  // Runs LLVM's verifier over what is emitted, for tests.
  bool verify = false;
  // Code for vectors of 64 bytes, and as many as AVX-512 has, which LLVM takes apart for a lesser CPU: so tests run it
  // on that, too.
  bool wide_vectors = false;
  // Asked before anything is compiled in memory, and given what was; may be null.
  std::shared_ptr<ObjectStore> store;
};

// What the planner must know of the target that the options name.
Result<Target> target_of(const CodegenOptions& options);
// "znver4" and its features, for `--version` and the `compiled` event. The variable TARN_CPU of the environment names a
// lesser CPU, as --cpu does, for this machine to be taken for: so any machine shows what that one would do.
std::string host_cpu();
// Cores that this process may use, at least 1.
int available_cores();
std::vector<std::string> host_features();
std::string llvm_version();

// Lets CodegenOptions::triple name machines other than this one. To be called before other threads make code.
void enable_other_machines();

}  // namespace tarn
