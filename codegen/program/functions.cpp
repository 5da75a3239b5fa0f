// The loops over batches around the kernels of a plan. See functions.h.
#include "codegen/program/functions.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "codegen/kernels/loops.h"
#include "codegen/kernels/random_numbers.h"
#include "codegen/program/entry_points.h"
#include "codegen/program/gather.h"
#include "codegen/program/program_function.h"
#include "codegen/program/step_calls.h"
#include "llvm/IR/Constants.h"
#include "passes/plan/guarded_stores.h"

namespace tarn {

namespace {

// Byte offsets of the fields of Control and StateHeader.
static_assert(offsetof(Control, stop) == 0);
constexpr std::int64_t kBatchesDone = offsetof(Control, batches_done);
constexpr std::int64_t kFirstSample = offsetof(Control, first_sample);
constexpr std::int64_t kSeed = offsetof(StateHeader, seed);

class ProgramFunctionEmitter {
 public:
  ProgramFunctionEmitter(llvm::Module& module, const Program& program, const ProgramPlan& plan, const std::string& name,
                         const Machine& machine, SharedKernels& shared)
      : function_(module, program, plan, name, machine),
        b_(function_.b),
        emission_(function_.emission),
        calls_(function_, shared) {}

  void emit();

 private:
  void emit_constants();
  void emit_once(bool is_report);
  void emit_batches();
  void emit_batch(llvm::Value* position, llvm::Value* control);
  void emit_inputs(llvm::Value* position, llvm::Value* count, llvm::Value* control);
  void emit_outputs(llvm::Value* position);
  std::vector<bool> used(Space space, std::size_t count) const;
  std::vector<bool> copied_inputs() const;

  ProgramFunction function_;
  llvm::IRBuilder<>& b_;  // of the function, as the next one
  Emission& emission_;
  StepCalls calls_;
};

void ProgramFunctionEmitter::emit_constants() {
  const std::vector<std::byte>& bytes = emission_.plan.constants;
  if (bytes.empty()) return;
  const llvm::StringRef text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  llvm::Constant* const data =
      llvm::ConstantDataArray::getString(function_.module.getContext(), text, /*AddNull=*/false);
  emission_.constants = new llvm::GlobalVariable(function_.module, data->getType(), /*isConstant=*/true,
                                                 llvm::GlobalValue::PrivateLinkage, data, "constants");
  emission_.constants->setAlignment(llvm::Align(kAlignment));
}

// Functions without samples: init, and report, whose only output is the array of values.
void ProgramFunctionEmitter::emit_once(bool is_report) {
  llvm::Type* const pointer = emission_.pointer();
  if (is_report) {
    function_.begin(b_.getVoidTy(), {{pointer, "workspace"}, {pointer, "values"}});
    function_.state = llvm::ConstantPointerNull::get(llvm::cast<llvm::PointerType>(pointer));
    function_.set_slot(static_cast<std::uint32_t>(kFramePointers + function_.program.inputs.size()),
                       function_.argument("values"));
  } else {
    function_.begin(b_.getVoidTy(), {{pointer, "state"}, {pointer, "workspace"}});
    function_.state = function_.argument("state");
    llvm::Value* const seed =
        b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, function_.state, kSeed), llvm::Align(8));
    function_.key = emit_mix_bits(b_, seed);
    function_.set_key_and_step(b_.getInt64(0));
  }
  calls_.emit({b_.getInt64(1), nullptr});
  b_.CreateRetVoid();
}

void ProgramFunctionEmitter::emit_batches() {
  llvm::Type* const pointer = emission_.pointer();
  function_.begin(b_.getInt32Ty(), {{pointer, "state"},
                                    {pointer, "workspace"},
                                    {pointer, "arrays"},
                                    {pointer, function_.predicts() ? "outputs" : "order"},
                                    {b_.getInt64Ty(), "rows"},
                                    {pointer, "control"}});
  function_.state = function_.argument("state");
  llvm::Value* const seed =
      b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, function_.state, kSeed), llvm::Align(8));
  function_.key = emit_mix_bits(b_, seed);
  // Callers in a hurry pass no control: one of zeros serves then.
  llvm::AllocaInst* const zeros = b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), sizeof(Control) / 8));
  zeros->setAlignment(llvm::Align(8));
  for (std::size_t i = 0; i < sizeof(Control); i += 8) {
    b_.CreateAlignedStore(b_.getInt64(0), byte_address(b_, zeros, static_cast<std::int64_t>(i)), llvm::Align(8));
  }
  llvm::Value* const control =
      b_.CreateSelect(b_.CreateIsNull(function_.argument("control")), zeros, function_.argument("control"), "control");
  llvm::Value* const rows = function_.argument("rows");
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
  function_.return_when(b_.CreateICmpNE(stop, b_.getInt32(0)), Outcome::stopped);
  llvm::Value* const left = b_.CreateSub(function_.argument("rows"), position);
  llvm::Value* const count = b_.CreateBinaryIntrinsic(
      llvm::Intrinsic::umin, left, b_.getInt64(static_cast<std::uint64_t>(emission_.plan.max_batch)));
  llvm::Value* first_sample = b_.getInt64(0);
  if (!function_.row.has(kCountsSteps)) {
    llvm::Value* const first =
        b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, control, kFirstSample), llvm::Align(8));
    first_sample = b_.CreateAdd(first, position);
  }
  function_.set_key_and_step(first_sample);
  emit_inputs(position, count, control);
  if (function_.predicts()) emit_outputs(position);
  const bool is_guarded = has_guarded_stores(emission_.plan);
  if (is_guarded) function_.set_slot(kFrameNotFinite, b_.getInt64(0));
  calls_.emit({count, control});
  if (is_guarded) {
    llvm::Value* const flag = byte_address(b_, function_.frame, 8 * std::int64_t{kFrameNotFinite});
    llvm::Value* const raised = b_.CreateAlignedLoad(b_.getInt32Ty(), flag, llvm::Align(8));
    function_.return_when(b_.CreateICmpNE(raised, b_.getInt32(0)), Outcome::update_not_finite);
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
  std::vector<bool> copied(function_.program.inputs.size());
  for_each_loop(emission_.plan.kernels, [&](const LoopKernel& loop, const CpuTactics& tactics) {
    if (tactics.copy != CpuTactics::Copy::of_samples) return;
    copied[emission_.plan.buffers[loop.body.values.front().access.buffer].index] = true;
  });
  return copied;
}

// With an order, rows are gathered into the workspace, or a table of their addresses is made there; without, the arrays
// are read where they are.
void ProgramFunctionEmitter::emit_inputs(llvm::Value* position, llvm::Value* count, llvm::Value* control) {
  const std::vector<bool> used_inputs = used(Space::input, function_.program.inputs.size());
  const auto each = [&](const auto& action) {
    for (std::size_t i = 0; i < used_inputs.size(); ++i) {
      if (!used_inputs[i]) continue;
      llvm::Value* const array = b_.CreateAlignedLoad(
          emission_.pointer(), byte_address(b_, function_.argument("arrays"), static_cast<std::int64_t>(8 * i)),
          llvm::Align(8));
      action(i, array, sample_bytes(function_.program.inputs[i].type));
    }
  };
  const auto in_place = [&] {
    each([&](std::size_t i, llvm::Value* array, std::uint64_t bytes) {
      llvm::Value* const distance = multiply_add(b_, position, static_cast<std::int64_t>(bytes), nullptr);
      function_.set_slot(static_cast<std::uint32_t>(kFramePointers + i),
                         element_address(b_, b_.getInt8Ty(), array, distance));
    });
  };
  in_place();
  if (function_.predicts()) return;
  function_.set_slot(kFrameOrder, llvm::ConstantPointerNull::get(b_.getPtrTy()));
  llvm::Value* const order = function_.argument("order");
  const std::vector<bool> copied = copied_inputs(),
                          tables = inputs_in_place(emission_.plan, function_.program.inputs.size());
  const auto workspace_of = [&](std::size_t i) {
    return byte_address(b_, function_.workspace, static_cast<std::int64_t>(function_.layout.rows[i]));
  };
  emit_if(b_, b_.CreateIsNotNull(order), {}, [&](const Carried&) {
    llvm::Value* const order_rows = b_.CreateGEP(b_.getInt32Ty(), order, position);
    function_.set_slot(kFrameOrder, order_rows);
    each([&](std::size_t i, llvm::Value* array, std::uint64_t bytes) {
      if (copied[i] || tables[i]) return function_.set_slot(static_cast<std::uint32_t>(kFramePointers + i), array);
      llvm::Value* const target = workspace_of(i);
      emit_gather(emission_, b_, function_.name + ".gather " + function_.program.inputs[i].name, bytes,
                  {order_rows, target, array}, count, control);
      function_.set_slot(static_cast<std::uint32_t>(kFramePointers + i), target);
    });
    return Carried{};
  });
  each([&](std::size_t i, llvm::Value*, std::uint64_t bytes) {
    if (!tables[i]) return;
    const auto slot = static_cast<std::uint32_t>(kFramePointers + i);
    const auto frame = [&](std::uint32_t number) {
      return b_.CreateAlignedLoad(emission_.pointer(), byte_address(b_, function_.frame, 8 * std::int64_t{number}),
                                  llvm::Align(8));
    };
    llvm::Value* const table = workspace_of(i);
    emit_row_table(emission_, b_, bytes, {frame(kFrameOrder), table, frame(slot)}, count);
    function_.set_slot(slot, table);
  });
}

void ProgramFunctionEmitter::emit_outputs(llvm::Value* position) {
  const std::vector<bool> used_outputs = used(Space::output, function_.program.outputs.size());
  for (std::size_t i = 0; i < used_outputs.size(); ++i) {
    if (!used_outputs[i]) continue;
    llvm::Value* const array = b_.CreateAlignedLoad(
        emission_.pointer(), byte_address(b_, function_.argument("outputs"), static_cast<std::int64_t>(8 * i)),
        llvm::Align(8));
    const auto bytes = static_cast<std::int64_t>(sample_bytes(function_.program.outputs[i].type));
    function_.set_slot(static_cast<std::uint32_t>(kFramePointers + function_.program.inputs.size() + i),
                       element_address(b_, b_.getInt8Ty(), array, multiply_add(b_, position, bytes, nullptr)));
  }
}

void ProgramFunctionEmitter::emit() {
  emit_constants();
  calls_.emit_functions();
  if (function_.row.has(kRunsOnce)) {
    emit_once(function_.name == "report");
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
