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

// Writes u8[height, width, 1 or 3], of at most kMostPixels, atomically. Needs no libpng.
Status write_png(const std::string& path, const Array& image);

}  // namespace tarn
