// See command_files.h.
#include "tools/driver/command_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "runtime/files/file.h"

namespace tarn {

namespace {

// Without links and dots, as far as it is there.
std::filesystem::path canonical(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(absolute, failed);
  return failed ? absolute.lexically_normal() : resolved;
}

// Whether the file is there and holds this text. Not all texts in Sources are of files, though they have names: those
// of the prelude are in the binary, and settings are on the command line.
bool holds(const std::string& path, std::string_view text) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return false;
  if (std::cmp_not_equal(found.st_size, text.size())) return false;
  const Result<Bytes> bytes = read_file(path);
  return bytes && text_of(*bytes) == text;
}

}  // namespace

bool is_device(const std::string& path) {
  std::error_code unknown;
  const auto kind = std::filesystem::status(path, unknown).type();
  return kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found;
}

bool is_same_file(const std::string& one, const std::string& other) {
  struct stat first{}, second{};
  const bool first_exists = ::stat(one.c_str(), &first) == 0, second_exists = ::stat(other.c_str(), &second) == 0;
  if (first_exists != second_exists) return false;
  if (!first_exists) return canonical(one) == canonical(other);
  // Devices and pipes lose nothing when they are written to.
  if (!S_ISREG(first.st_mode) || !S_ISREG(second.st_mode)) return false;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

CommandFiles::CommandFiles(const CommonOptions& options) {
  reads("the model file", options.file);
  for (const GivenFile& file : given_files(options.data)) reads("a data file", file.path);
  reads(kWeightsFile, options.weights.empty() ? default_weights(options.file) : options.weights);
}

void CommandFiles::reads(const std::string& what, const std::string& path) {
  if (!path.empty()) read_.push_back({what, path, ""});
}

void CommandFiles::reads(const Program& program, const std::string& folder, const Sources& sources) {
  for (const std::string& file : files_of_data_blocks(program, folder)) reads("a data file of the model", file);
  for (FileId id = 1; !sources.name(id).empty(); ++id) {
    const std::string name(sources.name(id));
    if (holds(name, sources.text(id))) reads("a file that the model imports", name);
  }
}

void CommandFiles::writes(const std::string& option, const std::string& path, const std::string& replaces) {
  if (!path.empty()) written_.push_back({option, path, replaces});
}

Status CommandFiles::check() const {
  for (std::size_t i = 0; i < written_.size(); ++i) {
    const File& result = written_[i];
    for (const File& file : read_) {
      if (file.what != result.replaces && is_same_file(result.path, file.path))
        return error(fmt::format("{} is {}: '{}'", result.what, file.what, result.path));
    }
    for (std::size_t k = 0; k < i; ++k) {
      const bool both_may = !result.replaces.empty() && result.replaces == written_[k].replaces;
      if (!both_may && is_same_file(result.path, written_[k].path))
        return error(fmt::format("{} and {} are one file: '{}'", written_[k].what, result.what, result.path));
    }
  }
  return Done{};
}

}  // namespace tarn
