// What the tiles of a contraction fetch ahead of its use, so that it is on its way while a product is computed:
//
//   the list        of addresses of cache lines, in scratch memory: a tile asks for a few with every
//                   jump of its loop. They are what the epilogue of the tile after it reads.
//   what is ahead   the next panel or group of b, or rows of a for the next row of tiles: one line with every jump.
//
// Fetching changes no value, and an address need not be one that may be read: what has nothing to fetch asks for lines
// of the scratch memory.
#pragma once

#include <vector>

#include "codegen/contraction/contraction.h"

namespace tarn {

class ContractionFetches {
 public:
  using Panel = Contraction::Panel;
  using ColumnTile = Contraction::ColumnTile;

  // The contraction need not have been started.
  explicit ContractionFetches(const Contraction& contraction);

  // Tiles have a list to fetch from. If not, neither start() nor emit_list() may be called.
  bool has_list() const { return !prefetched_.empty(); }
  // How many of it a tile has to ask for with every jump, to have been through it at its end.
  unsigned fetches() const;
  // Before all loops: a list that fetches nothing.
  void start();
  // Before the call of the tile at these columns and from this row on: the list that it goes through.
  void emit_list(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  // The lines ahead that this tile asks for: address of the first, and stride.
  struct Lines {
    llvm::Value *address, *stride;
  };
  bool has_ahead() const { return tiling_.fetches_panels || tiling_.fetches_rows || tiling_.fetches_groups; }
  Lines ahead(const Panel& panel, const ColumnTile& tile, llvm::Value* row);

 private:
  struct LinesOfSome {
    Lines lines;
    llvm::Value* active;  // an i1: this tile has a share of them
  };
  // In whole rows of tiles, from the first row of this call on.
  llvm::Value* tiles_before(llvm::Value* row);
  LinesOfSome next_panel(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  LinesOfSome next_group(const ColumnTile& tile, llvm::Value* row);
  Lines next_rows(const ColumnTile& tile, llvm::Value* row);
  void find_prefetched();
  std::int64_t lines_of_row(const Access& access) const;
  void set_fetched(std::int64_t position, llvm::Value* addresses);
  llvm::Value* lines_from(llvm::Value* address, std::int64_t lines);

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionTiling& tiling_;
  std::vector<const Access*> prefetched_;  // what the epilogue reads that is worth it
};

}  // namespace tarn
