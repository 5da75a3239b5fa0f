// Contraction kernels: a product in register tiles, then an epilogue over what the tiles left in scratch memory.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

// Emits the whole body of the kernel's function. Scratch memory lies behind the arena of the plan, as large as
// scratch_bytes() says.
void emit_contraction_kernel(KernelFunction& function, const ContractionKernel& kernel);

}  // namespace tarn
