// What the tiles of a contraction fetch ahead of its use, so that it is on its way while a product is computed:
//
//   the list        of addresses of kFetchedLines cache lines, in scratch memory: a tile asks for a few with every k.
//                   They are what the epilogue of the tile after it reads.
//   the next panel  of b: one line with every k.
//
// Fetching changes no value, and an address need not be one that may be read: what has nothing to fetch asks for lines
// of the scratch memory.
#pragma once

#include <utility>
#include <vector>

#include "codegen/contraction.h"

namespace tarn {

class ContractionFetches {
 public:
  using Panel = Contraction::Panel;
  using ColumnTile = Contraction::ColumnTile;

  // The contraction need not have been started.
  explicit ContractionFetches(const Contraction& contraction);

  // Tiles have a list to fetch from. If not, neither start() nor emit_list() may be called.
  bool has_list() const { return !prefetched_.empty(); }
  // Before all loops: a list that fetches nothing.
  void start();
  // Before the call of the tile at these columns and from this row on: the list that it goes through.
  void emit_list(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  // The lines of the next panel that this tile asks for: address of the first, and stride.
  std::pair<llvm::Value*, llvm::Value*> next_panel(const Panel& panel, const ColumnTile& tile, llvm::Value* row);

 private:
  void find_prefetched();
  void set_fetched(std::int64_t position, llvm::Value* addresses);
  llvm::Value* lines_from(llvm::Value* address, std::int64_t lines);

  const Contraction& whole_;
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionSchedule& schedule_;
  std::vector<const Access*> prefetched_;  // what the epilogue reads that is worth it
};

}  // namespace tarn
