// See common_functions.h, and c_header.cpp for what the functions promise.
#include "codegen/model/common_functions.h"

#include <vector>

#include "codegen/kernels/loops.h"
#include "codegen/model/interface_writer.h"
#include "codegen/program/entry_points.h"
#include "llvm/IR/Constants.h"

namespace tarn {
namespace {

// Results of NAME_check, as the header has them.
enum CheckResult : std::uint32_t { kStateGood, kWrongSize, kWrongAlignment, kWrongLayout };

class CommonFunctions : InterfaceWriter {
 public:
  CommonFunctions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                  const ModelInterface& interface)
      : InterfaceWriter(module, program, interface, ""), plan_(plan) {}

  void emit_size(const char* name, std::uint64_t bytes);
  // 0, or what is wrong with `bytes` bytes at `block`, a state or the start of one.
  void emit_check(const std::string& name, const std::string& block, std::uint64_t bytes);
  void emit_pack();
  void emit_finish_training();
  void emit_tensors();
  void emit_class_names(const std::string& function, const std::vector<std::string>& names);

 private:
  void copy_groups(llvm::Value* from, llvm::Value* to, const PackedWeights::Tensor& tensor);
  void return_table(llvm::Constant* table, std::size_t count, const std::string& name);
  llvm::Constant* text(const std::string& characters);

  const ProgramPlan& plan_;
};

void CommonFunctions::emit_size(const char* name, std::uint64_t bytes) {
  begin(name, size_, {});
  b_.CreateRet(llvm::ConstantInt::get(size_, bytes));
}

void CommonFunctions::emit_check(const std::string& name, const std::string& block, std::uint64_t bytes) {
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

// What `ema` has gathered takes the place of the weights. Without an update it has gathered nothing.
void CommonFunctions::emit_finish_training() {
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

void CommonFunctions::emit_pack() {
  begin("pack", b_.getVoidTy(), {{pointer_, "state"}, {pointer_, "packed"}});
  if (!plan_.plans.contains("predict_packed")) copy_bytes(argument("state"), argument("packed"), api_.packed_bytes);
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

void CommonFunctions::copy_groups(llvm::Value* from, llvm::Value* to, const PackedWeights::Tensor& tensor) {
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

llvm::Constant* CommonFunctions::text(const std::string& characters) {
  return constant(llvm::ConstantDataArray::getString(module_.getContext(), characters), "text", 1);
}

void CommonFunctions::return_table(llvm::Constant* table, std::size_t count, const std::string& name) {
  begin(name, pointer_, {{pointer_, "count"}});
  when(b_.CreateIsNotNull(argument("count")), [&] {
    b_.CreateAlignedStore(llvm::ConstantInt::get(size_, count), argument("count"),
                          llvm::Align(size_->getBitWidth() / 8));
  });
  b_.CreateRet(table);
}

// The rows are NAME_tensor_info of the header.
void CommonFunctions::emit_tensors() {
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

void CommonFunctions::emit_class_names(const std::string& function, const std::vector<std::string>& names) {
  std::vector<llvm::Constant*> texts;
  for (const std::string& name : names) texts.push_back(text(name));
  llvm::Constant* table = llvm::ConstantPointerNull::get(pointer_);
  if (!texts.empty()) {
    table = constant(llvm::ConstantArray::get(llvm::ArrayType::get(pointer_, texts.size()), texts), "class_names", 8);
  }
  return_table(table, texts.size(), function);
}

}  // namespace

void emit_common_functions(llvm::Module& module, const Program& program, const ProgramPlan& plan,
                           const ModelInterface& interface) {
  CommonFunctions emitter(module, program, plan, interface);
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

}  // namespace tarn
