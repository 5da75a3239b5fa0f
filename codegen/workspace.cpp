// The layout of workspaces. See workspace.h.
#include "codegen/workspace.h"

#include <algorithm>

#include "codegen/contraction_schedule.h"

namespace tarn {

WorkspaceLayout workspace_layout(const Program& program, const ProgramPlan& plan, const Target& target) {
  WorkspaceLayout layout;
  std::uint64_t at = aligned(plan.accumulator_bytes), arena = 0;
  std::int64_t max_batch = program.settings.batch;
  for (const auto& [name, kernels] : plan.plans) {
    max_batch = std::max(max_batch, kernels.max_batch);
    const auto scratch = static_cast<std::uint64_t>(scratch_bytes(kernels, target));
    arena = std::max(arena, aligned(kernels.arena_bytes) + scratch);
    layout.scratch = std::max(layout.scratch, aligned(scratch));
  }
  for (const InputInfo& input : program.inputs) {
    layout.gathered.push_back(at);
    at += aligned(sample_bytes(input.type) * static_cast<std::uint64_t>(max_batch));
  }
  layout.arena = at;
  layout.bytes = at + aligned(arena);
  return layout;
}

}  // namespace tarn
