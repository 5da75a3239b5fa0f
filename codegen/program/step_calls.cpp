// See step_calls.h.
#include "codegen/program/step_calls.h"

#include "codegen/contraction/kernel.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/loop_kernels.h"
#include "codegen/kernels/loops.h"
#include "codegen/program/calls_in_parts.h"
#include "codegen/program/gather.h"
#include "llvm/IR/Constants.h"

namespace tarn {
namespace {

constexpr std::int64_t kKernelTicks = offsetof(Control, kernel_ticks);

}  // namespace

StepCalls::StepCalls(ProgramFunction& function, SharedKernels& shared)
    : function_(function), b_(function.b), emission_(function.emission), shared_(shared) {
  shapes_ =
      shared.announce(function.name, emission_.plan,
                      {emission_.optimize ? 'o' : '-', emission_.small ? 's' : '-', emission_.splits ? 't' : '-'});
}

llvm::Function* StepCalls::kernel_function(const Kernel& kernel, const KernelShape& shape) {
  const auto made = [&](const auto& emit_body) {
    llvm::Function*& known = shared_.function(shape);
    if (known != nullptr) return known;
    KernelFunction function(emission_, function_.name + "." + kernel.name, shared_.is_shared(shape) ? &shape : nullptr,
                            split_here(kernel).has_value(), kernel.tactics);
    emit_body(function);
    function.finish();
    known = function.function;
    return known;
  };
  const auto none = static_cast<llvm::Function*>(nullptr);
  const bool of_samples = kernel.tactics.copy == CpuTactics::Copy::of_samples;
  return by_kind(
      kernel.body,
      [&](const LoopKernel& loop) {
        return made([&](KernelFunction& f) { of_samples ? emit_sample_copy(f, loop) : emit_loop_kernel(f, loop); });
      },
      [&](const ContractionKernel& product) {
        return made([&](KernelFunction& f) { emit_contraction_kernel(f, product); });
      },
      [&](const FiniteGuard&) { return none; }, [&](const Repeat&) { return none; });
}

void StepCalls::emit_functions() {
  for_each_kernel(emission_.plan.kernels,
                  [&](const Kernel& kernel) { kernels_.push_back(kernel_function(kernel, shapes_[kernels_.size()])); });
  emit_parameters();
}

// The table of the parameters of shared kernels, in the order of their calls.
void StepCalls::emit_parameters() {
  std::vector<std::uint64_t> table;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (kernels_[i] == nullptr || !shared_.is_shared(shapes_[i])) continue;
    table.insert(table.end(), shapes_[i].parameters.begin(), shapes_[i].parameters.end());
  }
  if (table.empty()) return;
  llvm::Constant* const data = llvm::ConstantDataArray::get(function_.module.getContext(), table);
  parameters_ = new llvm::GlobalVariable(function_.module, data->getType(), /*isConstant=*/true,
                                         llvm::GlobalValue::PrivateLinkage, data, "parameters");
  parameters_->setAlignment(llvm::Align(8));
}

void StepCalls::emit_guard(const FiniteGuard& guard) {
  if (!function_.row.has(kCountsSteps)) return;
  const Buffer& buffer = emission_.plan.buffers[guard.buffer];
  llvm::Type* const type = emission_.value_type(buffer.dtype);
  llvm::Value* const address = byte_address(b_, function_.space_base(buffer), static_cast<std::int64_t>(buffer.offset));
  llvm::Value* const loss = b_.CreateAlignedLoad(type, address, llvm::Align(size_of(buffer.dtype)));
  llvm::Value* const magnitude = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, loss);
  // Not below infinity: infinite or NaN.
  function_.return_when(b_.CreateFCmpUGE(magnitude, llvm::ConstantFP::getInfinity(type)), Outcome::not_finite);
}

llvm::Value* StepCalls::emit_ticks(std::size_t kernel, llvm::Value* before) {
  llvm::Value* const now = b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
  llvm::Value* const all = b_.CreateAlignedLoad(
      emission_.pointer(), byte_address(b_, function_.argument("control"), kKernelTicks), llvm::Align(8));
  llvm::Value* const sum = byte_address(b_, all, static_cast<std::int64_t>(8 * kernel));
  llvm::Value* const old = b_.CreateAlignedLoad(b_.getInt64Ty(), sum, llvm::Align(8));
  b_.CreateAlignedStore(b_.CreateAdd(old, b_.CreateSub(now, before)), sum, llvm::Align(8));
  return b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
}

llvm::Value* StepCalls::emit_call(const Numbered& kernel, llvm::Value* parameters, const Batch& batch) {
  const KernelShape& shape = shapes_[kernel.number];
  llvm::Function* const function = kernels_[kernel.number];
  const bool has_parameters = shared_.is_shared(shape);
  if (const std::optional<Split> split = split_here(*kernel.kernel)) {
    llvm::Value* const given = has_parameters ? parameters : llvm::PoisonValue::get(emission_.pointer());
    emit_call_in_parts(emission_, b_, function,
                       {function_.state, function_.workspace, function_.arena, function_.frame, given}, batch.count,
                       split->from_batch, batch.control);
  } else {
    std::vector<llvm::Value*> arguments = {function_.state, function_.workspace, function_.arena, function_.frame,
                                           batch.count};
    if (has_parameters) arguments.push_back(parameters);
    b_.CreateCall(function, arguments);
  }
  if (!has_parameters) return parameters;
  return byte_address(b_, parameters, static_cast<std::int64_t>(8 * shape.parameters.size()));
}

llvm::Value* StepCalls::emit_repeat(const Repeat& repeat, std::size_t first, llvm::Value* parameters,
                                    const Batch& batch) {
  const std::uint32_t slot = emission_.repeat_slots + repeats_++;
  llvm::Value* behind = parameters;
  emit_loop(b_, {b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(repeat.count))}, 1, {},
            [&](llvm::Value* round, const Carried&) {
              function_.set_slot(slot, round);
              behind = emit(repeat.steps, first, parameters, batch);
              return Carried{};
            });
  --repeats_;
  return behind;
}

llvm::Value* StepCalls::emit_round(const std::vector<Numbered>& kernels, const CallRun& run, llvm::Value* parameters,
                                   const Batch& batch) {
  const bool ticks = counts_ticks();
  const auto now = [&] { return b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {}); };
  llvm::Value* before = ticks ? now() : nullptr;
  for (std::size_t i = run.first; i < run.first + run.period; ++i) {
    const auto call = [&] {
      parameters = emit_call(kernels[i], parameters, batch);
      return true;
    };
    const bool is_counted = by_kind(
        kernels[i].kernel->body, [&](const LoopKernel&) { return call(); },
        [&](const ContractionKernel&) { return call(); },
        [&](const FiniteGuard& guard) {
          emit_guard(guard);
          return true;
        },
        [&](const Repeat& repeat) {
          parameters = emit_repeat(repeat, kernels[i].number + 1, parameters, batch);
          return false;  // its steps are
        });
    if (ticks) before = is_counted ? emit_ticks(kernels[i].number, before) : now();
  }
  return parameters;
}

llvm::Value* StepCalls::emit(const std::vector<Kernel>& steps, std::size_t number, llvm::Value* parameters,
                             const Batch& batch) {
  std::vector<Numbered> kernels;
  std::vector<llvm::Function*> functions;
  for (const Kernel& kernel : steps) {
    kernels.push_back({&kernel, number});
    functions.push_back(kernels_[number]);
    number += count_kernels(kernel);
  }
  // Time is counted for each kernel.
  const std::vector<CallRun> runs =
      counts_ticks() ? std::vector<CallRun>{{0, functions.size(), 1}} : find_runs(functions);
  for (const CallRun& run : runs) {
    const auto repeats = static_cast<std::int64_t>(run.repeats);
    const Range range = {b_.getInt64(0), b_.getInt64(run.repeats), repeats};
    if (run.repeats == 1) {
      parameters = emit_round(kernels, run, parameters, batch);
    } else {
      parameters = emit_loop(b_, range, 1, {parameters}, [&](llvm::Value*, const Carried& row) {
        return Carried{emit_round(kernels, run, row[0], batch)};
      })[0];
    }
  }
  return parameters;
}

}  // namespace tarn
