// NumPy's .npy files: one array a file.
// Format: https://numpy.org/neps/nep-0001-npy-format.html, numpy/lib/format.py.
//
// Contract: any bytes may be given; nothing is allocated before the header's claims agree with the number of bytes
// there are.
#pragma once

#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// Versions 1.0 to 3.0, C and Fortran order, little and big endian, the element types of ArrayType but bf16. Object
// arrays (they are pickles, which run code), structured and other types are errors, as are missing and surplus bytes.
// `name` is what errors call the file.
// The first takes the bytes over, so that a large array is not held twice.
Result<Array> parse_npy(Bytes bytes, std::string_view name = "npy");
Result<Array> parse_npy(ByteView bytes, std::string_view name = "npy");
// The same from a file, which may be compressed with gzip.
Result<Array> read_npy(const std::string& path);

// The first bytes of every .npy file.
bool is_npy(ByteView bytes);

// The header, version 1.0 in C order, that stands before the array's bytes in a file; its size is a multiple of 64. Not
// for bf16.
std::string npy_header(ArrayType type, std::span<const std::int64_t> shape);
Status write_npy(const std::string& path, const Array& array);

}  // namespace tarn
