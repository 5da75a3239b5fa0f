// IDX files, the format of MNIST and its relatives. Format: the end of http://yann.lecun.com/exdb/mnist/.
#pragma once

#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// All six element types (u8, i8, i16, i32, f32, f64; big endian in the file). Missing and surplus bytes are errors;
// nothing is allocated before the sizes agree. `name` is what errors call the file.
// The first takes the bytes over.
Result<Array> parse_idx(Bytes bytes, std::string_view name = "idx");
Result<Array> parse_idx(ByteView bytes, std::string_view name = "idx");
// The same from a file, which may be compressed with gzip.
Result<Array> read_idx(const std::string& path);

}  // namespace tarn
