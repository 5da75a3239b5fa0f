// The name under which an object file is kept from one run to the next.
#pragma once

#include <string>
#include <vector>

#include "codegen/machine/options.h"
#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// A SHA-256, in hexadecimal digits, of all that decides about the code of these functions of a program: their kernel
// plans, the layout of state and workspace, processor, options, and the build of Tarn itself. Empty where the build
// cannot be told from others (the linker left no build id): nothing is to be kept then.
std::string code_key(const Program& program, const ProgramPlan& plan, const std::vector<std::string>& functions,
                     const CodegenOptions& options);

}  // namespace tarn
