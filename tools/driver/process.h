// Other programs that the driver uses: a linker, Graphviz; and a folder for what they hand over.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/diagnostics.h"

namespace tarn {

// A folder that is removed with what is in it.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();
  std::string file(std::string_view name) const { return (path_ / name).string(); }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

// Runs a program found on PATH, whose output goes where this one's does; its exit status, or nothing where there is no
// such program.
std::optional<int> run_program(const std::vector<std::string>& words);

}  // namespace tarn
