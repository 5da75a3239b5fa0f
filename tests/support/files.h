// Files for tests: where those of the project are, text in and out, folders that go with a test. Knows no type of
// Tarn's, so that the tests of the installed library can use it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::test {

// The top of the sources, and that of the build.
std::filesystem::path source_folder();
std::filesystem::path build_folder();
// The driver `tarn` of this build.
std::string driver();
// example("iris.tarn"): the path of a file under examples.
std::string example(std::string_view name);

// The bytes of a file; a failure of the test where there is none.
std::string read_text(const std::filesystem::path& path);
// Writes it anew, with the folders above it.
void write_text(const std::filesystem::path& path, std::string_view text);

// An empty folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  std::string file(std::string_view name) const { return (path_ / name).string(); }
  // Of what is in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

}  // namespace tarn::test
