// Weights packed for prediction: what prediction reads of a state, close together, and large matrices as products like
// to read them.
//
// A tile of a product reads a few neighbouring columns of its right operand, from the first row to the last. Where rows
// are long these lie far apart; so the columns of such a matrix are packed in groups, one behind the other, each with
// its rows behind each other: b[k, n] stands at [n / width, k, n % width], and a product reads one stretch of memory
// after the other, with nothing to copy first. A group is at most 256 bytes wide, whatever the machine, so that packed
// weights are the same everywhere. In the plan the groups are a batch axis of the product.
#pragma once

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// Whether a product reads a large matrix of the state as its right operand: without one nothing would lie otherwise.
bool may_be_packed(const KernelPlan& plan);

// Makes the plan of `predict` (or another that stores nothing that stays) read packed weights instead of a state, and
// says where they come from. Packed is what products of this plan alone read as a large right operand, along whose
// columns their vectors lie. Kernels get tactics for what they read now.
PackedWeights pack_weights(const Program& program, KernelPlan& plan, const Target& target);

}  // namespace tarn
