// Reading whole files and writing them atomically, with messages that say what failed and whose fault it is.
//
// Contract: nothing here throws, but for std::bad_alloc. Messages name the path as it was given. A failure of the
// machine (disk full, I/O error, out of descriptors) sets Diagnostic::machine; a missing, unreadable or misnamed file
// is the user's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

// More than this is not read into memory, from a file or out of a compressed one.
inline constexpr std::uint64_t kFileLimit = std::uint64_t{1} << 34;

// read_file leaves room for so many more bytes, so that a parser can put sentinels behind the text without moving it.
inline constexpr std::size_t kSentinelRoom = 8;

// The bytes of a file. Pipes and devices are read to their end. A directory, or more than `limit` bytes, is an error.
Result<Bytes> read_file(const std::string& path, std::uint64_t limit = kFileLimit);

// Replaces the file at `path` by the concatenation of `parts`: a temporary file in the same folder is written, synced
// and renamed, so that a reader sees the old file or the new one, whatever happens between. A symbolic link stays, its
// target is replaced; the mode of a file that was there is kept. A device or pipe is written directly. After a failure
// no temporary is left.
Status write_file(const std::string& path, std::span<const ByteView> parts);
Status write_file(const std::string& path, std::string_view text);

// Whether write_file could put a file there, as far as can be known without doing it: asked before long work, and of
// all files before the first is written. Leaves nothing behind.
Status can_be_written(const std::string& path);
// The same of a folder that is made, with those above it, where it is missing.
Status folder_can_be_made(const std::string& path);

// "cannot write 'x/y.npz': No such file or directory", with `machine` set from the errno value. `action` is "read",
// "write", ….
Diagnostic system_error(std::string_view action, std::string_view path, int error_number);

// An error in a data file: "iris.csv:12: message"; without the number for line 0.
Diagnostic error_in_file(std::string_view file, std::uint64_t line, std::string_view message);
inline Diagnostic error_in_file(std::string_view file, std::string_view message) {
  return error_in_file(file, 0, message);
}

}  // namespace tarn
