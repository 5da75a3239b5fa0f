// What the tests of data and weight files share: the files under tests/data, folders for files of their own, messages.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/array.h"
#include "runtime/file.h"

namespace tarn::testing {

inline std::filesystem::path data_folder(std::string_view name) {
  return std::filesystem::path(TARN_SOURCE_DIR) / "tests" / "data" / name;
}

inline Bytes load(const std::filesystem::path& path) {
  Result<Bytes> bytes = read_file(path.string());
  EXPECT_TRUE(bytes.has_value()) << path;
  return bytes ? *std::move(bytes) : Bytes();
}

inline nlohmann::json load_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return nlohmann::json::parse(file);
}

inline Bytes bytes_of(std::string_view text) { return copy_of(view_of(text)); }

inline std::string text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// All messages, a line each.
inline std::string messages(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.message + "\n";
  return text;
}
template <class T>
std::string messages(const Result<T>& result) {
  return result ? "" : messages(result.error());
}

// An empty folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tarn-test-XXXXXX").string();
    const char* const made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(std::string_view name) const { return (path_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    return names;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace tarn::testing
