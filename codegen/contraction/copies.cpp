// Copies of operands. See copies.h.
#include "codegen/contraction/copies.h"

#include <fmt/format.h>

#include <bit>

#include "codegen/contraction/scratch.h"
#include "codegen/kernels/loops.h"

namespace tarn {

namespace {

// k ahead of which lines of a are asked for: it is read across, one piece from every row of memory, so that nothing
// else brings it in time; and a processor looks ahead no further than two or three k.
static_assert(kCosts.left_ahead <= kTablePadding);

class LeftCopy {
 public:
  LeftCopy(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, DType dtype, unsigned height,
           LeftOperand left)
      : e_(e),
        b_(b),
        left_(left),
        height_(height),
        lanes_(std::bit_ceil(height)),
        size_(static_cast<std::int64_t>(size_of(dtype))),
        align_(size_of(dtype)),
        vector_(with_lanes(e.value_type(dtype), lanes_)),
        a_(function->getArg(0)),
        stride_(function->getArg(1)),
        inside_(function->getArg(2)),
        count_(function->getArg(3)),
        rows_(function->getArg(4)),
        copy_(function->getArg(5)),
        part_bytes_(left_copy_part_bytes(b, dtype, height, count_)) {}

  void emit() {
    llvm::Value* const is_full = b_.CreateICmpEQ(rows_, b_.getInt64(std::uint64_t{height_} * kCosts.copied_tiles));
    emit_if(b_, is_full, {}, [&](const Carried&) {
      return over_inner([&](llvm::Value* from, llvm::Value* to) { copy_full(from, to); });
    });
    emit_if(b_, b_.CreateNot(is_full), {}, [&](const Carried&) {
      return over_inner([&](llvm::Value* from, llvm::Value* to) { copy_some(from, to); });
    });
  }

 private:
  // What is too much of a vector is written over with the next k.
  void copy_full(llvm::Value* from, llvm::Value* to) {
    for (unsigned part = 0; part < kCosts.copied_tiles; ++part) {
      llvm::Value* const address = byte_address(b_, from, part * height_ * size_);
      std::vector<llvm::Constant*> mask;
      for (unsigned lane = 0; lane < lanes_; ++lane) mask.push_back(b_.getInt1(lane < height_));
      llvm::Value* const values = part + 1 < kCosts.copied_tiles
                                      ? static_cast<llvm::Value*>(b_.CreateAlignedLoad(vector_, address, align_))
                                      : load(address, llvm::ConstantVector::get(mask));
      b_.CreateAlignedStore(values, moved_by(b_, to, b_.CreateMul(part_bytes_, b_.getInt64(part))), align_);
    }
  }
  void copy_some(llvm::Value* from, llvm::Value* to) {
    emit_loop(b_, {b_.getInt64(0), rows_}, height_, {to}, [&](llvm::Value* row, const Carried& part) {
      llvm::Value* const address = moved_by(b_, from, multiply_add(b_, row, size_, nullptr));
      b_.CreateAlignedStore(load(address, emit_mask(b_, row, rows_, lanes_)), part[0], align_);
      return Carried{moved_by(b_, part[0], part_bytes_)};
    });
  }
  llvm::Value* load(llvm::Value* address, llvm::Value* mask) {
    return b_.CreateMaskedLoad(vector_, address, align_, mask, llvm::Constant::getNullValue(vector_));
  }

  Carried over_inner(const std::function<void(llvm::Value*, llvm::Value*)>& copy) {
    const std::int64_t lines = std::int64_t{height_} * kCosts.copied_tiles * size_ / kLineBytes + 1;
    llvm::Value* const distance = b_.CreateMul(stride_, b_.getInt64(kCosts.left_ahead));
    emit_loop(b_, {b_.getInt64(0), count_}, 1, {a_, copy_}, [&](llvm::Value*, const Carried& at) {
      llvm::Value* const ahead = row_at(moved_by(b_, at[0], distance));
      for (std::int64_t line = 0; line < lines; ++line) emit_prefetch(b_, byte_address(b_, ahead, line * kLineBytes));
      copy(row_at(at[0]), at[1]);
      return Carried{moved_by(b_, at[0], stride_), byte_address(b_, at[1], height_ * size_)};
    });
    return {};
  }
  llvm::Value* row_at(llvm::Value* place) {
    if (left_ == LeftOperand::table_of_inner) {
      place = b_.CreateAlignedLoad(e_.pointer(), place, e_.module.getDataLayout().getPointerABIAlignment(0));
    }
    return moved_by(b_, place, inside_);
  }

  const Emission& e_;
  llvm::IRBuilder<>& b_;
  const LeftOperand left_;
  const unsigned height_, lanes_;
  const std::int64_t size_;
  const llvm::Align align_;
  llvm::Type* const vector_;
  llvm::Value *const a_, *const stride_, *const inside_, *const count_, *const rows_, *const copy_, *const part_bytes_;
};

}  // namespace

llvm::Function* pack_function(const Emission& emission, DType dtype, unsigned lanes, unsigned width, bool contiguous) {
  const std::string name = fmt::format("pack.{}.{}x{}{}", name_of(dtype), lanes, width, contiguous ? "" : ".strided");
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(
      emission, name, llvm::Type::getVoidTy(emission.context()), {pointer, i64, i64, i64, i64, pointer},
      {"b", "b_k_stride", "b_column_stride", "count", "columns", "packed"});
  llvm::IRBuilder<> b(&function->getEntryBlock());
  llvm::Type* const element = emission.value_type(dtype);
  llvm::Type* const vector = with_lanes(element, lanes);
  const llvm::Align align(size_of(dtype));
  llvm::Value *const column_stride = function->getArg(2), *const columns = function->getArg(4);
  std::vector<llvm::Constant*> numbers;
  for (unsigned lane = 0; lane < lanes; ++lane) numbers.push_back(b.getInt64(lane));
  llvm::Value* const strides = contiguous || lanes == 1 ? nullptr
                                                        : b.CreateMul(llvm::ConstantVector::get(numbers),
                                                                      b.CreateVectorSplat(lanes, column_stride));
  const auto load = [&](llvm::Value* row, llvm::Value* column) -> llvm::Value* {
    llvm::Value* const first = moved_by(b, row, b.CreateMul(column, column_stride));
    // A single lane is only asked for where it exists: the width is that of the columns then.
    if (lanes == 1) return b.CreateAlignedLoad(element, first, align);
    llvm::Value* const mask =
        emit_mask(b, column, b.CreateSelect(b.CreateICmpULT(column, columns), columns, column), lanes);
    llvm::Value* const zero = llvm::Constant::getNullValue(vector);
    if (contiguous) return b.CreateMaskedLoad(vector, first, align, mask, zero);
    return b.CreateMaskedGather(vector, b.CreateGEP(b.getInt8Ty(), first, strides), align, mask, zero);
  };
  const Range rows = {b.getInt64(0), function->getArg(3)};
  emit_loop(b, rows, 1, {function->getArg(0), function->getArg(5)}, [&](llvm::Value*, const Carried& at) {
    const Range row = {b.getInt64(0), b.getInt64(width), width, lanes};
    emit_loop(b, row, lanes, {}, [&](llvm::Value* column, const Carried&) {
      b.CreateAlignedStore(load(at[0], column), b.CreateGEP(element, at[1], column), align);
      return Carried{};
    });
    return Carried{moved_by(b, at[0], function->getArg(1)),
                   byte_address(b, at[1], static_cast<std::int64_t>(width * size_of(dtype)))};
  });
  b.CreateRetVoid();
  return function;
}

llvm::Value* left_copy_part_bytes(llvm::IRBuilderBase& builder, DType dtype, unsigned height, llvm::Value* count) {
  const auto row = static_cast<std::int64_t>(height * size_of(dtype));
  return builder.CreateAdd(multiply_add(builder, count, row, nullptr), builder.getInt64(kLineBytes));
}

llvm::Function* left_copy_function(const Emission& emission, DType dtype, unsigned height, LeftOperand left) {
  const std::string name =
      fmt::format("copy.{}.{}{}", name_of(dtype), height, left == LeftOperand::table_of_inner ? ".inner" : "");
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(emission, name, llvm::Type::getVoidTy(emission.context()),
                                                          {pointer, i64, i64, i64, i64, pointer},
                                                          {"a", "a_k_stride", "inside", "count", "rows", "copy"});
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  LeftCopy(emission, builder, function, dtype, height, left).emit();
  builder.CreateRetVoid();
  return function;
}

}  // namespace tarn
