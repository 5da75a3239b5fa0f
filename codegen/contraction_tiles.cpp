// Register tiles. See contraction_tiles.h.
#include "codegen/contraction_tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "codegen/contraction_schedule.h"
#include "codegen/loops.h"
#include "codegen/reductions.h"
#include "codegen/workspace.h"

namespace tarn {

namespace {

llvm::Value* offset(llvm::IRBuilderBase& b, llvm::Value* base, llvm::Value* bytes) {
  return b.CreateGEP(b.getInt8Ty(), base, bytes);
}

const char* name_of(LeftOperand left) {
  switch (left) {
    case LeftOperand::strided:
      return "";
    case LeftOperand::table_of_rows:
      return ".rows";
    case LeftOperand::table_of_inner:
      return ".inner";
  }
  return "";
}

llvm::Constant* first_lanes(llvm::IRBuilderBase& b, unsigned lanes, unsigned count) {
  std::vector<llvm::Constant*> bits;
  for (unsigned lane = 0; lane < lanes; ++lane) bits.push_back(b.getInt1(lane < count));
  return llvm::ConstantVector::get(bits);
}

// Multiples of a row stride, in registers outside of the loop.
std::vector<llvm::Value*> row_offsets(llvm::IRBuilderBase& b, llvm::Value* stride, unsigned rows) {
  std::vector<llvm::Value*> offsets = {b.getInt64(0)};
  for (unsigned row = 1; row < rows; ++row) {
    offsets.push_back(row == 1 ? stride : b.CreateMul(stride, b.getInt64(row)));
  }
  return offsets;
}

// Loops over k with one pointer into a and one into b beside the accumulators.
struct Operand {
  llvm::Value *pointer, *step;
};
Carried loop_over_inner(llvm::IRBuilder<>& b, llvm::Value* count, Operand a, Operand second, Carried accumulators,
                        std::int64_t step,
                        const std::function<Carried(llvm::Value*, llvm::Value*, llvm::Value*, const Carried&)>& body) {
  accumulators.push_back(a.pointer);
  accumulators.push_back(second.pointer);
  Carried last = emit_loop(b, {b.getInt64(0), count}, step, accumulators, [&](llvm::Value* index, Carried carried) {
    llvm::Value* const b_at = carried.back();
    carried.pop_back();
    llvm::Value* const a_at = carried.back();
    carried.pop_back();
    Carried next = body(index, a_at, b_at, carried);
    next.push_back(offset(b, a_at, a.step));
    next.push_back(offset(b, b_at, second.step));
    return next;
  });
  last.resize(last.size() - 2);
  return last;
}

constexpr std::uint64_t kPrefetchRows = 8;

// The rows of a in a tile.
class LeftRows {
 public:
  LeftRows(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const TileShape& shape)
      : e_(e),
        b_(b),
        shape_(shape),
        element_(e.value_type(shape.dtype)),
        a_(function->getArg(0)),
        stride_(function->getArg(1)) {
    if (shape.left == LeftOperand::strided) {
      offsets_ = row_offsets(b, stride_, shape.rows);
    } else if (shape.left == LeftOperand::table_of_rows) {
      for (unsigned row = 0; row < shape.rows; ++row) rows_.push_back(row_of(a_, b.getInt64(row)));
    }
  }

  // What goes from k to k + 1: `a` itself, or the place in the table.
  Operand operand(llvm::Value* k_stride) const { return {a_, k_stride}; }
  // To be called with every k, before element().
  void begin(llvm::Value* k, llvm::Value* at) {
    k_ = k;
    at_ = at;
    if (shape_.left == LeftOperand::table_of_rows) fetch_next_rows();
    if (shape_.left != LeftOperand::table_of_inner) return;
    at_ = row_of(at, b_.getInt64(0));
    // The rows are anywhere: what is wanted of them is asked for some steps ahead.
    static_assert(kPrefetchRows <= kTablePadding);
    emit_prefetch(b_,
                  element_address(b_, element_, row_of(at, b_.getInt64(kPrefetchRows)), b_.getInt64(shape_.rows - 1)));
  }
  llvm::Value* element(unsigned row) const {
    llvm::Value* address = nullptr;
    switch (shape_.left) {
      case LeftOperand::strided:
        address = row == 0 ? at_ : offset(b_, at_, offsets_[row]);
        break;
      case LeftOperand::table_of_rows:
        address = b_.CreateGEP(element_, rows_[row], k_);
        break;
      case LeftOperand::table_of_inner:
        address = b_.CreateConstGEP1_64(element_, at_, row);
        break;
    }
    return b_.CreateAlignedLoad(element_, address, llvm::Align(size_of(shape_.dtype)));
  }

 private:
  // The rows of the tile that follows are anywhere in memory. Of the rows behind this tile, as many as a line has
  // elements, one is asked for with every k, where the tile now is: a tile later they all have been.
  void fetch_next_rows() {
    const std::uint64_t in_line = kLineBytes / size_of(shape_.dtype);
    TARN_CHECK(shape_.rows + in_line <= kTablePadding, "a tile fetches beyond the table of rows");
    llvm::Value* const next = b_.CreateAdd(b_.CreateAnd(k_, b_.getInt64(in_line - 1)), b_.getInt64(shape_.rows));
    emit_prefetch(b_, element_address(b_, element_, row_of(a_, next), k_), /*soon=*/false);
  }
  llvm::Value* row_of(llvm::Value* table, llvm::Value* number) const {
    llvm::Value* const place = b_.CreateGEP(e_.pointer(), table, number);
    const llvm::Align align = e_.module.getDataLayout().getPointerABIAlignment(0);
    return offset(b_, b_.CreateAlignedLoad(e_.pointer(), place, align), stride_);
  }

  const Emission& e_;
  llvm::IRBuilder<>& b_;
  const TileShape& shape_;
  llvm::Type* const element_;
  llvm::Value *a_, *stride_, *k_ = nullptr, *at_ = nullptr;
  std::vector<llvm::Value*> offsets_, rows_;
};

void emit_tile(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const TileShape& shape) {
  llvm::Type* const element = e.value_type(shape.dtype);
  llvm::Type* const vector = with_lanes(element, shape.lanes);
  const llvm::Align align(size_of(shape.dtype));
  const auto vector_bytes = static_cast<std::int64_t>(shape.lanes * size_of(shape.dtype));
  llvm::Value *const c = function->getArg(6), *const c_stride = function->getArg(7);
  const auto place = [&](unsigned i) {
    llvm::Value* const row = i < shape.vectors ? c : offset(b, c, b.CreateMul(c_stride, b.getInt64(i / shape.vectors)));
    return byte_address(b, row, i % shape.vectors * vector_bytes);
  };
  LeftRows left(e, b, function, shape);
  Carried sums;
  for (unsigned i = 0; i < shape.rows * shape.vectors; ++i) {
    sums.push_back(shape.accumulates ? b.CreateAlignedLoad(vector, place(i), align)
                                     : static_cast<llvm::Value*>(llvm::Constant::getNullValue(vector)));
  }
  const auto load_b = [&](llvm::Value* at, unsigned j) -> llvm::Value* {
    llvm::Value* const address = byte_address(b, at, j * vector_bytes);
    if (j + 1 < shape.vectors || shape.last_lanes == shape.lanes) return b.CreateAlignedLoad(vector, address, align);
    return b.CreateMaskedLoad(vector, address, align, first_lanes(b, shape.lanes, shape.last_lanes),
                              llvm::Constant::getNullValue(vector));
  };
  const Operand a = left.operand(function->getArg(2)), second{function->getArg(3), function->getArg(4)};
  llvm::Value* const prefetch_distance = shape.packs ? b.CreateMul(second.step, b.getInt64(kPrefetchRows)) : nullptr;
  const auto step = [&](llvm::Value* k, llvm::Value* a_at, llvm::Value* b_at, const Carried& carried) {
    Carried next = carried;
    std::vector<llvm::Value*> b_vectors;
    for (unsigned j = 0; j < shape.vectors; ++j) b_vectors.push_back(load_b(b_at, j));
    if (shape.packs) {
      // Rows of b lie far apart, and are read for the first time: they are asked for some steps ahead.
      llvm::Value* const ahead = offset(b, b_at, prefetch_distance);
      for (unsigned j = 0; j < shape.vectors; ++j) {
        emit_prefetch(b, byte_address(b, ahead, j * vector_bytes), /*soon=*/true, shape.for_writing);
      }
      const std::int64_t row_bytes = shape.vectors * vector_bytes;
      llvm::Value* const row = offset(b, function->getArg(8), multiply_add(b, k, row_bytes, nullptr));
      for (unsigned j = 0; j < shape.vectors; ++j) {
        b.CreateAlignedStore(b_vectors[j], byte_address(b, row, j * vector_bytes), align);
      }
    }
    if (shape.ahead) {
      emit_prefetch(b, offset(b, function->getArg(10), b.CreateMul(k, function->getArg(11))), /*soon=*/false);
    }
    for (unsigned i = 0; i < shape.fetches; ++i) {
      llvm::Value* const number = b.CreateAdd(b.CreateMul(k, b.getInt64(shape.fetches)), b.getInt64(i));
      llvm::Value* const place =
          b.CreateGEP(b.getInt64Ty(), function->getArg(9), b.CreateAnd(number, b.getInt64(kFetchedLines - 1)));
      emit_prefetch(b, b.CreateIntToPtr(b.CreateAlignedLoad(b.getInt64Ty(), place, llvm::Align(8)), e.pointer()),
                    /*soon=*/false);
    }
    left.begin(k, a_at);
    for (unsigned row = 0; row < shape.rows; ++row) {
      llvm::Value* const broadcast = widen(b, left.element(row), shape.lanes);
      for (unsigned j = 0; j < shape.vectors; ++j) {
        llvm::Value*& sum = next[row * shape.vectors + j];
        sum = fused_multiply_add(e, b, broadcast, b_vectors[j], sum);
      }
    }
    return next;
  };
  sums = loop_over_inner(b, function->getArg(5), a, second, sums, 1, step);
  for (unsigned i = 0; i < shape.rows * shape.vectors; ++i) {
    b.CreateAlignedStore(sums[i], place(i), align);
  }
  b.CreateRetVoid();
}

// for k in groups: for every vector of columns: c += sum over the group of a[k] * b[k, :], in the order of k.
void emit_stream(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, DType dtype, unsigned lanes) {
  constexpr unsigned kGroup = 8;
  llvm::Type* const element = e.value_type(dtype);
  const llvm::Align align(size_of(dtype));
  llvm::Value *const a_stride = function->getArg(1), *const b_stride = function->getArg(3);
  llvm::Value *const count = function->getArg(4), *const c = function->getArg(6);
  const Range columns = {b.getInt64(0), function->getArg(5)};
  const auto zero = [&](unsigned width) { return llvm::Constant::getNullValue(with_lanes(element, width)); };
  const auto over_columns = [&](const std::function<llvm::Value*(llvm::Value*, llvm::Value*, llvm::Value*)>& sum) {
    emit_vector_loop(e, b, columns, lanes, {}, [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
      llvm::Value* const at = b.CreateGEP(element, c, column);
      llvm::Value* const next = sum(column, mask, at);
      if (mask == nullptr) {
        b.CreateAlignedStore(next, at, align);
      } else {
        b.CreateMaskedStore(next, at, align, mask);
      }
      return Carried{};
    });
  };
  const auto load = [&](llvm::Value* at, llvm::Value* mask) -> llvm::Value* {
    llvm::Type* const vector = with_lanes(element, lanes);
    if (mask == nullptr) return b.CreateAlignedLoad(vector, at, align);
    return b.CreateMaskedLoad(vector, at, align, mask, zero(lanes));
  };
  over_columns([&](llvm::Value*, llvm::Value*, llvm::Value*) { return zero(lanes); });
  const auto group = [&](unsigned size, const Carried& at) {
    std::vector<llvm::Value*> factors, rows;
    for (unsigned i = 0; i < size; ++i) {
      const auto nth = [&](llvm::Value* base, llvm::Value* stride) {
        return offset(b, base, b.CreateMul(stride, b.getInt64(i)));
      };
      factors.push_back(widen(b, b.CreateAlignedLoad(element, nth(at[0], a_stride), align), lanes));
      rows.push_back(nth(at[1], b_stride));
    }
    over_columns([&](llvm::Value* column, llvm::Value* mask, llvm::Value* place) {
      llvm::Value* sum = load(place, mask);
      for (unsigned i = 0; i < size; ++i) {
        sum = fused_multiply_add(e, b, factors[i], load(b.CreateGEP(element, rows[i], column), mask), sum);
      }
      return sum;
    });
    llvm::Value* const steps = b.getInt64(size);
    return Carried{offset(b, at[0], b.CreateMul(a_stride, steps)), offset(b, at[1], b.CreateMul(b_stride, steps))};
  };
  const auto groups = [&](llvm::Value* begin, llvm::Value* end, unsigned size, const Carried& at) {
    return emit_if(b, b.CreateICmpNE(begin, end), at, [&](const Carried& values) {
      return emit_loop(b, {begin, end}, size, values,
                       [&](llvm::Value*, const Carried& inner) { return group(size, inner); });
    });
  };
  llvm::Value* const whole = b.CreateSub(count, b.CreateURem(count, b.getInt64(kGroup)));
  const Carried rest = groups(b.getInt64(0), whole, kGroup, {function->getArg(0), function->getArg(2)});
  groups(whole, count, 1, rest);
  b.CreateRetVoid();
}

void emit_dot(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const DotShape& shape) {
  llvm::Type* const vector = with_lanes(e.value_type(shape.dtype), shape.lanes);
  const llvm::Align align(size_of(shape.dtype));
  llvm::Value *const count = function->getArg(4), *const vector_bytes = b.getInt64(shape.lanes * size_of(shape.dtype));
  const std::vector<llvm::Value*> a_offsets = row_offsets(b, function->getArg(1), shape.rows);
  const std::vector<llvm::Value*> b_offsets = row_offsets(b, function->getArg(3), shape.columns);
  const Operand a{function->getArg(0), vector_bytes}, second{function->getArg(2), vector_bytes};
  const auto step = [&](llvm::Value* index, llvm::Value* a_at, llvm::Value* b_at, const Carried& carried) {
    llvm::Value* const mask =
        shape.whole_vectors || shape.lanes == 1 ? nullptr : emit_mask(b, index, count, shape.lanes);
    const auto load = [&](llvm::Value* base, const std::vector<llvm::Value*>& offsets, unsigned i) -> llvm::Value* {
      llvm::Value* const address = i == 0 ? base : offset(b, base, offsets[i]);
      if (mask == nullptr) return b.CreateAlignedLoad(vector, address, align);
      return b.CreateMaskedLoad(vector, address, align, mask, llvm::Constant::getNullValue(vector));
    };
    std::vector<llvm::Value*> columns;
    for (unsigned j = 0; j < shape.columns; ++j) columns.push_back(load(b_at, b_offsets, j));
    Carried next = carried;
    for (unsigned row = 0; row < shape.rows; ++row) {
      llvm::Value* const values = load(a_at, a_offsets, row);
      for (unsigned j = 0; j < shape.columns; ++j) {
        llvm::Value*& sum = next[row * shape.columns + j];
        sum = fused_multiply_add(e, b, values, columns[j], sum);
      }
    }
    return next;
  };
  const Carried zeros(std::size_t{shape.rows} * shape.columns, llvm::Constant::getNullValue(vector));
  const Carried sums = loop_over_inner(b, count, a, second, zeros, shape.lanes, step);
  const ReductionEmitter sum(e, b, {Op::reduce_sum, 0, shape.dtype}, shape.dtype);
  // As many sums at a time as a vector has lanes.
  for (std::size_t first = 0; first < sums.size(); first += shape.lanes) {
    const std::size_t end = std::min<std::size_t>(first + shape.lanes, sums.size());
    const auto at = [&](std::size_t i) { return sums.begin() + static_cast<std::ptrdiff_t>(i); };
    llvm::Value* const wholes = sum.across_lanes_of_each({at(first), at(end)});
    for (std::size_t i = first, next = 0; i < end; i = next) {
      const std::size_t row = i / shape.columns, column = i % shape.columns;
      next = std::min(end, (row + 1) * shape.columns);
      std::vector<int> own(next - i);
      std::iota(own.begin(), own.end(), static_cast<int>(i - first));
      llvm::Value* const c_row = offset(b, function->getArg(5), b.CreateMul(function->getArg(6), b.getInt64(row)));
      b.CreateAlignedStore(b.CreateShuffleVector(wholes, own),
                           byte_address(b, c_row, static_cast<std::int64_t>(column * size_of(shape.dtype))), align);
    }
  }
  b.CreateRetVoid();
}

}  // namespace

void emit_prefetch(llvm::IRBuilderBase& builder, llvm::Value* address, bool soon, bool for_writing) {
  // To be kept in all caches or all but the first, of data.
  builder.CreateIntrinsic(
      llvm::Intrinsic::prefetch, {address->getType()},
      {address, builder.getInt32(for_writing ? 1 : 0), builder.getInt32(soon ? 3 : 2), builder.getInt32(1)});
}

llvm::Function* tile_function(const Emission& emission, const TileShape& shape) {
  const std::string name =
      fmt::format("tile.{}.{}x{}x{}.{}{}{}{}{}{}{}", name_of(shape.dtype), shape.rows, shape.vectors, shape.lanes,
                  shape.last_lanes, shape.accumulates ? ".accumulate" : "", shape.packs ? ".pack" : "",
                  shape.for_writing ? ".own" : "", shape.fetches > 0 ? fmt::format(".fetch{}", shape.fetches) : "",
                  shape.ahead ? ".ahead" : "", name_of(shape.left));
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function =
      make_internal_function(emission, name, llvm::Type::getVoidTy(emission.context()),
                             {pointer, i64, i64, pointer, i64, i64, pointer, i64, pointer, pointer, pointer, i64},
                             {"a", "a_row_stride", "a_k_stride", "b", "b_k_stride", "count", "c", "c_row_stride",
                              "packed", "list", "ahead", "ahead_stride"});
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  builder.setFastMathFlags(math_flags(emission));
  emit_tile(emission, builder, function, shape);
  return function;
}

llvm::Function* stream_function(const Emission& emission, DType dtype, unsigned lanes) {
  const std::string name = fmt::format("stream.{}.{}", name_of(dtype), lanes);
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(
      emission, name, llvm::Type::getVoidTy(emission.context()), {pointer, i64, pointer, i64, i64, i64, pointer},
      {"a", "a_k_stride", "b", "b_k_stride", "count", "columns", "c"});
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  builder.setFastMathFlags(math_flags(emission));
  emit_stream(emission, builder, function, dtype, lanes);
  return function;
}

llvm::Function* dot_function(const Emission& emission, const DotShape& shape) {
  const std::string name = fmt::format("dot.{}.{}x{}x{}{}", name_of(shape.dtype), shape.rows, shape.columns,
                                       shape.lanes, shape.whole_vectors ? ".whole" : "");
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  llvm::Function* const function = make_internal_function(
      emission, name, llvm::Type::getVoidTy(emission.context()), {pointer, i64, pointer, i64, i64, pointer, i64},
      {"a", "a_row_stride", "b", "b_column_stride", "count", "c", "c_row_stride"});
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  builder.setFastMathFlags(math_flags(emission));
  emit_dot(emission, builder, function, shape);
  return function;
}

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
    llvm::Value* const first = offset(b, row, b.CreateMul(column, column_stride));
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
    return Carried{offset(b, at[0], function->getArg(1)),
                   byte_address(b, at[1], static_cast<std::int64_t>(width * size_of(dtype)))};
  });
  b.CreateRetVoid();
  return function;
}

}  // namespace tarn
