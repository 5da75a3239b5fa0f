// See row_groups.h.
#include "codegen/kernels/row_groups.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "codegen/kernels/loops.h"
#include "codegen/kernels/transpose.h"
#include "passes/tactics/cost_model.h"

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

bool RowGroup::begins_with(std::uint32_t number) const {
  return std::all_of(members.begin(), members.end(), [&](const auto& member) { return number <= member.second; });
}

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
    const Linear& at = accesses[i]->at;
    return std::tie(accesses[i]->buffer, at.strides, at.repeat_strides, at.offset);
  };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  const Access* start = nullptr;
  for (const std::uint32_t i : order) {
    const Access& access = *accesses[i];
    const bool same_row = start != nullptr && start->buffer == access.buffer &&
                          start->at.strides == access.at.strides &&
                          start->at.repeat_strides == access.at.repeat_strides;
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

namespace {

// Rows of very few elements that lie behind each other are loaded as one array instead: of its vectors, a chain of
// shuffles makes each column.
// How many columns such rows have; 0: they are none.
std::size_t adjacent_columns(llvm::Type* element, const RowAddresses& rows, std::uint64_t columns) {
  const auto count = static_cast<std::size_t>(std::popcount(columns));
  const std::size_t bytes = element->getPrimitiveSizeInBits() / 8;
  const bool adjacent =
      columns == (std::uint64_t{1} << count) - 1 && rows.stride == static_cast<std::int64_t>(count * bytes);
  return adjacent && count <= kCosts.few_columns ? count : 0;
}

// Of the array of rows, the mask of every vector; nullptr: whole vectors.
std::vector<llvm::Value*> masks_of_array(llvm::IRBuilderBase& b, std::size_t columns, unsigned lanes,
                                         llvm::Value* mask) {
  std::vector<llvm::Value*> masks(columns, nullptr);
  if (mask == nullptr) return masks;
  // Lanes exist up to some lane.
  llvm::Value* const rows = b.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, b.CreateBitCast(mask, b.getIntNTy(lanes)));
  llvm::Value* const end = b.CreateMul(b.CreateZExt(rows, b.getInt64Ty()), b.getInt64(columns));
  for (std::size_t i = 0; i < masks.size(); ++i) {
    llvm::Value* const left = b.CreateBinaryIntrinsic(llvm::Intrinsic::usub_sat, end, b.getInt64(i * lanes));
    masks[i] = emit_mask(b, b.getInt64(0), left, lanes);
  }
  return masks;
}

// A vector whose lane i is lane `places[i].second` of source `places[i].first`.
llvm::Value* pick_lanes(llvm::IRBuilderBase& b, const std::vector<llvm::Value*>& sources,
                        const std::vector<std::pair<std::size_t, std::size_t>>& places) {
  const auto lanes = static_cast<int>(places.size());
  llvm::Value* picked = sources[0];
  for (std::size_t source = 1; source < sources.size(); ++source) {
    std::vector<int> chosen;
    for (int lane = 0; lane < lanes; ++lane) {
      const auto [from, place] = places[static_cast<std::size_t>(lane)];
      const int of_first = source == 1 ? static_cast<int>(place) : lane;
      chosen.push_back(from == source ? lanes + static_cast<int>(place) : from < source ? of_first : -1);
    }
    picked = b.CreateShuffleVector(picked, sources[source], chosen);
  }
  return picked;
}

}  // namespace

std::vector<llvm::Value*> emit_load_rows(llvm::IRBuilderBase& builder, llvm::Type* element, unsigned lanes,
                                         const RowAddresses& rows, std::uint64_t columns) {
  llvm::Type* const vector = with_lanes(element, lanes);
  const auto vector_bytes = static_cast<std::int64_t>(vector->getPrimitiveSizeInBits().getFixedValue() / 8);
  const auto load = [&](std::int64_t distance, llvm::Value* mask) -> llvm::Value* {
    llvm::Value* const address = byte_address(builder, rows.first, distance);
    if (mask == nullptr) return builder.CreateAlignedLoad(vector, address, alignment_of(element));
    return builder.CreateMaskedLoad(vector, address, alignment_of(element), mask, llvm::Constant::getNullValue(vector));
  };
  std::vector<llvm::Value*> values;
  if (const std::size_t count = adjacent_columns(element, rows, columns); count > 0) {
    const std::vector<llvm::Value*> masks = masks_of_array(builder, count, lanes, rows.mask);
    for (std::size_t i = 0; i < count; ++i)
      values.push_back(load(static_cast<std::int64_t>(i) * vector_bytes, masks[i]));
    std::vector<llvm::Value*> result;
    for (std::size_t column = 0; column < count; ++column) {
      std::vector<std::pair<std::size_t, std::size_t>> places;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t number = lane * count + column;
        places.emplace_back(number / lanes, number % lanes);
      }
      result.push_back(pick_lanes(builder, values, places));
    }
    return result;
  }
  values.reserve(lanes);
  for (unsigned row = 0; row < lanes; ++row) {
    values.push_back(load(row * rows.stride, mask_of_row(builder, row, lanes, rows.mask, columns)));
  }
  transpose_registers(builder, values, static_cast<std::size_t>(std::bit_width(columns)));
  return values;
}

void emit_store_rows(llvm::IRBuilderBase& builder, std::vector<llvm::Value*> values, const RowAddresses& rows,
                     std::uint64_t columns) {
  llvm::Type* const element = values.front()->getType()->getScalarType();
  const auto lanes = static_cast<unsigned>(values.size());
  const auto vector_bytes =
      static_cast<std::int64_t>(values.front()->getType()->getPrimitiveSizeInBits().getFixedValue() / 8);
  const auto store = [&](llvm::Value* value, std::int64_t distance, llvm::Value* mask) {
    llvm::Value* const address = byte_address(builder, rows.first, distance);
    if (mask == nullptr) {
      builder.CreateAlignedStore(value, address, alignment_of(element));
    } else {
      builder.CreateMaskedStore(value, address, alignment_of(element), mask);
    }
  };
  if (const std::size_t count = adjacent_columns(element, rows, columns); count > 0) {
    const std::vector<llvm::Value*> masks = masks_of_array(builder, count, lanes, rows.mask);
    values.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::pair<std::size_t, std::size_t>> places;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t number = i * lanes + lane;
        places.emplace_back(number % count, number / count);
      }
      store(pick_lanes(builder, values, places), static_cast<std::int64_t>(i) * vector_bytes, masks[i]);
    }
    return;
  }
  transpose_registers(builder, values, values.size());
  for (unsigned row = 0; row < lanes; ++row) {
    store(values[row], row * rows.stride, mask_of_row(builder, row, lanes, rows.mask, columns));
  }
}

}  // namespace tarn
