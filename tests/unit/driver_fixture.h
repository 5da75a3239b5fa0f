// The driver run as users run it, for tests: each in a folder of its own with the examples in it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace tarn::driver_test {

using nlohmann::json;
namespace fs = std::filesystem;

struct Outcome {
  int status = -1;
  std::string out, err;
};

inline std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A folder of its own for each test, with the examples in it.
class Driver : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tarn-driver-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (const auto& entry : fs::directory_iterator(fs::path(TARN_SOURCE_DIR) / "examples")) {
      const fs::path& path = entry.path();
      if (path.extension() == ".tarn" || path.extension() == ".csv") fs::copy_file(path, folder_ / path.filename());
    }
    fs::create_directory_symlink(fs::path(TARN_SOURCE_DIR) / "examples/data", folder_ / "data");
  }
  void TearDown() override { fs::remove_all(folder_); }

  Outcome tarn(const std::string& arguments) const {
    const std::string command = fmt::format(
        "cd '{0}' && export TARN='{1}' XDG_CACHE_HOME='{0}/cache' && {{ '{1}' {2}; }} >stdout.txt 2>stderr.txt "
        "</dev/null",
        folder_.string(), TARN_BINARY, arguments);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(folder_ / "stdout.txt"),
            read_text(folder_ / "stderr.txt")};
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  bool exists(const std::string& name) const { return fs::exists(folder_ / name); }

  fs::path folder_;
};

inline std::vector<json> events(const std::string& text) {
  std::vector<json> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) found.push_back(json::parse(line));
  return found;
}

}  // namespace tarn::driver_test
