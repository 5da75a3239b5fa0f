// Which cache lines every tile of a contraction asks for.
#include "codegen/contraction/fetches.h"

#include <algorithm>

namespace tarn {

ContractionFetches::ContractionFetches(const Contraction& contraction)
    : whole_(contraction),
      function_(contraction.function),
      b_(contraction.builder),
      kernel_(contraction.kernel),
      tiling_(contraction.tiling) {
  find_prefetched();
}

// Matrices of the epilogue that are too large for caches to still hold them from the last time, such as weights and
// slots in an update: they can be on their way while the product is computed.
void ContractionFetches::find_prefetched() {
  if (!tiling_.fetches_epilogue) return;
  for (const Value& value : kernel_.epilogue.values) {
    const Access& access = value.access;
    if (value.kind != Value::Kind::load || access.row != kNoValue) continue;
    if (access.at.strides[0] != 0 && access.at.strides[1] == 1) prefetched_.push_back(&access);
  }
}

void ContractionFetches::start() {
  llvm::Value* const nothing = b_.CreateVectorSplat(8, b_.CreatePtrToInt(whole_.fetched, b_.getInt64Ty()));
  for (std::int64_t i = 0; i < kCosts.fetched_lines; i += 8) set_fetched(i, nothing);
}

void ContractionFetches::set_fetched(std::int64_t position, llvm::Value* addresses) {
  b_.CreateAlignedStore(addresses, byte_address(b_, whole_.fetched, 8 * position), llvm::Align(8));
}

std::int64_t ContractionFetches::lines_of_row(const Access& access) const {
  const auto size = static_cast<std::int64_t>(size_of(function_.emission.plan.buffers[access.buffer].dtype));
  return std::max<std::int64_t>(tiling_.tile_columns * size / kLineBytes, 1);
}

unsigned ContractionFetches::fetches() const {
  std::int64_t lines = 0;
  for (const Access* access : prefetched_) lines += lines_of_row(*access) * tiling_.tile_rows;
  const std::int64_t jumps = std::max<std::int64_t>(tiling_.inner_block / tiling_.inner_steps, 1);
  return static_cast<unsigned>((std::min(lines, kCosts.fetched_lines) + jumps - 1) / jumps);
}

// The lines that the epilogue of the next tile wants: the tile to come asks for one of them at a time, which leaves
// room for its own loads.
void ContractionFetches::emit_list(const Panel& panel, const ColumnTile& tile, llvm::Value* row) {
  llvm::Value *number = function_.integer(0), *next_row = b_.CreateAdd(row, function_.integer(tiling_.tile_rows));
  if (tiling_.tiles() > 1) {
    llvm::Value* const following = b_.CreateAdd(tile.number, function_.integer(1));
    llvm::Value* const last = b_.CreateICmpUGE(following, function_.integer(tiling_.tiles()));
    number = b_.CreateSelect(last, number, following);
    next_row = b_.CreateSelect(last, next_row, row);
  }
  llvm::Value* const column = multiply_add(b_, number, tiling_.tile_columns, panel.first);
  std::int64_t position = 0;
  for (const Access* access : prefetched_) {
    const auto size = static_cast<std::int64_t>(size_of(function_.emission.plan.buffers[access->buffer].dtype));
    const std::int64_t lines = lines_of_row(*access);
    if (position + lines * tiling_.tile_rows > kCosts.fetched_lines) break;
    llvm::Value* const start = function_.address(*access, size);
    llvm::Value* const first = whole_.move(whole_.move(start, next_row, access->at.strides[0] * size), column, size);
    llvm::Value* addresses = lines_from(first, lines);
    llvm::Value* const stride =
        b_.CreateVectorSplat(static_cast<unsigned>(lines), function_.integer(access->at.strides[0] * size));
    for (unsigned i = 0; i < tiling_.tile_rows; ++i) {
      if (i > 0) addresses = b_.CreateAdd(addresses, stride);
      set_fetched(position, addresses);
      position += lines;
    }
  }
}

// Addresses of cache lines that follow each other.
llvm::Value* ContractionFetches::lines_from(llvm::Value* address, std::int64_t lines) {
  std::vector<llvm::Constant*> steps;
  steps.reserve(static_cast<std::size_t>(lines));
  for (std::int64_t line = 0; line < lines; ++line) {
    steps.push_back(b_.getInt64(static_cast<std::uint64_t>(line * kLineBytes)));
  }
  llvm::Value* const first = b_.CreatePtrToInt(address, b_.getInt64Ty());
  return b_.CreateAdd(b_.CreateVectorSplat(static_cast<unsigned>(lines), first), llvm::ConstantVector::get(steps));
}

ContractionFetches::Lines ContractionFetches::ahead(const Panel& panel, const ColumnTile& tile, llvm::Value* row) {
  const Lines rest = tiling_.fetches_rows ? next_rows(tile, row) : Lines{whole_.product, function_.integer(0)};
  if (!tiling_.fetches_panels && !tiling_.fetches_groups) return rest;
  const LinesOfSome next = tiling_.fetches_groups ? next_group(tile, row) : next_panel(panel, tile, row);
  return {b_.CreateSelect(next.active, next.lines.address, rest.address),
          b_.CreateSelect(next.active, next.lines.stride, rest.stride)};
}

llvm::Value* ContractionFetches::tiles_before(llvm::Value* row) {
  llvm::Value* const rows = b_.CreateSub(row, whole_.rows.begin);
  return b_.CreateMul(b_.CreateUDiv(rows, function_.integer(tiling_.tile_rows)), function_.integer(tiling_.tiles()));
}

// There are as many columns (or, where b is contiguous along k, blocks) of k lines as the panel has lines; each has a
// part for every step of a tile's loop, and the last tiles of this panel take one part each.
ContractionFetches::LinesOfSome ContractionFetches::next_panel(const Panel& panel, const ColumnTile& tile,
                                                               llvm::Value* row) {
  const std::int64_t parts = tiling_.inner_steps;
  const std::int64_t blocks = std::max<std::int64_t>(tiling_.panel * whole_.size / kLineBytes, 1);
  llvm::Value* const done = b_.CreateAdd(tiles_before(row), tile.number);
  llvm::Value* const total = tiles_before(whole_.rows.end);
  llvm::Value* const number = b_.CreateSub(b_.CreateAdd(done, function_.integer(blocks * parts)), total);
  llvm::Value* const next = b_.CreateAdd(panel.begin, function_.integer(tiling_.panel));
  llvm::Value* const active =
      b_.CreateAnd(b_.CreateICmpSGE(number, function_.integer(0)), b_.CreateICmpULT(next, whole_.columns.end));
  const bool along_k = whole_.b_inner_stride() == whole_.size;
  const std::int64_t stride = along_k ? kLineBytes : whole_.b_inner_stride();
  llvm::Value* const step =
      along_k ? multiply_add(b_, whole_.inner, kLineBytes, nullptr) : function_.integer(kLineBytes);
  llvm::Value* const start = whole_.move(whole_.b, next, whole_.column_stride());
  const auto column = [&](llvm::Value* block) { return moved_by(b_, start, b_.CreateMul(block, step)); };
  if (parts == 1) return {{column(number), function_.integer(stride)}, active};
  llvm::Value* const jumps = b_.CreateUDiv(whole_.inner, function_.integer(parts));
  llvm::Value* const part = b_.CreateMul(b_.CreateURem(number, function_.integer(parts)), jumps);
  llvm::Value* const address = whole_.move(column(b_.CreateUDiv(number, function_.integer(parts))), part, stride);
  return {{address, function_.integer(stride)}, active};
}

// The group is one run of bytes, of which the last tiles of this group take equal parts: four times as many tiles as
// could ask for all of it, or all where there are less.
ContractionFetches::LinesOfSome ContractionFetches::next_group(const ColumnTile& tile, llvm::Value* row) {
  const std::int64_t jumps = std::max<std::int64_t>(kernel_.inner.back().constant / tiling_.inner_steps, 1);
  const std::int64_t bytes = kernel_.inner.back().constant * whole_.b_inner_stride();
  const std::int64_t wanted = kCosts.group_share * (bytes / (kLineBytes * jumps) + 1);
  // One more than there are whole ones: never 0.
  llvm::Value* const total = b_.CreateAdd(tiles_before(whole_.rows.end), function_.integer(tiling_.tiles()));
  llvm::Value* const taking = whole_.minimum(total, function_.integer(wanted));
  llvm::Value* const done = b_.CreateAdd(tiles_before(row), tile.number);
  llvm::Value* const number = b_.CreateAdd(b_.CreateSub(done, total), taking);
  llvm::Value* const active = b_.CreateICmpSGE(number, function_.integer(0));
  // Bytes from jump to jump; less than a line where a few jumps may ask for each.
  llvm::Value* const parts = multiply_add(b_, taking, jumps, nullptr);
  llvm::Value* const share = b_.CreateUDiv(b_.CreateAdd(parts, function_.integer(bytes - 1)), parts);
  llvm::Value* const stride = whole_.minimum(share, function_.integer(kLineBytes));
  llvm::Value* const distance = b_.CreateMul(multiply_add(b_, number, jumps, nullptr), stride);
  llvm::Value* const next = byte_address(b_, whole_.b, whole_.b_stride(0));
  return {{moved_by(b_, next, distance), stride}, active};
}

// The rows are one run of bytes, of which every tile of this row of tiles takes the same part.
ContractionFetches::Lines ContractionFetches::next_rows(const ColumnTile& tile, llvm::Value* row) {
  const std::int64_t jumps = kernel_.inner.back().constant / tiling_.inner_steps;
  const std::int64_t bytes = tiling_.tile_rows * whole_.row_stride(), shares = tiling_.tiles() * jumps;
  const std::int64_t stride = std::min((bytes + shares - 1) / shares, kLineBytes);
  llvm::Value* const next_row = b_.CreateAdd(row, function_.integer(tiling_.tile_rows));
  llvm::Value* const first = whole_.move(whole_.a, next_row, whole_.row_stride());
  return {whole_.move(first, tile.number, jumps * stride), function_.integer(stride)};
}

}  // namespace tarn
