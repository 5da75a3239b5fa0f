// Of a product whose left operand lies in memory within bounds: the indices of its inner axes that are inside of them.
// What is outside is 0, and its products are left out (ContractionTiling::skips_outside).
#pragma once

#include <functional>
#include <vector>

#include "codegen/contraction/contraction.h"

namespace tarn {

class InnerRanges {
 public:
  explicit InnerRanges(const Contraction& contraction);

  // In the loops around the tiles, over an axis of the epilogue.
  void enter(std::size_t axis, llvm::Value* index);
  // Whether there is anything outside of an inner axis; else it is whole.
  bool is_bounded(std::size_t inner) const;
  // Of an inner axis at the indices entered: the first index inside, and how many there are, at times none.
  struct Inside {
    llvm::Value *first, *count;
  };
  Inside inside(std::size_t inner) const;
  // Calls body(index, end) for every `step`-th index inside.
  void loop_over(std::size_t inner, std::int64_t step,
                 const std::function<void(llvm::Value*, llvm::Value*)>& body) const;

 private:
  const Contraction& whole_;
  std::vector<llvm::Value*> index_;  // by axis of a
};

}  // namespace tarn
