// From a program to its kernel plans: every graph is optimized and planned.
#include "ir/program_functions.h"
#include "ir/verify_program.h"
#include "passes/pipeline.h"
#include "passes/plan/guarded_stores.h"
#include "passes/planner/packed_weights.h"
#include "passes/planner/steps.h"
#include "passes/tactics/tiling.h"

namespace tarn {

namespace {

void add_packed_prediction(const Program& program, const Target& target, ProgramPlan& result) {
  const auto predict = result.plans.find("predict");
  if (predict == result.plans.end() || !may_be_packed(predict->second)) return;
  KernelPlan plan = predict->second;
  PackedWeights packed = pack_weights(program, plan, target);
  if (!packed.in_groups()) return;
  result.plans.emplace("predict_packed", std::move(plan));
  result.packed = std::move(packed);
}

}  // namespace

Result<ProgramPlan> plan_program(const Program& program, const PlanOptions& options, PassContext& context) {
  if (context.options.verify_each) TARN_RETURN_IF_ERROR(verify(program));
  ProgramPlan result;
  for (const auto& [name, graph] : program.graphs) {
    context.graph_name = name;
    context.planned_for = {options, program.settings.batch};
    TARN_TRY(const Graph optimized, optimize(graph, context));
    TARN_TRY(KernelPlan plan, plan_kernels(optimized, program, context.planned_for->options));
    if (function_named(name).has(kGuards)) {
      guard_stores(plan, program);
      choose_tilings(plan, options.target);
    }
    result.plans.emplace(name, std::move(plan));
  }
  add_packed_prediction(program, options.target, result);
  if (context.options.verify_each || verifies_every_plan()) {
    for (const auto& [name, plan] : result.plans) TARN_RETURN_IF_ERROR(check_made(plan));
  }
  result.accumulator_bytes = aligned(metric_bytes(program));
  return result;
}

ProgramPlan with_baked_weights(const Program& program, ProgramPlan plan, const Target& target) {
  plan.plans.erase("predict_packed");
  const auto predict = plan.plans.find("predict");
  if (predict != plan.plans.end()) plan.packed = pack_weights(program, predict->second, target);
  return plan;
}

}  // namespace tarn
