// Weights as pictures: the filters of a convolution side by side.
#pragma once

#include "runtime/files/array.h"

namespace tarn {

// u8[height, width, 1 or 3]. A kernel [height, width, channels, filters] is a grid of tiles, a pixel apart: of one
// channel a grey tile for each filter, of three a tile in colours, of others a grey tile for each channel (downwards)
// and filter (along). A matrix is one tile. The least value of a tile is 0 and its largest 255. Errors: other shapes,
// and more pixels than a picture may have.
Result<Array> picture_of(const Array& weights);

}  // namespace tarn
