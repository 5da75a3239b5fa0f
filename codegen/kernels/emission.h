// What all emitters of one module share: types, the frame of a call, and the function that a kernel becomes.
//
// A kernel is an internal function (state, accumulators, arena, frame, n): base addresses of the spaces, the call's
// frame, and the number of samples. The frame is made by the function of the program that runs the kernels and holds
// what changes from batch to batch. Where several kernels are one function, it is also given the address of their
// parameters (kernel_shape.h). A kernel that threads share has three more arguments, that address or none, `part` and
// `parts`: it computes that part of the whole.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/kernels/kernel_shape.h"
#include "codegen/machine/machine.h"
#include "codegen/math/vector_math.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// Slots of the frame, 8 bytes each; pointers to the rows of inputs, then of outputs, follow.
// kFrameOrder: the numbers of the rows of this batch (i32), or null where they lie behind each other; the pointers of
// inputs whose samples a kernel copies (CpuTactics::Copy::of_samples) are to the row of number 0, and those of inputs
// that products read in place (CpuTactics::rows_in_place) to a table of pointers to the rows.
// kFrameNotFinite: 0 before the kernels of a step run, else when a guarded store has kept an old value.
enum FrameSlot : std::uint32_t {
  kFrameKey,
  kFrameStep,
  kFrameFirstSample,
  kFrameOrder,
  kFrameNotFinite,
  kFramePointers
};

struct Emission {
  const KernelPlan& plan;
  const Machine& machine;
  llvm::Module& module;
  llvm::GlobalVariable* constants = nullptr;
  std::uint32_t input_count = 0;   // outputs' pointers stand behind those of the inputs
  std::uint32_t repeat_slots = 0;  // of the frame, from this one on: rounds of the repeats around a kernel
  bool optimize = true;            // kernels are worth the time of LLVM's optimizer
  bool small = false;              // it is the size of the kernels that counts, since they run once
  bool splits = false;             // threads may share kernels
  // Scratch memory of parts other than the first: bytes from the start of the workspace, and of each part.
  std::uint64_t other_scratch = 0, scratch_bytes = 0;

  llvm::LLVMContext& context() const { return module.getContext(); }
  MathTarget math() const { return {machine.target.has_fma}; }
  llvm::Type* pointer() const { return llvm::PointerType::getUnqual(context()); }
  llvm::Type* i64() const { return llvm::Type::getInt64Ty(context()); }
  // The type of a value in registers (booleans: i1), and in memory (booleans: i8).
  llvm::Type* value_type(DType dtype) const;
  llvm::Type* memory_type(DType dtype) const;
};

// `lanes` values of the type; the type itself for 1.
llvm::Type* with_lanes(llvm::Type* type, unsigned lanes);
// Number of lanes of a value: 1 for a scalar.
unsigned lanes_of(const llvm::Value* value);

// The floating-point flags of the machine's options.
llvm::FastMathFlags math_flags(const Emission& emission);

// A function of the module that only the module calls, with an empty entry block.
llvm::Function* make_internal_function(const Emission& emission, const std::string& name, llvm::Type* result,
                                       const std::vector<llvm::Type*>& arguments,
                                       const std::vector<const char*>& argument_names = {});

// Indices begin … end - 1, never empty. `count` is their number where it is known, else 0.
struct Range {
  llvm::Value *begin = nullptr, *end = nullptr;
  std::int64_t count = 0;
  // The number is a multiple of this.
  std::int64_t multiple = 1;
};

// A kernel's function while its body is made.
class KernelFunction {
 public:
  // `shape`: several kernels are to be this function; nullptr: one. `in_parts`: threads share it.
  KernelFunction(Emission& emission, const std::string& name, const KernelShape* shape, bool in_parts,
                 const CpuTactics& tactics = {});

  Emission& emission;
  const CpuTactics tactics;
  llvm::Function* function;
  llvm::IRBuilder<> builder;
  llvm::Value *state, *accumulators, *arena, *frame, *batch;

  // An address from which an access to the buffer is reckoned, and by how many bytes from there it begins: the base of
  // the buffer's space, or in a function of several kernels that of the buffer; moved on by the rounds of repeats.
  llvm::Value* base(const Access& access, std::int64_t element_bytes);
  std::int64_t offset(const Access& access, std::int64_t element_bytes) const;
  llvm::Value* address(const Access& access, std::int64_t element_bytes);
  // The number of a stream of random numbers, as an i64.
  llvm::Value* stream(std::uint64_t number);
  // A guarded store keeps an old value.
  void raise_not_finite();
  // The round of a repeat around the kernel, the outermost being number 0, as an i64.
  llvm::Value* round(std::size_t repeat) {
    return frame_slot(emission.repeat_slots + static_cast<std::uint32_t>(repeat));
  }
  // A slot of the frame as an i64.
  llvm::Value* frame_slot(std::uint32_t slot);
  // The part of the range that this call is for, in units of so many indices: the last may have fewer. Returns from the
  // function where there is none. In a function that is not shared, the range itself.
  Range share_of(const Range& whole, std::int64_t unit);
  // Memory behind the arena that is this call's own.
  llvm::Value* scratch();
  // constant, or constant * N, as an i64.
  llvm::Value* extent(const Extent& extent);
  llvm::Value* integer(std::int64_t value) { return builder.getInt64(static_cast<std::uint64_t>(value)); }
  // Returns from the function.
  void finish() { builder.CreateRetVoid(); }

 private:
  llvm::Value* space_base(const Buffer& buffer);
  llvm::Value* buffer_base(BufferId buffer);
  // Where in the entry block a value can be used first.
  llvm::BasicBlock::iterator behind(llvm::Value* value);
  // base + the parameter of that number, in the entry block.
  llvm::Value* shift_by_parameter(llvm::Value* base, std::size_t number);
  llvm::Value* load_parameter(llvm::IRBuilder<>& entry, std::size_t number);

  const KernelShape* shape_;
  llvm::BasicBlock* entry_;
  llvm::Value *part_ = nullptr, *parts_ = nullptr;
  std::vector<llvm::Value*> bases_;  // by buffer, in a function of several kernels
  std::map<std::pair<llvm::Value*, std::vector<std::int64_t>>, llvm::Value*> moved_;  // bases, by strides in bytes
  std::vector<llvm::Value*> io_pointers_;  // by frame slot, loaded once in the entry block
  std::vector<llvm::Value*> frame_slots_;
};

// base + index elements of the type.
llvm::Value* element_address(llvm::IRBuilderBase& builder, llvm::Type* type, llvm::Value* base, llvm::Value* index);
// base + bytes.
llvm::Value* byte_address(llvm::IRBuilderBase& builder, llvm::Value* base, std::int64_t bytes);
// base + a number of bytes that the running code computes.
llvm::Value* moved_by(llvm::IRBuilderBase& builder, llvm::Value* base, llvm::Value* bytes);
// index * stride + sum, leaving out what is 0 or 1; `sum` may be nullptr for 0.
llvm::Value* multiply_add(llvm::IRBuilderBase& builder, llvm::Value* index, std::int64_t stride, llvm::Value* sum);
// A scalar in every lane; a vector as it is.
llvm::Value* widen(llvm::IRBuilderBase& builder, llvm::Value* value, unsigned lanes);
// a * b + c, fused where the machine can.
llvm::Value* fused_multiply_add(const Emission& emission, llvm::IRBuilderBase& builder, llvm::Value* a, llvm::Value* b,
                                llvm::Value* c);
// Asks for the cache line at an address, which need not be one that may be read. `soon`: before much else is read.
void emit_prefetch(llvm::IRBuilderBase& builder, llvm::Value* address, bool soon = true, bool for_writing = false);

}  // namespace tarn
