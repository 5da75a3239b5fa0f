// See weight_picture.h.
#include "tools/driver/weight_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "runtime/files/image.h"

namespace tarn {

namespace {

// How weights are cut into tiles, and where these stand.
struct TileGrid {
  std::int64_t height = 0, width = 0;      // of a tile
  std::int64_t channels = 1, filters = 1;  // of the kernel
  std::int64_t colours = 1;                // of a pixel
  std::int64_t rows = 1, columns = 1;      // of tiles
  std::int64_t border = 0;                 // around each
  std::int64_t tiles() const { return filters * (channels / colours); }
  std::int64_t pixels_down() const { return rows * (height + border) + border; }
  std::int64_t pixels_along() const { return columns * (width + border) + border; }
};

Result<TileGrid> grid_of(const Array& weights) {
  const std::vector<std::int64_t>& shape = weights.shape;
  if ((shape.size() != 2 && shape.size() != 4) || weights.elements() == 0)
    return error(fmt::format("--picture shows matrices and kernels [height, width, channels, filters], not {}",
                             format_shape(shape)));
  if (shape.size() == 2) return TileGrid{shape[0], shape[1]};
  TileGrid grid{shape[0], shape[1], shape[2], shape[3]};
  grid.border = 1;
  grid.rows = grid.channels;
  grid.columns = grid.filters;
  if (grid.channels == 1 || grid.channels == 3) {
    grid.colours = grid.channels;
    grid.columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(grid.filters))));
    grid.rows = (grid.filters + grid.columns - 1) / grid.columns;
  }
  return grid;
}

class Painter {
 public:
  Painter(const Array& weights, const TileGrid& grid)
      : values_(weights.to_doubles()),
        grid_(grid),
        picture_(Array::zeros(ArrayType::u8, {grid.pixels_down(), grid.pixels_along(), grid.colours})) {}

  Array paint() {
    for (std::int64_t tile = 0; tile < grid_.tiles(); ++tile) paint_tile(tile);
    return std::move(picture_);
  }

 private:
  // Tiles of one channel each stand row by row of channels.
  double value(std::int64_t tile, std::int64_t y, std::int64_t x, std::int64_t colour) const {
    const std::int64_t channel = grid_.colours == grid_.channels ? colour : tile / grid_.filters;
    const std::int64_t pixel = (y * grid_.width + x) * grid_.channels + channel;
    return values_[static_cast<std::size_t>(pixel * grid_.filters + tile % grid_.filters)];
  }

  template <class Visit>
  void for_each_value(std::int64_t tile, const Visit& visit) const {
    for (std::int64_t y = 0; y < grid_.height; ++y) {
      for (std::int64_t x = 0; x < grid_.width; ++x) {
        for (std::int64_t colour = 0; colour < grid_.colours; ++colour) visit(y, x, colour, value(tile, y, x, colour));
      }
    }
  }

  void paint_tile(std::int64_t tile) {
    double least = std::numeric_limits<double>::infinity(), largest = -least;
    for_each_value(tile, [&](std::int64_t, std::int64_t, std::int64_t, double v) {
      if (!std::isfinite(v)) return;
      least = std::min(least, v);
      largest = std::max(largest, v);
    });
    const std::int64_t top = tile / grid_.columns * (grid_.height + grid_.border) + grid_.border;
    const std::int64_t left = tile % grid_.columns * (grid_.width + grid_.border) + grid_.border;
    std::uint8_t* const to = picture_.values<std::uint8_t>().data();
    for_each_value(tile, [&](std::int64_t y, std::int64_t x, std::int64_t colour, double v) {
      const std::int64_t at = ((top + y) * grid_.pixels_along() + left + x) * grid_.colours + colour;
      to[at] = shade(v, least, largest);
    });
  }

  // The middle where all are the same; 0 where there is no number.
  static std::uint8_t shade(double v, double least, double largest) {
    constexpr double kMost = 255;
    if (!std::isfinite(v)) return 0;
    if (largest <= least) return 128;
    // Halves, so that the distance of the largest numbers is one.
    return static_cast<std::uint8_t>(std::lround(kMost * ((v / 2 - least / 2) / (largest / 2 - least / 2))));
  }

  const std::vector<double> values_;
  const TileGrid grid_;
  Array picture_;
};

}  // namespace

Result<Array> picture_of(const Array& weights) {
  TARN_TRY(const TileGrid grid, grid_of(weights));
  TARN_RETURN_IF_ERROR(check_extents(static_cast<std::uint64_t>(grid.pixels_down()),
                                     static_cast<std::uint64_t>(grid.pixels_along()), "--picture"));
  return Painter(weights, grid).paint();
}

}  // namespace tarn
