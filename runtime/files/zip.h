// Zip archives in memory, as far as .npz files need them: stored and deflated members, zip64 read.
// Format: PKWARE APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
//
// Contract: any bytes may be given. Every offset is checked against the archive; a member is inflated into exactly the
// size that the central directory states, which deflate must be able to reach from the bytes there are; and the members
// together may not claim more bytes than the archive has, so that overlapping ones cannot multiply.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"
#include "runtime/files/file.h"

namespace tarn {

struct ZipMember {
  std::string name;
  std::uint16_t method = 0;    // 0 stored, 8 deflated
  std::uint32_t checksum = 0;  // CRC-32 of the content
  std::uint64_t compressed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header_offset = 0;
};

// Whether the bytes start as a zip archive does.
bool is_zip(ByteView bytes);

// The members in the order of the central directory. Encrypted, split and otherwise compressed archives, members of the
// same name, and more than `limit` bytes of content altogether are errors. `name` is what errors call the archive.
Result<std::vector<ZipMember>> zip_members(ByteView archive, std::string_view name, std::uint64_t limit = kFileLimit);

// The content of a member that zip_members found in this archive, its checksum verified.
Result<Bytes> zip_content(ByteView archive, const ZipMember& member, std::string_view name);

// What stands behind all members; "" where the archive has no end.
std::string zip_comment(ByteView archive);
inline constexpr std::size_t kMostZipComment = 65535;

// Content to be stored: its bytes are the concatenation of the parts.
struct ZipContent {
  std::string name;
  std::vector<ByteView> parts;
};

// Writes an archive of stored members, atomically. Archives beyond 4 GiB, or of more than 65,534 members, and longer
// comments are refused.
Status write_zip(const std::string& path, std::span<const ZipContent> members, std::string_view comment = {});

}  // namespace tarn
