// Transposes by blocks. See transpose.h.
#include "codegen/kernels/transpose.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "codegen/kernels/loops.h"
#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

namespace {

llvm::Value* offset(llvm::IRBuilderBase& b, llvm::Value* base, llvm::Value* index, llvm::Value* bytes) {
  return b.CreateGEP(b.getInt8Ty(), base, b.CreateMul(index, bytes));
}

}  // namespace

// In each stage, squares of half the size change places across the diagonal (Eklundh, "A fast computer method for
// matrix transposing", 1972). A row of a stage's result is made of the two rows of its input that differ in the stage's
// bit.
void transpose_registers(llvm::IRBuilderBase& builder, std::vector<llvm::Value*>& rows, std::size_t needed) {
  const std::size_t size = rows.size();
  std::vector<std::vector<bool>> wanted{std::vector<bool>(size, false)};  // by stage, the last one first
  std::fill_n(wanted[0].begin(), needed, true);
  for (std::size_t half = 1; 2 * half < size; half *= 2) {
    std::vector<bool> before(size, false);
    for (std::size_t row = 0; row < size; ++row) before[row] = wanted.back()[row] || wanted.back()[row ^ half];
    wanted.push_back(std::move(before));
  }
  for (std::size_t half = size / 2; half > 0; half /= 2, wanted.pop_back()) {
    std::vector<llvm::Value*> next(size, nullptr);
    for (std::size_t row = 0; row < size; ++row) {
      llvm::Value *first = rows[row & ~half], *second = rows[row | half];
      if (!wanted.back()[row] || (first == nullptr && second == nullptr)) continue;
      llvm::Value* const nothing = llvm::PoisonValue::get((first == nullptr ? second : first)->getType());
      std::vector<int> lanes(size);
      for (std::size_t lane = 0; lane < size; ++lane) {
        const std::size_t source = (lane & half) != 0 ? size : 0;
        lanes[lane] = static_cast<int>(source + ((lane & ~half) | (row & half)));
      }
      next[row] =
          builder.CreateShuffleVector(first == nullptr ? nothing : first, second == nullptr ? nothing : second, lanes);
    }
    rows = std::move(next);
  }
}

llvm::Function* transpose_function(const Emission& emission, std::size_t element_bytes) {
  const std::string name = fmt::format("transpose.{}", element_bytes);
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(
      emission, name, llvm::Type::getVoidTy(emission.context()), {pointer, i64, i64, i64, pointer, i64},
      {"from", "from_row_stride", "rows", "columns", "to", "to_row_stride"});
  llvm::IRBuilder<> b(&function->getEntryBlock());
  const unsigned size = element_bytes == 4 ? 8 : 4;
  llvm::Type* const element = llvm::Type::getIntNTy(emission.context(), static_cast<unsigned>(8 * element_bytes));
  llvm::Type* const vector = llvm::FixedVectorType::get(element, size);
  const llvm::Align align(element_bytes);
  llvm::Value *const from = function->getArg(0), *const from_stride = function->getArg(1);
  llvm::Value *const to = function->getArg(4), *const to_stride = function->getArg(5);
  llvm::Value* const zero = b.getInt64(0);
  // A last block that is not whole is moved back over the one before it.
  const auto moved_back = [&](llvm::Value* index, llvm::Value* extent) {
    return b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, index, b.CreateSub(extent, b.getInt64(size)));
  };
  const auto block = [&](llvm::Value* row, llvm::Value* column) {
    llvm::Value* const source = b.CreateGEP(element, offset(b, from, row, from_stride), column);
    llvm::Value* const target = b.CreateGEP(element, offset(b, to, column, to_stride), row);
    std::vector<llvm::Value*> rows;
    for (unsigned i = 0; i < size; ++i) {
      rows.push_back(b.CreateAlignedLoad(vector, offset(b, source, b.getInt64(i), from_stride), align));
    }
    transpose_registers(b, rows, rows.size());
    for (unsigned i = 0; i < size; ++i)
      b.CreateAlignedStore(rows[i], offset(b, target, b.getInt64(i), to_stride), align);
  };
  emit_loop(b, {zero, function->getArg(3)}, size, {}, [&](llvm::Value* columns, const Carried&) {
    llvm::Value* const column = moved_back(columns, function->getArg(3));
    return emit_loop(b, {zero, function->getArg(2)}, size, {}, [&](llvm::Value* rows, const Carried&) {
      block(moved_back(rows, function->getArg(2)), column);
      return Carried{};
    });
  });
  b.CreateRetVoid();
  return function;
}

void emit_transposing_copy(KernelFunction& function, const LoopKernel& kernel) {
  static_assert(kSquareOfCopy == kTransposeBlock);
  const std::optional<CopyAxes> axes = axes_of_transposing_copy(function.emission.plan, kernel);
  TARN_CHECK(axes.has_value() && !function.tactics.split && !kernel.body.stores.front().guarded,
             "squares of what is no copy between two axes");
  const Access &load = kernel.body.values.front().access, &store = kernel.body.stores.front().access;
  const auto size = static_cast<std::int64_t>(size_of(kernel.body.values.front().dtype));
  llvm::IRBuilder<>& b = function.builder;
  llvm::Value* const rows = function.extent(kernel.axes[axes->along_store]);
  llvm::Value* const columns = function.extent(kernel.axes[axes->along_load]);
  const std::function<void(std::size_t, llvm::Value*, llvm::Value*)> over_axes =
      [&](std::size_t axis, llvm::Value* from, llvm::Value* to) {
        if (axis == kernel.axes.size()) {
          b.CreateCall(transpose_function(function.emission, static_cast<std::size_t>(size)),
                       {from, function.integer(load.at.strides[axes->along_store] * size), rows, columns, to,
                        function.integer(store.at.strides[axes->along_load] * size)});
          return;
        }
        if (axis == axes->along_load || axis == axes->along_store) {
          over_axes(axis + 1, from, to);
          return;
        }
        emit_loop(b, range_of(function, kernel.axes[axis]), 1, {}, [&](llvm::Value* index, const Carried&) {
          const auto move = [&](llvm::Value* base, std::int64_t stride) {
            return element_address(b, b.getInt8Ty(), base, multiply_add(b, index, stride * size, nullptr));
          };
          over_axes(axis + 1, move(from, load.at.strides[axis]), move(to, store.at.strides[axis]));
          return Carried{};
        });
      };
  over_axes(0, function.address(load, size), function.address(store, size));
}

}  // namespace tarn
