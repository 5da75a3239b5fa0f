// See computed_operand.h.
#include "codegen/contraction/computed_operand.h"

#include <algorithm>

#include "codegen/kernels/loops.h"

namespace tarn {

ComputedOperand::ComputedOperand(const Contraction& contraction, const Operand& operand, const Shape& shape)
    : whole_(contraction),
      b_(contraction.builder),
      operand_(operand),
      shape_(shape),
      nest_(nest_of()),
      body_(contraction.function, operand.body, nest_, analyze(operand.body, nest_, {operand.value}, 0, false)) {}

// Loops around the tiles, the outermost first, then those in here: the inner axes that a tile goes over but the last,
// and last the one that vectors go along.
Nest ComputedOperand::nest_of() const {
  const std::size_t inner = whole_.kernel.inner.size(), last_inner = shape_.first_inner + inner - 1;
  Nest nest;
  const std::size_t axes = std::max(shape_.free, last_inner) + 1;
  nest.level_of_axis.resize(axes);
  nest.index.resize(axes);
  nest.depth = static_cast<int>(axes);
  int level = 0;
  for (const std::size_t axis : whole_.around) {
    const auto own = shape_.first_inner > shape_.free ? whole_.axis_of_a(axis) : whole_.axis_of_b(axis);
    if (own) nest.level_of_axis[*own] = level++;
  }
  for (std::size_t axis = shape_.first_inner; axis < last_inner; ++axis) nest.level_of_axis[axis] = level++;
  const std::size_t along = shape_.along_free ? shape_.free : last_inner;
  nest.level_of_axis[shape_.along_free ? last_inner : shape_.free] = level++;
  nest.level_of_axis[along] = level++;
  nest.lanes = shape_.lanes;
  if (nest.lanes > 1) nest.vector_axis = static_cast<int>(along);
  return nest;
}

void ComputedOperand::enter(std::size_t axis, llvm::Value* index) {
  nest_.index[axis] = index;
  body_.emit_level(nest_.level_of_axis[axis]);
}

void ComputedOperand::emit(const Range& free, llvm::Value* k, llvm::Value* count, const Address& address) {
  const std::vector<Extent>& inner = whole_.kernel.inner;
  Range last = range_of(whole_.function, inner.back());
  // One axis may be cut into blocks.
  if (whole_.tiling.tile_inner == 1) last = {k, b_.CreateAdd(k, count), whole_.tiling.several_blocks ? 0 : last.count};
  emit_inner(whole_.outer_inner(), whole_.function.integer(0), free, last, address);
}

void ComputedOperand::emit_inner(std::size_t inner, llvm::Value* number, const Range& free, const Range& last,
                                 const Address& address) {
  const std::vector<Extent>& axes = whole_.kernel.inner;
  if (inner + 1 == axes.size()) return emit_plane(number, free, last, address);
  emit_loop(b_, range_of(whole_.function, axes[inner]), 1, {}, [&](llvm::Value* index, const Carried&) {
    enter(shape_.first_inner + inner, index);
    llvm::Value* const next = b_.CreateMul(b_.CreateAdd(number, index), whole_.function.extent(axes[inner + 1]));
    emit_inner(inner + 1, next, free, last, address);
    return Carried{};
  });
}

// `number` is that of the first of `last`.
void ComputedOperand::emit_plane(llvm::Value* number, const Range& free, const Range& last, const Address& address) {
  const std::size_t inner = shape_.first_inner + whole_.kernel.inner.size() - 1;
  const std::size_t along = shape_.along_free ? shape_.free : inner, other = shape_.along_free ? inner : shape_.free;
  const llvm::Align align(size_of(whole_.kernel.dtype));
  emit_loop(b_, shape_.along_free ? last : free, 1, {}, [&](llvm::Value* outer, const Carried&) {
    nest_.mask = nullptr;
    enter(other, outer);
    emit_bounded_loop(whole_.function.emission, b_, body_, nest_, shape_.along_free ? free : last,
                      [&](llvm::Value* index, llvm::Value* mask, const Carried&) {
                        if (nest_.lanes > 1) nest_.mask = mask;
                        enter(along, index);
                        llvm::Value* const k = b_.CreateSub(nest_.index[inner], last.begin);
                        llvm::Value* const to = address(nest_.index[shape_.free], b_.CreateAdd(number, k));
                        llvm::Value* const value = body_.vector(operand_.value);
                        if (nest_.mask == nullptr) {
                          b_.CreateAlignedStore(value, to, align);
                        } else {
                          b_.CreateMaskedStore(value, to, align, nest_.mask);
                        }
                        return Carried{};
                      });
    return Carried{};
  });
  nest_.mask = nullptr;
}

}  // namespace tarn
