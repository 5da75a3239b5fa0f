// Commands of the shell for tests.
#pragma once

#include <string>

namespace tarn::test {

struct Finished {
  int status = -1;     // the exit status, or 128 and the number of the signal
  std::string output;  // both streams
};

// Runs a command, or a few, with nothing to read.
Finished run(const std::string& command);

// The command that serves the folder in which it runs and prints a page of it as headless Chromium has it after a
// minute of its own clock.
std::string shown_page(const std::string& page);

}  // namespace tarn::test
