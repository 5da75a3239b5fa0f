// Contractions to loops over tiles. The order of the loops stands in contraction_schedule.h.
#include "codegen/contraction_kernels.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "codegen/bodies.h"
#include "codegen/contraction_schedule.h"
#include "codegen/contraction_tiles.h"
#include "codegen/loops.h"
#include "codegen/transpose.h"

namespace tarn {

namespace {

constexpr std::int64_t kLineBytes = 64;

class ContractionEmitter {
 public:
  ContractionEmitter(KernelFunction& function, const ContractionKernel& kernel)
      : function_(function),
        b_(function.builder),
        kernel_(kernel),
        schedule_(schedule_of(kernel, function.emission.plan.max_batch, function.emission.machine.target)),
        size_(static_cast<std::int64_t>(size_of(kernel.dtype))),
        batch_axes_(kernel.batch.size()) {}

  void emit();

 private:
  // What is being computed: product[row_begin … row_end, begin … end], of which columns `first` … are in the scratch.
  struct Panel {
    llvm::Value *first, *begin, *end;
  };
  struct Rows {
    llvm::Value *begin, *end;
  };
  // Where b is read by tiles: address of row k_begin of the panel, bytes from row to row, and from tile to tile. The
  // last tile starts `moved_back` bytes earlier for every column that it is moved back: where b lies in place, tiles
  // overlap; packed, each has a copy of its own.
  struct Source {
    llvm::Value *address, *k_stride, *tile_stride, *moved_back;
  };
  // b of a panel for tiles of the first rows, and of the others. Where these differ, the first ones pack what the
  // others read, if `packs` (an i1); else that is nullptr.
  struct Sources {
    Source first, rest;
    llvm::Value* packs;
  };
  // A tile of columns: its number in the panel, its first column there, and by how much that was moved back (nullptr:
  // not).
  struct ColumnTile {
    llvm::Value *number, *begin, *moved_back;
  };

  void prepare_epilogue();
  void find_shares();
  void emit_batch(std::size_t axis, llvm::Value* a, llvm::Value* b);
  void emit_panels();
  void emit_row_blocks(const Panel& panel);
  void emit_product(const Panel& panel, const Rows& rows, const Sources* whole);
  Sources emit_sources(const Panel& panel, llvm::Value* rows, llvm::Value* k_begin, llvm::Value* count);
  bool packs_by_transposing() const;
  // Packs the panel, whose first element is at `source`.
  Source emit_pack(const Panel& panel, llvm::Value* source, llvm::Value* count);
  // What is packed, `count` numbers of k at a time.
  Source packed_source(llvm::Value* count);
  void emit_column_tiles(const Panel& panel, const std::function<void(const ColumnTile&)>& tile);
  void emit_tiles(const Panel& panel, const Rows& rows, llvm::Value* k_begin, llvm::Value* count,
                  const Sources& sources);
  void emit_finished_tiles(const Panel& panel, const Rows& rows, const Sources& sources);
  // Calls `tile(row, rows of the tile)` for whole tiles of rows, then for single rows.
  void emit_row_tiles(const Rows& rows, const std::function<void(llvm::Value*, unsigned)>& tile);
  void emit_tile_call(const Panel& panel, const ColumnTile& tile, const Rows& rows, llvm::Value* row,
                      unsigned tile_rows, llvm::Value* a, llvm::Value* count, const Sources& sources);
  llvm::Value* address_of(const Source& source, const ColumnTile& tile);
  void find_prefetched();
  void emit_left_copy(llvm::Value* row);
  // The number of a row among those that are copied at a time.
  llvm::Value* left_row(llvm::Value* row) {
    return b_.CreateURem(b_.CreateSub(row, row_range_.begin), function_.integer(schedule_.left_rows));
  }
  void start_fetch_list();
  void set_fetched(std::int64_t position, llvm::Value* addresses);
  void emit_fetch_list(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  llvm::Value* lines_from(llvm::Value* address, std::int64_t lines);
  std::pair<llvm::Value*, llvm::Value*> next_panel(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  void emit_fetched_rows(const Panel& panel, const ColumnTile& tile, llvm::Value* row);
  void emit_streamed_rows();
  void emit_dot_calls(const Panel& panel, const Rows& rows, llvm::Value* row, unsigned tile_rows, llvm::Value* count);
  void clear_product(const Rows& rows);
  unsigned lanes_along(std::size_t axis) const;
  Range block_of(const Extent& extent, std::int64_t block, std::size_t axis, llvm::Value* begin,
                 llvm::Value* end) const;
  Range columns_of(const Panel& panel) const {
    return block_of(kernel_.columns, schedule_.panel, batch_axes_ + 1, panel.begin, panel.end);
  }
  // `first_column`: of the product in the scratch memory.
  void emit_epilogue(llvm::Value* first_column, const Range& columns, const Rows& rows);
  llvm::Value* load_product();

  std::int64_t a_stride(std::size_t axis) const { return kernel_.a.at.strides[axis] * size_; }
  std::int64_t b_stride(std::size_t axis) const { return kernel_.b.at.strides[axis] * size_; }
  std::int64_t row_stride() const { return a_stride(batch_axes_); }
  std::int64_t a_inner_stride() const { return a_stride(batch_axes_ + 1); }
  std::int64_t b_inner_stride() const { return b_stride(batch_axes_); }
  std::int64_t column_stride() const { return b_stride(batch_axes_ + 1); }
  std::int64_t epilogue_columns() const { return schedule_.tile_epilogue ? schedule_.tile_columns() : schedule_.panel; }
  bool one_column() const { return !kernel_.columns.times_batch && kernel_.columns.constant == 1; }
  llvm::Value* move(llvm::Value* address, llvm::Value* index, std::int64_t bytes) {
    llvm::Value* const distance = multiply_add(b_, index, bytes, nullptr);
    return element_address(b_, b_.getInt8Ty(), address, distance);
  }
  llvm::Value* minimum(llvm::Value* a, llvm::Value* b) { return b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, a, b); }

  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionSchedule schedule_;
  const std::int64_t size_;
  const std::size_t batch_axes_;
  llvm::Value *a_ = nullptr, *second_ = nullptr;  // of the current batch
  llvm::Value *columns_ = nullptr, *inner_ = nullptr;
  Range row_range_, column_range_, outer_range_;  // this call's, also of batch axis number 0
  llvm::Value *product_ = nullptr, *packed_ = nullptr, *fetched_ = nullptr, *left_ = nullptr;
  llvm::Value *next_count_ = nullptr, *next_rows_ = nullptr, *next_array_ = nullptr;  // of the next batch
  Nest nest_;
  BodyEmitter* epilogue_ = nullptr;
  llvm::Value *product_row_ = nullptr, *product_column_ = nullptr;  // first ones in the scratch
  std::vector<const Access*> prefetched_;                           // by the tile before its epilogue
};

void ContractionEmitter::prepare_epilogue() {
  const std::size_t axes = batch_axes_ + 2;
  nest_.level_of_axis.resize(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) nest_.level_of_axis[axis] = static_cast<int>(axis);
  nest_.depth = static_cast<int>(axes);
  nest_.index.resize(axes);
  nest_.vector_axis = static_cast<int>(one_column() ? batch_axes_ : batch_axes_ + 1);
  const BodyAnalysis analysis = analyze(kernel_.epilogue, nest_, {}, nest_.depth - 1, true);
  const unsigned lanes = lanes_for({&kernel_.epilogue}, {&analysis}, function_.emission.machine.target.vector_bytes);
  const Extent& along = one_column() ? kernel_.rows : kernel_.columns;
  const std::int64_t most = one_column() ? schedule_.row_block : epilogue_columns();
  nest_.lanes = fitting_lanes(along.times_batch ? most : std::min(most, along.constant), lanes,
                              function_.emission.machine.target);
  if (nest_.lanes == 1 || !allows_lanes(kernel_.epilogue, analysis, nest_.vector_axis)) {
    nest_.lanes = 1;
    nest_.vector_axis = -1;
  }
}

// Shares end where tiles do. Where vectors go along rows, also where blocks do: what follows may rely on them.
void ContractionEmitter::find_shares() {
  row_range_ = range_of(function_, kernel_.rows);
  column_range_ = range_of(function_, kernel_.columns);
  if (batch_axes_ > 0) outer_range_ = range_of(function_, kernel_.batch[0]);
  if (!kernel_.split) return;
  if (kernel_.split->axis < batch_axes_) {
    outer_range_ = function_.share_of(outer_range_, 1);
  } else if (kernel_.split->axis == batch_axes_) {
    row_range_ = function_.share_of(row_range_, one_column() ? schedule_.row_block : schedule_.tile_rows);
  } else {
    column_range_ = function_.share_of(column_range_, schedule_.panel);
  }
}

void ContractionEmitter::emit() {
  const auto empty = [](const Extent& extent) { return extent.constant == 0; };
  if (empty(kernel_.rows) || empty(kernel_.columns) || std::any_of(kernel_.batch.begin(), kernel_.batch.end(), empty)) {
    return;
  }
  prepare_epilogue();
  find_prefetched();
  BodyEmitter epilogue(function_, kernel_.epilogue, nest_,
                       analyze(kernel_.epilogue, nest_, {}, nest_.depth - 1, nest_.lanes > 1));
  epilogue.result = [this](const Value&) { return load_product(); };
  epilogue_ = &epilogue;
  columns_ = function_.extent(kernel_.columns);
  inner_ = function_.extent(kernel_.inner);
  find_shares();
  product_ = function_.scratch();
  fetched_ = byte_address(b_, product_, schedule_.product_bytes);
  left_ = byte_address(b_, fetched_, schedule_.fetched_bytes);
  packed_ = byte_address(b_, left_, schedule_.left_bytes);
  if (!prefetched_.empty()) start_fetch_list();
  epilogue.emit_level(-1);
  emit_batch(0, function_.address(kernel_.a, size_), function_.address(kernel_.b, size_));
}

void ContractionEmitter::emit_batch(std::size_t axis, llvm::Value* a, llvm::Value* b) {
  if (axis == batch_axes_) {
    a_ = a;
    second_ = b;
    if (!schedule_.streams) return emit_panels();
    llvm::Value* const few = b_.CreateICmpULE(function_.extent(kernel_.rows), function_.integer(kStreamedRows));
    emit_if(b_, few, {}, [&](const Carried&) {
      emit_streamed_rows();
      return Carried{};
    });
    emit_if(b_, b_.CreateNot(few), {}, [&](const Carried&) {
      emit_panels();
      return Carried{};
    });
    return;
  }
  const Range range = axis == 0 ? outer_range_ : range_of(function_, kernel_.batch[axis]);
  emit_loop(b_, range, 1, {}, [&](llvm::Value* index, const Carried&) {
    nest_.index[axis] = index;
    epilogue_->emit_level(static_cast<int>(axis));
    emit_batch(axis + 1, move(a, index, a_stride(axis)), move(b, index, b_stride(axis)));
    return Carried{};
  });
}

void ContractionEmitter::emit_panels() {
  const Range& columns = column_range_;
  const std::int64_t panel = schedule_.panel;
  emit_loop(b_, columns, panel, {}, [&](llvm::Value* begin, const Carried&) {
    Panel p{begin, begin, columns.end};
    if (columns.count == 0 || columns.count > panel)
      p.end = minimum(b_.CreateAdd(begin, function_.integer(panel)), columns.end);
    // A last panel that is not full is moved back over columns that are done already, so that no load needs a mask;
    // only what is new goes through the epilogue. (Tiles of form `columns` are moved back one by one.)
    const std::int64_t all = kernel_.columns.times_batch ? 0 : kernel_.columns.constant;
    if (schedule_.dot && all > panel && all % panel != 0) p.first = minimum(begin, function_.integer(all - panel));
    emit_row_blocks(p);
    return Carried{};
  });
}

void ContractionEmitter::emit_streamed_rows() {
  llvm::Function* const stream = stream_function(function_.emission, kernel_.dtype, schedule_.lanes);
  const Range& columns = column_range_;
  llvm::Value* const second = move(second_, columns.begin, column_stride());
  llvm::Value* const count = b_.CreateSub(columns.end, columns.begin);
  emit_loop(b_, row_range_, 1, {}, [&](llvm::Value* row, const Carried&) {
    b_.CreateCall(stream, {move(a_, row, row_stride()), function_.integer(a_inner_stride()), second,
                           function_.integer(b_inner_stride()), inner_, count, product_});
    emit_epilogue(columns.begin, columns, {row, b_.CreateAdd(row, function_.integer(1))});
    return Carried{};
  });
}

void ContractionEmitter::emit_row_blocks(const Panel& panel) {
  Sources whole{};
  const bool one_block = !schedule_.several_blocks && !schedule_.dot && kernel_.inner.constant != 0;
  const Range& rows = row_range_;
  if (one_block) whole = emit_sources(panel, b_.CreateSub(rows.end, rows.begin), function_.integer(0), inner_);
  emit_loop(b_, rows, schedule_.row_block, {}, [&](llvm::Value* begin, const Carried&) {
    Rows block{begin, rows.end};
    if (rows.count == 0 || rows.count > schedule_.row_block) {
      block.end = minimum(b_.CreateAdd(begin, function_.integer(schedule_.row_block)), rows.end);
    }
    if (schedule_.tile_epilogue) {
      emit_finished_tiles(panel, block, whole);
      return Carried{};
    }
    emit_product(panel, block, one_block ? &whole : nullptr);
    emit_epilogue(panel.first, columns_of(panel), block);
    return Carried{};
  });
}

void ContractionEmitter::emit_product(const Panel& panel, const Rows& rows, const Sources* whole) {
  llvm::Value* const zero = function_.integer(0);
  if (kernel_.inner.constant == 0) {
    clear_product(rows);
  } else if (schedule_.dot) {
    emit_row_tiles(rows, [&](llvm::Value* row, unsigned count) { emit_dot_calls(panel, rows, row, count, inner_); });
  } else if (whole != nullptr) {
    emit_tiles(panel, rows, zero, inner_, *whole);
  } else {
    clear_product(rows);
    emit_loop(b_, range_of(function_, kernel_.inner), schedule_.inner_block, {}, [&](llvm::Value* k, const Carried&) {
      llvm::Value* const count = minimum(b_.CreateSub(inner_, k), function_.integer(schedule_.inner_block));
      emit_tiles(panel, rows, k, count, emit_sources(panel, b_.CreateSub(rows.end, rows.begin), k, count));
      return Carried{};
    });
  }
}

void ContractionEmitter::clear_product(const Rows& rows) {
  llvm::Type* const element = function_.emission.value_type(kernel_.dtype);
  llvm::Value* const count = multiply_add(b_, b_.CreateSub(rows.end, rows.begin), schedule_.product_row, nullptr);
  const Range range = {function_.integer(0), count, 0, schedule_.product_row};
  const unsigned lanes = schedule_.dot ? 1 : schedule_.lanes;
  emit_loop(b_, range, lanes, {}, [&](llvm::Value* index, const Carried&) {
    b_.CreateAlignedStore(llvm::Constant::getNullValue(with_lanes(element, lanes)),
                          element_address(b_, element, product_, index), llvm::Align(size_of(kernel_.dtype)));
    return Carried{};
  });
}

// b is contiguous along k, and whole panels are packed: by blocks in registers.
bool ContractionEmitter::packs_by_transposing() const {
  const std::int64_t last = kernel_.inner.constant % std::max<std::int64_t>(schedule_.inner_block, 1);
  const bool long_blocks =
      !schedule_.several_blocks || (!kernel_.inner.times_batch && (last == 0 || last >= kTransposeBlock));
  return b_inner_stride() == size_ && !kernel_.columns.times_batch && kernel_.columns.constant >= schedule_.panel &&
         schedule_.tile_columns() >= kTransposeBlock && kernel_.inner.constant >= kTransposeBlock && long_blocks;
}

ContractionEmitter::Source ContractionEmitter::emit_pack(const Panel& panel, llvm::Value* source, llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns();
  llvm::Value* const tile_stride = multiply_add(b_, count, width * size_, nullptr);
  const bool contiguous = column_stride() == size_ || one_column();
  emit_column_tiles(panel, [&](const ColumnTile& tile) {
    llvm::Value* const from = move(source, tile.begin, column_stride());
    llvm::Value* const to = b_.CreateGEP(b_.getInt8Ty(), packed_, b_.CreateMul(tile.number, tile_stride));
    if (packs_by_transposing()) {
      b_.CreateCall(transpose_function(function_.emission, static_cast<std::size_t>(size_)),
                    {from, function_.integer(column_stride()), function_.integer(width), count, to,
                     function_.integer(width * size_)});
      return;
    }
    llvm::Function* const pack =
        pack_function(function_.emission, kernel_.dtype, schedule_.lanes, static_cast<unsigned>(width), contiguous);
    llvm::Value* const left = b_.CreateSub(columns_, b_.CreateAdd(panel.first, tile.begin));
    b_.CreateCall(pack, {from, function_.integer(b_inner_stride()), function_.integer(column_stride()), count,
                         minimum(left, function_.integer(width)), to});
  });
  return packed_source(count);
}

ContractionEmitter::Source ContractionEmitter::packed_source(llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns() * size_;
  return {packed_, function_.integer(width), multiply_add(b_, count, width, nullptr), function_.integer(0)};
}

// `rows`: how many will go over what is packed.
ContractionEmitter::Sources ContractionEmitter::emit_sources(const Panel& panel, llvm::Value* rows,
                                                             llvm::Value* k_begin, llvm::Value* count) {
  const std::int64_t width = schedule_.tile_columns();
  llvm::Value* const start = move(move(second_, panel.first, column_stride()), k_begin, b_inner_stride());
  const Source in_place = {start, function_.integer(b_inner_stride()), function_.integer(width * size_),
                           function_.integer(size_)};
  using Packing = ContractionSchedule::Packing;
  if (schedule_.packing == Packing::never) return {in_place, in_place, nullptr};
  if (schedule_.packing == Packing::always) {
    const Source packed = emit_pack(panel, start, count);
    return {packed, packed, nullptr};
  }
  static_assert(kPackingRows >= 14, "a tile of rows must come first, since single rows do not pack");
  llvm::Value* const many = b_.CreateICmpUGE(rows, function_.integer(kPackingRows));
  const Source packed = packed_source(count);
  const auto choose = [&](llvm::Value* there, llvm::Value* own) { return b_.CreateSelect(many, there, own); };
  const Source rest = {choose(packed.address, in_place.address), choose(packed.k_stride, in_place.k_stride),
                       choose(packed.tile_stride, in_place.tile_stride),
                       choose(packed.moved_back, in_place.moved_back)};
  return {in_place, rest, many};
}

void ContractionEmitter::emit_column_tiles(const Panel& panel, const std::function<void(const ColumnTile&)>& tile) {
  const std::int64_t width = schedule_.tile_columns();
  const std::int64_t all = kernel_.columns.constant;
  Range tiles = {function_.integer(0), function_.integer(schedule_.tiles()), schedule_.tiles()};
  if (kernel_.columns.times_batch || (all > schedule_.panel && all % schedule_.panel != 0)) {
    llvm::Value* const columns = b_.CreateSub(panel.end, panel.first);
    tiles = {tiles.begin, b_.CreateUDiv(b_.CreateAdd(columns, function_.integer(width - 1)), function_.integer(width)),
             schedule_.tiles() == 1 ? 1 : 0};
  }
  emit_loop(b_, tiles, 1, {}, [&](llvm::Value* number, const Carried&) {
    llvm::Value* const regular = multiply_add(b_, number, width, function_.integer(0));
    if (kernel_.columns.times_batch || all % width == 0 || all < width) {
      tile({number, regular, nullptr});
    } else {
      // The last tile is moved back where it does not fit, so that no load needs a mask.
      llvm::Value* const begin = minimum(regular, b_.CreateSub(function_.integer(all - width), panel.first));
      tile({number, begin, b_.CreateSub(regular, begin)});
    }
    return Carried{};
  });
}

void ContractionEmitter::emit_row_tiles(const Rows& rows, const std::function<void(llvm::Value*, unsigned)>& tile) {
  std::int64_t known = row_range_.count <= schedule_.row_block ? row_range_.count : 0;
  const bool divides = kernel_.rows.constant % schedule_.tile_rows == 0;
  std::vector<unsigned> heights = {schedule_.tile_rows};
  if (!divides) heights.push_back(1);
  llvm::Value* begin = rows.begin;
  for (const unsigned height : heights) {
    llvm::Value* end = rows.end;
    if (height != heights.back()) {
      end = b_.CreateSub(end, b_.CreateURem(b_.CreateSub(end, begin), function_.integer(height)));
    }
    const auto loop = [&](const Carried&) {
      return emit_loop(b_, {begin, end, known / height * height}, height, {}, [&](llvm::Value* row, const Carried&) {
        tile(row, height);
        return Carried{};
      });
    };
    if (divides) {
      loop({});
    } else {
      emit_if(b_, b_.CreateICmpNE(begin, end), {}, loop);
    }
    begin = end;
    known %= height;
  }
}

void ContractionEmitter::emit_tiles(const Panel& panel, const Rows& rows, llvm::Value* k_begin, llvm::Value* count,
                                    const Sources& sources) {
  llvm::Value* const a = move(a_, k_begin, a_inner_stride());
  emit_row_tiles(rows, [&](llvm::Value* row, unsigned tile_rows) {
    emit_column_tiles(
        panel, [&](const ColumnTile& tile) { emit_tile_call(panel, tile, rows, row, tile_rows, a, count, sources); });
  });
}

// Copies the rows of a that the next tiles will read, k behind k.
void ContractionEmitter::emit_left_copy(llvm::Value* row) {
  const auto width = static_cast<unsigned>(schedule_.left_width());
  llvm::Function* const pack = pack_function(function_.emission, kernel_.dtype, schedule_.lanes, width, true);
  emit_if(b_, b_.CreateICmpEQ(left_row(row), function_.integer(0)), {}, [&](const Carried&) {
    llvm::Value* const rows = minimum(b_.CreateSub(row_range_.end, row), function_.integer(schedule_.left_rows));
    b_.CreateCall(pack, {move(a_, row, row_stride()), function_.integer(a_inner_stride()), function_.integer(size_),
                         inner_, rows, left_});
    return Carried{};
  });
}

// Tile after tile, each followed by its epilogue, which runs while the next tile begins.
void ContractionEmitter::emit_finished_tiles(const Panel& panel, const Rows& rows, const Sources& sources) {
  const unsigned height = schedule_.tile_rows;
  const bool divides = kernel_.rows.constant % height == 0;
  emit_loop(b_, {rows.begin, rows.end, row_range_.count}, height, {}, [&](llvm::Value* row, const Carried&) {
    Rows block{row, b_.CreateAdd(row, function_.integer(height))};
    if (!divides) block.end = minimum(block.end, rows.end);
    if (schedule_.left_rows > 0) emit_left_copy(row);
    llvm::Value* const whole = b_.CreateICmpEQ(b_.CreateSub(block.end, row), function_.integer(height));
    emit_column_tiles(panel, [&](const ColumnTile& tile) {
      const auto call = [&](llvm::Value* first, unsigned count) {
        emit_tile_call(panel, tile, block, first, count, a_, inner_, sources);
        return Carried{};
      };
      if (divides) {
        call(row, height);
      } else {
        emit_if(b_, whole, {}, [&](const Carried&) { return call(row, height); });
        emit_if(b_, b_.CreateNot(whole), {}, [&](const Carried&) {
          return emit_loop(b_, {block.begin, block.end}, 1, {},
                           [&](llvm::Value* single, const Carried&) { return call(single, 1); });
        });
      }
      const std::int64_t width = schedule_.tile_columns();
      llvm::Value* const begin = multiply_add(b_, tile.number, width, panel.begin);
      llvm::Value* const end = minimum(b_.CreateAdd(begin, function_.integer(width)), panel.end);
      emit_epilogue(b_.CreateAdd(panel.first, tile.begin),
                    block_of(kernel_.columns, width, batch_axes_ + 1, begin, end), block);
    });
    return Carried{};
  });
}

llvm::Value* ContractionEmitter::address_of(const Source& source, const ColumnTile& tile) {
  llvm::Value* distance = b_.CreateMul(tile.number, source.tile_stride);
  if (tile.moved_back != nullptr) {
    distance = b_.CreateSub(distance, b_.CreateMul(tile.moved_back, source.moved_back));
  }
  return b_.CreateGEP(b_.getInt8Ty(), source.address, distance);
}

// Matrices of the epilogue that are too large for caches to still hold them from the last time, such as weights and
// slots in an update: they can be on their way while the product is computed.
void ContractionEmitter::find_prefetched() {
  if (schedule_.fetched_bytes == 0) return;
  for (const Value& value : kernel_.epilogue.values) {
    const Access& access = value.access;
    if (value.kind != Value::Kind::load || access.row != kNoValue) continue;
    if (access.at.strides[0] != 0 && access.at.strides[1] == 1) prefetched_.push_back(&access);
  }
}

void ContractionEmitter::start_fetch_list() {
  llvm::Value* const nothing = b_.CreateVectorSplat(8, b_.CreatePtrToInt(fetched_, b_.getInt64Ty()));
  for (std::int64_t i = 0; i < kFetchedLines; i += 8) set_fetched(i, nothing);
  const Buffer& buffer = function_.emission.plan.buffers[kernel_.a.buffer];
  if (buffer.space != Space::input || !kernel_.inner.times_batch || !kernel_.batch.empty()) return;
  // A product that sums over the samples of an input: the rows that the next batch will be gathered from.
  const auto pointer = [&](llvm::Value* number) { return b_.CreateIntToPtr(number, function_.emission.pointer()); };
  next_count_ = function_.frame_slot(kFrameNextCount);
  llvm::Value* const some = b_.CreateICmpNE(next_count_, function_.integer(0));
  next_rows_ = b_.CreateSelect(some, pointer(function_.frame_slot(kFrameNextRows)), function_.frame);
  llvm::Value* const arrays = b_.CreateSelect(some, pointer(function_.frame_slot(kFrameArrays)), function_.frame);
  llvm::Type* const type = function_.emission.pointer();
  next_array_ = b_.CreateAlignedLoad(type, b_.CreateConstGEP1_64(type, arrays, buffer.index), llvm::Align(4));
}

void ContractionEmitter::set_fetched(std::int64_t position, llvm::Value* addresses) {
  b_.CreateAlignedStore(addresses, byte_address(b_, fetched_, 8 * position), llvm::Align(8));
}

// The lines that the epilogue of the next tile wants: the tile to come asks for one of them at a time, which leaves
// room for its own loads.
void ContractionEmitter::emit_fetch_list(const Panel& panel, const ColumnTile& tile, llvm::Value* row) {
  llvm::Value *number = function_.integer(0), *next_row = b_.CreateAdd(row, function_.integer(schedule_.tile_rows));
  if (schedule_.tiles() > 1) {
    llvm::Value* const following = b_.CreateAdd(tile.number, function_.integer(1));
    llvm::Value* const last = b_.CreateICmpUGE(following, function_.integer(schedule_.tiles()));
    number = b_.CreateSelect(last, number, following);
    next_row = b_.CreateSelect(last, next_row, row);
  }
  llvm::Value* const column = multiply_add(b_, number, schedule_.tile_columns(), panel.first);
  std::int64_t position = 0;
  for (const Access* access : prefetched_) {
    const auto size = static_cast<std::int64_t>(size_of(function_.emission.plan.buffers[access->buffer].dtype));
    const std::int64_t lines = std::max<std::int64_t>(schedule_.tile_columns() * size / kLineBytes, 1);
    if (position + lines * schedule_.tile_rows > kFetchedLines - kFetchedOfNext) break;
    llvm::Value* const start = function_.address(*access, size);
    llvm::Value* const first = move(move(start, next_row, access->at.strides[0] * size), column, size);
    llvm::Value* addresses = lines_from(first, lines);
    llvm::Value* const stride =
        b_.CreateVectorSplat(static_cast<unsigned>(lines), function_.integer(access->at.strides[0] * size));
    for (unsigned i = 0; i < schedule_.tile_rows; ++i) {
      if (i > 0) addresses = b_.CreateAdd(addresses, stride);
      set_fetched(position, addresses);
      position += lines;
    }
  }
  if (next_count_ != nullptr) emit_fetched_rows(panel, tile, row);
}

// Addresses of cache lines that follow each other.
llvm::Value* ContractionEmitter::lines_from(llvm::Value* address, std::int64_t lines) {
  std::vector<llvm::Constant*> steps;
  steps.reserve(static_cast<std::size_t>(lines));
  for (std::int64_t line = 0; line < lines; ++line) {
    steps.push_back(b_.getInt64(static_cast<std::uint64_t>(line * kLineBytes)));
  }
  llvm::Value* const first = b_.CreatePtrToInt(address, b_.getInt64Ty());
  return b_.CreateAdd(b_.CreateVectorSplat(static_cast<unsigned>(lines), first), llvm::ConstantVector::get(steps));
}

// Every tile of the first panel fetches some lines of one row of the next batch.
void ContractionEmitter::emit_fetched_rows(const Panel& panel, const ColumnTile& tile, llvm::Value* row) {
  constexpr std::int64_t kVector = 8;
  const std::int64_t row_bytes = a_inner_stride(), pieces = (row_bytes - 1) / (kFetchedOfNext * kLineBytes) + 1;
  llvm::Value* const row_tile = b_.CreateUDiv(row, function_.integer(schedule_.tile_rows));
  llvm::Value* const piece = b_.CreateAdd(b_.CreateMul(row_tile, function_.integer(schedule_.tiles())), tile.number);
  llvm::Value* const sample = b_.CreateUDiv(piece, function_.integer(pieces));
  llvm::Value* const any =
      b_.CreateAnd(b_.CreateICmpULT(sample, next_count_), b_.CreateICmpEQ(panel.begin, function_.integer(0)));
  llvm::Type* const i32 = b_.getInt32Ty();
  llvm::Value* const place = b_.CreateGEP(i32, next_rows_, b_.CreateSelect(any, sample, function_.integer(0)));
  llvm::Value* const chosen = b_.CreateZExt(b_.CreateAlignedLoad(i32, place, llvm::Align(4)), b_.getInt64Ty());
  llvm::Value* const begin = b_.CreateSelect(any, move(next_array_, chosen, row_bytes), fetched_);
  const auto number = [&](llvm::Value* address) { return b_.CreatePtrToInt(address, b_.getInt64Ty()); };
  llvm::Value* const last = b_.CreateVectorSplat(kVector, number(byte_address(b_, begin, row_bytes - 1)));
  llvm::Value* const in_row = b_.CreateURem(piece, function_.integer(pieces));
  llvm::Value* const first = move(begin, in_row, kFetchedOfNext * kLineBytes);
  for (std::int64_t i = 0; i < kFetchedOfNext; i += kVector) {
    llvm::Value* const lines = lines_from(byte_address(b_, first, i * kLineBytes), kVector);
    set_fetched(kFetchedLines - kFetchedOfNext + i, minimum(lines, last));
  }
}

// The lines of the next panel of b that a tile asks for: address and stride. There are as many columns (or, where b is
// contiguous along k, blocks) of k lines as the panel has lines; the last tiles of this panel take one each.
std::pair<llvm::Value*, llvm::Value*> ContractionEmitter::next_panel(const Panel& panel, const ColumnTile& tile,
                                                                     llvm::Value* row) {
  llvm::Value *const height = function_.integer(schedule_.tile_rows), *const all = function_.integer(schedule_.tiles());
  const auto tiles_in = [&](llvm::Value* rows) { return b_.CreateMul(b_.CreateUDiv(rows, height), all); };
  const std::int64_t blocks = std::max<std::int64_t>(schedule_.panel * size_ / kLineBytes, 1);
  llvm::Value* const done = b_.CreateAdd(tiles_in(b_.CreateSub(row, row_range_.begin)), tile.number);
  llvm::Value* const total = tiles_in(b_.CreateSub(row_range_.end, row_range_.begin));
  llvm::Value* const block = b_.CreateSub(b_.CreateAdd(done, function_.integer(blocks)), total);
  llvm::Value* const next = b_.CreateAdd(panel.begin, function_.integer(schedule_.panel));
  llvm::Value* const active =
      b_.CreateAnd(b_.CreateICmpSGE(block, function_.integer(0)), b_.CreateICmpULT(next, column_range_.end));
  const bool along_k = b_inner_stride() == size_;
  llvm::Value* const stride = function_.integer(along_k ? kLineBytes : b_inner_stride());
  llvm::Value* const step = along_k ? multiply_add(b_, inner_, kLineBytes, nullptr) : function_.integer(kLineBytes);
  llvm::Value* const start = move(second_, next, column_stride());
  llvm::Value* const address = b_.CreateGEP(b_.getInt8Ty(), start, b_.CreateMul(block, step));
  return {b_.CreateSelect(active, address, product_), b_.CreateSelect(active, stride, function_.integer(0))};
}

void ContractionEmitter::emit_tile_call(const Panel& panel, const ColumnTile& tile, const Rows& rows, llvm::Value* row,
                                        unsigned tile_rows, llvm::Value* a, llvm::Value* count,
                                        const Sources& sources) {
  TileShape shape{kernel_.dtype,   tile_rows,       schedule_.tile_vectors,
                  schedule_.lanes, schedule_.lanes, schedule_.several_blocks};
  if (schedule_.packing != ContractionSchedule::Packing::always && kernel_.columns.constant < schedule_.panel) {
    shape.last_lanes =
        static_cast<unsigned>(kernel_.columns.constant - (schedule_.tile_vectors - 1) * std::int64_t{schedule_.lanes});
  }
  if (tile_rows > 1 && !prefetched_.empty()) shape.fetches = schedule_.fetches;
  shape.ahead = tile_rows > 1 && schedule_.fetches_panels;
  llvm::Function* const tile_of_rest = tile_function(function_.emission, shape);
  llvm::Value *callee = tile_of_rest, *address = address_of(sources.rest, tile), *k_stride = sources.rest.k_stride;
  llvm::Value* packed = llvm::PoisonValue::get(function_.emission.pointer());
  if (sources.packs != nullptr && tile_rows == schedule_.tile_rows) {
    // The first rows of all that go over this part of b; the block's, where every block packs anew.
    shape.packs = true;
    llvm::Value* const begin = schedule_.several_blocks ? rows.begin : row_range_.begin;
    llvm::Value* const first = b_.CreateAnd(b_.CreateICmpEQ(row, begin), sources.packs);
    callee = b_.CreateSelect(first, tile_function(function_.emission, shape), callee);
    address = b_.CreateSelect(first, address_of(sources.first, tile), address);
    k_stride = b_.CreateSelect(first, sources.first.k_stride, k_stride);
    packed = address_of(packed_source(count), tile);
  }
  llvm::Value* const product_row = move(product_, b_.CreateSub(row, rows.begin), schedule_.product_row * size_);
  llvm::Value* const product_tile = schedule_.tile_epilogue ? product_row : move(product_row, tile.begin, size_);
  if (shape.fetches > 0) emit_fetch_list(panel, tile, row);
  std::pair<llvm::Value*, llvm::Value*> ahead = {llvm::PoisonValue::get(function_.emission.pointer()),
                                                 llvm::PoisonValue::get(function_.emission.i64())};
  if (shape.ahead) ahead = next_panel(panel, tile, row);
  const bool copied = schedule_.left_rows > 0;
  llvm::Value* const a_row = copied ? move(left_, left_row(row), size_) : move(a, row, row_stride());
  llvm::Value* const a_k = function_.integer(copied ? schedule_.left_width() * size_ : a_inner_stride());
  b_.CreateCall(tile_of_rest->getFunctionType(), callee,
                {a_row, function_.integer(row_stride()), a_k, address, k_stride, count, product_tile,
                 function_.integer(schedule_.product_row * size_), packed, fetched_, ahead.first, ahead.second});
}

void ContractionEmitter::emit_dot_calls(const Panel& panel, const Rows& rows, llvm::Value* row, unsigned tile_rows,
                                        llvm::Value* count) {
  const DotShape shape{kernel_.dtype, tile_rows, schedule_.tile_vectors, schedule_.lanes,
                       kernel_.inner.constant % schedule_.lanes == 0};
  const auto step = static_cast<std::int64_t>(schedule_.tile_vectors);
  // Whole panels, but for the last of a number of columns that is not known.
  llvm::Value* const width =
      kernel_.columns.times_batch ? b_.CreateSub(panel.end, panel.first) : function_.integer(schedule_.panel);
  const Range columns = {function_.integer(0), width, kernel_.columns.times_batch ? 0 : schedule_.panel};
  emit_loop(b_, columns, step, {}, [&](llvm::Value* column, const Carried&) {
    if (schedule_.panel % step != 0) column = minimum(column, function_.integer(schedule_.panel - step));
    llvm::Value* const second = move(second_, b_.CreateAdd(panel.first, column), column_stride());
    llvm::Value* const c =
        move(move(product_, b_.CreateSub(row, rows.begin), schedule_.product_row * size_), column, size_);
    b_.CreateCall(dot_function(function_.emission, shape),
                  {move(a_, row, row_stride()), function_.integer(row_stride()), second,
                   function_.integer(column_stride()), count, c, function_.integer(schedule_.product_row * size_)});
    return Carried{};
  });
}

llvm::Value* ContractionEmitter::load_product() {
  llvm::Value* const row = b_.CreateSub(nest_.index[batch_axes_], product_row_);
  llvm::Value* const column = b_.CreateSub(nest_.index[batch_axes_ + 1], product_column_);
  llvm::Value* const address = move(move(product_, row, schedule_.product_row * size_), column, size_);
  // Lanes beyond the end read what else is in the scratch memory, which is larger than the product by a vector.
  llvm::Type* const type = with_lanes(function_.emission.value_type(kernel_.dtype), nest_.lanes);
  return b_.CreateAlignedLoad(type, address, llvm::Align(size_of(kernel_.dtype)));
}

unsigned ContractionEmitter::lanes_along(std::size_t axis) const {
  return nest_.vector_axis == static_cast<int>(axis) ? nest_.lanes : 1U;
}

// What is known of a range of `block` indices out of an extent, or of the rest of it.
Range ContractionEmitter::block_of(const Extent& extent, std::int64_t block, std::size_t axis, llvm::Value* begin,
                                   llvm::Value* end) const {
  Range range{begin, end};
  if (!extent.times_batch && (extent.constant <= block || extent.constant % block == 0)) {
    range.count = std::min(extent.constant, block);
  }
  const std::int64_t lanes = lanes_along(axis);
  if (extent.constant % lanes == 0 && block % lanes == 0) range.multiple = lanes;
  return range;
}

void ContractionEmitter::emit_epilogue(llvm::Value* first_column, const Range& columns, const Rows& rows) {
  product_row_ = rows.begin;
  product_column_ = first_column;
  const std::size_t row_axis = batch_axes_, column_axis = batch_axes_ + 1;
  const std::int64_t height = schedule_.tile_epilogue ? schedule_.tile_rows : schedule_.row_block;
  Range row_range = block_of(kernel_.rows, height, row_axis, rows.begin, rows.end);
  // A share may end within a block, but not within a tile.
  if (row_range_.count == 0 && !schedule_.tile_epilogue) row_range.count = 0;
  const auto lanes = [&](std::size_t axis) { return lanes_along(axis); };
  emit_vector_loop(function_.emission, b_, row_range, lanes(row_axis), {},
                   [&](llvm::Value* row, llvm::Value* row_mask, const Carried&) {
                     nest_.index[row_axis] = row;
                     if (lanes(row_axis) > 1) nest_.mask = row_mask;
                     epilogue_->emit_level(static_cast<int>(row_axis));
                     return emit_vector_loop(function_.emission, b_, columns, lanes(column_axis), {},
                                             [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
                                               nest_.index[column_axis] = column;
                                               if (lanes(column_axis) > 1) nest_.mask = mask;
                                               epilogue_->emit_level(static_cast<int>(column_axis));
                                               epilogue_->emit_stores();
                                               return Carried{};
                                             });
                   });
}

}  // namespace

void emit_contraction_kernel(KernelFunction& function, const ContractionKernel& kernel) {
  ContractionEmitter(function, kernel).emit();
}

}  // namespace tarn
