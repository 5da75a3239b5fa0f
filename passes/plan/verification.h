// What the parts of the verifier of plans share: the plan, where in it they are, and what they have found. verify.cpp
// goes over the steps; verify_accesses, verify_bodies and verify_dependences look at what a kernel is made of.
//
// Invariant: a fault is reported by require(), and looking goes on; numbers that a fault may have made wrong are used
// only while is_good().
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

struct Verification {
  explicit Verification(const KernelPlan& of) : plan(of), written(of.buffers.size(), false) {}

  // Reports a fault of the kernel at hand, or of the plan, unless the condition holds.
  void require(bool condition, std::string_view what);
  bool is_good() const { return errors.empty(); }
  // Of the kernel at hand.
  const CpuTactics& tactics() const { return kernel->tactics; }

  const KernelPlan& plan;
  std::vector<bool> written;          // by buffer: holds what was stored there
  std::vector<std::int64_t> repeats;  // how often those around the kernel run, the outermost first
  const Kernel* kernel = nullptr;     // that is being checked, and its number
  std::size_t number = 0;
  Diagnostics errors;
};

}  // namespace tarn
