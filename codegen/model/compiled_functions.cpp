// The C functions that compute: arguments become the arrays that the functions of the program take; accumulators are
// set and read around epochs. See compiled_functions.h, and c_header.cpp for what they promise.
#include "codegen/model/compiled_functions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "codegen/kernels/loops.h"
#include "codegen/model/interface_writer.h"
#include "codegen/program/entry_points.h"
#include "codegen/program/functions.h"
#include "llvm/IR/Constants.h"

namespace tarn {
namespace {

class InterfaceEmitter : InterfaceWriter {
 public:
  InterfaceEmitter(llvm::Module& module, const Program& program, const ProgramPlan& plan, const Target& target,
                   const ModelInterface& interface, std::span<const std::byte> weights, std::string level)
      : InterfaceWriter(module, program, interface, std::move(level)),
        plan_(plan),
        weights_(weights),
        layout_(workspace_layout(program, plan, target)) {}

  void emit_init(const std::string& name);
  void emit_predict(const std::string& name);
  void emit_predict_packed(const std::string& name);
  void emit_adapt(const std::string& name);
  void emit_train_step(const std::string& name);
  void emit_train_epoch(const std::string& name);
  void emit_evaluate(const std::string& name);

 private:
  llvm::Value* as_i64(llvm::Value* size) { return b_.CreateZExt(size, b_.getInt64Ty()); }
  llvm::Value* null() { return llvm::ConstantPointerNull::get(pointer_); }
  llvm::Value* nan() { return llvm::ConstantFP::getNaN(real_); }
  // `block`: the parameter that is the state, or packed weights; `function`: of the program.
  void emit_predict_from(const std::string& name, const std::string& block, const char* function);
  llvm::Function* program_function(const char* name) { return module_.getFunction(symbol_of(name)); }
  llvm::Value* arrays_of_samples();
  llvm::Value* workspace_for_arena(llvm::Value* arena);
  void reset_accumulators();
  llvm::Value* report();
  void store_metrics();
  void count_epoch();

  const ProgramPlan& plan_;
  const std::span<const std::byte> weights_;  // the state of a baked model
  const WorkspaceLayout layout_;
};

llvm::Value* InterfaceEmitter::arrays_of_samples() {
  return pointers({&api_.inputs, &api_.targets}, program_.inputs.size());
}

// Functions that use nothing of a workspace but the arena are given memory for the arena alone: the workspace that they
// believe in begins before it.
llvm::Value* InterfaceEmitter::workspace_for_arena(llvm::Value* arena) {
  return byte_address(b_, arena, -static_cast<std::int64_t>(layout_.arena));
}

void InterfaceEmitter::emit_init(const std::string& name) {
  begin(name, b_.getVoidTy(), {{pointer_, "state"}, {b_.getInt64Ty(), "seed"}});
  llvm::Value* const state = argument("state");
  const auto clear = [&](std::uint64_t first, std::uint64_t end) {
    emit_loop(b_, {b_.getInt64(first), b_.getInt64(end)}, 8, {}, [&](llvm::Value* at, const Carried&) {
      b_.CreateAlignedStore(b_.getInt64(0), b_.CreateGEP(b_.getInt8Ty(), state, at), llvm::Align(8));
      return Carried{};
    });
  };
  clear(0, api_.init_scratch);
  b_.CreateAlignedStore(b_.getInt64(api_.layout), byte_address(b_, state, offsetof(StateHeader, layout)),
                        llvm::Align(8));
  b_.CreateAlignedStore(argument("seed"), byte_address(b_, state, offsetof(StateHeader, seed)), llvm::Align(8));
  if (llvm::Function* const init = program_function("init")) {
    llvm::Value* const scratch = byte_address(b_, state, static_cast<std::int64_t>(api_.init_scratch));
    b_.CreateCall(init, {state, workspace_for_arena(scratch)});
    // Temporaries hold addresses: equal states would not be equal bytes.
    if (api_.state_bytes > api_.init_scratch) clear(api_.init_scratch, api_.state_bytes);
  }
  b_.CreateRetVoid();
}

void InterfaceEmitter::emit_predict_from(const std::string& name, const std::string& block, const char* function) {
  Parameters parameters;
  if (api_.has_state()) parameters.emplace_back(pointer_, block);
  parameters.emplace_back(pointer_, "workspace");
  add(parameters, api_.inputs, pointer_);
  add(parameters, api_.outputs, pointer_);
  parameters.emplace_back(size_, "samples");
  begin(name, b_.getVoidTy(), parameters);
  llvm::Value* state = argument(block);
  if (!api_.has_state()) {
    const llvm::StringRef bytes(reinterpret_cast<const char*>(weights_.data()), weights_.size());
    state = constant(llvm::ConstantDataArray::getString(module_.getContext(), bytes, false), "weights", kAlignment);
  }
  llvm::Value* const inputs = pointers({&api_.inputs}, program_.inputs.size());
  llvm::Value* const outputs = pointers({&api_.outputs}, program_.outputs.size());
  b_.CreateCall(program_function(function), {state, workspace_for_arena(argument("workspace")), inputs, outputs,
                                             as_i64(argument("samples")), null()});
  b_.CreateRetVoid();
}

void InterfaceEmitter::emit_predict(const std::string& name) { emit_predict_from(name, "state", "predict"); }

// Where there is nothing to gain, packed weights are the start of a state, so that prediction is one function for both.
void InterfaceEmitter::emit_predict_packed(const std::string& name) {
  if (plan_.plans.contains("predict_packed")) {
    emit_predict_from(name, "packed", "predict_packed");
  } else if (llvm::Function* const predict = module_.getFunction(api_.prefix + "_predict")) {
    llvm::GlobalAlias::create(predict->getFunctionType(), 0, llvm::GlobalValue::ExternalLinkage,
                              api_.prefix + "_" + name, predict, &module_);
  } else {
    emit_predict_from(name, "packed", "predict");
  }
}

void InterfaceEmitter::emit_adapt(const std::string& name) {
  Parameters parameters{{pointer_, "state"}, {pointer_, "workspace"}};
  add(parameters, api_.inputs, pointer_);
  parameters.emplace_back(size_, "rows");
  begin(name, b_.getInt32Ty(), parameters);
  llvm::Value* const arrays = pointers({&api_.inputs}, program_.inputs.size());
  llvm::Value* const outcome =
      b_.CreateCall(program_function("adapt"),
                    {argument("state"), argument("workspace"), arrays, null(), as_i64(argument("rows")), null()});
  b_.CreateRet(
      b_.CreateZExt(b_.CreateICmpNE(outcome, b_.getInt32(static_cast<std::uint32_t>(Outcome::done))), b_.getInt32Ty()));
}

// Accumulators start from their initial values.
void InterfaceEmitter::reset_accumulators() {
  for (const TensorInfo& tensor : program_.tensors) {
    const std::int64_t count = element_count(tensor.type.shape);
    if (tensor.kind != TensorKind::metric || count == 0) continue;
    const llvm::Align align(size_of(tensor.type.dtype));
    const bool is_single = tensor.type.dtype == DType::f32;
    TARN_CHECK(is_single || tensor.type.dtype == DType::f64, "an accumulator of integers");
    llvm::Type* const type = is_single ? b_.getFloatTy() : b_.getDoubleTy();
    llvm::Value* const first = byte_address(b_, argument("workspace"), static_cast<std::int64_t>(tensor.offset));
    llvm::Value* const value = llvm::ConstantFP::get(type, tensor.initial);
    emit_loop(b_, {b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(count)), count}, 1, {},
              [&](llvm::Value* at, const Carried&) {
                b_.CreateAlignedStore(value, element_address(b_, type, first, at), align);
                return Carried{};
              });
  }
}

// Computes loss and metrics from the accumulators; the loss.
llvm::Value* InterfaceEmitter::report() {
  llvm::Value* const values = byte_address(b_, argument("workspace"), static_cast<std::int64_t>(api_.metric_values));
  b_.CreateCall(program_function("report"), {argument("workspace"), values});
  return b_.CreateFPCast(b_.CreateAlignedLoad(b_.getDoubleTy(), values, llvm::Align(8)), real_);
}

// The values behind the loss go to the caller's array, if there is one.
void InterfaceEmitter::store_metrics() {
  if (api_.metric_count == 0) return;
  llvm::Value* const metrics = argument("metrics");
  when(b_.CreateIsNotNull(metrics), [&] {
    llvm::Value* const values =
        byte_address(b_, argument("workspace"), static_cast<std::int64_t>(api_.metric_values + sizeof(double)));
    const Range range{b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(api_.metric_count)), api_.metric_count};
    emit_loop(b_, range, 1, {}, [&](llvm::Value* at, const Carried&) {
      llvm::Value* const value =
          b_.CreateAlignedLoad(b_.getDoubleTy(), element_address(b_, b_.getDoubleTy(), values, at), llvm::Align(8));
      b_.CreateAlignedStore(b_.CreateFPCast(value, real_), element_address(b_, real_, metrics, at),
                            llvm::Align(size_of(api_.real)));
      return Carried{};
    });
  });
}

void InterfaceEmitter::count_epoch() {
  const TensorInfo* const epoch = program_.find_tensor("epoch");
  if (epoch == nullptr || epoch->kind != TensorKind::counter) return;
  llvm::Value* const address = byte_address(b_, argument("state"), static_cast<std::int64_t>(epoch->offset));
  llvm::Value* const before = b_.CreateAlignedLoad(b_.getDoubleTy(), address, llvm::Align(8));
  b_.CreateAlignedStore(b_.CreateFAdd(before, llvm::ConstantFP::get(b_.getDoubleTy(), 1)), address, llvm::Align(8));
}

void InterfaceEmitter::emit_train_step(const std::string& name) {
  Parameters parameters{{pointer_, "state"}, {pointer_, "workspace"}};
  add(parameters, api_.inputs, pointer_);
  add(parameters, api_.targets, pointer_);
  parameters.emplace_back(size_, "samples");
  begin(name, real_, parameters);
  llvm::Value* const below = b_.CreateSub(argument("samples"), llvm::ConstantInt::get(size_, 1));
  llvm::Value* const batch = llvm::ConstantInt::get(size_, static_cast<std::uint64_t>(api_.batch));
  return_when(b_.CreateICmpUGE(below, batch), nan());
  reset_accumulators();
  llvm::Value* const outcome = b_.CreateCall(
      program_function("train"),
      {argument("state"), argument("workspace"), arrays_of_samples(), null(), as_i64(argument("samples")), null()});
  return_when(b_.CreateICmpNE(outcome, b_.getInt32(static_cast<std::uint32_t>(Outcome::done))), nan());
  b_.CreateRet(report());
}

void InterfaceEmitter::emit_train_epoch(const std::string& name) {
  Parameters parameters{{pointer_, "state"}, {pointer_, "workspace"}};
  add(parameters, api_.inputs, pointer_);
  add(parameters, api_.targets, pointer_);
  parameters.insert(parameters.end(),
                    {{pointer_, "order"}, {size_, "rows"}, {pointer_, "metrics"}, {pointer_, "control"}});
  begin(name, real_, parameters);
  llvm::Value* const control = argument("control");
  when(b_.CreateIsNotNull(control), [&] { store_batches_done(b_, control, b_.getInt64(0)); });
  reset_accumulators();
  llvm::Value* const outcome =
      b_.CreateCall(program_function("train"), {argument("state"), argument("workspace"), arrays_of_samples(),
                                                argument("order"), as_i64(argument("rows")), control});
  const auto is = [&](Outcome wanted) {
    return b_.CreateICmpEQ(outcome, b_.getInt32(static_cast<std::uint32_t>(wanted)));
  };
  return_when(b_.CreateOr(is(Outcome::not_finite), is(Outcome::update_not_finite)), nan());
  when(is(Outcome::done), [&] { count_epoch(); });
  llvm::Value* const loss = report();
  store_metrics();
  b_.CreateRet(loss);
}

void InterfaceEmitter::emit_evaluate(const std::string& name) {
  Parameters parameters{{pointer_, "state"}, {pointer_, "workspace"}};
  add(parameters, api_.inputs, pointer_);
  add(parameters, api_.targets, pointer_);
  parameters.insert(parameters.end(), {{size_, "samples"}, {pointer_, "metrics"}});
  begin(name, real_, parameters);
  reset_accumulators();
  b_.CreateCall(program_function("evaluate"), {argument("state"), argument("workspace"), arrays_of_samples(), null(),
                                               as_i64(argument("samples")), null()});
  llvm::Value* const loss = report();
  store_metrics();
  b_.CreateRet(loss);
}

// The functions that compute; predict_packed may be another name of predict, which therefore stands before it.
struct CompiledFunction {
  const char* name;
  bool ModelInterface::* exists;
  void (InterfaceEmitter::*emit)(const std::string& name);
};
constexpr CompiledFunction kCompiledFunctions[] = {
    {"init", &ModelInterface::has_init, &InterfaceEmitter::emit_init},
    {"predict", &ModelInterface::has_predict, &InterfaceEmitter::emit_predict},
    {"predict_packed", &ModelInterface::has_pack, &InterfaceEmitter::emit_predict_packed},
    {"adapt", &ModelInterface::has_adapt, &InterfaceEmitter::emit_adapt},
    {"train_step", &ModelInterface::has_train, &InterfaceEmitter::emit_train_step},
    {"train_epoch", &ModelInterface::has_train, &InterfaceEmitter::emit_train_epoch},
    {"evaluate", &ModelInterface::has_evaluate, &InterfaceEmitter::emit_evaluate},
};

}  // namespace

void emit_compiled_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                             const Target& target, const ModelInterface& interface, std::span<const std::byte> weights,
                             const std::string& level) {
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.setLinkage(llvm::GlobalValue::PrivateLinkage);
    // Compiled once and kept: functions that run once are made as well as the others.
    function.removeFnAttr(llvm::Attribute::OptimizeNone);
    // Shorter instructions and no padding of loops: 5 % smaller, and not slower, since the vector code is emitted as it
    // is to stay.
    function.addFnAttr(llvm::Attribute::OptimizeForSize);
  }
  InterfaceEmitter emitter(module, program, plan, target, interface, weights, level);
  for (const CompiledFunction& function : kCompiledFunctions) {
    if (interface.*function.exists) (emitter.*function.emit)(function.name);
  }
}

std::vector<std::string> compiled_functions(const ModelInterface& interface) {
  std::vector<std::string> names;
  for (const CompiledFunction& function : kCompiledFunctions) {
    if (interface.*function.exists) names.push_back(interface.prefix + "_" + function.name);
  }
  return names;
}

}  // namespace tarn
