// Loads and stores of a few neighbouring elements of as many rows as a vector has lanes: each row under a mask, the
// rows transposed in registers, so that an element of all rows is one vector.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "codegen/kernels/emission.h"

namespace tarn {

// Accesses of a body that differ in their offsets only: elements of one row.
struct RowGroup {
  std::int64_t first = 0;                          // the least offset
  std::map<std::uint32_t, std::uint32_t> members;  // by distance from there: number of the value or the store
  // Whether the number is that of the member that comes first in the body.
  bool begins_with(std::uint32_t number) const;
  // Bit i: there is a member at distance i.
  std::uint64_t columns() const;
};

// Groups the accesses, of equal element sizes, that can be handled so; the others are in none. `vector_axis` is that of
// the lanes. Numbers are indices into `accesses`; nullptr for what is no candidate.
std::vector<RowGroup> row_groups(const std::vector<const Access*>& accesses, int vector_axis, unsigned lanes);

// Where the rows of a group lie: address of the first member in lane 0, bytes from lane to lane, and which lanes exist
// (nullptr: all).
struct RowAddresses {
  llvm::Value* first;
  std::int64_t stride;
  llvm::Value* mask;
};

// By distance from the first member: the vector of that element of every row.
std::vector<llvm::Value*> emit_load_rows(llvm::IRBuilderBase& builder, llvm::Type* element, unsigned lanes,
                                         const RowAddresses& rows, std::uint64_t columns);
// The same the other way round; nullptr for distances without a member.
void emit_store_rows(llvm::IRBuilderBase& builder, std::vector<llvm::Value*> values, const RowAddresses& rows,
                     std::uint64_t columns);

}  // namespace tarn
