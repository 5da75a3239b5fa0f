// See row_groups.h.
#include "codegen/row_groups.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "codegen/transpose.h"

namespace tarn {

namespace {

llvm::Align alignment_of(llvm::Type* element) { return llvm::Align(element->getPrimitiveSizeInBits() / 8); }

// The columns of a row, or nothing where its lane does not exist.
llvm::Value* mask_of_row(llvm::IRBuilderBase& b, unsigned row, unsigned lanes, llvm::Value* mask,
                         std::uint64_t columns) {
  llvm::Type* const bits = b.getIntNTy(lanes);
  llvm::Value* chosen = llvm::ConstantInt::get(bits, columns);
  if (mask != nullptr) {
    llvm::Value* const exists =
        b.CreateTrunc(b.CreateLShr(b.CreateBitCast(mask, bits), std::uint64_t{row}), b.getInt1Ty());
    chosen = b.CreateSelect(exists, chosen, llvm::ConstantInt::get(bits, 0));
  }
  return b.CreateBitCast(chosen, llvm::FixedVectorType::get(b.getInt1Ty(), lanes));
}

}  // namespace

std::uint64_t RowGroup::columns() const {
  std::uint64_t bits = 0;
  for (const auto& [distance, member] : members) bits |= std::uint64_t{1} << distance;
  return bits;
}

std::vector<RowGroup> row_groups(const std::vector<const Access*>& accesses, int vector_axis, unsigned lanes) {
  std::vector<RowGroup> groups;
  if (vector_axis < 0 || lanes < 2) return groups;
  const auto axis = static_cast<std::size_t>(vector_axis);
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < accesses.size(); ++i) {
    const Access* const access = accesses[i];
    if (access != nullptr && access->row == kNoValue && access->at.strides[axis] > 1) order.push_back(i);
  }
  const auto key = [&](std::uint32_t i) {
    return std::tie(accesses[i]->buffer, accesses[i]->at.strides, accesses[i]->at.offset);
  };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  const Access* start = nullptr;
  for (const std::uint32_t i : order) {
    const Access& access = *accesses[i];
    const bool same_row = start != nullptr && start->buffer == access.buffer && start->at.strides == access.at.strides;
    const std::int64_t distance = same_row ? access.at.offset - start->at.offset : 0;
    if (!same_row || distance >= lanes || distance >= access.at.strides[axis]) {
      start = &access;
      groups.push_back({access.at.offset, {{0, i}}});
    } else {
      groups.back().members.emplace(static_cast<std::uint32_t>(distance), i);
    }
  }
  std::erase_if(groups, [](const RowGroup& group) { return group.members.size() < 2; });
  return groups;
}

std::vector<llvm::Value*> emit_load_rows(llvm::IRBuilderBase& builder, llvm::Type* element, unsigned lanes,
                                         const RowAddresses& rows, std::uint64_t columns) {
  llvm::Type* const vector = with_lanes(element, lanes);
  std::vector<llvm::Value*> values;
  values.reserve(lanes);
  for (unsigned row = 0; row < lanes; ++row) {
    values.push_back(builder.CreateMaskedLoad(
        vector, byte_address(builder, rows.first, row * rows.stride), alignment_of(element),
        mask_of_row(builder, row, lanes, rows.mask, columns), llvm::Constant::getNullValue(vector)));
  }
  transpose_registers(builder, values, static_cast<std::size_t>(std::bit_width(columns)));
  return values;
}

void emit_store_rows(llvm::IRBuilderBase& builder, std::vector<llvm::Value*> values, const RowAddresses& rows,
                     std::uint64_t columns) {
  llvm::Type* const element = values.front()->getType()->getScalarType();
  const auto lanes = static_cast<unsigned>(values.size());
  transpose_registers(builder, values, values.size());
  for (unsigned row = 0; row < lanes; ++row) {
    builder.CreateMaskedStore(values[row], byte_address(builder, rows.first, row * rows.stride), alignment_of(element),
                              mask_of_row(builder, row, lanes, rows.mask, columns));
  }
}

}  // namespace tarn
