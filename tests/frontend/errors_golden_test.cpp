// Every file of tests/golden/errors says exactly what stands in the .txt beside it. TARN_UPDATE_GOLDEN=1 writes the
// .txt files anew; read what changed before committing it.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "frontend/frontend.h"
#include "tests/support/files.h"
#include "tests/support/transcript.h"

namespace tarn {
namespace {

const std::filesystem::path kFolder = test::source_folder() / "tests/golden/errors";

// Line numbers of the prelude are left out: they change with every line that is added to it.
std::string without_prelude_lines(const std::string& text) {
  static const std::regex kPosition("(prelude/[a-z0-9_/]+\\.tarn):[0-9]+:([^\n]*\n) *[0-9]+ \\|");
  return std::regex_replace(text, kPosition, "$1:…:$2   … |");
}

// Diagnostics with paths from the folder of the golden files.
std::string messages_of(const std::filesystem::path& path) {
  Sources sources;
  const FrontendResult result = compile_file(path.string(), {}, sources);
  EXPECT_EQ(result.program.has_value(), !has_errors(result.diagnostics));
  std::string text = format(result.diagnostics, sources);
  const std::string prefix = kFolder.string() + "/";
  for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
  return without_prelude_lines(text);
}

TEST(ErrorsGolden, EveryFileSaysWhatIsExpected) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".tarn") continue;
    SCOPED_TRACE(entry.path().filename().string());
    ++count;
    const std::string messages = messages_of(entry.path());
    std::filesystem::path expected = entry.path();
    expected.replace_extension(".txt");
    if (test::updates_golden()) test::write_text(expected, messages);
    EXPECT_EQ(messages, test::read_text(expected));
    EXPECT_FALSE(messages.empty());
  }
  EXPECT_GE(count, 20);
}

}  // namespace
}  // namespace tarn
