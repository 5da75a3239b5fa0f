// Register tiles. See tiles.h.
#include "codegen/contraction/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "codegen/contraction/scratch.h"
#include "codegen/kernels/loops.h"
#include "codegen/kernels/reductions.h"

namespace tarn {

namespace {

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

// Loops over k with one pointer into a and one into b beside the accumulators. Of the steps from jump to jump of one
// loop, `i` is the number.
struct Operand {
  llvm::Value *pointer, *step;
};
using InnerStep = std::function<Carried(llvm::Value* k, unsigned i, llvm::Value* a, llvm::Value* b, const Carried&)>;
Carried loop_over_inner(llvm::IRBuilder<>& b, const Range& range, Operand a, Operand second, Carried carried,
                        std::int64_t width, unsigned steps, const InnerStep& step) {
  return emit_loop(b, range, width * steps, std::move(carried), [&](llvm::Value* k, Carried sums) {
    llvm::Value* b_at = sums.back();
    sums.pop_back();
    llvm::Value* a_at = sums.back();
    sums.pop_back();
    for (unsigned i = 0; i < steps; ++i) {
      sums = step(i == 0 ? k : b.CreateAdd(k, b.getInt64(i * width)), i, a_at, b_at, sums);
      a_at = moved_by(b, a_at, a.step);
      b_at = moved_by(b, b_at, second.step);
    }
    sums.push_back(a_at);
    sums.push_back(b_at);
    return sums;
  });
}

// The rows of a in a tile.
class LeftRows {
 public:
  LeftRows(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const TileShape& shape)
      : e_(e),
        b_(b),
        shape_(shape),
        element_(e.value_type(shape.dtype)),
        a_(function->getArg(kTileLeft)),
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
    static_assert(kCosts.panel_ahead <= kTablePadding);
    emit_prefetch(
        b_, element_address(b_, element_, row_of(at, b_.getInt64(kCosts.panel_ahead)), b_.getInt64(shape_.rows - 1)));
  }
  llvm::Value* element(unsigned row) const {
    llvm::Value* address = nullptr;
    switch (shape_.left) {
      case LeftOperand::strided:
        address = row == 0 ? at_ : moved_by(b_, at_, offsets_[row]);
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
    return moved_by(b_, b_.CreateAlignedLoad(e_.pointer(), place, align), stride_);
  }

  const Emission& e_;
  llvm::IRBuilder<>& b_;
  const TileShape& shape_;
  llvm::Type* const element_;
  llvm::Value *a_, *stride_, *k_ = nullptr, *at_ = nullptr;
  std::vector<llvm::Value*> offsets_, rows_;
};

// Those that every tile has.
constexpr unsigned kTileArguments = 12;

class Tile {
 public:
  Tile(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const TileShape& shape)
      : e_(e),
        b_(b),
        function_(function),
        shape_(shape),
        vector_(with_lanes(e.value_type(shape.dtype), shape.lanes)),
        align_(size_of(shape.dtype)),
        vector_bytes_(static_cast<std::int64_t>(shape.lanes * size_of(shape.dtype))),
        left_(e, b, function, shape) {
    if (shape.packs) distance_ = b.CreateMul(function->getArg(4), b.getInt64(kCosts.panel_ahead));
  }

  void emit() {
    const unsigned count = shape_.rows * shape_.vectors;
    Carried sums;
    for (unsigned i = 0; i < count; ++i) {
      sums.push_back(shape_.accumulates ? b_.CreateAlignedLoad(vector_, place(i), align_)
                                        : static_cast<llvm::Value*>(llvm::Constant::getNullValue(vector_)));
    }
    sums = over_axes(0, {left_.operand(nullptr).pointer, function_->getArg(kTileRight)}, nullptr, std::move(sums));
    for (unsigned i = 0; i < count; ++i) b_.CreateAlignedStore(sums[i], place(i), align_);
  }

 private:
  // The inner axes from this one on; `number` is how many numbers of k go before, in units of this axis; nullptr: none.
  Carried over_axes(unsigned axis, const Carried& at, llvm::Value* number, Carried sums) {
    if (axis + 1 == shape_.inner_axes) {
      before_ = number;
      const std::size_t count = sums.size();
      const auto loop = [&](Carried carried) {
        carried.insert(carried.end(), at.begin(), at.end());
        carried = over_inner(std::move(carried));
        carried.resize(count);
        return carried;
      };
      if (!shape_.may_be_empty) return loop(std::move(sums));
      return emit_if(b_, b_.CreateICmpNE(function_->getArg(kTileCount), b_.getInt64(0)), sums, loop);
    }
    llvm::Value *const extent = of_axis(axis, 0), *const a_step = of_axis(axis, 1), *const b_step = of_axis(axis, 2);
    llvm::Value* const next_extent =
        axis + 2 == shape_.inner_axes ? function_->getArg(kTileCount) : of_axis(axis + 1, 0);
    const auto loop = [&](const Carried& before) {
      return emit_loop(b_, {b_.getInt64(0), extent}, 1, before, [&](llvm::Value* index, const Carried& carried) {
        llvm::Value* const all = number == nullptr ? index : b_.CreateAdd(number, index);
        const Carried there = {moved_by(b_, at[0], b_.CreateMul(index, a_step)),
                               moved_by(b_, at[1], b_.CreateMul(index, b_step))};
        return over_axes(axis + 1, there, b_.CreateMul(all, next_extent), carried);
      });
    };
    if (!shape_.may_be_empty) return loop(sums);
    return emit_if(b_, b_.CreateICmpNE(extent, b_.getInt64(0)), sums, loop);
  }
  // Of an inner axis but the last: its extent, a stride and b stride.
  llvm::Value* of_axis(unsigned axis, unsigned part) const {
    return function_->getArg(kTileArguments + 3 * axis + part);
  }

  // Several steps at a time, then what is left one by one.
  Carried over_inner(Carried sums) {
    llvm::Value *const zero = b_.getInt64(0), *const count = function_->getArg(kTileCount);
    if (shape_.inner_steps == 1 || shape_.whole_steps) return loop({zero, count}, shape_.inner_steps, std::move(sums));
    llvm::Value* const whole = b_.CreateSub(count, b_.CreateURem(count, b_.getInt64(shape_.inner_steps)));
    sums = emit_if(b_, b_.CreateICmpNE(whole, zero), sums,
                   [&](const Carried& carried) { return loop({zero, whole}, shape_.inner_steps, carried); });
    return emit_if(b_, b_.CreateICmpNE(whole, count), sums,
                   [&](const Carried& carried) { return loop({whole, count}, 1, carried); });
  }
  Carried loop(const Range& range, unsigned steps, Carried sums) {
    const Operand a = left_.operand(function_->getArg(2)), second{nullptr, function_->getArg(4)};
    return loop_over_inner(b_, range, a, second, std::move(sums), 1, steps,
                           [&](llvm::Value* k, unsigned i, llvm::Value* a_at, llvm::Value* b_at, const Carried& now) {
                             return step(k, i == 0 && steps == shape_.inner_steps, a_at, b_at, now);
                           });
  }
  // A row of b waits in registers for the elements of a; or these, where they are fewer, for one vector of b after the
  // other.
  Carried step(llvm::Value* k, bool fetches, llvm::Value* a_at, llvm::Value* b_at, Carried sums) {
    const bool holds_rows = shape_.rows < shape_.vectors && !shape_.packs;
    std::vector<llvm::Value*> b_vectors;
    for (unsigned j = 0; j < shape_.vectors && !holds_rows; ++j) b_vectors.push_back(load_b(b_at, j));
    const auto counted = [&] { return before_ == nullptr ? k : b_.CreateAdd(before_, k); };
    if (shape_.packs) pack(counted(), b_at, b_vectors);
    if (fetches && (shape_.ahead || shape_.fetches > 0)) fetch(counted());
    left_.begin(k, a_at);
    const auto add_to = [&](unsigned row, unsigned j, llvm::Value* a, llvm::Value* b) {
      llvm::Value*& sum = sums[row * shape_.vectors + j];
      sum = fused_multiply_add(e_, b_, a, b, sum);
    };
    if (holds_rows) {
      std::vector<llvm::Value*> rows;
      for (unsigned row = 0; row < shape_.rows; ++row) rows.push_back(widen(b_, left_.element(row), shape_.lanes));
      for (unsigned j = 0; j < shape_.vectors; ++j) {
        llvm::Value* const b = load_b(b_at, j);
        for (unsigned row = 0; row < shape_.rows; ++row) add_to(row, j, rows[row], b);
      }
      return sums;
    }
    for (unsigned row = 0; row < shape_.rows; ++row) {
      llvm::Value* const broadcast = widen(b_, left_.element(row), shape_.lanes);
      for (unsigned j = 0; j < shape_.vectors; ++j) add_to(row, j, broadcast, b_vectors[j]);
    }
    return sums;
  }
  void pack(llvm::Value* k, llvm::Value* b_at, const std::vector<llvm::Value*>& b_vectors) {
    // Rows of b lie far apart, and are read for the first time: they are asked for some steps ahead.
    llvm::Value* const ahead = moved_by(b_, b_at, distance_);
    for (unsigned j = 0; j < shape_.vectors; ++j) {
      emit_prefetch(b_, byte_address(b_, ahead, j * vector_bytes_), /*soon=*/true, shape_.for_writing);
    }
    const std::int64_t row_bytes = shape_.vectors * vector_bytes_;
    llvm::Value* const row = moved_by(b_, function_->getArg(8), multiply_add(b_, k, row_bytes, nullptr));
    for (unsigned j = 0; j < shape_.vectors; ++j) {
      b_.CreateAlignedStore(b_vectors[j], byte_address(b_, row, j * vector_bytes_), align_);
    }
  }
  void fetch(llvm::Value* k) {
    llvm::Value* const jump = shape_.inner_steps == 1 ? k : b_.CreateUDiv(k, b_.getInt64(shape_.inner_steps));
    if (shape_.ahead) {
      emit_prefetch(b_, moved_by(b_, function_->getArg(10), b_.CreateMul(jump, function_->getArg(11))), /*soon=*/false);
    }
    for (unsigned i = 0; i < shape_.fetches; ++i) {
      llvm::Value* const number = b_.CreateAdd(b_.CreateMul(jump, b_.getInt64(shape_.fetches)), b_.getInt64(i));
      llvm::Value* const place = b_.CreateGEP(b_.getInt64Ty(), function_->getArg(9),
                                              b_.CreateAnd(number, b_.getInt64(kCosts.fetched_lines - 1)));
      emit_prefetch(b_, b_.CreateIntToPtr(b_.CreateAlignedLoad(b_.getInt64Ty(), place, llvm::Align(8)), e_.pointer()),
                    /*soon=*/false);
    }
  }
  llvm::Value* load_b(llvm::Value* at, unsigned j) {
    llvm::Value* const address = byte_address(b_, at, j * vector_bytes_);
    if (j + 1 < shape_.vectors || shape_.last_lanes == shape_.lanes) {
      return b_.CreateAlignedLoad(vector_, address, align_);
    }
    return b_.CreateMaskedLoad(vector_, address, align_, first_lanes(b_, shape_.lanes, shape_.last_lanes),
                               llvm::Constant::getNullValue(vector_));
  }
  // Of sum number i in c.
  llvm::Value* place(unsigned i) {
    llvm::Value *const c = function_->getArg(6), *const stride = function_->getArg(7);
    llvm::Value* const row =
        i < shape_.vectors ? c : moved_by(b_, c, b_.CreateMul(stride, b_.getInt64(i / shape_.vectors)));
    return byte_address(b_, row, i % shape_.vectors * vector_bytes_);
  }

  const Emission& e_;
  llvm::IRBuilder<>& b_;
  llvm::Function* function_;
  const TileShape& shape_;
  llvm::Type* const vector_;
  const llvm::Align align_;
  const std::int64_t vector_bytes_;
  LeftRows left_;
  llvm::Value* distance_ = nullptr;  // by which rows of b that are packed are asked for ahead
  llvm::Value* before_ = nullptr;    // numbers of k before those of the last inner axis; nullptr: none
};

void emit_dot(const Emission& e, llvm::IRBuilder<>& b, llvm::Function* function, const DotShape& shape) {
  llvm::Type* const vector = with_lanes(e.value_type(shape.dtype), shape.lanes);
  const llvm::Align align(size_of(shape.dtype));
  llvm::Value *const count = function->getArg(4), *const vector_bytes = b.getInt64(shape.lanes * size_of(shape.dtype));
  const std::vector<llvm::Value*> a_offsets = row_offsets(b, function->getArg(1), shape.rows);
  const std::vector<llvm::Value*> b_offsets = row_offsets(b, function->getArg(3), shape.columns);
  const Operand a{function->getArg(0), vector_bytes}, second{function->getArg(2), vector_bytes};
  const auto step = [&](llvm::Value* index, unsigned, llvm::Value* a_at, llvm::Value* b_at, const Carried& carried) {
    llvm::Value* const mask =
        shape.whole_vectors || shape.lanes == 1 ? nullptr : emit_mask(b, index, count, shape.lanes);
    const auto load = [&](llvm::Value* base, const std::vector<llvm::Value*>& offsets, unsigned i) -> llvm::Value* {
      llvm::Value* const address = i == 0 ? base : moved_by(b, base, offsets[i]);
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
  Carried sums = zeros;
  sums.insert(sums.end(), {a.pointer, second.pointer});
  sums = loop_over_inner(b, {b.getInt64(0), count}, a, second, std::move(sums), shape.lanes, 1, step);
  sums.resize(zeros.size());
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
      llvm::Value* const c_row = moved_by(b, function->getArg(5), b.CreateMul(function->getArg(6), b.getInt64(row)));
      b.CreateAlignedStore(b.CreateShuffleVector(wholes, own),
                           byte_address(b, c_row, static_cast<std::int64_t>(column * size_of(shape.dtype))), align);
    }
  }
  b.CreateRetVoid();
}

}  // namespace

llvm::Function* tile_function(const Emission& emission, const TileShape& shape) {
  const std::string steps =
      shape.inner_steps == 1 ? "" : fmt::format(".{}{}", shape.whole_steps ? "by" : "steps", shape.inner_steps);
  const std::string axes = shape.inner_axes == 1 ? "" : fmt::format(".axes{}", shape.inner_axes);
  const std::string name =
      fmt::format("tile.{}.{}x{}x{}.{}{}{}{}{}{}{}{}{}{}", name_of(shape.dtype), shape.rows, shape.vectors, shape.lanes,
                  shape.last_lanes, shape.accumulates ? ".accumulate" : "", shape.packs ? ".pack" : "",
                  shape.for_writing ? ".own" : "", shape.fetches > 0 ? fmt::format(".fetch{}", shape.fetches) : "",
                  shape.ahead ? ".ahead" : "", name_of(shape.left), steps, axes, shape.may_be_empty ? ".any" : "");
  if (llvm::Function* const known = emission.module.getFunction(name)) return known;
  llvm::Type *const pointer = emission.pointer(), *const i64 = emission.i64();
  std::vector<llvm::Type*> types = {pointer, i64, i64, pointer, i64, i64, pointer, i64, pointer, pointer, pointer, i64};
  std::vector<const char*> names = {"a", "a_row_stride", "a_k_stride", "b",    "b_k_stride", "count",
                                    "c", "c_row_stride", "packed",     "list", "ahead",      "ahead_stride"};
  TARN_CHECK(types.size() == kTileArguments, "arguments of tiles");
  for (unsigned axis = 0; axis + 1 < shape.inner_axes; ++axis) {
    types.insert(types.end(), {i64, i64, i64});
    names.insert(names.end(), {"outer_count", "a_outer_stride", "b_outer_stride"});
  }
  llvm::Function* const function =
      make_internal_function(emission, name, llvm::Type::getVoidTy(emission.context()), types, names);
  llvm::IRBuilder<> builder(&function->getEntryBlock());
  builder.setFastMathFlags(math_flags(emission));
  Tile(emission, builder, function, shape).emit();
  builder.CreateRetVoid();
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

}  // namespace tarn
