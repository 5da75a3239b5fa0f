// What kernels may differ in and still be one function: where their buffers lie, which random numbers they draw, and
// where the scratch memory of their plan begins. These numbers are the kernel's parameters; whoever calls a shared
// function passes the address of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "passes/plan/kernel_plan.h"

namespace tarn {

struct KernelShape {
  std::string key;                     // kernels with equal keys compute the same, each on buffers of its own
  std::vector<BufferId> buffers;       // in the order of their first use
  std::vector<std::uint64_t> streams;  // of random numbers, likewise
  // Byte offsets of the buffers in their spaces, the streams, the byte offset of the scratch memory in the arena.
  std::vector<std::uint64_t> parameters;

  // Numbers of parameters.
  std::size_t offset_of(BufferId buffer) const;
  std::size_t stream(std::uint64_t stream) const;
  std::size_t scratch() const { return parameters.size() - 1; }
};
KernelShape shape_of(const KernelPlan& plan, const Kernel& kernel);

// All that decides about the code of a kernel on these buffers.
std::string kernel_key(const Kernel& kernel, const std::vector<Buffer>& buffers, std::int64_t max_batch);

}  // namespace tarn
