// JPEG files, read by libjpeg-turbo. See image.h, which chooses the reader. Format: ITU-T T.81 and T.871 (JFIF).
#pragma once

#include <cstdint>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// Whether the bytes start as a JPEG file does.
bool is_jpeg(ByteView bytes);
// u8[height, width, channels], of 1 or 3 channels: grey of colours is the luminance that the file has. Files of four
// inks (CMYK) are refused.
Result<Array> parse_jpeg(ByteView bytes, std::int64_t channels, std::string_view name);

}  // namespace tarn
