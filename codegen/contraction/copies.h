// Copies of operands of products, as internal functions that contractions share: strides are arguments.
#pragma once

#include "codegen/contraction/tiles.h"

namespace tarn {

// void (b, b k stride, b column stride, count, columns, packed): copies `count` rows of `columns` elements behind each
// other in rows of `width` elements, a multiple of `lanes`; elements beyond `columns` become 0. `contiguous`: the
// column stride is one element.
llvm::Function* pack_function(const Emission& emission, DType dtype, unsigned lanes, unsigned width, bool contiguous);

// void (a, a k stride, inside, count, rows, copy): copies `rows` rows of a, at most kCosts.copied_tiles * height, whose
// elements lie side by side with every k of `count`. The copy has a part for every `height` rows: these side by side, k
// behind k. Where pointers to what is wanted with every k are in a table, `a` is the address of the first, and `inside`
// by how many bytes into each row that is.
llvm::Function* left_copy_function(const Emission& emission, DType dtype, unsigned height, LeftOperand left);

// Bytes from part to part of that copy: a part and a line, over which what is too much of its last vector is written.
llvm::Value* left_copy_part_bytes(llvm::IRBuilderBase& builder, DType dtype, unsigned height, llvm::Value* count);

}  // namespace tarn
