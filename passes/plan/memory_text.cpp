// The text behind `show --stage memory`: where the buffers of a plan lie, and from which kernel to which they are used.
#include <fmt/format.h>

#include <algorithm>

#include "passes/plan/kernel_plan.h"
#include "passes/plan/words.h"

namespace tarn {

std::string print_memory(const KernelPlan& plan) {
  std::vector<std::pair<std::size_t, std::size_t>> lives(plan.buffers.size(), {SIZE_MAX, 0});
  std::size_t k = 0;
  for_each_kernel(plan.kernels, [&](const Kernel& kernel) {
    // What a repeat uses, its steps do.
    const auto use = [&](BufferId id) { lives[id] = {std::min(lives[id].first, k), k}; };
    if (steps_of(kernel) == nullptr) for_each_buffer(kernel.body, use);
    ++k;
  });
  std::string out = fmt::format("arena {}, constants {}, batch {}\n",
                                plan_words::quantity(static_cast<double>(plan.arena_bytes), "B"),
                                plan_words::quantity(static_cast<double>(plan.constants.size()), "B"), plan.max_batch);
  for (BufferId id = 0; id < plan.buffers.size(); ++id) {
    const Buffer& buffer = plan.buffers[id];
    const double bytes = static_cast<double>(element_count(with_batch(buffer.shape, plan.max_batch))) *
                         static_cast<double>(size_of(buffer.dtype));
    out += fmt::format("{:12} {:>10}  {:>10}  ", plan_words::name_of(buffer.space), buffer.offset,
                       plan_words::quantity(bytes, "B"));
    out += lives[id].first == SIZE_MAX ? std::string("unused      ")
                                       : fmt::format("{:>4} .. {:<4}", lives[id].first, lives[id].second);
    out += fmt::format("  {}{} {}\n", name_of(buffer.dtype), to_string(buffer.shape), buffer.name);
  }
  return out;
}

}  // namespace tarn
