// Where the tiles of a contraction read a and b: in place, or in copies in the scratch memory that suit them better.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "codegen/contraction/computed_operand.h"
#include "codegen/contraction/contraction.h"

namespace tarn {

class ContractionOperands {
 public:
  using Panel = Contraction::Panel;
  using ColumnTile = Contraction::ColumnTile;

  // Where b is read by tiles: address of row k_begin of the panel, bytes from row to row along each of the inner axes
  // that a tile goes over, and from tile to tile. The last tile starts `moved_back` bytes earlier for every column that
  // it is moved back: where b lies in place, tiles overlap; packed, each has a copy of its own.
  struct Source {
    llvm::Value* address;
    std::vector<llvm::Value*> k_strides;
    llvm::Value *tile_stride, *moved_back;
  };
  // b of a panel for tiles of the first rows, and of the others. Where these differ, the first ones pack what the
  // others read, if `packs` (an i1); else that is nullptr.
  struct Sources {
    Source first, rest;
    llvm::Value* packs;
  };

  explicit ContractionOperands(const Contraction& contraction);

  // Before all loops; in those around, over an axis of the epilogue; and over an inner one that tiles do not go over.
  void start();
  void enter(std::size_t axis, llvm::Value* index);
  void enter_inner(std::size_t inner, llvm::Value* index);

  // b of the panel from k_begin on, `count` numbers of k, packed here where no tile does. `rows`: how many will go over
  // it.
  Sources emit_sources(const Panel& panel, llvm::Value* rows, llvm::Value* k_begin, llvm::Value* count);
  // What is packed, `count` numbers of k at a time.
  Source packed_source(llvm::Value* count);
  llvm::Value* address_of(const Source& source, const ColumnTile& tile);

  // Where tiling.left_rows: copies or computes the rows of a that the tiles from `row` on will read, `count` numbers
  // of k from `k` on, if `row` is the first of them.
  void emit_left_copy(llvm::Value* row, llvm::Value* k, llvm::Value* count);
  // What a tile is told of a: where the row is from k on, and the strides in bytes, along each of the inner axes that
  // it goes over; or what stands for these where a is in a table (tiles.h).
  struct Left {
    llvm::Value *address, *row_stride;
    std::vector<llvm::Value*> k_strides;
  };
  Left left(llvm::Value* row, llvm::Value* k);

 private:
  // Packs the panel, whose first element is at `source`; or computes it.
  Source emit_pack(const Panel& panel, llvm::Value* source, llvm::Value* k, llvm::Value* count);
  void emit_pack_of_tile(const ColumnTile& tile, const Panel& panel, llvm::Value* from, llvm::Value* to,
                         llvm::Value* count);
  // Over the inner axes from this one on that are not the last.
  void emit_pack_along(std::size_t inner, llvm::Value* from, llvm::Value* to,
                       const std::function<void(llvm::Value*, llvm::Value*)>& pack);
  // In bytes, where the numbers of k are counted through, and each takes so many.
  std::vector<llvm::Value*> counted_strides(std::int64_t bytes);
  Left computed_left(llvm::Value* row);
  std::int64_t computed_row_bytes() const;
  std::int64_t computed_k_bytes() const;
  bool packs_by_transposing() const;
  // The number of a row among those that are copied at a time.
  llvm::Value* left_row(llvm::Value* row);
  Left copied_left(llvm::Value* row);
  std::int64_t pointer_bytes() const;

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionTiling& tiling_;
  std::optional<ComputedOperand> computed_a_, computed_b_;
};

}  // namespace tarn
