// Which stores are guarded. See guarded_stores.h.
#include "passes/plan/guarded_stores.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace tarn {

void guard_stores(KernelPlan& plan, const Program& program) {
  std::set<std::uint64_t> counters;  // by their offsets
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind == TensorKind::counter) counters.insert(tensor.offset);
  }
  for (Kernel& kernel : plan.kernels) {
    for_each_body(kernel.body, [&](Body& body) {
      for (Store& store : body.stores) {
        const Buffer& buffer = plan.buffers[store.access.buffer];
        store.guarded = buffer.space == Space::state && is_floating(buffer.dtype) && !counters.contains(buffer.offset);
      }
    });
  }
}

bool has_guarded_stores(const KernelPlan& plan) {
  bool found = false;
  for (const Kernel& kernel : plan.kernels) {
    for_each_body(kernel.body, [&](const Body& body) {
      found = found || std::any_of(body.stores.begin(), body.stores.end(), [](const Store& s) { return s.guarded; });
    });
  }
  return found;
}

bool is_finite_as(double value, DType dtype) {
  // Half a unit in the last place above the largest f32, from where on numbers are rounded to infinity.
  constexpr double kTooLarge = 0x1.ffffffp127;
  return std::isfinite(value) && (dtype != DType::f32 || std::fabs(value) < kTooLarge);
}

}  // namespace tarn
