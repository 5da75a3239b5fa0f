// See markdown.h.
#include "tests/support/markdown.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/files.h"

namespace tarn::test {

namespace fs = std::filesystem;

namespace {

void add_pages(std::vector<fs::path>& pages, const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
}

}  // namespace

std::vector<fs::path> documents() {
  std::vector<fs::path> pages = {source_folder() / "README.md"};
  add_pages(pages, source_folder() / "docs");
  return pages;
}

std::vector<fs::path> all_pages() {
  std::vector<fs::path> pages;
  for (const auto& entry : fs::directory_iterator(source_folder())) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  for (const char* const folder :
       {"cmake", "codegen", "docs", "examples", "frontend", "ir", "passes", "runtime", "tests", "tools"}) {
    add_pages(pages, source_folder() / folder);
  }
  return pages;
}

std::vector<CodeBlock> code_blocks(const fs::path& page) {
  std::istringstream lines(read_text(page));
  const std::string name = fs::relative(page, source_folder()).string();
  std::vector<CodeBlock> blocks;
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) blocks.push_back({line.substr(3), name + ":" + std::to_string(number + 1), ""});
    } else if (inside) {
      blocks.back().text += line + '\n';
    }
  }
  EXPECT_FALSE(inside) << name << ": a block without an end";
  return blocks;
}

}  // namespace tarn::test
