// Loads and stores of lanes that lie apart, one lane at a time.
//
// Where the machine has no instruction for them LLVM expands gathers and scatters: it makes a vector of addresses and
// takes it apart, and under a mask gives every lane a branch. With as many of them as a kernel of hundreds of parts has
// (`stack` of 500), that is thousands of blocks and seconds of code generation, where a store for each lane at a
// constant distance is all that is needed. The bits are the same.
#pragma once

#include "codegen/kernels/emission.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// Elements of a type: that of lane i lies `distances`[i] elements behind `first`. Lanes that `mask` leaves out do not
// exist, nullptr: all do; the first one does.
struct LaneAddresses {
  llvm::Type* type = nullptr;
  llvm::Value* first = nullptr;
  llvm::Value* distances = nullptr;
  llvm::Value* mask = nullptr;
};

// The lanes; 0 for those that do not exist.
llvm::Value* emit_load_by_lane(llvm::IRBuilderBase& builder, const LaneAddresses& addresses);
// All lanes exist.
void emit_store_by_lane(llvm::IRBuilderBase& builder, llvm::Value* value, const LaneAddresses& addresses);

}  // namespace tarn
