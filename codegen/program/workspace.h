// Where things lie in the workspace of a call.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// By input, the bytes that a function with this plan wants for the rows of a batch: gathered ones, or a table of where
// they are (passes/tactics/rows_in_place.h).
std::vector<std::uint64_t> room_for_rows(const Program& program, const std::string& function, const KernelPlan& plan);

// The layout of a workspace: the accumulators, the rows of each input, then arena and scratch memory. For more than one
// thread the scratch memory of each other one follows.
struct WorkspaceLayout {
  std::vector<std::uint64_t> rows;  // of each input, bytes from the start of the workspace
  std::uint64_t arena = 0;
  std::uint64_t bytes = 0;
  std::uint64_t scratch = 0;  // bytes for every other thread
};
WorkspaceLayout workspace_layout(const Program& program, const ProgramPlan& plan, const Target& target);

}  // namespace tarn
