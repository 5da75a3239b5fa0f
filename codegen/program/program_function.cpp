// See program_function.h.
#include "codegen/program/program_function.h"

#include <algorithm>

#include "codegen/program/functions.h"
#include "llvm/IR/Constants.h"
#include "passes/plan/access.h"
#include "passes/tactics/cost_model.h"

namespace tarn {
namespace {

// Points of all kernels at the largest batch.
double points(const KernelPlan& plan) {
  double sum = 0;
  for (const auto& [kernel, runs] : numbered_kernels(plan)) {
    double product = runs;
    const auto times = [&](const Extent& extent) { product *= static_cast<double>(largest(extent, plan.max_batch)); };
    by_kind(
        kernel->body,
        [&](const LoopKernel& loop) {
          for (const Extent& extent : loop.axes) times(extent);
        },
        [&](const ContractionKernel& contraction) {
          for (const Extent& extent : axes_with(contraction, contraction.rows, contraction.columns)) times(extent);
          for (const Extent& extent : contraction.inner) times(extent);
        },
        [](const FiniteGuard&) {}, [](const Repeat&) {});
    sum += product;
  }
  return sum;
}

// The most repeats in one another.
std::size_t depth(const std::vector<Kernel>& kernels) {
  std::size_t most = 0;
  for (const Kernel& kernel : kernels) {
    if (const auto* const steps = steps_of(kernel)) most = std::max(most, 1 + depth(*steps));
  }
  return most;
}

}  // namespace

ProgramFunction::ProgramFunction(llvm::Module& in, const Program& of, const ProgramPlan& plan,
                                 const std::string& called, const Machine& machine)
    : program(of),
      name(called),
      row(function_named(called)),
      layout(workspace_layout(of, plan, machine.target)),
      module(in),
      emission{plan.plans.at(called), machine, in, nullptr, static_cast<std::uint32_t>(of.inputs.size())},
      b(in.getContext()) {
  emission.repeat_slots = static_cast<std::uint32_t>(kFramePointers + program.inputs.size() +
                                                     std::max<std::size_t>(program.outputs.size(), 1));
  const bool runs_once = row.has(kRunsOnce);
  emission.optimize = !runs_once || points(emission.plan) > kCosts.optimized_points;
  emission.small = runs_once && machine.single_rest && points(emission.plan) <= kCosts.scalar_points;
  emission.splits = !runs_once && machine.most_threads > 1;
  emission.other_scratch = layout.bytes;
  emission.scratch_bytes = layout.scratch;
}

void ProgramFunction::begin(llvm::Type* result, const std::vector<std::pair<llvm::Type*, const char*>>& arguments) {
  std::vector<llvm::Type*> types;
  for (const auto& argument : arguments) types.push_back(argument.first);
  function_ = llvm::Function::Create(llvm::FunctionType::get(result, types, false), llvm::GlobalValue::ExternalLinkage,
                                     symbol_of(name), module);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  argument_names_.clear();
  for (auto& value : function_->args()) {
    value.setName(arguments[value.getArgNo()].second);
    argument_names_.emplace_back(arguments[value.getArgNo()].second);
  }
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "entry", function_));
  const std::size_t slots = emission.repeat_slots + depth(emission.plan.kernels);
  llvm::AllocaInst* const memory = b.CreateAlloca(llvm::ArrayType::get(b.getInt64Ty(), slots), nullptr, "frame");
  memory->setAlignment(llvm::Align(8));
  frame = memory;
  workspace = argument("workspace");
  arena = byte_address(b, workspace, static_cast<std::int64_t>(layout.arena));
}

llvm::Value* ProgramFunction::argument(const char* name) {
  const auto at = std::find(argument_names_.begin(), argument_names_.end(), name);
  return function_->getArg(static_cast<unsigned>(at - argument_names_.begin()));
}

void ProgramFunction::set_slot(std::uint32_t slot, llvm::Value* value) {
  b.CreateAlignedStore(value, byte_address(b, frame, 8 * std::int64_t{slot}), llvm::Align(8));
}

// The step counter, an f64 in the state, is read before any kernel of the step may count it up.
void ProgramFunction::set_key_and_step(llvm::Value* first_sample) {
  llvm::Value* step = b.getInt64(0);
  const TensorInfo* const counter = program.find_tensor("step");
  if (row.has(kCountsSteps) && counter != nullptr) {
    llvm::Value* const address = byte_address(b, state, static_cast<std::int64_t>(counter->offset));
    step = b.CreateFPToUI(b.CreateAlignedLoad(b.getDoubleTy(), address, llvm::Align(8)), b.getInt64Ty());
  }
  set_slot(kFrameKey, key);
  set_slot(kFrameStep, step);
  set_slot(kFrameFirstSample, first_sample);
}

llvm::Value* ProgramFunction::space_base(const Buffer& buffer) {
  switch (buffer.space) {
    case Space::state:
      return state;
    case Space::accumulators:
      return workspace;
    case Space::arena:
      return arena;
    case Space::constants:
      return emission.constants;
    case Space::input:
    case Space::output:
      break;
  }
  const std::size_t slot = kFramePointers + buffer.index + (buffer.space == Space::output ? program.inputs.size() : 0);
  return b.CreateAlignedLoad(emission.pointer(), byte_address(b, frame, static_cast<std::int64_t>(8 * slot)),
                             llvm::Align(8));
}

void ProgramFunction::return_when(llvm::Value* condition, Outcome outcome) {
  llvm::BasicBlock* const leave = llvm::BasicBlock::Create(module.getContext(), "leave", function_);
  llvm::BasicBlock* const go_on = llvm::BasicBlock::Create(module.getContext(), "go_on", function_);
  b.CreateCondBr(condition, leave, go_on);
  b.SetInsertPoint(leave);
  b.CreateRet(b.getInt32(static_cast<std::uint32_t>(outcome)));
  b.SetInsertPoint(go_on);
}

}  // namespace tarn
