// Products of few rows, as in prediction: the right operand is gone through as memory likes it, without tiles.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

// void (a, a k stride, b, b k stride, count, columns, c): c[n] = sum over k < count of a[k] * b[k, n], for any
// number of columns, with b read row by row. Strides in bytes; rows of b and c are contiguous; sums wait in c.
llvm::Function* stream_function(const Emission& emission, DType dtype, unsigned lanes);

}  // namespace tarn
