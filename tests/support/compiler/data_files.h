// What the tests of data and weight files share: the files under tests/data, messages.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/files/array.h"
#include "runtime/files/file.h"
#include "tests/support/files.h"

namespace tarn::testing {

inline std::filesystem::path data_folder(std::string_view name) {
  return test::source_folder() / "tests" / "data" / name;
}

inline Bytes load(const std::filesystem::path& path) {
  Result<Bytes> bytes = read_file(path.string());
  EXPECT_TRUE(bytes.has_value()) << path;
  return bytes ? *std::move(bytes) : Bytes();
}

inline nlohmann::json load_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(test::read_text(path));
}

inline Bytes bytes_of(std::string_view text) { return copy_of(view_of(text)); }

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

}  // namespace tarn::testing
