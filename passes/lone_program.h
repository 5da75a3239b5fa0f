// Programs of one graph alone, for tools and tests that plan a graph without a model around it.
#pragma once

#include "ir/program.h"

namespace tarn {

// The tensors and inputs of a batched graph in the order in which they stand, with offsets. Tensors called metric.… are
// accumulators, "step" is the counter, the others parameters.
Program program_of(const Graph& graph, std::int64_t max_batch);

}  // namespace tarn
