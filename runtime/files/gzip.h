// Decompression with zlib: gzip files, recognised by their first bytes, and the raw deflate streams of zip archives.
//
// Contract: memory stays within the stated limit whatever the input claims.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"
#include "runtime/files/file.h"

namespace tarn {

// Whether the bytes start as a gzip file does (RFC 1952: 1f 8b).
bool is_gzip(ByteView bytes);

// Inflates a gzip file, of one member or several. `name` is what errors call it; more than `limit` bytes is an error.
Result<Bytes> inflate_gzip(ByteView bytes, std::string_view name, std::uint64_t limit = kFileLimit);

// Inflates a raw deflate stream (RFC 1951) that must use all of `bytes` and give exactly `size` of them; nothing if it
// does not.
std::optional<Bytes> inflate_raw(ByteView bytes, std::uint64_t size);

// read_file, then inflate_gzip where the first bytes say so: how every data file is read.
Result<Bytes> read_data_file(const std::string& path, std::uint64_t limit = kFileLimit);

}  // namespace tarn
