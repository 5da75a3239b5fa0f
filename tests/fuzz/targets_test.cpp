// Every row of the fuzzers' table on its examples, damaged: whatever the bytes, it returns. What would be found here is
// a crash, a failed TARN_CHECK or a sanitizer's report.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/fuzz/targets.h"
#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::load;

void damage(Bytes& bytes, std::mt19937& random) {
  // Bytes that mean something to one of the formats, besides any at all.
  static constexpr unsigned char kTelling[] = {0,    1,   0x7F, 0x80, 0xFF, '"', ',', '\n', '\r',
                                               '\'', '{', '}',  '[',  ']',  '(', '9', '-'};
  for (std::size_t edits = 1 + random() % 4; edits > 0; --edits) {
    if (bytes.empty()) return;
    const std::size_t position = random() % bytes.size();
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(position);
    switch (random() % 6) {
      case 0:
        bytes.resize(position);
        break;
      case 1:
        bytes[position] ^= std::byte(1u << random() % 8);
        break;
      case 2:
        bytes[position] = std::byte(random() % 256);
        break;
      case 3:
        bytes[position] = std::byte(kTelling[random() % std::size(kTelling)]);
        break;
      case 4:
        bytes.erase(at,
                    at + static_cast<std::ptrdiff_t>(std::min<std::size_t>(1 + random() % 4, bytes.size() - position)));
        break;
      default:
        bytes.insert(at, std::byte(kTelling[random() % std::size(kTelling)]));
        break;
    }
  }
}

// The files that a row names, and what fuzzing found for it earlier.
std::vector<Bytes> examples_of(const fuzz::Target& target) {
  const std::filesystem::path top = test::source_folder();
  const std::filesystem::path corpus = top / "tests" / "fuzz" / "corpus" / target.name;
  std::vector<std::string> paths;
  if (std::filesystem::is_directory(corpus)) {
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) paths.push_back(entry.path().string());
  }
  for (const fuzz::Examples& examples : target.examples) {
    for (const auto& entry : std::filesystem::directory_iterator(top / examples.folder)) {
      if (entry.path().extension() == examples.extension) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const std::string& path : paths) files.push_back(load(path));
  return files;
}

class FuzzTargets : public ::testing::TestWithParam<fuzz::Target> {};

TEST_P(FuzzTargets, ReturnOnDamagedExamples) {
  const fuzz::Target& target = GetParam();
  const unsigned seed = 20240612;
  const std::vector<Bytes> examples = examples_of(target);
  ASSERT_FALSE(examples.empty());
  for (const Bytes& example : examples) target.run(example);
  std::mt19937 random(seed);
  for (int trial = 0; trial < 1000; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial) + " of seed " + std::to_string(seed));
    Bytes bytes = examples[random() % examples.size()];
    damage(bytes, random);
    target.run(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, FuzzTargets, ::testing::ValuesIn(fuzz::targets().begin(), fuzz::targets().end()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace tarn
