// Rows of an array in a given order: copied behind each other, or a table of where they are.
#pragma once

#include <string>

#include "codegen/kernels/emission.h"

namespace tarn {

// Addresses: the numbers of the rows (i32), where they go, and the array that they are rows of.
struct GatheredRows {
  llvm::Value *order, *target, *source;
};

// Gathers `count` rows of so many bytes, shared among the threads of `control` where that pays. `name`: of the function
// that does a part.
void emit_gather(Emission& emission, llvm::IRBuilder<>& builder, const std::string& name, std::uint64_t row_bytes,
                 const GatheredRows& rows, llvm::Value* count, llvm::Value* control);

// Fills a table (one pointer a row) with the addresses of `count` rows of so many bytes, in the order of their numbers,
// or where rows.order is null as they lie, and kTablePadding more. rows.target: the table.
void emit_row_table(Emission& emission, llvm::IRBuilder<>& builder, std::uint64_t row_bytes, const GatheredRows& rows,
                    llvm::Value* count);

// The whole body of a kernel that copies samples.
void emit_sample_copy(KernelFunction& function, const LoopKernel& kernel);

}  // namespace tarn
