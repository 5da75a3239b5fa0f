// The driver run as users run it, for tests: each in a folder of its own with the examples in it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn::driver_test {

using nlohmann::json;
namespace fs = std::filesystem;

struct Outcome {
  int status = -1;
  std::string out, err;
};

using test::read_text;

// A folder of its own for each test, with the examples in it.
class Driver : public ::testing::Test {
 protected:
  Driver() {
    for (const auto& entry : fs::directory_iterator(test::source_folder() / "examples")) {
      const fs::path& path = entry.path();
      if (path.extension() == ".tarn" || path.extension() == ".csv") fs::copy_file(path, folder_ / path.filename());
    }
    fs::create_directory_symlink(test::example("data"), folder_ / "data");
  }

  Outcome tarn(const std::string& arguments) const {
    const test::Finished finished = test::run(fmt::format(
        "cd '{0}' && export TARN='{1}' XDG_CACHE_HOME='{0}/cache' && {{ '{1}' {2}; }} >stdout.txt 2>stderr.txt",
        folder_.string(), test::driver(), arguments));
    return {finished.status, read_text(folder_ / "stdout.txt"), read_text(folder_ / "stderr.txt")};
  }
  void write(const std::string& name, const std::string& text) const { test::write_text(folder_ / name, text); }
  bool exists(const std::string& name) const { return fs::exists(folder_ / name); }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

inline std::vector<json> events(const std::string& text) {
  std::vector<json> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) found.push_back(json::parse(line));
  return found;
}

}  // namespace tarn::driver_test
