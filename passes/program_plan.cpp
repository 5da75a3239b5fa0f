// From a program to its kernel plans: every graph is optimized and planned, and one workspace serves them all.
#include <algorithm>

#include "passes/packed_weights.h"
#include "passes/pipeline.h"

namespace tarn {

namespace {

// Room for the rows of one batch, of every input and target, gathered by the shuffled order.
std::uint64_t gathered_bytes(const Program& program) {
  std::uint64_t bytes = 0;
  for (const InputInfo& input : program.inputs) {
    bytes += aligned(sample_bytes(input.type) * static_cast<std::uint64_t>(program.settings.batch));
  }
  return bytes;
}

void add_packed_prediction(const Program& program, ProgramPlan& result) {
  const auto predict = result.plans.find("predict");
  if (predict == result.plans.end() || !may_be_packed(predict->second)) return;
  KernelPlan plan = predict->second;
  PackedWeights packed = pack_weights(program, plan);
  if (!packed.in_groups()) return;
  result.plans.emplace("predict_packed", std::move(plan));
  result.packed = std::move(packed);
}

}  // namespace

Result<ProgramPlan> plan_program(const Program& program, const PlanOptions& options, PassContext& context) {
  ProgramPlan result;
  std::uint64_t arena = 0;
  for (const auto& [name, graph] : program.graphs) {
    context.graph_name = name;
    TARN_TRY(const Graph optimized, optimize(graph, context));
    TARN_TRY(KernelPlan plan, plan_kernels(optimized, program, options));
    arena = std::max(arena, plan.arena_bytes);
    result.plans.emplace(name, std::move(plan));
  }
  add_packed_prediction(program, result);
  result.accumulator_bytes = aligned(metric_bytes(program));
  result.workspace_bytes = result.accumulator_bytes + gathered_bytes(program) + aligned(arena);
  return result;
}

}  // namespace tarn
