// Loop kernels: an iteration space with a body, reductions over some of its axes, and a tail for the others.
//
// Loops run over the kept axes, then over the reduced ones, each group in the plan's order but with the vector axis
// innermost. codegen/README.md says in which order sums are taken.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

// Emits the whole body of the kernel's function. One that copies samples is not for this: program/gather.h.
void emit_loop_kernel(KernelFunction& function, const LoopKernel& kernel);

}  // namespace tarn
