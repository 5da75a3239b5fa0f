// .npz is .npy within zip. See npz.h.
#include "runtime/files/npz.h"

#include <fmt/format.h>

#include "runtime/files/file.h"
#include "runtime/files/gzip.h"
#include "runtime/files/npy.h"
#include "runtime/files/zip.h"

namespace tarn {

Result<Npz> parse_npz(ByteView bytes, std::string_view name) {
  constexpr std::string_view kExtension = ".npy";
  if (!is_zip(bytes)) return error_in_file(name, "is not a .npz file: it does not start as a zip archive does");
  TARN_TRY(const std::vector<ZipMember> members, zip_members(bytes, name));
  Npz npz;
  npz.comment = zip_comment(bytes);
  for (const ZipMember& member : members) {
    std::string_view array_name = member.name;
    const bool has_extension = array_name.ends_with(kExtension);
    if (has_extension) array_name.remove_suffix(kExtension.size());
    TARN_TRY(Bytes content, zip_content(bytes, member, name));
    if (!has_extension && !is_npy(content)) continue;
    TARN_TRY(Array array, parse_npy(std::move(content), fmt::format("{}: '{}'", name, array_name)));
    npz.arrays.push_back({std::string(array_name), std::move(array)});
  }
  return npz;
}

Result<std::vector<NamedArray>> read_npz(const std::string& path) {
  TARN_TRY(const Bytes bytes, read_data_file(path));
  TARN_TRY(Npz npz, parse_npz(bytes, path));
  if (npz.arrays.empty()) return error_in_file(path, "holds no arrays");
  return std::move(npz.arrays);
}

Status write_npz(const std::string& path, std::span<const NamedView> arrays, std::string_view comment) {
  std::vector<std::string> headers;
  headers.reserve(arrays.size());
  std::vector<ZipContent> members;
  for (const NamedView& array : arrays) {
    const std::string& header = headers.emplace_back(npy_header(array.type, array.shape));
    members.push_back({array.name + ".npy", {view_of(header), array.data}});
  }
  return write_zip(path, members, comment);
}

}  // namespace tarn
