// The pages of the project, and the blocks of code in them, for the tests that compile or run them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tarn::test {

// README.md and the pages of docs.
std::vector<std::filesystem::path> documents();
// Every page of the project: also those that say how to contribute, and what is in a folder.
std::vector<std::filesystem::path> all_pages();

// A fenced block.
struct CodeBlock {
  std::string language;  // what stands behind the fence
  std::string place;     // "docs/language.md:12"
  std::string text;
};

// Those of a page, in its order; a block without an end is a failure of the test.
std::vector<CodeBlock> code_blocks(const std::filesystem::path& page);

}  // namespace tarn::test
