// Transposes in memory by blocks in registers: what a gather along the wrong axis does many times slower.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

// Rows and columns that a transpose has at least; 4 would do for elements of 8 bytes.
inline constexpr std::int64_t kTransposeBlock = 8;

// void (from, from row stride, rows, columns, to, to row stride): to[column][row] = from[row][column] for elements of 4
// or 8 bytes, contiguous along columns in `from` and along rows in `to`. Strides in bytes; rows and columns are at
// least kTransposeBlock.
llvm::Function* transpose_function(const Emission& emission, std::size_t element_bytes);

// Transposes a square of vectors, one a row, in place; nullptr stands for a row whose elements do not matter. Only the
// first `needed` rows of the result are made.
void transpose_registers(llvm::IRBuilderBase& builder, std::vector<llvm::Value*>& rows, std::size_t needed);

// The whole body of a kernel that copies by squares (passes/plan/possible_tactics.h).
void emit_transposing_copy(KernelFunction& function, const LoopKernel& kernel);

}  // namespace tarn
