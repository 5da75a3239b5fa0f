// Register tiles of products, as internal functions that contractions of equal tile shape share: strides are arguments.
#pragma once

#include "codegen/kernels/emission.h"

namespace tarn {

// Where a[m, k] is: at m * row stride + k * k stride, or somewhere in the row that the m-th or the k-th pointer of a
// table is to.
enum class LeftOperand : std::uint8_t { strided, table_of_rows, table_of_inner };

struct TileShape {
  DType dtype = DType::f32;
  unsigned rows = 1, vectors = 1, lanes = 1;
  unsigned last_lanes = 1;  // lanes of the last vector of a row of b that may be read
  bool accumulates = false;
  bool packs = false;
  bool for_writing = false;  // what is packed is asked for as if it were to be written
  unsigned inner_steps = 1;  // numbers of k from jump to jump
  bool whole_steps = false;  // count is a multiple of that
  unsigned fetches = 0;      // lines of a list asked for with every jump
  bool ahead = false;        // a line asked for with every jump, at a constant distance
  LeftOperand left = LeftOperand::strided;
  unsigned inner_axes = 1;    // that k stands for
  bool may_be_empty = false;  // of each of them there may be no index
};

// Places of arguments of a tile: the operands' addresses, and the count.
inline constexpr std::size_t kTileLeft = 0, kTileRight = 3, kTileCount = 5;

// void (a, a row stride, a k stride, b, b k stride, count, c, c row stride, packed, list, ahead, ahead stride): c[m, n]
// = (c[m, n] +) sum over k < count of a[m, k] * b[k, n], for `rows` rows and vectors * lanes columns. Strides in bytes;
// rows of b and c are contiguous; count >= 1, unless it may be 0. One that packs leaves what it read of b behind for
// the tiles that follow: row behind row, with zeros in lanes that were not read. One that fetches asks for the cache
// lines of a list as it goes. Where pointers to rows of a are in a table, `a` is the address of the first pointer that
// is wanted, and in place of the row stride stands by how many bytes into each row its first element is wanted; these
// are contiguous. Where k stands for several inner axes, count and the strides along k are those of the last one;
// behind the other arguments stand, for each of the others, the outermost first: how many, a stride, b stride.
llvm::Function* tile_function(const Emission& emission, const TileShape& shape);

struct DotShape {
  DType dtype = DType::f32;
  unsigned rows = 1, columns = 1, lanes = 1;
  bool whole_vectors = false;  // count is a multiple of lanes
};

// void (a, a row stride, b, b column stride, count, c, c row stride): the same sums for rows * columns elements, where
// rows of a and columns of b are contiguous along k. Every lane adds up every lanes-th product; then the upper half of
// the lanes is added to the lower until one is left.
llvm::Function* dot_function(const Emission& emission, const DotShape& shape);

}  // namespace tarn
