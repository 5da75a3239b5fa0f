// Calls of the tile functions of a product: which function, and with which addresses, strides and numbers of k.
#pragma once

#include <vector>

#include "codegen/contraction/contraction.h"
#include "codegen/contraction/fetches.h"
#include "codegen/contraction/inner_ranges.h"
#include "codegen/contraction/operands.h"
#include "codegen/contraction/tiles.h"

namespace tarn {

class TileCalls {
 public:
  using Panel = Contraction::Panel;
  using Rows = Contraction::Rows;
  using ColumnTile = Contraction::ColumnTile;

  TileCalls(const Contraction& contraction, ContractionFetches& fetches, ContractionOperands& operands,
            const InnerRanges& ranges);

  // Of the first axis that a tile goes over, where it goes over some of it.
  llvm::Value* first_count = nullptr;

  // So many rows from one on, of which `rows` are the block, and `count` numbers of k from `k` on.
  void emit(const Panel& panel, const ColumnTile& tile, const Rows& rows, llvm::Value* row, unsigned tile_rows,
            llvm::Value* k, llvm::Value* count, const ContractionOperands::Sources& sources);
  // All columns of a panel in form `inner`, and all k.
  void emit_dots(const Panel& panel, const Rows& rows, llvm::Value* row, unsigned tile_rows);

 private:
  TileShape shape_of_tile(unsigned tile_rows) const;
  void add_inner_axes(std::vector<llvm::Value*>& arguments, const std::vector<llvm::Value*>& of_a,
                      const std::vector<llvm::Value*>& of_b);

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionTiling& tiling_;
  ContractionFetches& fetches_;
  ContractionOperands& operands_;
  const InnerRanges& ranges_;
};

}  // namespace tarn
