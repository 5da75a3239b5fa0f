// One object for several levels of x86-64: which code runs is chosen when the object is loaded.
#pragma once

#include <string>
#include <vector>

#include "ir/diagnostics.h"
#include "llvm/IR/Module.h"

namespace tarn {

// The levels among `cpus`, lowest first, each once. Errors: something else is among them, or the target is no x86-64
// with ELF: the choice is made by indirect functions (STT_GNU_IFUNC).
Result<std::vector<std::string>> levels_in_order(const std::vector<std::string>& cpus, const std::string& triple);

// What a function or constant of one level is called.
std::string name_at_level(const std::string& name, const std::string& level);

// For each name a function that is exported under it, and is the one at the highest of the levels that the machine has;
// the module has them all. The dynamic linker, or the start of a static program, asks once for each: nothing is checked
// at a call, and nothing is written but the table that the linker keeps.
void emit_choices(llvm::Module& module, const std::vector<std::string>& names, const std::vector<std::string>& levels);

}  // namespace tarn
