// PNG files, read by libpng, and written. See image.h, which chooses the reader. Format: https://www.w3.org/TR/png-3/.
#pragma once

#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// Whether the bytes start as a PNG file does.
bool is_png(ByteView bytes);
// u8[height, width, 1 or 3]: grey or colours, as the file has it.
Result<Array> parse_png(ByteView bytes, std::string_view name);

// The bytes of a PNG file of u8[height, width, 1 or 3], of at most kMostPixels; `name` is what errors call it. Needs no
// libpng.
Result<std::string> png_of(const Array& image, std::string_view name);
// Writes them, atomically.
Status write_png(const std::string& path, const Array& image);

}  // namespace tarn
