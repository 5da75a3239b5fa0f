// Along which axis the vectors of a loop lie: the one along which most accesses are contiguous. Depends on shapes,
// accesses and the length of vectors only, since the order of a sum follows from it.
#pragma once

#include <cstddef>
#include <vector>

#include "passes/plan/kernel_plan.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

struct VectorAxis {
  std::size_t axis = 0;
  // By axis: time of the kernel with its vectors there, up to a factor that is the same for all.
  std::vector<double> costs;
  // An axis that costs less would have lanes that meet their points in another order than that of their indices, which
  // an argmax gives.
  bool is_ordered = false;
};
VectorAxis best_vector_axis(const LoopKernel& kernel, const Target& target, std::int64_t max_batch,
                            const CostModel& costs = kCosts);

}  // namespace tarn
