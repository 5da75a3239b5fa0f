// The table of data formats: what data_formats.def lists.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tarn {

enum class DataKind : std::uint8_t {
  table,    // rows of text with a column for each value
  archive,  // one file with an array for each input, by name
  array,    // a file for each input
  folder,   // a folder with a file for each sample
};

struct DataFormat {
  DataKind kind;
  std::string_view name;
  std::string_view endings;  // of paths, with spaces between
  std::string_view infix;    // of the names of files that end otherwise

  bool holds_all() const { return kind != DataKind::array; }
  // What the path of such data is of, for messages.
  std::string_view container() const { return kind == DataKind::folder ? "folder" : "file"; }
};

std::span<const DataFormat> data_formats();
const DataFormat* find_format(std::string_view name);  // nullptr: there is none
// What the path says, without its ".gz"; nullptr: nothing.
const DataFormat* format_of_path(std::string_view path);
// The format of folders.
const DataFormat& format_of_folders();

}  // namespace tarn
