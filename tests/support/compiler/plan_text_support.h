// For tests that make plans: each must read back from its text.
#pragma once

#include <string>

#include "passes/plan/kernel_plan.h"

namespace tarn::testing {

// What differs between two plans, field by field, places in the source aside; "" where nothing does.
std::string difference_of_plans(const KernelPlan& a, const KernelPlan& b);

// The plan's whole text reads back to the same plan, and that prints the same text; a failed expectation where not.
void expect_reads_back(const KernelPlan& plan, const std::string& what = "");

}  // namespace tarn::testing
