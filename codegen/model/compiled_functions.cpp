// The C functions: arguments become the arrays that the functions of the program take; accumulators are set and read
// around epochs. See compiled_functions.h, and c_header.cpp for what they promise.
#include "codegen/model/compiled_functions.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/kernels/loops.h"
#include "codegen/model/cpu_dispatch.h"
#include "codegen/program/entry_points.h"
#include "codegen/program/functions.h"
#include "llvm/IR/Constants.h"

namespace tarn {

namespace {

// Results of NAME_check, as the header has them.
enum CheckResult : std::uint32_t { kStateGood, kWrongSize, kWrongAlignment, kWrongLayout };

class InterfaceEmitter {
 public:
  InterfaceEmitter(llvm::Module& module, const Program& program, const ProgramPlan& plan, const Target& target,
                   const ModelInterface& interface, std::span<const std::byte> weights, std::string level)
      : module_(module),
        program_(program),
        plan_(plan),
        api_(interface),
        weights_(weights),
        level_(std::move(level)),
        layout_(workspace_layout(program, plan, target)),
        b_(module.getContext()),
        pointer_(llvm::PointerType::getUnqual(module.getContext())),
        size_(module.getDataLayout().getIntPtrType(module.getContext())),
        real_(interface.real == DType::f64 ? b_.getDoubleTy() : b_.getFloatTy()) {}

  void emit_size(const char* name, std::uint64_t bytes);
  // 0, or what is wrong with `bytes` bytes at `block`, a state or the start of one.
  void emit_check(const std::string& name, const std::string& block, std::uint64_t bytes);
  void emit_init(const std::string& name);
  void emit_predict(const std::string& name);
  void emit_predict_packed(const std::string& name);
  void emit_adapt(const std::string& name);
  void emit_train_step(const std::string& name);
  void emit_train_epoch(const std::string& name);
  void emit_evaluate(const std::string& name);
  void emit_pack();
  void emit_finish_training();
  void emit_tensors();
  void emit_class_names(const std::string& function, const std::vector<std::string>& names);

 private:
  using Parameters = std::vector<std::pair<llvm::Type*, std::string>>;

  void begin(const std::string& name, llvm::Type* result, const Parameters& parameters);
  llvm::Value* argument(const std::string& name);
  llvm::Value* as_i64(llvm::Value* size) { return b_.CreateZExt(size, b_.getInt64Ty()); }
  llvm::Value* null() { return llvm::ConstantPointerNull::get(pointer_); }
  llvm::Value* nan() { return llvm::ConstantFP::getNaN(real_); }
  // `block`: the parameter that is the state, or packed weights; `function`: of the program.
  void emit_predict_from(const std::string& name, const std::string& block, const char* function);
  bool packs() const { return plan_.plans.contains("predict_packed"); }
  void copy_groups(llvm::Value* from, llvm::Value* to, const PackedWeights::Tensor& tensor);
  void copy_bytes(llvm::Value* from, llvm::Value* to, std::uint64_t bytes);  // a multiple of 4, not 0
  void return_when(llvm::Value* condition, llvm::Value* result);
  void when(llvm::Value* condition, const std::function<void()>& action);
  llvm::Function* program_function(const char* name) { return module_.getFunction(symbol_of(name)); }
  static void add(Parameters& parameters, const std::vector<InterfaceArray>& arrays, llvm::Type* pointer);
  llvm::Value* pointers(const std::vector<const std::vector<InterfaceArray>*>& groups, std::size_t count);
  llvm::Value* arrays_of_samples();
  llvm::Value* workspace_for_arena(llvm::Value* arena);
  void reset_accumulators();
  llvm::Value* report();
  void store_metrics();
  void count_epoch();
  void return_table(llvm::Constant* table, std::size_t count, const std::string& name);
  llvm::Constant* constant(llvm::Constant* data, const char* name, std::uint64_t alignment);
  llvm::Constant* text(const std::string& characters);

  llvm::Module& module_;
  const Program& program_;
  const ProgramPlan& plan_;
  const ModelInterface& api_;
  const std::span<const std::byte> weights_;  // the state of a baked model
  const std::string level_;  // of x86-64, if there are several: its functions are not the ones that are exported
  const WorkspaceLayout layout_;
  llvm::IRBuilder<> b_;
  llvm::PointerType* pointer_;
  llvm::IntegerType* size_;
  llvm::Type* real_;
  llvm::Function* function_ = nullptr;
};

void InterfaceEmitter::begin(const std::string& name, llvm::Type* result, const Parameters& parameters) {
  std::vector<llvm::Type*> types;
  for (const auto& parameter : parameters) types.push_back(parameter.first);
  const std::string exported = api_.prefix + "_" + name;
  function_ =
      llvm::Function::Create(llvm::FunctionType::get(result, types, false),
                             level_.empty() ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::PrivateLinkage,
                             level_.empty() ? exported : name_at_level(exported, level_), module_);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  for (auto& value : function_->args()) value.setName(parameters[value.getArgNo()].second);
  b_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function_));
}

llvm::Value* InterfaceEmitter::argument(const std::string& name) {
  for (auto& value : function_->args()) {
    if (value.getName() == name) return &value;
  }
  return nullptr;
}

void InterfaceEmitter::return_when(llvm::Value* condition, llvm::Value* result) {
  llvm::BasicBlock* const leave = llvm::BasicBlock::Create(module_.getContext(), "leave", function_);
  llvm::BasicBlock* const go_on = llvm::BasicBlock::Create(module_.getContext(), "go_on", function_);
  b_.CreateCondBr(condition, leave, go_on);
  b_.SetInsertPoint(leave);
  b_.CreateRet(result);
  b_.SetInsertPoint(go_on);
}

void InterfaceEmitter::when(llvm::Value* condition, const std::function<void()>& action) {
  emit_if(b_, condition, {}, [&](const Carried&) {
    action();
    return Carried{};
  });
}

void InterfaceEmitter::add(Parameters& parameters, const std::vector<InterfaceArray>& arrays, llvm::Type* pointer) {
  for (const InterfaceArray& array : arrays) parameters.emplace_back(pointer, array.parameter);
}

// The parameters of the groups as an array of pointers, each in 8 bytes at its index.
llvm::Value* InterfaceEmitter::pointers(const std::vector<const std::vector<InterfaceArray>*>& groups,
                                        std::size_t count) {
  llvm::AllocaInst* const table =
      b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), std::max<std::size_t>(count, 1)));
  table->setAlignment(llvm::Align(8));
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) {
      b_.CreateAlignedStore(argument(array.parameter),
                            byte_address(b_, table, static_cast<std::int64_t>(8 * array.index)), llvm::Align(8));
    }
  }
  return table;
}

llvm::Value* InterfaceEmitter::arrays_of_samples() {
  return pointers({&api_.inputs, &api_.targets}, program_.inputs.size());
}

// Functions that use nothing of a workspace but the arena are given memory for the arena alone: the workspace that they
// believe in begins before it.
llvm::Value* InterfaceEmitter::workspace_for_arena(llvm::Value* arena) {
  return byte_address(b_, arena, -static_cast<std::int64_t>(layout_.arena));
}

void InterfaceEmitter::emit_size(const char* name, std::uint64_t bytes) {
  begin(name, size_, {});
  b_.CreateRet(llvm::ConstantInt::get(size_, bytes));
}

void InterfaceEmitter::emit_check(const std::string& name, const std::string& block, std::uint64_t bytes) {
  begin(name, b_.getInt32Ty(), {{pointer_, block}, {size_, "bytes"}});
  llvm::Value* const state = argument(block);
  llvm::Value* const too_small = b_.CreateICmpULT(argument("bytes"), llvm::ConstantInt::get(size_, bytes));
  return_when(b_.CreateOr(b_.CreateIsNull(state), too_small), b_.getInt32(kWrongSize));
  llvm::Value* const low_bits = b_.CreateAnd(b_.CreatePtrToInt(state, size_), kAlignment - 1);
  return_when(b_.CreateICmpNE(low_bits, llvm::ConstantInt::get(size_, 0)), b_.getInt32(kWrongAlignment));
  llvm::Value* const layout =
      b_.CreateAlignedLoad(b_.getInt64Ty(), byte_address(b_, state, offsetof(StateHeader, layout)), llvm::Align(8));
  return_when(b_.CreateICmpNE(layout, b_.getInt64(api_.layout)), b_.getInt32(kWrongLayout));
  b_.CreateRet(b_.getInt32(kStateGood));
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

void InterfaceEmitter::copy_bytes(llvm::Value* from, llvm::Value* to, std::uint64_t bytes) {
  const std::uint64_t size = bytes % 8 == 0 ? 8 : 4;
  llvm::Type* const word = b_.getIntNTy(static_cast<unsigned>(8 * size));
  emit_loop(b_, {b_.getInt64(0), b_.getInt64(bytes)}, static_cast<std::int64_t>(size), {},
            [&](llvm::Value* at, const Carried&) {
              llvm::Value* const source = b_.CreateGEP(b_.getInt8Ty(), from, at);
              b_.CreateAlignedStore(b_.CreateAlignedLoad(word, source, llvm::Align(size)),
                                    b_.CreateGEP(b_.getInt8Ty(), to, at), llvm::Align(size));
              return Carried{};
            });
}

// What `ema` has gathered takes the place of the weights. Without an update it has gathered nothing.
void InterfaceEmitter::emit_finish_training() {
  begin("finish_training", b_.getVoidTy(), {{pointer_, "state"}});
  const auto place = [&](const TensorInfo& tensor) {
    return byte_address(b_, argument("state"), static_cast<std::int64_t>(tensor.offset));
  };
  const TensorInfo* const step = program_.find_tensor("step");
  TARN_CHECK(step != nullptr, "training that counts no steps");
  llvm::Value* const steps = b_.CreateAlignedLoad(b_.getDoubleTy(), place(*step), llvm::Align(8));
  llvm::Value* const first_update =
      llvm::ConstantFP::get(b_.getDoubleTy(), static_cast<double>(program_.settings.batches_per_update));
  when(b_.CreateFCmpOGE(steps, first_update), [&] {
    for (const TensorInfo& tensor : program_.tensors) {
      if (tensor.kind != TensorKind::parameter || !tensor.trainable || sample_bytes(tensor.type) == 0) continue;
      const TensorInfo* const average = program_.find_tensor(tensor.name + ".average");
      TARN_CHECK(average != nullptr, "no running mean of " + tensor.name);
      copy_bytes(place(*average), place(tensor), sample_bytes(tensor.type));
    }
  });
  b_.CreateRetVoid();
}

void InterfaceEmitter::emit_pack() {
  begin("pack", b_.getVoidTy(), {{pointer_, "state"}, {pointer_, "packed"}});
  if (!packs()) copy_bytes(argument("state"), argument("packed"), api_.packed_bytes);
  for (const PackedWeights::Tensor& tensor : plan_.packed.tensors) {
    llvm::Value* const from = byte_address(b_, argument("state"), static_cast<std::int64_t>(tensor.from));
    llvm::Value* const to = byte_address(b_, argument("packed"), static_cast<std::int64_t>(tensor.to));
    if (tensor.in_groups()) {
      copy_groups(from, to, tensor);
    } else {
      copy_bytes(from, to, tensor.row_bytes * tensor.rows);
    }
  }
  b_.CreateRetVoid();
}

void InterfaceEmitter::copy_groups(llvm::Value* from, llvm::Value* to, const PackedWeights::Tensor& tensor) {
  const auto below = [&](std::uint64_t end) { return Range{b_.getInt64(0), b_.getInt64(end)}; };
  const auto groups = static_cast<std::int64_t>(tensor.group_bytes), row = static_cast<std::int64_t>(tensor.row_bytes);
  emit_loop(b_, below(tensor.row_bytes), groups, {from, to}, [&](llvm::Value*, const Carried& group) {
    const Carried end = emit_loop(b_, below(tensor.rows), 1, group, [&](llvm::Value*, const Carried& at) {
      copy_bytes(at[0], at[1], tensor.group_bytes);
      return Carried{byte_address(b_, at[0], row), byte_address(b_, at[1], groups)};
    });
    return Carried{byte_address(b_, group[0], groups), end[1]};
  });
}

// Where there is nothing to gain, packed weights are the start of a state, so that prediction is one function for both.
void InterfaceEmitter::emit_predict_packed(const std::string& name) {
  if (packs()) {
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

llvm::Constant* InterfaceEmitter::constant(llvm::Constant* data, const char* name, std::uint64_t alignment) {
  for (llvm::GlobalVariable& known : module_.globals()) {
    if (known.hasInitializer() && known.getInitializer() == data &&
        known.getAlign().valueOrOne() >= llvm::Align(alignment))
      return &known;
  }
  auto* const global = new llvm::GlobalVariable(module_, data->getType(), /*isConstant=*/true,
                                                llvm::GlobalValue::PrivateLinkage, data, name);
  global->setAlignment(llvm::Align(alignment));
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return global;
}

llvm::Constant* InterfaceEmitter::text(const std::string& characters) {
  return constant(llvm::ConstantDataArray::getString(module_.getContext(), characters), "text", 1);
}

void InterfaceEmitter::return_table(llvm::Constant* table, std::size_t count, const std::string& name) {
  begin(name, pointer_, {{pointer_, "count"}});
  when(b_.CreateIsNotNull(argument("count")), [&] {
    b_.CreateAlignedStore(llvm::ConstantInt::get(size_, count), argument("count"),
                          llvm::Align(size_->getBitWidth() / 8));
  });
  b_.CreateRet(table);
}

// The rows are NAME_tensor_info of the header.
void InterfaceEmitter::emit_tensors() {
  llvm::LLVMContext& context = module_.getContext();
  llvm::Type *const i64 = b_.getInt64Ty(), *const i32 = b_.getInt32Ty();
  auto* const row_type = llvm::StructType::get(context, {pointer_, pointer_, i64, i64, i32, i32, i32, i32});
  std::vector<llvm::Constant*> rows;
  for (const TensorInfo& tensor : api_.tensors) {
    const std::vector<std::uint64_t> shape(tensor.type.shape.begin(), tensor.type.shape.end());
    llvm::Constant* const extents = shape.empty() ? llvm::ConstantPointerNull::get(pointer_)
                                                  : constant(llvm::ConstantDataArray::get(context, shape), "shape", 8);
    rows.push_back(llvm::ConstantStruct::get(
        row_type,
        {text(tensor.name), extents, b_.getInt64(tensor.offset), b_.getInt64(sample_bytes(tensor.type)),
         b_.getInt32(static_cast<std::uint32_t>(shape.size())), b_.getInt32(static_cast<std::uint32_t>(tensor.kind)),
         b_.getInt32(static_cast<std::uint32_t>(tensor.type.dtype)), b_.getInt32(0)}));
  }
  llvm::Constant* const table = llvm::ConstantArray::get(llvm::ArrayType::get(row_type, rows.size()), rows);
  return_table(constant(table, "tensors", 8), rows.size(), "tensors");
}

void InterfaceEmitter::emit_class_names(const std::string& function, const std::vector<std::string>& names) {
  std::vector<llvm::Constant*> texts;
  for (const std::string& name : names) texts.push_back(text(name));
  llvm::Constant* table = llvm::ConstantPointerNull::get(pointer_);
  if (!texts.empty()) {
    table = constant(llvm::ConstantArray::get(llvm::ArrayType::get(pointer_, texts.size()), texts), "class_names", 8);
  }
  return_table(table, texts.size(), function);
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

void emit_common_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan, const Target& target,
                           const ModelInterface& interface) {
  InterfaceEmitter emitter(module, program, plan, target, interface, {}, "");
  if (interface.has_state()) emitter.emit_size("state_bytes", interface.state_bytes);
  emitter.emit_size("workspace_bytes", interface.workspace_bytes);
  if (interface.has_pack) emitter.emit_size("packed_bytes", interface.packed_bytes);
  if (interface.has_state()) emitter.emit_check("check", "state", interface.state_bytes);
  if (interface.has_pack) emitter.emit_check("check_packed", "packed", interface.packed_bytes);
  if (interface.has_pack) emitter.emit_pack();
  if (interface.has_finish) emitter.emit_finish_training();
  if (interface.has_state()) emitter.emit_tensors();
  emitter.emit_class_names("class_names", interface.class_names);
  for (const ClassNames& list : interface.listed_classes())
    emitter.emit_class_names("class_names_" + list.array, list.names);
}

std::vector<std::string> compiled_functions(const ModelInterface& interface) {
  std::vector<std::string> names;
  for (const CompiledFunction& function : kCompiledFunctions) {
    if (interface.*function.exists) names.push_back(interface.prefix + "_" + function.name);
  }
  return names;
}

}  // namespace tarn
