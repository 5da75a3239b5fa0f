// See plan_kernels.h; planner.h says how the steps hang together.
#include "passes/planner/plan_kernels.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "passes/planner/cut_kernels.h"
#include "passes/planner/planner.h"
#include "passes/planner/steps.h"
#include "passes/planner/steps_text.h"
#include "passes/tactics/choose.h"

namespace tarn {
namespace {

// Buffers that no kernel and no result names are left out.
void drop_unused_buffers(KernelPlan& plan) {
  std::vector<BufferId> renamed(plan.buffers.size(), kNone);
  std::vector<Buffer> buffers;
  const auto rename = [&](BufferId& buffer) {
    if (renamed[buffer] == kNone) {
      renamed[buffer] = static_cast<BufferId>(buffers.size());
      buffers.push_back(plan.buffers[buffer]);
    }
    buffer = renamed[buffer];
  };
  for (Kernel& kernel : plan.kernels) for_each_buffer(kernel.body, rename);
  for (PlanResult& result : plan.results) rename(result.buffer);
  plan.buffers = std::move(buffers);
}

void split_long_tails(KernelPlan& plan, const PlanOptions& options) {
  if (options.fuse) split_tails(plan, options.target);
}
void cut_large_kernels(KernelPlan& plan, const PlanOptions& options) { cut_kernels(plan, options.target); }
void lay_out_memory(KernelPlan& plan, const PlanOptions& options) {
  drop_unused_buffers(plan);
  plan.constants.resize(aligned(plan.constants.size()));
  plan_memory(plan, options.in_place);
}
void choose_tactics(KernelPlan& plan, const PlanOptions& options) { choose_cpu_tactics(plan, options.target); }

constexpr std::array kPlanSteps = {
    PlanStep{"fusion", "the graph becomes kernels", nullptr},
    PlanStep{"split_tails", "long tails of short sums become kernels of their own", split_long_tails},
    PlanStep{"cut_kernels", "kernels whose code would be very long become several", cut_large_kernels},
    PlanStep{"memory", "temporaries get their places in the arena", lay_out_memory},
    PlanStep{"tactics", "each kernel gets vectors, threads and ways to read, as a CPU runs it", choose_tactics},
};

constexpr std::array kFusionSteps = {
    FusionStep{"units", "what computes each value in memory, what it reads and where it stores"},
    FusionStep{"schedule", "these with their products laid out, what each needs, and their order"},
    FusionStep{"groups", "those that share a kernel"},
};

KernelPlan fuse(const Graph& graph, const Program& program, const PlanOptions& options, const PlanWatch& watch) {
  Planning planning(graph, program, options);
  const auto show = [&](std::string_view step, const auto& text) {
    if (watch.in_fusion) watch.in_fusion(step, text());
  };
  make_units(planning);
  lay_batches_innermost(planning);
  lay_samples_apart(planning);
  show("units", [&] { return units_text(planning); });
  const Schedule schedule = make_schedule(planning);
  show("schedule", [&] { return schedule_text(planning, schedule); });
  group_units(planning, schedule);
  show("groups", [&] { return groups_text(planning); });
  emit_kernels(planning);
  return std::move(planning.plan);
}

std::atomic<bool>& all_are_verified() {
#ifdef NDEBUG
  static std::atomic<bool> verified = false;
#else
  static std::atomic<bool> verified = true;
#endif
  return verified;
}

}  // namespace

void verify_every_plan() { all_are_verified() = true; }

bool verifies_every_plan() { return all_are_verified(); }

Status check_made(const KernelPlan& plan) {
  Status status = verify(plan);
  if (status) return status;
  Diagnostics errors = std::move(status).error();
  for (Diagnostic& diagnostic : errors) {
    diagnostic.message = "bug in tarn: the planner made a malformed plan: " + diagnostic.message;
  }
  return errors;
}

std::span<const PlanStep> plan_steps() { return kPlanSteps; }

std::span<const FusionStep> fusion_steps() { return kFusionSteps; }

Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options,
                                const PlanWatch& watch) {
  KernelPlan plan = fuse(graph, program, options, watch);
  for (const PlanStep& step : kPlanSteps) {
    if (step.run != nullptr) step.run(plan, options);
    if (watch.after_step && !watch.after_step(step.name, plan)) break;
  }
  return plan;
}

Result<KernelPlan> plan_kernels(const Graph& graph, const Program& program, const PlanOptions& options) {
  return plan_kernels(graph, program, options, {});
}

}  // namespace tarn
