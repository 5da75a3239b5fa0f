// The layout of workspaces. See workspace.h.
#include "codegen/program/workspace.h"

#include <algorithm>

#include "codegen/contraction/scratch.h"
#include "ir/program_functions.h"

namespace tarn {

std::vector<std::uint64_t> room_for_rows(const Program& program, const std::string& function, const KernelPlan& plan) {
  std::vector<std::uint64_t> room(program.inputs.size());
  // Only what takes an order of rows gathers any.
  if (!function_named(function).has(kTakesOrder)) return room;
  const std::vector<bool> in_place = inputs_in_place(plan, program.inputs.size());
  const auto batch = static_cast<std::uint64_t>(plan.max_batch);
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.space != Space::input) continue;
    const std::uint64_t gathered = sample_bytes(program.inputs[buffer.index].type) * batch;
    room[buffer.index] = in_place[buffer.index] ? (batch + kTablePadding) * sizeof(std::uint64_t) : gathered;
  }
  return room;
}

WorkspaceLayout workspace_layout(const Program& program, const ProgramPlan& plan, const Target& target) {
  WorkspaceLayout layout;
  std::uint64_t at = aligned(plan.accumulator_bytes), arena = 0;
  std::vector<std::uint64_t> room(program.inputs.size());
  for (const auto& [name, kernels] : plan.plans) {
    const std::vector<std::uint64_t> wanted = room_for_rows(program, name, kernels);
    std::transform(room.begin(), room.end(), wanted.begin(), room.begin(),
                   [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); });
    const auto scratch = static_cast<std::uint64_t>(scratch_bytes(kernels, target));
    arena = std::max(arena, aligned(kernels.arena_bytes) + scratch);
    layout.scratch = std::max(layout.scratch, aligned(scratch));
  }
  for (const std::uint64_t bytes : room) {
    layout.rows.push_back(at);
    at += aligned(bytes);
  }
  layout.arena = at;
  layout.bytes = at + aligned(arena);
  return layout;
}

}  // namespace tarn
