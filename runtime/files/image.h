// Images: PNG and JPEG files as arrays of bytes, and how these are made another size.
//
// Contract: any bytes may be given. What an image is said to be is checked before memory is asked for it: at most
// kMostPixels, and no more than the bytes that there are can hold. Whatever is missing or wrong in the data of the
// pixels is an error, not a grey area: an image is whole or it is broken.
//
// Values are those of the file, from 0 to 255, as they stand there: no profile of colours, no gamma and no orientation
// of Exif is applied. 16 bits become 8, rounded. A palette is looked up; what is transparent has the colour that stands
// behind it. Grey of colours is that of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded; colours of grey are equal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

inline constexpr std::int64_t kMostPixels = std::int64_t{1} << 27;
// Of a file.
inline constexpr std::uint64_t kMostImageBytes = std::uint64_t{1} << 30;

// An image as u8[height, width, channels], of 1 or 3 channels. What kind of file it is its first bytes say; `name` is
// what errors call it. Where this build lacks the library for that kind, the error names the package, and is the
// machine's.
Result<Array> parse_image(ByteView bytes, std::int64_t channels, std::string_view name = "image");
Result<Array> read_image(const std::string& path, std::int64_t channels);

// An error unless an image may have these extents.
Status check_extents(std::uint64_t height, std::uint64_t width, std::string_view name);

// The image as height x width x (its channels) floats: bilinear interpolation between the centres of pixels, as
// Keras's `Resizing` does it without antialiasing. Of L pixels along an axis the output o of O lies at
// q = (o + 1/2) L / O - 1/2, between floor(q) and the one behind it, of which those outside are the outermost.
void resize_image(const Array& image, std::int64_t height, std::int64_t width, float* to);

}  // namespace tarn
