// For tests of code generation: plans by hand, run as native code and by the interpreter of plans.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/native.h"
#include "ir/evaluator.h"
#include "passes/plan/kernel_plan.h"
#include "runtime/session/model.h"
#include "tests/support/compiler/cpus.h"
#include "tests/support/compiler/hand_plan.h"
#include "tests/support/compiler/native_plan.h"

namespace tarn::testing {

// The model of the text; null, and a failed expectation, where it is wrong.
std::shared_ptr<Model> compiled_model(const std::string& text, const std::string& cpu = "native",
                                      DType float_type = DType::f32);

// Functions of a program have outputs or stores; this gives a plan with both what it takes to run as one that stores.
void move_outputs_to_arena(KernelPlan& plan, std::int64_t max_batch);

using test::runs_here;
// test::cpus(), and where none of these has vectors of 64 bytes also kWideVectors, which options_for() knows.
const std::vector<std::string>& cpus();
inline constexpr const char* kWideVectors = "vectors of 64 bytes";
CodegenOptions options_for(const std::string& cpu);

// Numbers that the dtype can hold, between -limit and limit.
std::vector<double> random_numbers(std::uint64_t seed, std::size_t count, DType dtype, double limit = 2);

// Runs natively on every CPU and by the interpreter, and compares results and tensors: |difference| <= tolerance *
// (1 + |expected|), NaN equal to NaN.
void expect_as_interpreted(const HandPlan& hand, std::int64_t batch, double tolerance, const std::string& what);

}  // namespace tarn::testing
