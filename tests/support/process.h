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

}  // namespace tarn::test
