// Types, frames and the small pieces of address arithmetic.
#include "codegen/kernels/emission.h"

#include <numeric>
#include <utility>

namespace tarn {

llvm::Type* Emission::value_type(DType dtype) const {
  switch (dtype) {
    case DType::f32:
      return llvm::Type::getFloatTy(context());
    case DType::f64:
      return llvm::Type::getDoubleTy(context());
    case DType::i32:
      return llvm::Type::getInt32Ty(context());
    case DType::boolean:
      return llvm::Type::getInt1Ty(context());
  }
  return nullptr;
}

llvm::Type* Emission::memory_type(DType dtype) const {
  return dtype == DType::boolean ? llvm::Type::getInt8Ty(context()) : value_type(dtype);
}

llvm::Type* with_lanes(llvm::Type* type, unsigned lanes) {
  return lanes == 1 ? type : llvm::FixedVectorType::get(type, lanes);
}

unsigned lanes_of(const llvm::Value* value) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return type == nullptr ? 1 : type->getNumElements();
}

llvm::FastMathFlags math_flags(const Emission& emission) {
  llvm::FastMathFlags flags;
  if (!emission.machine.fast_math) return flags;
  flags.setFast();
  // What is not finite is looked for (guarded stores, is_finite), so it must not be supposed away.
  flags.setNoNaNs(false);
  flags.setNoInfs(false);
  return flags;
}

llvm::Function* make_internal_function(const Emission& emission, const std::string& name, llvm::Type* result,
                                       const std::vector<llvm::Type*>& arguments,
                                       const std::vector<const char*>& argument_names) {
  auto* const type = llvm::FunctionType::get(result, arguments, false);
  auto* const function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, name, emission.module);
  for (std::size_t i = 0; i < argument_names.size(); ++i) {
    function->getArg(static_cast<unsigned>(i))->setName(argument_names[i]);
  }
  function->addFnAttr(llvm::Attribute::NoInline);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  llvm::BasicBlock::Create(emission.context(), "entry", function);
  return function;
}

namespace {

llvm::Function* make_kernel_function(const Emission& emission, const std::string& name, bool has_parameters,
                                     bool in_parts) {
  llvm::Type* const pointer = emission.pointer();
  std::vector<llvm::Type*> types = {pointer, pointer, pointer, pointer, emission.i64()};
  std::vector<const char*> names = {"state", "accumulators", "arena", "frame", "n"};
  if (has_parameters || in_parts) {
    types.push_back(pointer);
    names.push_back("parameters");
  }
  if (in_parts) {
    types.insert(types.end(), {emission.i64(), emission.i64()});
    names.insert(names.end(), {"part", "parts"});
  }
  llvm::Function* const function =
      make_internal_function(emission, name, llvm::Type::getVoidTy(emission.context()), types, names);
  if (!emission.optimize) function->addFnAttr(llvm::Attribute::OptimizeNone);
  return function;
}

}  // namespace

KernelFunction::KernelFunction(Emission& of_module, const std::string& name, const KernelShape* shape, bool in_parts,
                               const CpuTactics& tactics)
    : emission(of_module),
      tactics(tactics),
      function(make_kernel_function(of_module, name, shape != nullptr, in_parts)),
      builder(&function->getEntryBlock()),
      state(function->getArg(0)),
      accumulators(function->getArg(1)),
      arena(function->getArg(2)),
      frame(function->getArg(3)),
      batch(function->getArg(4)),
      shape_(shape),
      entry_(&function->getEntryBlock()) {
  builder.setFastMathFlags(math_flags(of_module));
  if (!in_parts) return;
  part_ = function->getArg(6);
  parts_ = function->getArg(7);
}

Range KernelFunction::share_of(const Range& whole, std::int64_t unit) {
  if (part_ == nullptr) return whole;
  // Units in parts that differ by one at most: part p ends where part p + 1 begins.
  llvm::Value* const size = integer(unit);
  llvm::Value* const units = builder.CreateUDiv(builder.CreateAdd(whole.end, integer(unit - 1)), size);
  const auto start_of = [&](llvm::Value* part) {
    return builder.CreateMul(builder.CreateUDiv(builder.CreateMul(units, part), parts_), size);
  };
  llvm::Value* const begin = start_of(part_);
  llvm::Value* const end =
      builder.CreateBinaryIntrinsic(llvm::Intrinsic::umin, start_of(builder.CreateAdd(part_, integer(1))), whole.end);
  llvm::BasicBlock* const nothing = llvm::BasicBlock::Create(emission.context(), "nothing", function);
  llvm::BasicBlock* const something = llvm::BasicBlock::Create(emission.context(), "something", function);
  builder.CreateCondBr(builder.CreateICmpUGE(begin, end), nothing, something);
  builder.SetInsertPoint(nothing);
  builder.CreateRetVoid();
  builder.SetInsertPoint(something);
  return {begin, end, 0, std::gcd(whole.multiple, unit)};
}

llvm::Value* KernelFunction::frame_slot(std::uint32_t slot) {
  if (frame_slots_.size() <= slot) frame_slots_.resize(slot + 1);
  if (frame_slots_[slot] == nullptr) {
    // At the start of the function, so that every later use is behind it.
    llvm::IRBuilder<> entry(entry_, entry_->getFirstInsertionPt());
    frame_slots_[slot] =
        entry.CreateAlignedLoad(emission.i64(), byte_address(entry, frame, 8 * std::int64_t{slot}), llvm::Align(8));
  }
  return frame_slots_[slot];
}

void KernelFunction::raise_not_finite() {
  llvm::Value* const flag = byte_address(builder, frame, 8 * std::int64_t{kFrameNotFinite});
  // Threads that share a kernel write the same number.
  builder.CreateAlignedStore(builder.getInt32(1), flag, llvm::Align(8))->setAtomic(llvm::AtomicOrdering::Monotonic);
}

llvm::Value* KernelFunction::load_parameter(llvm::IRBuilder<>& entry, std::size_t number) {
  llvm::Value* const address = byte_address(entry, function->getArg(5), static_cast<std::int64_t>(8 * number));
  return entry.CreateAlignedLoad(entry.getInt64Ty(), address, llvm::Align(8));
}

llvm::BasicBlock::iterator KernelFunction::behind(llvm::Value* value) {
  auto* const made = llvm::dyn_cast<llvm::Instruction>(value);
  return made != nullptr ? std::next(made->getIterator()) : entry_->getFirstInsertionPt();
}

llvm::Value* KernelFunction::shift_by_parameter(llvm::Value* base, std::size_t number) {
  llvm::IRBuilder<> entry(entry_, behind(base));
  return moved_by(entry, base, load_parameter(entry, number));
}

llvm::Value* KernelFunction::base(const Access& access, std::int64_t element_bytes) {
  llvm::Value* const fixed = buffer_base(access.buffer);
  if (access.at.repeat_strides.empty()) return fixed;
  std::vector<std::int64_t> strides = access.at.repeat_strides;
  for (std::int64_t& stride : strides) stride *= element_bytes;
  llvm::Value*& moved = moved_[{fixed, strides}];
  if (moved != nullptr) return moved;
  llvm::IRBuilder<> entry(entry_, behind(fixed));
  llvm::Value* distance = nullptr;
  for (std::size_t repeat = 0; repeat < strides.size(); ++repeat) {
    const std::int64_t slot = 8 * (std::int64_t{emission.repeat_slots} + static_cast<std::int64_t>(repeat));
    llvm::Value* const round =
        entry.CreateAlignedLoad(emission.i64(), byte_address(entry, frame, slot), llvm::Align(8));
    distance = multiply_add(entry, round, strides[repeat], distance);
  }
  moved = moved_by(entry, fixed, distance);
  return moved;
}

llvm::Value* KernelFunction::buffer_base(BufferId buffer) {
  llvm::Value* const space = space_base(emission.plan.buffers[buffer]);
  if (shape_ == nullptr) return space;
  const std::size_t number = shape_->offset_of(buffer);
  if (bases_.size() <= number) bases_.resize(number + 1);
  if (bases_[number] == nullptr) bases_[number] = shift_by_parameter(space, number);
  return bases_[number];
}

std::int64_t KernelFunction::offset(const Access& access, std::int64_t element_bytes) const {
  const std::int64_t inside = access.at.offset * element_bytes;
  return shape_ != nullptr ? inside : static_cast<std::int64_t>(emission.plan.buffers[access.buffer].offset) + inside;
}

llvm::Value* KernelFunction::address(const Access& access, std::int64_t element_bytes) {
  return byte_address(builder, base(access, element_bytes), offset(access, element_bytes));
}

llvm::Value* KernelFunction::scratch() {
  llvm::Value* const first = shape_ != nullptr
                                 ? shift_by_parameter(arena, shape_->scratch())
                                 : byte_address(builder, arena, static_cast<std::int64_t>(emission.plan.arena_bytes));
  if (part_ == nullptr) return first;
  const auto bytes = static_cast<std::int64_t>(emission.scratch_bytes);
  const std::int64_t start = static_cast<std::int64_t>(emission.other_scratch) - bytes;
  llvm::Value* const other =
      builder.CreateGEP(builder.getInt8Ty(), accumulators, multiply_add(builder, part_, bytes, integer(start)));
  return builder.CreateSelect(builder.CreateICmpEQ(part_, integer(0)), first, other);
}

llvm::Value* KernelFunction::stream(std::uint64_t number) {
  if (shape_ == nullptr) return builder.getInt64(number);
  llvm::IRBuilder<> entry(entry_, entry_->getFirstInsertionPt());
  return load_parameter(entry, shape_->stream(number));
}

llvm::Value* KernelFunction::space_base(const Buffer& buffer) {
  switch (buffer.space) {
    case Space::state:
      return state;
    case Space::accumulators:
      return accumulators;
    case Space::arena:
      return arena;
    case Space::constants:
      return emission.constants;
    case Space::input:
    case Space::output:
      break;
  }
  const std::uint32_t slot = kFramePointers + buffer.index + (buffer.space == Space::output ? emission.input_count : 0);
  if (io_pointers_.size() <= slot) io_pointers_.resize(slot + 1);
  if (io_pointers_[slot] == nullptr) {
    llvm::IRBuilder<> entry(entry_, entry_->getFirstInsertionPt());
    io_pointers_[slot] = entry.CreateAlignedLoad(emission.pointer(), byte_address(entry, frame, 8 * std::int64_t{slot}),
                                                 llvm::Align(8), buffer.name);
  }
  return io_pointers_[slot];
}

llvm::Value* KernelFunction::extent(const Extent& extent) {
  if (!extent.times_batch) return integer(extent.constant);
  // In the entry block, where the caller may be in a loop already.
  llvm::IRBuilder<> entry(entry_, entry_->getFirstInsertionPt());
  return multiply_add(entry, batch, extent.constant, nullptr);
}

llvm::Value* element_address(llvm::IRBuilderBase& builder, llvm::Type* type, llvm::Value* base, llvm::Value* index) {
  const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(index);
  return constant != nullptr && constant->isZero() ? base : builder.CreateGEP(type, base, index);
}

llvm::Value* byte_address(llvm::IRBuilderBase& builder, llvm::Value* base, std::int64_t bytes) {
  return bytes == 0 ? base : moved_by(builder, base, builder.getInt64(static_cast<std::uint64_t>(bytes)));
}

llvm::Value* moved_by(llvm::IRBuilderBase& builder, llvm::Value* base, llvm::Value* bytes) {
  return builder.CreateGEP(builder.getInt8Ty(), base, bytes);
}

llvm::Value* multiply_add(llvm::IRBuilderBase& builder, llvm::Value* index, std::int64_t stride, llvm::Value* sum) {
  if (stride == 0) return sum == nullptr ? builder.getInt64(0) : sum;
  llvm::Value* const product =
      stride == 1 ? index : builder.CreateMul(index, builder.getInt64(static_cast<std::uint64_t>(stride)));
  return sum == nullptr ? product : builder.CreateAdd(sum, product);
}

llvm::Value* widen(llvm::IRBuilderBase& builder, llvm::Value* value, unsigned lanes) {
  return lanes == 1 || lanes_of(value) == lanes ? value : builder.CreateVectorSplat(lanes, value);
}

llvm::Value* fused_multiply_add(const Emission& emission, llvm::IRBuilderBase& builder, llvm::Value* a, llvm::Value* b,
                                llvm::Value* c) {
  if (!emission.machine.target.has_fma) return builder.CreateFAdd(builder.CreateFMul(a, b), c);
  return builder.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

void emit_prefetch(llvm::IRBuilderBase& builder, llvm::Value* address, bool soon, bool for_writing) {
  // To be kept in all caches or all but the first, of data.
  builder.CreateIntrinsic(
      llvm::Intrinsic::prefetch, {address->getType()},
      {address, builder.getInt32(for_writing ? 1 : 0), builder.getInt32(soon ? 3 : 2), builder.getInt32(1)});
}

}  // namespace tarn
