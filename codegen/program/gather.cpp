// One function of the module for rows of words and one for other rows, and parts of them for threads. See gather.h.
#include "codegen/program/gather.h"

#include "codegen/contraction/scratch.h"
#include "codegen/kernels/loops.h"
#include "codegen/program/calls_in_parts.h"
#include "passes/tactics/cost_model.h"

namespace tarn {

namespace {

// The number at place `row` of an order of rows, as an i64.
llvm::Value* number_in(llvm::IRBuilderBase& b, llvm::Value* order, llvm::Value* row) {
  llvm::Value* const place = b.CreateGEP(b.getInt32Ty(), order, row);
  return b.CreateZExt(b.CreateAlignedLoad(b.getInt32Ty(), place, llvm::Align(4)), b.getInt64Ty());
}

// The same, or where the order is null `row` itself.
llvm::Value* number_of(llvm::IRBuilder<>& b, llvm::Value* order, llvm::Value* row) {
  return emit_if(b, b.CreateIsNotNull(order), {row},
                 [&](const Carried&) { return Carried{number_in(b, order, row)}; })[0];
}

// void (target, source, order, rows, length): rows of `length` 4-byte words (or bytes) in the given order, behind each
// other.
llvm::Function* gather_function(const Emission& emission, bool words) {
  const char* const name = words ? "gather_words" : "gather_bytes";
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function =
      make_internal_function(emission, name, llvm::Type::getVoidTy(emission.context()),
                             {pointer, pointer, pointer, i64, i64}, {"target", "source", "order", "rows", "length"});
  llvm::IRBuilder<> b(&function->getEntryBlock());
  llvm::Value *const source = function->getArg(1), *const length = function->getArg(4);
  llvm::Type* const element = words ? b.getInt32Ty() : b.getInt8Ty();
  const auto lanes = static_cast<unsigned>(words ? emission.machine.target.vector_bytes / 4 : 1);
  llvm::Type* const vector = with_lanes(element, lanes);
  const llvm::Align align(words ? 4 : 1);
  const auto address_of_row = [&](llvm::Value* row) {
    return b.CreateGEP(element, source, b.CreateMul(number_in(b, function->getArg(2), row), length));
  };
  // Rows come from anywhere in memory: they are asked for while some thousand bytes before them are copied.
  llvm::Value* const rows_ahead = b.CreateAdd(b.CreateUDiv(b.getInt64(kCosts.gathered_ahead), length), b.getInt64(1));
  llvm::Value* const last = b.CreateSub(function->getArg(3), b.getInt64(1));
  emit_loop(
      b, {b.getInt64(0), function->getArg(3)}, 1, {function->getArg(0)}, [&](llvm::Value* row, const Carried& at) {
        llvm::Value* const from = address_of_row(row);
        llvm::Value* const ahead = b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, b.CreateAdd(row, rows_ahead), last);
        llvm::Value* const next = lanes == 1 ? nullptr : address_of_row(ahead);
        emit_vector_loop(
            emission, b, {b.getInt64(0), length}, lanes, {},
            [&](llvm::Value* index, llvm::Value* mask, const Carried&) {
              llvm::Value *const read = b.CreateGEP(element, from, index), *const write =
                                                                               b.CreateGEP(element, at[0], index);
              if (next != nullptr) emit_prefetch(b, b.CreateGEP(element, next, index), /*soon=*/false);
              if (mask == nullptr) {
                b.CreateAlignedStore(b.CreateAlignedLoad(vector, read, align), write, align);
              } else {
                llvm::Value* const zero = llvm::Constant::getNullValue(vector);
                b.CreateMaskedStore(b.CreateMaskedLoad(vector, read, align, mask, zero), write, align, mask);
              }
              return Carried{};
            });
        return Carried{b.CreateGEP(element, at[0], length)};
      });
  b.CreateRetVoid();
  return function;
}

// A part of what gather_function does: (order, target, source, unused, rows, unused, part, parts).
llvm::Function* gather_in_parts_function(Emission& emission, const std::string& name, std::uint64_t sample_bytes) {
  KernelFunction function(emission, name, nullptr, /*in_parts=*/true);
  llvm::Value *const order = function.state, *const target = function.accumulators, *const source = function.arena;
  llvm::IRBuilder<>& b = function.builder;
  const Range rows = function.share_of({function.integer(0), function.batch}, 1);
  const bool words = sample_bytes % 4 == 0;
  const auto bytes = static_cast<std::int64_t>(sample_bytes);
  b.CreateCall(gather_function(emission, words),
               {element_address(b, b.getInt8Ty(), target, multiply_add(b, rows.begin, bytes, nullptr)), source,
                b.CreateGEP(b.getInt32Ty(), order, rows.begin), b.CreateSub(rows.end, rows.begin),
                function.integer(words ? bytes / 4 : bytes)});
  function.finish();
  return function.function;
}

}  // namespace

void emit_gather(Emission& emission, llvm::IRBuilder<>& builder, const std::string& name, std::uint64_t row_bytes,
                 const GatheredRows& rows, llvm::Value* count, llvm::Value* control) {
  if (row_bytes == 0) return;
  // Every byte is read and written.
  const std::int64_t from = samples_worth_sharing(2 * static_cast<double>(row_bytes));
  if (emission.splits && from <= emission.plan.max_batch) {
    emit_call_in_parts(emission, builder, gather_in_parts_function(emission, name, row_bytes),
                       {rows.order, rows.target, rows.source, rows.source, rows.source}, count, from, control);
    return;
  }
  const bool words = row_bytes % 4 == 0;
  builder.CreateCall(gather_function(emission, words), {rows.target, rows.source, rows.order, count,
                                                        builder.getInt64(words ? row_bytes / 4 : row_bytes)});
}

void emit_row_table(Emission& emission, llvm::IRBuilder<>& builder, std::uint64_t row_bytes, const GatheredRows& rows,
                    llvm::Value* count) {
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* table = emission.module.getFunction("row_table");
  if (table == nullptr) {
    table = make_internal_function(emission, "row_table", llvm::Type::getVoidTy(emission.context()),
                                   {pointer, pointer, pointer, i64, i64},
                                   {"table", "source", "order", "rows", "row_bytes"});
    llvm::IRBuilder<> b(&table->getEntryBlock());
    llvm::Value* const last = b.CreateSub(table->getArg(3), b.getInt64(1));
    const Range entries = {b.getInt64(0), b.CreateAdd(table->getArg(3), b.getInt64(kTablePadding))};
    emit_loop(b, entries, 1, {}, [&](llvm::Value* entry, const Carried&) {
      llvm::Value* const row = b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, entry, last);
      llvm::Value* const number = number_of(b, table->getArg(2), row);
      llvm::Value* const address = b.CreateGEP(b.getInt8Ty(), table->getArg(1), b.CreateMul(number, table->getArg(4)));
      b.CreateAlignedStore(address, b.CreateGEP(pointer, table->getArg(0), entry),
                           emission.module.getDataLayout().getPointerABIAlignment(0));
      return Carried{};
    });
    b.CreateRetVoid();
  }
  builder.CreateCall(table, {rows.target, rows.source, rows.order, count, builder.getInt64(row_bytes)});
}

void emit_sample_copy(KernelFunction& function, const LoopKernel& kernel) {
  llvm::IRBuilder<>& b = function.builder;
  const Access &load = kernel.body.values.front().access, &store = kernel.body.stores.front().access;
  const DType dtype = kernel.body.values.front().dtype;
  llvm::Type* const element = function.emission.memory_type(dtype);
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  const llvm::Align align(size_of(dtype));
  llvm::Value* const order = b.CreateIntToPtr(function.frame_slot(kFrameOrder), function.emission.pointer());
  llvm::Value *const source = function.address(load, size), *const target = function.address(store, size);
  const Range samples = own_range(function, kernel, 0), units = own_range(function, kernel, 1);
  emit_loop(b, samples, 1, {}, [&](llvm::Value* sample, const Carried&) {
    llvm::Value* const row = number_of(b, order, sample);
    const auto move = [&](llvm::Value* base, llvm::Value* index, std::int64_t stride) {
      return element_address(b, b.getInt8Ty(), base, multiply_add(b, index, stride * size, nullptr));
    };
    llvm::Value *const from = move(source, row, load.at.strides[0]), *const to =
                                                                         move(target, sample, store.at.strides[0]);
    const auto copy = [&](llvm::Value* unit) {
      llvm::Value* const value = b.CreateAlignedLoad(element, move(from, unit, load.at.strides[1]), align);
      b.CreateAlignedStore(value, move(to, unit, store.at.strides[1]), align);
    };
    if (units.count > 0 && units.count <= kCosts.straight_units) {
      for (std::int64_t unit = 0; unit < units.count; ++unit) copy(function.integer(unit));
    } else {
      emit_loop(b, units, 1, {}, [&](llvm::Value* unit, const Carried&) {
        copy(unit);
        return Carried{};
      });
    }
    return Carried{};
  });
}

}  // namespace tarn
