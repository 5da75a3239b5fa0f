// See process.h.
#include "tests/support/process.h"

#include <sys/wait.h>

#include <cstdio>

namespace tarn::test {

Finished run(const std::string& command) {
  Finished result;
  std::FILE* const pipe = popen(("{ " + command + "\n} 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) return result;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) result.output += static_cast<char>(c);
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace tarn::test
