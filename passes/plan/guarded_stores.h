// Stores to the state that keep the old value where the new one is NaN or infinite.
//
// A loss that is finite says little of the gradients: that of sqrt at 0 is infinite. So in the plans that change a
// state, every store of a float to it is guarded. The guarded stores of a body are one: where one of their values at a
// point is not finite, all keep what was there (w, m and v of an optimizer go together), and the step says so when it
// has run. Counters are left alone: adding 1 makes no infinity.
#pragma once

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// Marks the stores of a plan that trains or adapts.
void guard_stores(KernelPlan& plan, const Program& program);
// Whether any store of the plan is guarded.
bool has_guarded_stores(const KernelPlan& plan);

// Whether the value is finite once it is rounded to the type.
bool is_finite_as(double value, DType dtype);

}  // namespace tarn
