// Reading and writing of zip archives. Names of records and fields follow APPNOTE.TXT, section 4.3. See zip.h.
#include "runtime/files/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "runtime/files/gzip.h"
#include "runtime/files/utf8.h"

namespace tarn {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEndRecord = 0x06054b50;
constexpr std::uint32_t kZip64EndRecord = 0x06064b50;
constexpr std::uint32_t kZip64Locator = 0x07064b50;
constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kCentralHeaderSize = 46;
constexpr std::size_t kEndRecordSize = 22;
constexpr std::size_t kZip64EndRecordSize = 56;
constexpr std::size_t kZip64LocatorSize = 20;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kEncryptedFlag = 1;
constexpr std::uint16_t kUtf8Flag = 1 << 11;
// A field of 32 or 16 bits that holds this defers to the zip64 records.
constexpr std::uint32_t kDeferred32 = 0xFFFFFFFF;
constexpr std::uint16_t kDeferred16 = 0xFFFF;
// Deflate spends at least one bit on 129 bytes (a match of 258 takes two): zlib's documentation gives 1032:1.
constexpr std::uint64_t kLargestRatio = 1032;

// Whether [offset, offset + size) lies within `available` bytes.
bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t available) {
  return offset <= available && size <= available - offset;
}

// The little-endian integer at `offset`, which must lie inside.
template <class T>
T read_at(ByteView bytes, std::uint64_t offset) {
  TARN_CHECK(inside(offset, sizeof(T), bytes.size()), "field of a zip record");
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool has_signature(ByteView bytes, std::uint64_t offset, std::uint64_t record_size, std::uint32_t signature) {
  return inside(offset, record_size, bytes.size()) && read_at<std::uint32_t>(bytes, offset) == signature;
}

struct CentralDirectory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t members = 0;
};

// The end record stands last, but for a comment of at most 65,535 bytes.
std::optional<std::uint64_t> find_end_record(ByteView archive) {
  if (archive.size() < kEndRecordSize) return std::nullopt;
  const std::uint64_t last = archive.size() - kEndRecordSize;
  const std::uint64_t first = last > 0xFFFF ? last - 0xFFFF : 0;
  for (std::uint64_t offset = last + 1; offset-- > first;) {
    if (!has_signature(archive, offset, kEndRecordSize, kEndRecord)) continue;
    if (offset + kEndRecordSize + read_at<std::uint16_t>(archive, offset + 20) == archive.size()) return offset;
  }
  return std::nullopt;
}

Result<CentralDirectory> find_directory(ByteView archive, std::string_view name) {
  const std::optional<std::uint64_t> end = find_end_record(archive);
  if (!end) return error_in_file(name, "is not a complete zip archive: its end record is missing");
  const auto disk = read_at<std::uint16_t>(archive, *end + 4);
  const auto directory_disk = read_at<std::uint16_t>(archive, *end + 6);
  CentralDirectory directory{read_at<std::uint32_t>(archive, *end + 16), read_at<std::uint32_t>(archive, *end + 12),
                             read_at<std::uint16_t>(archive, *end + 10)};
  const bool deferred =
      directory.offset == kDeferred32 || directory.size == kDeferred32 || directory.members == kDeferred16;
  if (deferred && *end >= kZip64LocatorSize &&
      has_signature(archive, *end - kZip64LocatorSize, kZip64LocatorSize, kZip64Locator)) {
    const auto record = read_at<std::uint64_t>(archive, *end - kZip64LocatorSize + 8);
    if (!has_signature(archive, record, kZip64EndRecordSize, kZip64EndRecord)) {
      return error_in_file(name, "the zip archive is damaged: its zip64 end record is missing");
    }
    directory = {read_at<std::uint64_t>(archive, record + 48), read_at<std::uint64_t>(archive, record + 40),
                 read_at<std::uint64_t>(archive, record + 32)};
  } else if (disk != 0 || directory_disk != 0) {
    return error_in_file(name, "is a part of a split zip archive, which is not read");
  }
  if (!inside(directory.offset, directory.size, *end) || directory.members > directory.size / kCentralHeaderSize) {
    return error_in_file(name, "the zip archive is damaged: its directory lies outside the file");
  }
  return directory;
}

// Sizes and offset that did not fit the header, from the extra fields behind it; false if they are missing.
bool apply_zip64_extra(ByteView extra, ZipMember& member) {
  std::uint64_t* const fields[] = {&member.size, &member.compressed_size, &member.header_offset};
  const auto is_deferred = [](const std::uint64_t* field) { return *field == kDeferred32; };
  if (std::none_of(std::begin(fields), std::end(fields), is_deferred)) return true;
  while (extra.size() >= 4) {
    const auto identifier = read_at<std::uint16_t>(extra, 0);
    const auto size = read_at<std::uint16_t>(extra, 2);
    if (size > extra.size() - 4) return false;
    if (identifier == kZip64Extra) {
      ByteView values = extra.subspan(4, size);
      for (std::uint64_t* const field : fields) {
        if (!is_deferred(field)) continue;
        if (values.size() < 8) return false;
        *field = read_at<std::uint64_t>(values, 0);
        values = values.subspan(8);
      }
      return true;
    }
    extra = extra.subspan(std::size_t{4} + size);
  }
  return false;
}

// What about a member's header rules out reading it; empty if nothing does.
std::string problem_of(const ZipMember& member, std::uint16_t flags) {
  if (first_invalid_utf8(member.name)) return "has a name that is not UTF-8";
  if ((flags & kEncryptedFlag) != 0) return "is encrypted";
  if (member.method != kStored && member.method != kDeflated) {
    return fmt::format("is compressed by method {}; stored and deflated members are read", member.method);
  }
  if (member.method == kStored && member.size != member.compressed_size) return "is damaged: its two sizes differ";
  if (member.size / kLargestRatio > member.compressed_size) return "is damaged: no deflated data is that much smaller";
  return {};
}

Diagnostic error_in_member(std::string_view archive, std::string_view member, std::string_view problem) {
  return error_in_file(archive, fmt::format("member '{}' {}", member, problem));
}

}  // namespace

bool is_zip(ByteView bytes) {
  return has_signature(bytes, 0, 4, kLocalHeader) || has_signature(bytes, 0, 4, kEndRecord);
}

Result<std::vector<ZipMember>> zip_members(ByteView archive, std::string_view name, std::uint64_t limit) {
  TARN_TRY(const CentralDirectory directory, find_directory(archive, name));
  const ByteView records = archive.subspan(directory.offset, directory.size);
  std::vector<ZipMember> members;
  std::set<std::string> names;
  std::uint64_t offset = 0;
  std::uint64_t compressed_total = 0;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < directory.members; ++i) {
    const auto damaged = [&] { return error_in_file(name, "the zip archive is damaged: its directory is cut off"); };
    if (!has_signature(records, offset, kCentralHeaderSize, kCentralHeader)) return damaged();
    const auto name_size = read_at<std::uint16_t>(records, offset + 28);
    const auto extra_size = read_at<std::uint16_t>(records, offset + 30);
    const auto comment_size = read_at<std::uint16_t>(records, offset + 32);
    const std::uint64_t tail = std::uint64_t{name_size} + extra_size + comment_size;
    if (!inside(offset + kCentralHeaderSize, tail, records.size())) return damaged();
    ZipMember member;
    const ByteView name_bytes = records.subspan(offset + kCentralHeaderSize, name_size);
    member.name = text_of(name_bytes);
    member.method = read_at<std::uint16_t>(records, offset + 10);
    member.checksum = read_at<std::uint32_t>(records, offset + 16);
    member.compressed_size = read_at<std::uint32_t>(records, offset + 20);
    member.size = read_at<std::uint32_t>(records, offset + 24);
    member.header_offset = read_at<std::uint32_t>(records, offset + 42);
    if (!apply_zip64_extra(records.subspan(offset + kCentralHeaderSize + name_size, extra_size), member))
      return damaged();
    const std::string problem = problem_of(member, read_at<std::uint16_t>(records, offset + 8));
    if (!problem.empty()) return error_in_member(name, member.name, problem);
    if (!names.insert(member.name).second) return error_in_member(name, member.name, "stands in the archive twice");
    if (!inside(compressed_total, member.compressed_size, archive.size())) {
      return error_in_file(name, "the zip archive is damaged: its members take more bytes than it has");
    }
    compressed_total += member.compressed_size;
    if (!inside(total, member.size, limit)) {
      return error_in_file(name, fmt::format("inflates to more than the {} bytes that are read", limit));
    }
    total += member.size;
    offset += kCentralHeaderSize + tail;
    members.push_back(std::move(member));
  }
  return members;
}

Result<Bytes> zip_content(ByteView archive, const ZipMember& member, std::string_view name) {
  const auto damaged = [&] { return error_in_member(name, member.name, "is damaged"); };
  if (!has_signature(archive, member.header_offset, kLocalHeaderSize, kLocalHeader)) return damaged();
  const std::uint64_t begin = member.header_offset + kLocalHeaderSize +
                              read_at<std::uint16_t>(archive, member.header_offset + 26) +
                              read_at<std::uint16_t>(archive, member.header_offset + 28);
  if (!inside(begin, member.compressed_size, archive.size())) return damaged();
  const ByteView data = archive.subspan(begin, member.compressed_size);
  std::optional<Bytes> content = member.method == kStored ? copy_of(data) : inflate_raw(data, member.size);
  if (!content) return damaged();
  const uLong checksum = ::crc32_z(0, reinterpret_cast<const Bytef*>(content->data()), content->size());
  if (checksum != member.checksum) return error_in_member(name, member.name, "is damaged: its checksum differs");
  return *std::move(content);
}

namespace {

template <class... Fields>
void append(std::string& record, Fields... fields) {
  (record.append(reinterpret_cast<const char*>(&fields), sizeof(fields)), ...);
}

// The fields that the local and the central header share, from "version needed" to "extra field length".
void append_shared_fields(std::string& record, const ZipContent& content, std::uint32_t checksum, std::uint32_t size) {
  constexpr std::uint16_t kVersionNeeded = 20;
  // 1980-01-01 00:00: the same weights give the same bytes whenever they are written.
  constexpr std::uint16_t kTime = 0;
  constexpr std::uint16_t kDate = 1 << 5 | 1;
  append(record, kVersionNeeded, kUtf8Flag, kStored, kTime, kDate, checksum, size, size,
         static_cast<std::uint16_t>(content.name.size()), std::uint16_t{0});
}

}  // namespace

std::string zip_comment(ByteView archive) {
  const std::optional<std::uint64_t> end = find_end_record(archive);
  return end ? std::string(text_of(archive.subspan(*end + kEndRecordSize))) : std::string();
}

Status write_zip(const std::string& path, std::span<const ZipContent> members, std::string_view comment) {
  if (comment.size() > kMostZipComment) {
    return error_in_file(path,
                         fmt::format("a comment of {} bytes does not fit a zip archive (at most {}): use safetensors",
                                     comment.size(), kMostZipComment));
  }
  std::vector<std::string> headers;
  std::string directory;
  std::uint64_t offset = 0;
  for (const ZipContent& member : members) {
    std::uint64_t size = 0;
    uLong checksum = 0;
    for (const ByteView part : member.parts) {
      size += part.size();
      // zlib takes a null pointer, which an empty part may have, for a request to start anew.
      if (!part.empty()) checksum = ::crc32_z(checksum, reinterpret_cast<const Bytef*>(part.data()), part.size());
    }
    if (offset + size + directory.size() >= kDeferred32 || headers.size() + 1 >= kDeferred16 ||
        member.name.size() > std::numeric_limits<std::uint16_t>::max()) {
      return error_in_file(
          path, "zip archives of this size are not written (at most 4 GiB, 65,534 members): use safetensors");
    }
    std::string& header = headers.emplace_back();
    append(header, kLocalHeader);
    append_shared_fields(header, member, static_cast<std::uint32_t>(checksum), static_cast<std::uint32_t>(size));
    header += member.name;
    append(directory, kCentralHeader, std::uint16_t{20});
    append_shared_fields(directory, member, static_cast<std::uint32_t>(checksum), static_cast<std::uint32_t>(size));
    // Comment size, disk, internal and external attributes, offset of the local header.
    append(directory, std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{0}, std::uint32_t{0},
           static_cast<std::uint32_t>(offset));
    directory += member.name;
    offset += header.size() + size;
  }
  const auto count = static_cast<std::uint16_t>(members.size());
  const auto directory_size = static_cast<std::uint32_t>(directory.size());
  append(directory, kEndRecord, std::uint16_t{0}, std::uint16_t{0}, count, count, directory_size,
         static_cast<std::uint32_t>(offset), static_cast<std::uint16_t>(comment.size()));
  directory += comment;

  std::vector<ByteView> parts;
  for (std::size_t i = 0; i < members.size(); ++i) {
    parts.push_back(view_of(headers[i]));
    parts.insert(parts.end(), members[i].parts.begin(), members[i].parts.end());
  }
  parts.push_back(view_of(directory));
  return write_file(path, parts);
}

}  // namespace tarn
