// Commands with what they print, as reports and documents hold them: lines of "$ command", each with its output below,
// in which "…" stands for anything on its line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::test {

struct TranscriptStep {
  std::string command;
  std::string expected;  // both streams, and "[exit N]" where the status is not 0
};

struct Transcript {
  std::string introduction;  // what stands before the first command
  std::vector<TranscriptStep> steps;
};
Transcript read_transcript(std::string_view text);

// Runs the commands one after the other in the folder, in a shell that finds this build's `tarn` and `tarn-opt` and
// keeps native code below the folder. Anything else than what is expected is a failure of the test. Gives the text of
// the transcript with the output of the steps that differ in place of what was expected.
std::string run_transcript(const Transcript& transcript, const std::filesystem::path& folder);

// Whether the environment asks for expected texts to be written anew (TARN_UPDATE_GOLDEN).
bool updates_golden();

}  // namespace tarn::test
