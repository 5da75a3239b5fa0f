// See transcript.h.
#include "tests/support/transcript.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace tarn::test {

namespace {

// Whether a line is the expected one, whose "…" stand for anything.
bool line_matches(std::string_view line, std::string_view expected) {
  constexpr std::string_view kAnything = "…";
  std::size_t gap = expected.find(kAnything);
  if (gap == std::string_view::npos) return line == expected;
  if (!line.starts_with(expected.substr(0, gap))) return false;
  line.remove_prefix(gap);
  for (;;) {
    expected.remove_prefix(gap + kAnything.size());
    gap = expected.find(kAnything);
    if (gap == std::string_view::npos) return line.ends_with(expected);
    const std::size_t found = line.find(expected.substr(0, gap));
    if (found == std::string_view::npos) return false;
    line.remove_prefix(found + gap);
  }
}

bool text_matches(const std::string& text, const std::string& expected) {
  std::istringstream lines(text), expected_lines(expected);
  std::string line, expected_line;
  while (std::getline(expected_lines, expected_line)) {
    if (!std::getline(lines, line) || !line_matches(line, expected_line)) return false;
  }
  return !std::getline(lines, line) && text.ends_with('\n') == expected.ends_with('\n');
}

std::string output_of(const std::string& command, const std::filesystem::path& folder) {
  const std::string binaries = std::filesystem::path(driver()).parent_path().string();
  Finished finished = run("cd '" + folder.string() + "' && export PATH='" + binaries + "':\"$PATH\" XDG_CACHE_HOME='" +
                          (folder / ".cache").string() + "' && { " + command + "; }");
  if (finished.status != 0) finished.output += "[exit " + std::to_string(finished.status) + "]\n";
  return finished.output;
}

}  // namespace

Transcript read_transcript(std::string_view text) {
  Transcript transcript;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("$ ")) {
      transcript.steps.push_back({line.substr(2), ""});
    } else {
      (transcript.steps.empty() ? transcript.introduction : transcript.steps.back().expected) += line + "\n";
    }
  }
  return transcript;
}

std::string run_transcript(const Transcript& transcript, const std::filesystem::path& folder) {
  std::string updated = transcript.introduction;
  for (const TranscriptStep& step : transcript.steps) {
    const std::string output = output_of(step.command, folder);
    const bool is_expected = text_matches(output, step.expected);
    EXPECT_TRUE(is_expected) << "$ " << step.command << "\n" << output << "where this is expected:\n" << step.expected;
    updated += "$ " + step.command + "\n" + (is_expected ? step.expected : output);
  }
  return updated;
}

bool updates_golden() { return std::getenv("TARN_UPDATE_GOLDEN") != nullptr; }

}  // namespace tarn::test
