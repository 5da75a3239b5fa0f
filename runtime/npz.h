// NumPy's .npz files: zip archives of .npy files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "runtime/array.h"

namespace tarn {

// The arrays in the order of the archive, named without ".npy" as NumPy names them; members that are no .npy files are
// left out. Errors: what zip_members, zip_content and parse_npy refuse. `name` is what errors call the file.
Result<std::vector<NamedArray>> parse_npz(ByteView bytes, std::string_view name = "npz");
Result<std::vector<NamedArray>> read_npz(const std::string& path);

// Writes the arrays uncompressed as numpy.savez does, atomically. Not for bf16.
Status write_npz(const std::string& path, std::span<const NamedView> arrays);

}  // namespace tarn
