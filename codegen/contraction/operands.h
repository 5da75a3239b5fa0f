// Where the tiles of a contraction read a and b: in place, or in copies in the scratch memory that suit them better.
#pragma once

#include "codegen/contraction/contraction.h"

namespace tarn {

class ContractionOperands {
 public:
  using Panel = Contraction::Panel;
  using ColumnTile = Contraction::ColumnTile;

  // Where b is read by tiles: address of row k_begin of the panel, bytes from row to row, and from tile to tile. The
  // last tile starts `moved_back` bytes earlier for every column that it is moved back: where b lies in place, tiles
  // overlap; packed, each has a copy of its own.
  struct Source {
    llvm::Value *address, *k_stride, *tile_stride, *moved_back;
  };
  // b of a panel for tiles of the first rows, and of the others. Where these differ, the first ones pack what the
  // others read, if `packs` (an i1); else that is nullptr.
  struct Sources {
    Source first, rest;
    llvm::Value* packs;
  };

  explicit ContractionOperands(const Contraction& contraction);

  // b of the panel from k_begin on, `count` numbers of k, packed here where no tile does. `rows`: how many will go over
  // it.
  Sources emit_sources(const Panel& panel, llvm::Value* rows, llvm::Value* k_begin, llvm::Value* count);
  // What is packed, `count` numbers of k at a time.
  Source packed_source(llvm::Value* count);
  llvm::Value* address_of(const Source& source, const ColumnTile& tile);

  // Where schedule.left_rows: copies the rows of a that the tiles from `row` on will read, if `row` is the first of
  // them.
  void emit_left_copy(llvm::Value* row);
  // What a tile is told of a: where the row is from k on, and the strides in bytes; or what stands for these where a is
  // in a table (tiles.h).
  struct Left {
    llvm::Value *address, *row_stride, *k_stride;
  };
  Left left(llvm::Value* row, llvm::Value* k);

 private:
  // Packs the panel, whose first element is at `source`.
  Source emit_pack(const Panel& panel, llvm::Value* source, llvm::Value* count);
  bool packs_by_transposing() const;
  // The number of a row among those that are copied at a time.
  llvm::Value* left_row(llvm::Value* row);
  Left copied_left(llvm::Value* row);
  std::int64_t pointer_bytes() const;

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionSchedule& schedule_;
};

}  // namespace tarn
