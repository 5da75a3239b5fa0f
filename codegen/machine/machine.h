// The machine that code is made for: LLVM's TargetMachine behind CodegenOptions, and the facts that the emitters ask
// for.
#pragma once

#include <memory>

#include "codegen/machine/options.h"
#include "llvm/Target/TargetMachine.h"

namespace tarn {

struct Machine {
  std::unique_ptr<llvm::TargetMachine> llvm;
  Target target;
  // What is left of a vector loop over samples is computed one by one instead of in a group with a mask: where the
  // machine has no masked loads and stores, or where size counts more than that time. The bits are the same.
  bool single_rest = false;
  bool fast_math = false;
  bool count_ticks = false;
  // Threads that Control::parallel_for may share kernels among; 1: no code for it is made.
  int most_threads = 1;
};

// A fresh machine; not to be shared between threads. Fails where the triple or the CPU is unknown to this build.
Result<Machine> make_machine(const CodegenOptions& options);

// The options for code that is to run here: those features of a named CPU that this machine lacks are left out, so that
// nothing is an illegal instruction. Fails where that would be other vectors, and other bits.
Result<CodegenOptions> options_for_this_machine(const CodegenOptions& options);

}  // namespace tarn
