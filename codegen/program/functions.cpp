// The loops over batches around the kernels of a plan. See functions.h.
#include "codegen/program/functions.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "codegen/contraction/kernel.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/loop_kernels.h"
#include "codegen/kernels/loops.h"
#include "codegen/kernels/random_numbers.h"
#include "codegen/program/calls_in_parts.h"
#include "codegen/program/entry_points.h"
#include "codegen/program/gather.h"
#include "codegen/program/kernel_calls.h"
#include "ir/program_functions.h"
#include "llvm/IR/Constants.h"
#include "passes/plan/access.h"
#include "passes/plan/guarded_stores.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

namespace {

// Byte offsets of the fields of Control and StateHeader.
static_assert(offsetof(Control, stop) == 0);
constexpr std::int64_t kBatchesDone = offsetof(Control, batches_done);
constexpr std::int64_t kFirstSample = offsetof(Control, first_sample);
constexpr std::int64_t kKernelTicks = offsetof(Control, kernel_ticks);
constexpr std::int64_t kSeed = offsetof(StateHeader, seed);

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

class ProgramFunctionEmitter {
 public:
  ProgramFunctionEmitter(llvm::Module& module, const Program& program, const ProgramPlan& plan, const std::string& name,
                         const Machine& machine, SharedKernels& shared)
      : program_(program),
        name_(name),
        row_(function_named(name)),
        shared_(shared),
        layout_(workspace_layout(program, plan, machine.target)),
        module_(module),
        emission_{plan.plans.at(name), machine, module, nullptr, static_cast<std::uint32_t>(program.inputs.size())},
        b_(module.getContext()) {
    emission_.repeat_slots = static_cast<std::uint32_t>(kFramePointers + program.inputs.size() +
                                                        std::max<std::size_t>(program.outputs.size(), 1));
    const bool runs_once = row_.has(kRunsOnce);
    emission_.optimize = !runs_once || points(emission_.plan) > kCosts.optimized_points;
    emission_.small = runs_once && machine.single_rest && points(emission_.plan) <= kCosts.scalar_points;
    emission_.splits = !runs_once && machine.most_threads > 1;
    emission_.other_scratch = layout_.bytes;
    emission_.scratch_bytes = layout_.scratch;
    shapes_ =
        shared.announce(name, emission_.plan,
                        {emission_.optimize ? 'o' : '-', emission_.small ? 's' : '-', emission_.splits ? 't' : '-'});
  }

  void emit();

 private:
  void emit_constants();
  void emit_kernels();
  llvm::Function* kernel_function(const Kernel& kernel, const KernelShape& shape);
  void emit_parameters();
  bool predicts() const { return row_.has(kPredicts); }
  bool counts_ticks() const { return emission_.machine.count_ticks && (row_.has(kCountsSteps) || row_.has(kPredicts)); }
  void begin_function(llvm::Type* result, const std::vector<std::pair<llvm::Type*, const char*>>& arguments);
  llvm::Value* argument(const char* name);
  void emit_once(bool is_report);
  void emit_batches();
  void emit_batch(llvm::Value* position, llvm::Value* control);
  void emit_inputs(llvm::Value* position, llvm::Value* count, llvm::Value* control);
  void emit_outputs(llvm::Value* position);
  // What all calls of a batch have in common.
  struct Batch {
    llvm::Value *count, *control;
  };
  // A kernel and its number.
  struct Numbered {
    const Kernel* kernel;
    std::size_t number;
  };
  // Runs the kernels, the first of which has this number, with their parameters from `parameters` on; at a guard that
  // fails, returns from the function. Gives where the next parameters stand.
  llvm::Value* emit_kernel_calls(const std::vector<Kernel>& kernels, std::size_t number, llvm::Value* parameters,
                                 const Batch& batch);
  llvm::Value* emit_round(const std::vector<Numbered>& kernels, const CallRun& run, llvm::Value* parameters,
                          const Batch& batch);
  llvm::Value* emit_repeat(const Repeat& repeat, std::size_t first, llvm::Value* parameters, const Batch& batch);
  llvm::Value* emit_call(const Numbered& kernel, llvm::Value* parameters, const Batch& batch);
  std::optional<Split> split_here(const Kernel& kernel) const {
    return emission_.splits ? kernel.tactics.split : std::nullopt;
  }
  // The counter of time after kernel number `kernel`, which began at `before`.
  llvm::Value* emit_ticks(std::size_t kernel, llvm::Value* before);
  void emit_guard(const FiniteGuard& guard);
  void set_frame(std::uint32_t slot, llvm::Value* value);
  void set_key_and_step(llvm::Value* first_sample);
  llvm::Value* space_base(const Buffer& buffer);
  std::vector<bool> used(Space space, std::size_t count) const;
  std::vector<bool> copied_inputs() const;
  void return_when(llvm::Value* condition, Outcome outcome);

  const Program& program_;
  const std::string name_;
  const FunctionInfo& row_;
  SharedKernels& shared_;
  const WorkspaceLayout layout_;
  llvm::Module& module_;
  Emission emission_;
  llvm::IRBuilder<> b_;
  llvm::Function* function_ = nullptr;
  std::vector<std::string> argument_names_;  // LLVM keeps none where nobody reads them
  std::vector<KernelShape> shapes_;          // of the plan's kernels, by number
  std::vector<llvm::Function*> kernels_;     // nullptr for guards and repeats
  std::uint32_t repeats_ = 0;                // around what is emitted
  llvm::GlobalVariable* parameters_ = nullptr;
  llvm::Value *frame_ = nullptr, *state_ = nullptr, *workspace_ = nullptr, *arena_ = nullptr, *key_ = nullptr;
};

void ProgramFunctionEmitter::emit_constants() {
  const std::vector<std::byte>& bytes = emission_.plan.constants;
  if (bytes.empty()) return;
  const llvm::StringRef text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  llvm::Constant* const data = llvm::ConstantDataArray::getString(module_.getContext(), text, /*AddNull=*/false);
  emission_.constants = new llvm::GlobalVariable(module_, data->getType(), /*isConstant=*/true,
                                                 llvm::GlobalValue::PrivateLinkage, data, "constants");
  emission_.constants->setAlignment(llvm::Align(kAlignment));
}

llvm::Function* ProgramFunctionEmitter::kernel_function(const Kernel& kernel, const KernelShape& shape) {
  const auto made = [&](const auto& emit_body) {
    llvm::Function*& known = shared_.function(shape);
    if (known != nullptr) return known;
    KernelFunction function(emission_, name_ + "." + kernel.name, shared_.is_shared(shape) ? &shape : nullptr,
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

void ProgramFunctionEmitter::emit_kernels() {
  for_each_kernel(emission_.plan.kernels,
                  [&](const Kernel& kernel) { kernels_.push_back(kernel_function(kernel, shapes_[kernels_.size()])); });
}

// The table of the parameters of shared kernels, in the order of their calls.
void ProgramFunctionEmitter::emit_parameters() {
  std::vector<std::uint64_t> table;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (kernels_[i] == nullptr || !shared_.is_shared(shapes_[i])) continue;
    table.insert(table.end(), shapes_[i].parameters.begin(), shapes_[i].parameters.end());
  }
  if (table.empty()) return;
  llvm::Constant* const data = llvm::ConstantDataArray::get(module_.getContext(), table);
  parameters_ = new llvm::GlobalVariable(module_, data->getType(), /*isConstant=*/true,
                                         llvm::GlobalValue::PrivateLinkage, data, "parameters");
  parameters_->setAlignment(llvm::Align(8));
}

void ProgramFunctionEmitter::begin_function(llvm::Type* result,
                                            const std::vector<std::pair<llvm::Type*, const char*>>& arguments) {
  std::vector<llvm::Type*> types;
  for (const auto& argument : arguments) types.push_back(argument.first);
  function_ = llvm::Function::Create(llvm::FunctionType::get(result, types, false), llvm::GlobalValue::ExternalLinkage,
                                     symbol_of(name_), module_);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  argument_names_.clear();
  for (auto& value : function_->args()) {
    value.setName(arguments[value.getArgNo()].second);
    argument_names_.emplace_back(arguments[value.getArgNo()].second);
  }
  b_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function_));
  const std::size_t slots = emission_.repeat_slots + depth(emission_.plan.kernels);
  llvm::AllocaInst* const frame = b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), slots), nullptr, "frame");
  frame->setAlignment(llvm::Align(8));
  frame_ = frame;
  workspace_ = argument("workspace");
  arena_ = byte_address(b_, workspace_, static_cast<std::int64_t>(layout_.arena));
}

llvm::Value* ProgramFunctionEmitter::argument(const char* name) {
  const auto at = std::find(argument_names_.begin(), argument_names_.end(), name);
  return function_->getArg(static_cast<unsigned>(at - argument_names_.begin()));
}

void ProgramFunctionEmitter::set_frame(std::uint32_t slot, llvm::Value* value) {
  b_.CreateAlignedStore(value, byte_address(b_, frame_, 8 * std::int64_t{slot}), llvm::Align(8));
}

// The step counter, an f64 in the state, is read before any kernel of the step may count it up.
void ProgramFunctionEmitter::set_key_and_step(llvm::Value* first_sample) {
  llvm::Value* step = b_.getInt64(0);
  const TensorInfo* const counter = program_.find_tensor("step");
  if (row_.has(kCountsSteps) && counter != nullptr) {
    llvm::Value* const address = byte_address(b_, state_, static_cast<std::int64_t>(counter->offset));
    step = b_.CreateFPToUI(b_.CreateAlignedLoad(b_.getDoubleTy(), address, llvm::Align(8)), b_.getInt64Ty());
  }
  set_frame(kFrameKey, key_);
  set_frame(kFrameStep, step);
  set_frame(kFrameFirstSample, first_sample);
}

llvm::Value* ProgramFunctionEmitter::space_base(const Buffer& buffer) {
  switch (buffer.space) {
    case Space::state:
      return state_;
    case Space::accumulators:
      return workspace_;
    case Space::arena:
      return arena_;
    case Space::constants:
      return emission_.constants;
    case Space::input:
    case Space::output:
      break;
  }
  const std::size_t slot = kFramePointers + buffer.index + (buffer.space == Space::output ? program_.inputs.size() : 0);
  return b_.CreateAlignedLoad(emission_.pointer(), byte_address(b_, frame_, static_cast<std::int64_t>(8 * slot)),
                              llvm::Align(8));
}

void ProgramFunctionEmitter::return_when(llvm::Value* condition, Outcome outcome) {
  llvm::BasicBlock* const leave = llvm::BasicBlock::Create(module_.getContext(), "leave", function_);
  llvm::BasicBlock* const go_on = llvm::BasicBlock::Create(module_.getContext(), "go_on", function_);
  b_.CreateCondBr(condition, leave, go_on);
  b_.SetInsertPoint(leave);
  b_.CreateRet(b_.getInt32(static_cast<std::uint32_t>(outcome)));
  b_.SetInsertPoint(go_on);
}

void ProgramFunctionEmitter::emit_guard(const FiniteGuard& guard) {
  if (!row_.has(kCountsSteps)) return;
  const Buffer& buffer = emission_.plan.buffers[guard.buffer];
  llvm::Type* const type = emission_.value_type(buffer.dtype);
  llvm::Value* const address = byte_address(b_, space_base(buffer), static_cast<std::int64_t>(buffer.offset));
  llvm::Value* const loss = b_.CreateAlignedLoad(type, address, llvm::Align(size_of(buffer.dtype)));
  llvm::Value* const magnitude = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, loss);
  // Not below infinity: infinite or NaN.
  return_when(b_.CreateFCmpUGE(magnitude, llvm::ConstantFP::getInfinity(type)), Outcome::not_finite);
}

llvm::Value* ProgramFunctionEmitter::emit_ticks(std::size_t kernel, llvm::Value* before) {
  llvm::Value* const now = b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
  llvm::Value* const all =
      b_.CreateAlignedLoad(emission_.pointer(), byte_address(b_, argument("control"), kKernelTicks), llvm::Align(8));
  llvm::Value* const sum = byte_address(b_, all, static_cast<std::int64_t>(8 * kernel));
  llvm::Value* const old = b_.CreateAlignedLoad(b_.getInt64Ty(), sum, llvm::Align(8));
  b_.CreateAlignedStore(b_.CreateAdd(old, b_.CreateSub(now, before)), sum, llvm::Align(8));
  return b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {});
}

llvm::Value* ProgramFunctionEmitter::emit_call(const Numbered& kernel, llvm::Value* parameters, const Batch& batch) {
  const KernelShape& shape = shapes_[kernel.number];
  llvm::Function* const function = kernels_[kernel.number];
  const bool has_parameters = shared_.is_shared(shape);
  if (const std::optional<Split> split = split_here(*kernel.kernel)) {
    llvm::Value* const given = has_parameters ? parameters : llvm::PoisonValue::get(emission_.pointer());
    emit_call_in_parts(emission_, b_, function, {state_, workspace_, arena_, frame_, given}, batch.count,
                       split->from_batch, batch.control);
  } else {
    std::vector<llvm::Value*> arguments = {state_, workspace_, arena_, frame_, batch.count};
    if (has_parameters) arguments.push_back(parameters);
    b_.CreateCall(function, arguments);
  }
  if (!has_parameters) return parameters;
  return byte_address(b_, parameters, static_cast<std::int64_t>(8 * shape.parameters.size()));
}

llvm::Value* ProgramFunctionEmitter::emit_repeat(const Repeat& repeat, std::size_t first, llvm::Value* parameters,
                                                 const Batch& batch) {
  const std::uint32_t slot = emission_.repeat_slots + repeats_++;
  llvm::Value* behind = parameters;
  emit_loop(b_, {b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(repeat.count))}, 1, {},
            [&](llvm::Value* round, const Carried&) {
              set_frame(slot, round);
              behind = emit_kernel_calls(repeat.steps, first, parameters, batch);
              return Carried{};
            });
  --repeats_;
  return behind;
}

llvm::Value* ProgramFunctionEmitter::emit_round(const std::vector<Numbered>& kernels, const CallRun& run,
                                                llvm::Value* parameters, const Batch& batch) {
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

llvm::Value* ProgramFunctionEmitter::emit_kernel_calls(const std::vector<Kernel>& steps, std::size_t number,
                                                       llvm::Value* parameters, const Batch& batch) {
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

// Functions without samples: init, and report, whose only output is the array of values.
void ProgramFunctionEmitter::emit_once(bool is_report) {
  llvm::Type* const pointer = emission_.pointer();
  if (is_report) {
    begin_function(b_.getVoidTy(), {{pointer, "workspace"}, {pointer, "values"}});
    state_ = llvm::ConstantPointerNull::get(llvm::cast<llvm::PointerType>(pointer));
    set_frame(static_cast<std::uint32_t>(kFramePointers + program_.inputs.size()), argument("values"));
  } else {
    begin_function(b_.getVoidTy(), {{pointer, "state"}, {pointer, "workspace"}});
    state_ = argument("state");
    llvm::Value* const seed = b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, state_, kSeed), llvm::Align(8));
    key_ = emit_mix_bits(b_, seed);
    set_key_and_step(b_.getInt64(0));
  }
  emit_kernel_calls(emission_.plan.kernels, 0, parameters_, {b_.getInt64(1), nullptr});
  b_.CreateRetVoid();
}

void ProgramFunctionEmitter::emit_batches() {
  llvm::Type* const pointer = emission_.pointer();
  begin_function(b_.getInt32Ty(), {{pointer, "state"},
                                   {pointer, "workspace"},
                                   {pointer, "arrays"},
                                   {pointer, predicts() ? "outputs" : "order"},
                                   {b_.getInt64Ty(), "rows"},
                                   {pointer, "control"}});
  state_ = argument("state");
  llvm::Value* const seed = b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, state_, kSeed), llvm::Align(8));
  key_ = emit_mix_bits(b_, seed);
  // Callers in a hurry pass no control: one of zeros serves then.
  llvm::AllocaInst* const zeros = b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), sizeof(Control) / 8));
  zeros->setAlignment(llvm::Align(8));
  for (std::size_t i = 0; i < sizeof(Control); i += 8) {
    b_.CreateAlignedStore(b_.getInt64(0), byte_address(b_, zeros, static_cast<std::int64_t>(i)), llvm::Align(8));
  }
  llvm::Value* const control =
      b_.CreateSelect(b_.CreateIsNull(argument("control")), zeros, argument("control"), "control");
  llvm::Value* const rows = argument("rows");
  emit_if(b_, b_.CreateICmpNE(rows, b_.getInt64(0)), {}, [&](const Carried&) {
    emit_loop(b_, {b_.getInt64(0), rows}, emission_.plan.max_batch, {}, [&](llvm::Value* position, const Carried&) {
      emit_batch(position, control);
      return Carried{};
    });
    return Carried{};
  });
  b_.CreateRet(b_.getInt32(static_cast<std::uint32_t>(Outcome::done)));
}

void ProgramFunctionEmitter::emit_batch(llvm::Value* position, llvm::Value* control) {
  llvm::LoadInst* const stop = b_.CreateAlignedLoad(b_.getInt32Ty(), control, llvm::Align(4));
  stop->setAtomic(llvm::AtomicOrdering::Monotonic);
  return_when(b_.CreateICmpNE(stop, b_.getInt32(0)), Outcome::stopped);
  llvm::Value* const left = b_.CreateSub(argument("rows"), position);
  llvm::Value* const count = b_.CreateBinaryIntrinsic(
      llvm::Intrinsic::umin, left, b_.getInt64(static_cast<std::uint64_t>(emission_.plan.max_batch)));
  llvm::Value* first_sample = b_.getInt64(0);
  if (!row_.has(kCountsSteps)) {
    llvm::Value* const first =
        b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, control, kFirstSample), llvm::Align(8));
    first_sample = b_.CreateAdd(first, position);
  }
  set_key_and_step(first_sample);
  emit_inputs(position, count, control);
  if (predicts()) emit_outputs(position);
  const bool is_guarded = has_guarded_stores(emission_.plan);
  if (is_guarded) set_frame(kFrameNotFinite, b_.getInt64(0));
  emit_kernel_calls(emission_.plan.kernels, 0, parameters_, {count, control});
  if (is_guarded) {
    llvm::Value* const flag = byte_address(b_, frame_, 8 * std::int64_t{kFrameNotFinite});
    llvm::Value* const raised = b_.CreateAlignedLoad(b_.getInt32Ty(), flag, llvm::Align(8));
    return_when(b_.CreateICmpNE(raised, b_.getInt32(0)), Outcome::update_not_finite);
  }
  llvm::Value* const done = byte_address(b_, control, kBatchesDone);
  llvm::Value* const before = b_.CreateAlignedLoad(b_.getInt64Ty(), done, llvm::Align(8));
  store_batches_done(b_, control, b_.CreateAdd(before, b_.getInt64(1)));
}

std::vector<bool> ProgramFunctionEmitter::used(Space space, std::size_t count) const {
  std::vector<bool> used(count);
  for (const Buffer& buffer : emission_.plan.buffers) {
    if (buffer.space == space) used[buffer.index] = true;
  }
  return used;
}

// Inputs whose samples a kernel copies from where they are.
std::vector<bool> ProgramFunctionEmitter::copied_inputs() const {
  std::vector<bool> copied(program_.inputs.size());
  for_each_loop(emission_.plan.kernels, [&](const LoopKernel& loop, const CpuTactics& tactics) {
    if (tactics.copy != CpuTactics::Copy::of_samples) return;
    copied[emission_.plan.buffers[loop.body.values.front().access.buffer].index] = true;
  });
  return copied;
}

// With an order, rows are gathered into the workspace, or a table of their addresses is made there; without, the arrays
// are read where they are.
void ProgramFunctionEmitter::emit_inputs(llvm::Value* position, llvm::Value* count, llvm::Value* control) {
  const std::vector<bool> used_inputs = used(Space::input, program_.inputs.size());
  const auto each = [&](const auto& action) {
    for (std::size_t i = 0; i < used_inputs.size(); ++i) {
      if (!used_inputs[i]) continue;
      llvm::Value* const array = b_.CreateAlignedLoad(
          emission_.pointer(), byte_address(b_, argument("arrays"), static_cast<std::int64_t>(8 * i)), llvm::Align(8));
      action(i, array, sample_bytes(program_.inputs[i].type));
    }
  };
  const auto in_place = [&] {
    each([&](std::size_t i, llvm::Value* array, std::uint64_t bytes) {
      llvm::Value* const distance = multiply_add(b_, position, static_cast<std::int64_t>(bytes), nullptr);
      set_frame(static_cast<std::uint32_t>(kFramePointers + i), element_address(b_, b_.getInt8Ty(), array, distance));
    });
  };
  in_place();
  if (predicts()) return;
  set_frame(kFrameOrder, llvm::ConstantPointerNull::get(b_.getPtrTy()));
  llvm::Value* const order = argument("order");
  const std::vector<bool> copied = copied_inputs(), tables = inputs_in_place(emission_.plan, program_.inputs.size());
  const auto workspace_of = [&](std::size_t i) {
    return byte_address(b_, workspace_, static_cast<std::int64_t>(layout_.rows[i]));
  };
  emit_if(b_, b_.CreateIsNotNull(order), {}, [&](const Carried&) {
    llvm::Value* const order_rows = b_.CreateGEP(b_.getInt32Ty(), order, position);
    set_frame(kFrameOrder, order_rows);
    each([&](std::size_t i, llvm::Value* array, std::uint64_t bytes) {
      if (copied[i] || tables[i]) return set_frame(static_cast<std::uint32_t>(kFramePointers + i), array);
      llvm::Value* const target = workspace_of(i);
      emit_gather(emission_, b_, name_ + ".gather " + program_.inputs[i].name, bytes, {order_rows, target, array},
                  count, control);
      set_frame(static_cast<std::uint32_t>(kFramePointers + i), target);
    });
    return Carried{};
  });
  each([&](std::size_t i, llvm::Value*, std::uint64_t bytes) {
    if (!tables[i]) return;
    const auto slot = static_cast<std::uint32_t>(kFramePointers + i);
    const auto frame = [&](std::uint32_t number) {
      return b_.CreateAlignedLoad(emission_.pointer(), byte_address(b_, frame_, 8 * std::int64_t{number}),
                                  llvm::Align(8));
    };
    llvm::Value* const table = workspace_of(i);
    emit_row_table(emission_, b_, bytes, {frame(kFrameOrder), table, frame(slot)}, count);
    set_frame(slot, table);
  });
}

void ProgramFunctionEmitter::emit_outputs(llvm::Value* position) {
  const std::vector<bool> used_outputs = used(Space::output, program_.outputs.size());
  for (std::size_t i = 0; i < used_outputs.size(); ++i) {
    if (!used_outputs[i]) continue;
    llvm::Value* const array = b_.CreateAlignedLoad(
        emission_.pointer(), byte_address(b_, argument("outputs"), static_cast<std::int64_t>(8 * i)), llvm::Align(8));
    const auto bytes = static_cast<std::int64_t>(sample_bytes(program_.outputs[i].type));
    set_frame(static_cast<std::uint32_t>(kFramePointers + program_.inputs.size() + i),
              element_address(b_, b_.getInt8Ty(), array, multiply_add(b_, position, bytes, nullptr)));
  }
}

void ProgramFunctionEmitter::emit() {
  emit_constants();
  emit_kernels();
  emit_parameters();
  if (row_.has(kRunsOnce)) {
    emit_once(name_ == "report");
  } else {
    emit_batches();
  }
}

}  // namespace

std::string symbol_of(const std::string& name) { return "tarn_" + name; }

void store_batches_done(llvm::IRBuilderBase& b, llvm::Value* control, llvm::Value* count) {
  llvm::StoreInst* const store = b.CreateAlignedStore(count, byte_address(b, control, kBatchesDone), llvm::Align(8));
  const llvm::DataLayout& layout = b.GetInsertBlock()->getDataLayout();
  // Elsewhere that is a call of a function that the code would need.
  if (layout.getPointerSizeInBits() == 64) {
    store->setAtomic(llvm::AtomicOrdering::Monotonic);
  } else {
    store->setVolatile(true);
  }
}

std::unique_ptr<llvm::Module> emit_program(llvm::LLVMContext& context, const Program& program, const ProgramPlan& plan,
                                           const std::vector<std::string>& names, const Machine& machine) {
  auto module = std::make_unique<llvm::Module>(program.name.empty() ? "tarn" : program.name, context);
  module->setTargetTriple(machine.llvm->getTargetTriple().str());
  module->setDataLayout(machine.llvm->createDataLayout());
  emit_program(*module, program, plan, names, machine);
  return module;
}

void emit_program(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                  const std::vector<std::string>& names, const Machine& machine) {
  SharedKernels shared;
  std::deque<ProgramFunctionEmitter> emitters;
  for (const std::string& name : names) emitters.emplace_back(module, program, plan, name, machine, shared);
  for (ProgramFunctionEmitter& emitter : emitters) emitter.emit();
}

}  // namespace tarn
