// Random draws in generated code: the integer operations of ir/random.h, for scalars and vectors.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

struct DrawArguments {
  llvm::Value *element = nullptr, *sample = nullptr;  // i32, one a lane
  llvm::Value* key = nullptr;                         // i64: mix(seed) xor stream
  llvm::Value* step = nullptr;                        // i64
  DType dtype = DType::f32;
};

// In [0, 1), and normal with mean 0 and variance 1; as many lanes as `element` has.
llvm::Value* emit_uniform(KernelFunction& kernel, const DrawArguments& draw);
llvm::Value* emit_normal(KernelFunction& kernel, const DrawArguments& draw);

// mix_bits() of ir/random.h of an i64.
llvm::Value* emit_mix_bits(llvm::IRBuilderBase& builder, llvm::Value* value);

}  // namespace tarn
