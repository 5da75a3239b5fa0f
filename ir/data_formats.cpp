// See data_formats.h.
#include "ir/data_formats.h"

#include <algorithm>
#include <array>

namespace tarn {

namespace {

constexpr std::array kFormats = {
#define FORMAT(kind, name, endings, infix) DataFormat{DataKind::kind, #name, endings, infix},
#include "ir/data_formats.def"
};

}  // namespace

std::span<const DataFormat> data_formats() { return kFormats; }

const DataFormat* find_format(std::string_view name) {
  const auto* const row = std::ranges::find(kFormats, name, &DataFormat::name);
  return row == kFormats.end() ? nullptr : row;
}

const DataFormat& format_of_folders() { return *std::ranges::find(kFormats, DataKind::folder, &DataFormat::kind); }

const DataFormat* format_of_path(std::string_view path) {
  if (path.ends_with(".gz")) path.remove_suffix(3);
  for (const DataFormat& format : kFormats) {
    for (std::string_view rest = format.endings; !rest.empty();) {
      const std::string_view ending = rest.substr(0, rest.find(' '));
      if (path.ends_with(ending)) return &format;
      rest.remove_prefix(std::min(ending.size() + 1, rest.size()));
    }
  }
  const std::string_view file = path.substr(path.rfind('/') + 1);
  for (const DataFormat& format : kFormats) {
    if (!format.infix.empty() && file.find(format.infix) != std::string_view::npos) return &format;
  }
  return nullptr;
}

}  // namespace tarn
