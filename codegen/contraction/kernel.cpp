// Contractions to loops over tiles. The order of the loops stands in passes/plan/contraction_tiling.h.
#include "codegen/contraction/kernel.h"

#include <algorithm>
#include <utility>

#include "codegen/contraction/contraction.h"
#include "codegen/contraction/epilogue.h"
#include "codegen/contraction/fetches.h"
#include "codegen/contraction/inner_ranges.h"
#include "codegen/contraction/operands.h"
#include "codegen/contraction/streams.h"
#include "codegen/contraction/tile_calls.h"
#include "codegen/contraction/tiles.h"
#include "codegen/kernels/loops.h"
#include "passes/plan/access.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

namespace {

class ContractionEmitter {
 public:
  ContractionEmitter(KernelFunction& function, const ContractionKernel& kernel)
      : whole_(function, kernel),
        function_(function),
        b_(function.builder),
        kernel_(kernel),
        tiling_(whole_.tiling),
        epilogue_(whole_),
        fetches_(whole_),
        operands_(whole_),
        ranges_(whole_),
        calls_(whole_, fetches_, operands_, ranges_) {}

  void emit();

 private:
  using Panel = Contraction::Panel;
  using Rows = Contraction::Rows;
  using ColumnTile = Contraction::ColumnTile;
  using Sources = ContractionOperands::Sources;

  // Calls `inside` in the loops around the tiles, of which `number` are entered.
  void emit_around(std::size_t number, llvm::Value* a, llvm::Value* b, const std::function<void()>& inside);
  void emit_shared(llvm::Value* a, llvm::Value* b);
  void emit_all_rows();
  void emit_panels(const std::function<void(const Panel&)>& of_panel);
  void emit_streamed_rows();
  Sources sources_of(const Panel& panel);
  // `known`: where b is read; nullptr: not yet known.
  void emit_row_blocks(const Panel& panel, const Sources* known);
  // `sources`: nullptr where there may be several blocks of k, or they are not needed.
  void emit_product(const Panel& panel, const Rows& rows, const Sources* sources);
  // Adds to the product what the blocks of k make, over the inner axes from this one on that tiles do not go over.
  void emit_blocks(const Panel& panel, const Rows& rows, std::size_t inner, llvm::Value* a, llvm::Value* b);
  // So many rows of it.
  void clear_product(llvm::Value* rows);
  // Calls `tile(row, rows of the tile)` for whole tiles of rows, then for what is left.
  void emit_row_tiles(const Rows& rows, const std::function<void(llvm::Value*, unsigned)>& tile);
  void emit_tiles(const Panel& panel, const Rows& rows, llvm::Value* k_begin, llvm::Value* count,
                  const Sources& sources);
  void emit_finished_tiles(const Panel& panel, const Rows& rows, const Sources& sources);

  Contraction whole_;  // what the parts share
  KernelFunction& function_;
  llvm::IRBuilder<>& b_;
  const ContractionKernel& kernel_;
  const ContractionTiling& tiling_;
  ContractionEpilogue epilogue_;
  ContractionFetches fetches_;
  ContractionOperands operands_;
  InnerRanges ranges_;
  TileCalls calls_;
  std::vector<llvm::Value*> around_index_;  // of the loops entered
};

void ContractionEmitter::emit() {
  whole_.start();
  if (fetches_.has_list()) fetches_.start();
  epilogue_.start();
  operands_.start();
  const auto address = [&](const Operand& operand, bool in_memory) {
    return in_memory ? function_.address(operand.access(), whole_.size) : nullptr;
  };
  // Which is made first is part of the code.
  llvm::Value* const a = address(kernel_.a, a_in_memory(kernel_, tiling_));
  llvm::Value* const b = address(kernel_.b, kernel_.b.is_load());
  if (tiling_.shared_inner > 0) return emit_shared(a, b);
  if (tiling_.panels_outside) {
    whole_.b = b;
    emit_panels([&](const Panel& panel) {
      const Sources sources = sources_of(panel);
      emit_around(0, a, b, [&] { emit_row_blocks(panel, &sources); });
    });
    return;
  }
  emit_around(0, a, b, [&] { emit_all_rows(); });
}

// The sums go on through all rows of a column.
void ContractionEmitter::emit_around(std::size_t number, llvm::Value* a, llvm::Value* b,
                                     const std::function<void()>& inside) {
  const bool rows_begin = number == whole_.around.size() - (kernel_.rows.size() - 1);
  if (rows_begin) epilogue_.start_sums();
  if (number == whole_.around.size()) {
    whole_.a = a;
    whole_.b = b;
    inside();
  } else {
    const std::size_t axis = whole_.around[number];
    emit_loop(b_, whole_.range_around(axis), 1, {}, [&](llvm::Value* index, const Carried&) {
      epilogue_.enter(axis, index);
      operands_.enter(axis, index);
      ranges_.enter(axis, index);
      const std::optional<std::size_t> of_a = whole_.axis_of_a(axis), of_b = whole_.axis_of_b(axis);
      llvm::Value* const next_a = a != nullptr && of_a ? whole_.move(a, index, whole_.a_stride(*of_a)) : a;
      llvm::Value* const next_b = b != nullptr && of_b ? whole_.move(b, index, whole_.b_stride(*of_b)) : b;
      around_index_.push_back(index);
      emit_around(number + 1, next_a, next_b, inside);
      around_index_.pop_back();
      return Carried{};
    });
  }
  if (rows_begin) epilogue_.finish_sums();
}

// Each index around has a product of its own; all of them wait behind each other.
void ContractionEmitter::emit_shared(llvm::Value* a, llvm::Value* b) {
  llvm::Value* const start = whole_.product;
  const Rows rows{whole_.rows.begin, whole_.rows.end};
  const std::vector<Extent> axes = axes_with(kernel_, kernel_.rows, kernel_.columns);
  const std::int64_t height = kernel_.rows.back().constant, row_bytes = whole_.scratch.product_row * whole_.size;
  const auto over_panels = [&](const std::function<void(const Panel&)>& inside) {
    emit_around(0, a, b, [&] {
      llvm::Value* number = function_.integer(0);
      for (std::size_t i = 0; i < around_index_.size(); ++i) {
        number = multiply_add(b_, number, axes[whole_.around[i]].constant, around_index_[i]);
      }
      llvm::Value* const product = whole_.move(start, number, height * row_bytes);
      emit_panels([&](const Panel& panel) {
        whole_.product = whole_.move(product, panel.begin, whole_.size);
        inside(panel);
      });
    });
  };
  clear_product(function_.integer(points_of(axes, 1) / kernel_.columns.back().constant));
  ranges_.loop_over(0, tiling_.shared_inner, [&](llvm::Value* index, llvm::Value* end) {
    llvm::Value* const next = b_.CreateAdd(index, function_.integer(tiling_.shared_inner));
    const Range shared{index, whole_.minimum(next, end), tiling_.shared_inner == 1 ? 1 : 0};
    over_panels([&](const Panel& panel) {
      llvm::Value *const a_around = whole_.a, *const b_around = whole_.b;
      emit_loop(b_, shared, 1, {}, [&](llvm::Value* first, const Carried&) {
        emit_blocks(panel, rows, 1, whole_.move(a_around, first, whole_.a_stride(kernel_.inner_axis_of_a(0))),
                    whole_.move(b_around, first, whole_.b_stride(kernel_.inner_axis_of_b(0))));
        return Carried{};
      });
      whole_.a = a_around;
      whole_.b = b_around;
    });
  });
  over_panels([&](const Panel& panel) {
    epilogue_.emit(rows.begin, panel.first, epilogue_.columns_of(tiling_.panel, panel.begin, panel.end), rows);
  });
}

// Of the axis that is cut into tiles.
void ContractionEmitter::emit_all_rows() {
  const auto of_panels = [&] { emit_panels([&](const Panel& panel) { emit_row_blocks(panel, nullptr); }); };
  if (!tiling_.streams) return of_panels();
  llvm::Value* const few =
      b_.CreateICmpULE(function_.extent(kernel_.rows.back()), function_.integer(kCosts.streamed_rows));
  emit_if(b_, few, {}, [&](const Carried&) {
    emit_streamed_rows();
    return Carried{};
  });
  emit_if(b_, b_.CreateNot(few), {}, [&](const Carried&) {
    of_panels();
    return Carried{};
  });
}

void ContractionEmitter::emit_panels(const std::function<void(const Panel&)>& of_panel) {
  const Range& columns = whole_.columns;
  const std::int64_t panel = tiling_.panel;
  emit_loop(b_, columns, panel, {}, [&](llvm::Value* begin, const Carried&) {
    Panel p{begin, begin, columns.end};
    if (columns.count == 0 || columns.count > panel) {
      p.end = whole_.minimum(b_.CreateAdd(begin, function_.integer(panel)), columns.end);
    }
    // A last panel that is not full, or in form `columns` has no room for a tile, is moved back over columns that are
    // done already, so that no load needs a mask; only what is new goes through the epilogue. (Where there is room,
    // tiles of form `columns` are moved back one by one.)
    const Extent& extent = kernel_.columns.back();
    const std::int64_t all = extent.times_batch ? 0 : extent.constant;
    const std::int64_t least = whole_.is_dot() ? panel : tiling_.tile_columns;
    if (all > panel && all % panel != 0 && all % panel < least) {
      p.first = whole_.minimum(begin, function_.integer(all - least));
    }
    of_panel(p);
    return Carried{};
  });
}

void ContractionEmitter::emit_streamed_rows() {
  llvm::Function* const stream = stream_function(function_.emission, kernel_.dtype, tiling_.lanes);
  const Range& columns = whole_.columns;
  llvm::Value* const second = whole_.move(whole_.b, columns.begin, whole_.column_stride());
  llvm::Value* const count = b_.CreateSub(columns.end, columns.begin);
  emit_loop(b_, whole_.rows, 1, {}, [&](llvm::Value* row, const Carried&) {
    b_.CreateCall(stream, {whole_.move(whole_.a, row, whole_.row_stride()), function_.integer(whole_.a_inner_stride()),
                           second, function_.integer(whole_.b_inner_stride()), whole_.inner, count, whole_.product});
    epilogue_.emit(row, columns.begin, columns, {row, b_.CreateAdd(row, function_.integer(1))});
    return Carried{};
  });
}

// Of all k at once.
ContractionOperands::Sources ContractionEmitter::sources_of(const Panel& panel) {
  const Range& rows = whole_.rows;
  return operands_.emit_sources(panel, b_.CreateSub(rows.end, rows.begin), function_.integer(0), whole_.inner);
}

void ContractionEmitter::emit_row_blocks(const Panel& panel, const Sources* known) {
  Sources sources{};
  const bool one_block = !tiling_.several_blocks && !whole_.is_dot() && !is_empty(kernel_.inner);
  const Range& rows = whole_.rows;
  if (known != nullptr) {
    sources = *known;
  } else if (one_block) {
    sources = sources_of(panel);
  }
  emit_loop(b_, rows, tiling_.row_block, {}, [&](llvm::Value* begin, const Carried&) {
    Rows block{begin, rows.end};
    if (rows.count == 0 || rows.count > tiling_.row_block) {
      block.end = whole_.minimum(b_.CreateAdd(begin, function_.integer(tiling_.row_block)), rows.end);
    }
    if (tiling_.tile_epilogue) {
      emit_finished_tiles(panel, block, sources);
      return Carried{};
    }
    emit_product(panel, block, one_block ? &sources : nullptr);
    epilogue_.emit(block.begin, panel.first, epilogue_.columns_of(tiling_.panel, panel.begin, panel.end), block);
    return Carried{};
  });
}

void ContractionEmitter::emit_product(const Panel& panel, const Rows& rows, const Sources* sources) {
  llvm::Value* const zero = function_.integer(0);
  if (is_empty(kernel_.inner)) {
    clear_product(b_.CreateSub(rows.end, rows.begin));
  } else if (whole_.is_dot()) {
    emit_row_tiles(rows, [&](llvm::Value* row, unsigned count) { calls_.emit_dots(panel, rows, row, count); });
  } else if (sources != nullptr) {
    emit_tiles(panel, rows, zero, whole_.inner, *sources);
  } else {
    clear_product(b_.CreateSub(rows.end, rows.begin));
    llvm::Value *const a = whole_.a, *const b = whole_.b;
    emit_blocks(panel, rows, 0, a, b);
    whole_.a = a;
    whole_.b = b;
  }
}

void ContractionEmitter::emit_blocks(const Panel& panel, const Rows& rows, std::size_t inner, llvm::Value* a,
                                     llvm::Value* b) {
  if (inner < whole_.outer_inner()) {
    ranges_.loop_over(inner, 1, [&](llvm::Value* index, llvm::Value*) {
      operands_.enter_inner(inner, index);
      const std::size_t of_a = kernel_.inner_axis_of_a(inner), of_b = kernel_.inner_axis_of_b(inner);
      emit_blocks(panel, rows, inner + 1, a == nullptr ? a : whole_.move(a, index, whole_.a_stride(of_a)),
                  b == nullptr ? b : whole_.move(b, index, whole_.b_stride(of_b)));
    });
    return;
  }
  whole_.a = a;
  whole_.b = b;
  const auto block = [&](llvm::Value* k, llvm::Value* count) {
    emit_tiles(panel, rows, k, count, operands_.emit_sources(panel, b_.CreateSub(rows.end, rows.begin), k, count));
  };
  if (tiling_.first_inner > 0) {
    const std::size_t of_a = kernel_.inner_axis_of_a(inner), of_b = kernel_.inner_axis_of_b(inner);
    ranges_.loop_over(inner, tiling_.first_inner, [&](llvm::Value* index, llvm::Value* end) {
      whole_.a = whole_.move(a, index, whole_.a_stride(of_a));
      whole_.b = whole_.move(b, index, whole_.b_stride(of_b));
      calls_.first_count = whole_.minimum(b_.CreateSub(end, index), function_.integer(tiling_.first_inner));
      block(function_.integer(0), whole_.inner);
    });
    return;
  }
  if (tiling_.tile_inner > 1) return block(function_.integer(0), whole_.inner);
  ranges_.loop_over(kernel_.inner.size() - 1, tiling_.inner_block, [&](llvm::Value* k, llvm::Value* end) {
    block(k, whole_.minimum(b_.CreateSub(end, k), function_.integer(tiling_.inner_block)));
  });
}

void ContractionEmitter::clear_product(llvm::Value* rows) {
  llvm::Type* const element = function_.emission.value_type(kernel_.dtype);
  llvm::Value* const count = multiply_add(b_, rows, whole_.scratch.product_row, nullptr);
  const Range range = {function_.integer(0), count, 0, whole_.scratch.product_row};
  const unsigned lanes = whole_.is_dot() ? 1 : tiling_.lanes;
  emit_loop(b_, range, lanes, {}, [&](llvm::Value* index, const Carried&) {
    b_.CreateAlignedStore(llvm::Constant::getNullValue(with_lanes(element, lanes)),
                          element_address(b_, element, whole_.product, index), llvm::Align(size_of(kernel_.dtype)));
    return Carried{};
  });
}

void ContractionEmitter::emit_row_tiles(const Rows& rows, const std::function<void(llvm::Value*, unsigned)>& tile) {
  std::int64_t known = whole_.rows.count <= tiling_.row_block ? whole_.rows.count : 0;
  const bool divides = kernel_.rows.back().constant % tiling_.tile_rows == 0;
  std::vector<unsigned> heights = {tiling_.tile_rows};
  if (!divides) heights.push_back(tiling_.rest_rows);
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
  emit_row_tiles(rows, [&](llvm::Value* row, unsigned tile_rows) {
    if (tiling_.left_rows > 0) operands_.emit_left_copy(row, k_begin, count);
    whole_.emit_column_tiles(panel, [&](const ColumnTile& tile) {
      calls_.emit(panel, tile, rows, row, tile_rows, k_begin, count, sources);
    });
  });
}

// Tile after tile, each followed by its epilogue, which runs while the next tile begins.
void ContractionEmitter::emit_finished_tiles(const Panel& panel, const Rows& rows, const Sources& sources) {
  const unsigned height = tiling_.tile_rows;
  const bool divides = kernel_.rows.back().constant % height == 0;
  emit_loop(b_, {rows.begin, rows.end, whole_.rows.count}, height, {}, [&](llvm::Value* row, const Carried&) {
    Rows block{row, b_.CreateAdd(row, function_.integer(height))};
    if (!divides) block.end = whole_.minimum(block.end, rows.end);
    if (tiling_.left_rows > 0) operands_.emit_left_copy(row, function_.integer(0), whole_.inner);
    llvm::Value* full = b_.CreateICmpEQ(b_.CreateSub(block.end, row), function_.integer(height));
    Rows computed = block;
    if (tiling_.moves_rows && !divides) {
      // The same rows again, with the same bits: what follows them does so once.
      full = b_.CreateICmpUGE(b_.CreateSub(rows.end, rows.begin), function_.integer(height));
      llvm::Value* const last = b_.CreateSub(rows.end, function_.integer(height));
      computed.begin = b_.CreateSelect(full, whole_.minimum(row, last), row);
    }
    whole_.emit_column_tiles(panel, [&](const ColumnTile& tile) {
      const auto call = [&](llvm::Value* first, unsigned count) {
        calls_.emit(panel, tile, computed, first, count, function_.integer(0), whole_.inner, sources);
        return Carried{};
      };
      if (divides) {
        call(row, height);
      } else {
        emit_if(b_, full, {}, [&](const Carried&) { return call(computed.begin, height); });
        emit_if(b_, b_.CreateNot(full), {}, [&](const Carried&) {
          return emit_loop(b_, {block.begin, block.end}, tiling_.rest_rows, {},
                           [&](llvm::Value* rest, const Carried&) { return call(rest, tiling_.rest_rows); });
        });
      }
      const std::int64_t width = tiling_.tile_columns;
      llvm::Value* const begin = multiply_add(b_, tile.number, width, panel.begin);
      llvm::Value* const end = whole_.minimum(b_.CreateAdd(begin, function_.integer(width)), panel.end);
      epilogue_.emit(computed.begin, b_.CreateAdd(panel.first, tile.begin), epilogue_.columns_of(width, begin, end),
                     block);
    });
    return Carried{};
  });
}

}  // namespace

void emit_contraction_kernel(KernelFunction& function, const ContractionKernel& kernel) {
  if (is_empty(axes_with(kernel, kernel.rows, kernel.columns))) return;
  ContractionEmitter(function, kernel).emit();
}

}  // namespace tarn
