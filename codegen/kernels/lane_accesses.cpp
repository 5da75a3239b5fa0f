// See lane_accesses.h.
#include "codegen/kernels/lane_accesses.h"

namespace tarn {

llvm::Value* emit_load_by_lane(llvm::IRBuilderBase& builder, const LaneAddresses& addresses) {
  const unsigned lanes = lanes_of(addresses.distances);
  llvm::Value* const nowhere = llvm::Constant::getNullValue(addresses.distances->getType());
  // A lane that does not exist reads what the first one reads.
  llvm::Value* const distances = addresses.mask == nullptr
                                     ? addresses.distances
                                     : builder.CreateSelect(addresses.mask, addresses.distances, nowhere);
  llvm::Value* loaded = llvm::PoisonValue::get(with_lanes(addresses.type, lanes));
  for (unsigned lane = 0; lane < lanes; ++lane) {
    llvm::Value* const distance = builder.CreateExtractElement(distances, lane);
    llvm::Value* const address = element_address(builder, addresses.type, addresses.first, distance);
    const llvm::Align align(addresses.type->getScalarSizeInBits() / 8);
    loaded = builder.CreateInsertElement(loaded, builder.CreateAlignedLoad(addresses.type, address, align), lane);
  }
  if (addresses.mask == nullptr) return loaded;
  return builder.CreateSelect(addresses.mask, loaded, llvm::Constant::getNullValue(loaded->getType()));
}

void emit_store_by_lane(llvm::IRBuilderBase& builder, llvm::Value* value, const LaneAddresses& addresses) {
  const llvm::Align align(addresses.type->getScalarSizeInBits() / 8);
  for (unsigned lane = 0; lane < lanes_of(value); ++lane) {
    llvm::Value* const distance = builder.CreateExtractElement(addresses.distances, lane);
    llvm::Value* const address = element_address(builder, addresses.type, addresses.first, distance);
    builder.CreateAlignedStore(builder.CreateExtractElement(value, lane), address, align);
  }
}

}  // namespace tarn
