// Kernels of one shape, and repetitions among calls. See kernel_calls.h.
#include "codegen/program/kernel_calls.h"

#include <algorithm>

namespace tarn {

namespace {

bool uses_constants(const KernelPlan& plan, const KernelShape& shape) {
  return std::any_of(shape.buffers.begin(), shape.buffers.end(),
                     [&](BufferId buffer) { return plan.buffers[buffer].space == Space::constants; });
}

// Guards and repeats are code of the function that calls the others.
bool is_function(const Kernel& kernel) {
  return by_kind(
      kernel.body, [](const LoopKernel&) { return true; }, [](const ContractionKernel&) { return true; },
      [](const FiniteGuard&) { return false; }, [](const Repeat&) { return false; });
}

// The calls of one block of layers, forward and backward, are fewer.
constexpr std::size_t kLongestPeriod = 256;

}  // namespace

std::vector<KernelShape> SharedKernels::announce(const std::string& name, const KernelPlan& plan,
                                                 const std::string& kind) {
  std::vector<KernelShape> shapes;
  for_each_kernel(plan.kernels, [&](const Kernel& kernel) {
    KernelShape& shape = shapes.emplace_back();
    if (!is_function(kernel)) return;
    shape = shape_of(plan, kernel);
    shape.key += kind;
    // Each plan has constants of its own.
    if (uses_constants(plan, shape)) shape.key += name;
    ++uses_[shape.key].count;
  });
  return shapes;
}

std::vector<CallRun> find_runs(const std::vector<llvm::Function*>& functions) {
  const std::size_t count = functions.size();
  // best[i]: the period from i on with which most calls need not be written.
  struct Best {
    std::size_t period = 1, saved = 0;
  };
  std::vector<Best> best(count);
  for (std::size_t period = 1; period <= std::min(kLongestPeriod, count / 2); ++period) {
    std::size_t equal = 0;  // how many calls from i on are those `period` later
    for (std::size_t i = count - period; i-- > 0;) {
      equal = functions[i] != nullptr && functions[i] == functions[i + period] ? equal + 1 : 0;
      const std::size_t saved = equal / period * period;
      if (saved > best[i].saved) best[i] = {period, saved};
    }
  }
  std::vector<CallRun> runs;
  for (std::size_t i = 0; i < count;) {
    // Shorter ones are not worth a loop.
    const bool repeats = best[i].saved >= 2;
    runs.push_back(repeats ? CallRun{i, best[i].period, best[i].saved / best[i].period + 1} : CallRun{i, 1, 1});
    i += runs.back().period * runs.back().repeats;
  }
  return runs;
}

}  // namespace tarn
