// Epilogues of contractions: loops over rows and columns of a block of the product.
#include "codegen/contraction/epilogue.h"

#include <algorithm>

#include "codegen/kernels/loops.h"
#include "passes/plan/possible_tactics.h"

namespace tarn {

ContractionEpilogue::ContractionEpilogue(const Contraction& contraction)
    : whole_(contraction),
      function_(contraction.function),
      b_(contraction.builder),
      kernel_(contraction.kernel),
      tiling_(contraction.tiling),
      flat_(has_flat_epilogue(contraction.kernel, contraction.tactics)),
      nest_(nest_of(contraction)),
      tail_nest_(tail_nest_of(contraction, nest_)),
      body_(function_, kernel_.epilogue, nest_,
            analyze(kernel_.epilogue, nest_, values_of(kernel_.sums), nest_.depth - 1, nest_.lanes > 1)),
      tail_(function_, kernel_.tail, tail_nest_,
            analyze(kernel_.tail, tail_nest_, {}, tail_nest_.depth - 1, nest_.lanes > 1)) {
  body_.result = [this](const Value&) { return load_product(); };
  tail_.result = [this](const Value& value) {
    llvm::Value* const column = b_.CreateSub(tail_nest_.index[kernel_.column_axis()], whole_.columns.begin);
    return b_.CreateAlignedLoad(vector_type(), sum_address(value.reduction, column),
                                llvm::Align(size_of(kernel_.dtype)));
  };
}

Nest ContractionEpilogue::nest_of(const Contraction& contraction) {
  const ContractionKernel& kernel = contraction.kernel;
  const std::size_t row_axis = kernel.row_axis(), column_axis = kernel.column_axis(), axes = column_axis + 1;
  Nest nest;
  nest.level_of_axis.resize(axes);
  int level = 0;
  for (const std::size_t axis : contraction.around) nest.level_of_axis[axis] = level++;
  nest.level_of_axis[row_axis] = level++;
  nest.level_of_axis[column_axis] = level++;
  // Sums wait in registers while a loop goes down the rows.
  if (!kernel.sums.empty()) {
    std::swap(nest.level_of_axis[row_axis], nest.level_of_axis[column_axis]);
  }
  nest.depth = static_cast<int>(axes);
  nest.index.resize(axes);
  nest.lanes = contraction.tiling.epilogue_lanes;
  if (nest.lanes > 1) nest.vector_axis = static_cast<int>(kernel.one_column() ? row_axis : column_axis);
  return nest;
}

// The loops around that the columns have, then these.
Nest ContractionEpilogue::tail_nest_of(const Contraction& contraction, const Nest& nest) {
  Nest tail = nest;
  tail.level_of_axis.assign(nest.level_of_axis.size(), -1);
  int level = 0;
  for (const std::size_t axis : contraction.around) {
    if (axis > contraction.kernel.row_axis()) tail.level_of_axis[axis] = level++;
  }
  tail.level_of_axis[contraction.kernel.column_axis()] = level++;
  tail.depth = level;
  return tail;
}

void ContractionEpilogue::start() {
  body_.emit_level(-1);
  tail_.emit_level(-1);
}

void ContractionEpilogue::enter(std::size_t axis, llvm::Value* index) {
  nest_.index[axis] = index;
  body_.emit_level(nest_.level_of_axis[axis]);
  tail_nest_.index[axis] = index;
  if (tail_nest_.level_of_axis[axis] >= 0) tail_.emit_level(tail_nest_.level_of_axis[axis]);
}

Range ContractionEpilogue::columns_of(std::int64_t block, llvm::Value* begin, llvm::Value* end) const {
  return block_of(kernel_.columns.back(), block, kernel_.column_axis(), begin, end);
}

llvm::Value* ContractionEpilogue::load_product() {
  llvm::Value* const row = b_.CreateSub(nest_.index[kernel_.row_axis()], product_row_);
  llvm::Value* const column = b_.CreateSub(nest_.index[kernel_.column_axis()], product_column_);
  llvm::Value* const address =
      whole_.move(whole_.move(whole_.product, row, whole_.scratch.product_row * whole_.size), column, whole_.size);
  // Lanes beyond the end read what else is in the scratch memory, which is larger than the product by a vector.
  return b_.CreateAlignedLoad(vector_type(), address, llvm::Align(size_of(kernel_.dtype)));
}

llvm::Type* ContractionEpilogue::vector_type() const {
  return with_lanes(function_.emission.value_type(kernel_.dtype), nest_.lanes);
}

llvm::Value* ContractionEpilogue::sum_address(std::size_t number, llvm::Value* column) {
  llvm::Value* const row =
      byte_address(b_, whole_.sums, static_cast<std::int64_t>(number) * whole_.scratch.sum_row * whole_.size);
  return whole_.move(row, column, whole_.size);
}

unsigned ContractionEpilogue::lanes_along(std::size_t axis) const {
  return nest_.vector_axis == static_cast<int>(axis) ? nest_.lanes : 1U;
}

// What is known of a range of `block` indices out of an extent, or of the rest of it.
Range ContractionEpilogue::block_of(const Extent& extent, std::int64_t block, std::size_t axis, llvm::Value* begin,
                                    llvm::Value* end) const {
  Range range{begin, end};
  if (!extent.times_batch && (extent.constant <= block || extent.constant % block == 0)) {
    range.count = std::min(extent.constant, block);
  }
  const std::int64_t lanes = lanes_along(axis);
  if (extent.constant % lanes == 0 && block % lanes == 0) range.multiple = lanes;
  return range;
}

void ContractionEpilogue::emit(llvm::Value* first_row, llvm::Value* first_column, const Range& columns,
                               const Rows& rows) {
  product_row_ = first_row;
  product_column_ = first_column;
  const std::size_t row_axis = kernel_.row_axis(), column_axis = kernel_.column_axis();
  const std::int64_t height = tiling_.tile_epilogue ? tiling_.tile_rows : tiling_.row_block;
  Range row_range = block_of(kernel_.rows.back(), height, row_axis, rows.begin, rows.end);
  // A share may end within a block, but not within a tile.
  if (whole_.rows.count == 0 && !tiling_.tile_epilogue) row_range.count = 0;
  if (flat_) return emit_flat(rows.begin, row_range);
  if (!kernel_.sums.empty()) return emit_summed(columns, row_range);
  const auto lanes = [&](std::size_t axis) { return lanes_along(axis); };
  emit_vector_loop(function_.emission, b_, row_range, lanes(row_axis), {},
                   [&](llvm::Value* row, llvm::Value* row_mask, const Carried&) {
                     nest_.index[row_axis] = row;
                     if (lanes(row_axis) > 1) nest_.mask = row_mask;
                     body_.emit_level(nest_.level_of_axis[row_axis]);
                     return emit_vector_loop(function_.emission, b_, columns, lanes(column_axis), {},
                                             [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
                                               nest_.index[column_axis] = column;
                                               if (lanes(column_axis) > 1) nest_.mask = mask;
                                               body_.emit_level(nest_.level_of_axis[column_axis]);
                                               body_.emit_stores();
                                               return Carried{};
                                             });
                   });
}

// A sum is one chain in the order of the rows, however these are cut into blocks.
void ContractionEpilogue::emit_summed(const Range& columns, const Range& rows) {
  const std::size_t row_axis = kernel_.row_axis(), column_axis = kernel_.column_axis();
  const llvm::Align align(size_of(kernel_.dtype));
  emit_vector_loop(function_.emission, b_, columns, nest_.lanes, {},
                   [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
                     nest_.index[column_axis] = column;
                     nest_.mask = mask;
                     body_.emit_level(nest_.level_of_axis[column_axis]);
                     Carried addresses, sums;
                     for (std::size_t i = 0; i < kernel_.sums.size(); ++i) {
                       addresses.push_back(sum_address(i, b_.CreateSub(column, whole_.columns.begin)));
                       sums.push_back(b_.CreateAlignedLoad(vector_type(), addresses[i], align));
                     }
                     sums = emit_loop(b_, rows, 1, sums, [&](llvm::Value* row, Carried carried) {
                       nest_.index[row_axis] = row;
                       body_.emit_level(nest_.level_of_axis[row_axis]);
                       body_.emit_stores();
                       for (std::size_t i = 0; i < carried.size(); ++i) {
                         carried[i] = b_.CreateFAdd(carried[i], body_.vector(kernel_.sums[i].value));
                       }
                       return carried;
                     });
                     for (std::size_t i = 0; i < sums.size(); ++i) {
                       if (mask == nullptr) {
                         b_.CreateAlignedStore(sums[i], addresses[i], align);
                       } else {
                         b_.CreateMaskedStore(sums[i], addresses[i], align, mask);
                       }
                     }
                     return Carried{};
                   });
}

void ContractionEpilogue::start_sums() {
  if (kernel_.sums.empty()) return;
  llvm::Type* const type = with_lanes(function_.emission.value_type(kernel_.dtype), tiling_.lanes);
  const std::int64_t count = static_cast<std::int64_t>(kernel_.sums.size()) * whole_.scratch.sum_row;
  emit_loop(b_, {function_.integer(0), function_.integer(count), count}, tiling_.lanes, {},
            [&](llvm::Value* at, const Carried&) {
              b_.CreateAlignedStore(llvm::Constant::getNullValue(type), whole_.move(whole_.sums, at, whole_.size),
                                    llvm::Align(size_of(kernel_.dtype)));
              return Carried{};
            });
}

void ContractionEpilogue::finish_sums() {
  if (kernel_.sums.empty()) return;
  const std::size_t column_axis = kernel_.column_axis();
  emit_vector_loop(function_.emission, b_, whole_.columns, tail_nest_.lanes, {},
                   [&](llvm::Value* column, llvm::Value* mask, const Carried&) {
                     tail_nest_.index[column_axis] = column;
                     tail_nest_.mask = mask;
                     tail_.emit_level(tail_nest_.level_of_axis[column_axis]);
                     tail_.emit_stores();
                     return Carried{};
                   });
}

// The rows as one row: the column counts on where a row ends.
void ContractionEpilogue::emit_flat(llvm::Value* first_row, const Range& rows) {
  const std::size_t row_axis = kernel_.row_axis(), column_axis = kernel_.column_axis();
  const std::int64_t columns = kernel_.columns.back().constant;
  const auto in_points = [&](llvm::Value* row) { return multiply_add(b_, row, columns, nullptr); };
  product_row_ = function_.integer(0);
  product_column_ = in_points(first_row);
  const Range points = {function_.integer(0), in_points(b_.CreateSub(rows.end, rows.begin)), rows.count * columns, 1};
  nest_.index[row_axis] = function_.integer(0);
  body_.emit_level(nest_.level_of_axis[row_axis]);
  emit_vector_loop(function_.emission, b_, points, lanes_along(column_axis), {},
                   [&](llvm::Value* point, llvm::Value* mask, const Carried&) {
                     nest_.index[column_axis] = b_.CreateAdd(product_column_, point);
                     if (nest_.lanes > 1) nest_.mask = mask;
                     body_.emit_level(nest_.level_of_axis[column_axis]);
                     body_.emit_stores();
                     return Carried{};
                   });
}

}  // namespace tarn
