// NumPy's .npz files: zip archives of .npy files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

struct Npz {
  // In the order of the archive, named without ".npy" as NumPy names them.
  std::vector<NamedArray> arrays;
  std::string comment;  // of the archive
};

// Members that are no .npy files are left out. Errors: what zip_members, zip_content and parse_npy refuse. `name` is
// what errors call the file.
Result<Npz> parse_npz(ByteView bytes, std::string_view name = "npz");
// The arrays of a file, of which there must be one.
Result<std::vector<NamedArray>> read_npz(const std::string& path);

// Writes the arrays uncompressed as numpy.savez does, atomically. Not for bf16. NumPy and others pass over a comment,
// which may have kMostZipComment bytes.
Status write_npz(const std::string& path, std::span<const NamedView> arrays, std::string_view comment = {});

}  // namespace tarn
