// A kernel by itself, compiled on tensors of its own: for measuring what generated code and the machine can do.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "codegen/native.h"
#include "runtime/files/array.h"

namespace tarn {

// An element of the f32 tensor with this number, at the iteration's place in it, and where one is put.
Value load_from(BufferId tensor, std::vector<std::int64_t> strides);
Store store_to(BufferId tensor, ValueId value, std::vector<std::int64_t> strides);

class LoneKernel {
 public:
  // Tensor i has tensors[i] elements, numbers from 0 to 1.
  static Result<LoneKernel> compile(KernelBody body, const std::vector<std::int64_t>& tensors,
                                    const CodegenOptions& options);
  void run();

 private:
  std::unique_ptr<NativeProgram> native_;
  Bytes state_, workspace_;
};

}  // namespace tarn
