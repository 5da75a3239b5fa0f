// See plan_text_support.h.
#include "tests/support/compiler/plan_text_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codegen/kernels/kernel_shape.h"
#include "passes/plan/text.h"
#include "passes/planner/steps.h"

namespace tarn::testing {

namespace {

// Whatever plan a test makes, as it is and inside of models, is verified.
const bool kVerified = (verify_every_plan(), true);

}  // namespace

// Structured bindings, so that a field that is added is looked at here. Kernels and buffers are the same where they
// have the same key, which is made bit by bit.
std::string difference_of_plans(const KernelPlan& a, const KernelPlan& b) {
  const auto& [buffers, kernels, max_batch, arena_bytes, constants, results, remarks] = a;
  if (max_batch != b.max_batch) return "max_batch";
  if (arena_bytes != b.arena_bytes) return "arena_bytes";
  if (constants != b.constants) return "constants";
  if (remarks != b.remarks) return "remarks";
  if (buffers.size() != b.buffers.size()) return "the number of buffers";
  const std::vector<KernelRuns> own = numbered_kernels(a), others = numbered_kernels(b);
  if (kernels.size() != b.kernels.size() || own.size() != others.size()) return "the number of kernels";
  if (results.size() != b.results.size()) return "the number of results";
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].name != b.buffers[i].name) return fmt::format("the name of buffer {}", i);
  }
  const Kernel guard{"guard", FiniteGuard{0}};
  if (kernel_key(guard, buffers, max_batch) != kernel_key(guard, b.buffers, max_batch)) {
    return "a buffer";
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& [kind, name, buffer] = results[i];
    const PlanResult& other = b.results[i];
    if (kind != other.kind || name != other.name || buffer != other.buffer) return fmt::format("result {}", i);
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    const Kernel &kernel = *own[i].kernel, &other = *others[i].kernel;
    if (kernel.name != other.name) return fmt::format("the name of kernel {}", i);
    if (kernel_key(kernel, {}, max_batch) != kernel_key(other, {}, max_batch)) {
      return fmt::format("kernel {}", i);
    }
  }
  return "";
}

void expect_reads_back(const KernelPlan& plan, const std::string& what) {
  const std::string text = print_whole(plan, "plan");
  Sources sources;
  const Result<NamedPlan> read = parse_plan(text, "plan.txt", sources);
  ASSERT_TRUE(read.has_value()) << what << "\n" << format(read.error(), sources) << text;
  EXPECT_EQ(difference_of_plans(plan, read->plan), "") << what << "\n" << text;
  EXPECT_EQ(print_whole(read->plan, "plan"), text) << what;
}

}  // namespace tarn::testing
