// How a product is cut into tiles, and in which order they are computed:
//
//   (few rows: for every row: product[row, :] = a * b by streaming rows of b; epilogue over the row; done)
//   (panels that are packed for all that goes around are outside of it)
//   (for every index of the batch axes, of all columns but the last, of all rows but the last)
//   for every panel of columns
//     (one block of k: the first row of tiles packs the panel of b; the last ones fetch the next panel)
//     (a that lies across or is computed: every so many rows of tiles are copied first)
//     for every tile of rows, of columns:
//       product[rows, columns] = a * b      registers hold the tile
//       epilogue over the tile, whose operands were fetched while the tile before was computed
//
// and where k is long, in form `inner`, and for one column:
//
//   for every panel of columns
//     for every block of rows
//       for every block of k: for every tile of rows, of columns: product[rows, columns] (+)= a * b
//       epilogue over the block of rows, product read from scratch memory
//
// or, where indices of what goes around read the same of a first inner axis, a sample after the other:
//
//   for every so many indices of the first inner axis
//     for every index around, for every panel of columns
//       for every block of k: for every tile of rows, of columns: product[index, rows, columns] (+)= a * b
//   for every index around, for every panel of columns: epilogue, product read from scratch memory
//
// The panel is as wide as the second-level cache has room for: so a row of tiles shares what it reads of a. Of several
// inner axes a tile goes over as many of the last as make no more than a block of k; it counts them as one k. Of
// the first of those it may go over some indices at a time, as many as a first-level cache has room for of what all
// tiles read.
//
// In form `columns` an element of the product is one chain of multiply-adds in the order of k, however it is cut; in
// form `inner` the sums of every lane, then of the lanes. The kernel's sums are chains in the order of the rows. So
// cutting never changes a bit.
//
// All that is decided stands here. tiling_of() (passes/tactics/tiling.h) decides it; what must hold of it,
// wrong_tiling() says (possible_tactics.h); the scratch memory that it takes follows from it
// (codegen/contraction/scratch.h).
#pragma once

#include <cstdint>

namespace tarn {

struct ContractionTiling {
  unsigned lanes = 1;  // of the vectors of a tile: along its columns, in form `inner` along k
  unsigned tile_rows = 1;
  unsigned tile_columns = 1;     // in form `columns` whole vectors
  std::int64_t panel = 1;        // columns between packing and packing
  bool panels_outside = false;   // panels are packed outside of the loops around: once for all of these
  std::int64_t row_block = 1;    // a multiple of tile_rows
  unsigned tile_inner = 1;       // inner axes that a tile goes over: the last ones
  std::int64_t first_inner = 0;  // of several such axes, how many indices of the first at a time; 0: all
  // How many indices of the first inner axis go by before the next index around; 0: all, those around are outermost.
  std::int64_t shared_inner = 0;
  std::int64_t inner_block = 0;  // largest number of k at a time
  bool several_blocks = false;   // k may be longer than that
  unsigned inner_steps = 1;      // numbers of k from jump to jump of a tile's loop
  // b goes through scratch memory: always, or where there are rows enough to pay for the copy.
  enum class Packing : std::uint8_t { never, many_rows, always } packing = Packing::never;
  bool streams = false;        // few rows go through b without tiles
  bool tile_epilogue = false;  // the epilogue follows every tile, not every block of rows
  // The last tile of rows begins earlier where there is less than one left; else they are computed one by one.
  bool moves_rows = false;
  unsigned rest_rows = 1;  // or so many at a time, where their number is known
  // Rows of a that are copied at a time, where they are contiguous and lie so along k that caches have no room for what
  // a row of tiles reads, or where a is computed; 0: none. A copy has a part for every row of tiles.
  std::int64_t left_rows = 0;
  // Of a that is computed: whether its vectors, and the elements of that copy, lie along the rows; else along k.
  bool computes_along_rows = false;
  // Of a that is one load within bounds: what is outside is left out of the loops along k, not read as the zero that it
  // is. (So a zero outside of the bounds times an infinite element of b is 0.)
  bool skips_outside = false;
  bool fetches_epilogue = false;  // tiles fetch what the next one's epilogue reads
  bool fetches_panels = false;    // and the next panel of b
  bool fetches_rows = false;      // and rows of a for the next row of tiles, where they do not fetch that
  bool fetches_groups = false;    // the next group of b, as packed_weights.h has them
  // Of the vectors of the epilogue, and of a and b where they are computed.
  unsigned epilogue_lanes = 1, left_lanes = 1, right_lanes = 1;

  // Vectors of a row of a tile, in form `columns`.
  unsigned tile_vectors() const { return tile_columns / lanes; }
  // Tiles of a whole panel; the last is moved back where they do not fit.
  std::int64_t tiles() const { return (panel + tile_columns - 1) / tile_columns; }

  friend bool operator==(const ContractionTiling&, const ContractionTiling&) = default;
};

}  // namespace tarn
