// Machines that are not this one. They are in programs that ask for them, which libtarn does not: their code and tables
// are half of LLVM.
#pragma once

#include <span>

#include "llvm/TargetParser/Triple.h"

namespace tarn {

// A backend of LLVM, and what is assumed of a machine that is known by its triple alone.
struct Backend {
  llvm::Triple::ArchType arch;
  void (*initialize)();
  const char *cpu, *features, *abi;
};

// From now on make_machine knows these, too. Not to be called while another thread makes a machine.
void add_backends(std::span<const Backend> backends);

}  // namespace tarn
