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

std::string shown_page(const std::string& page) {
  return "{ python3 -u -m http.server 0 --bind 127.0.0.1 > server.log 2>&1 & } ; server=$! ; "
         "until grep -q port server.log ; do sleep 0.1 ; done ; port=$(sed -n 's/.* port \\([0-9]*\\) .*/\\1/p' "
         "server.log) ; timeout 100 chromium --headless --no-sandbox --disable-gpu --user-data-dir=\"$PWD/profile\" "
         "--virtual-time-budget=60000 --dump-dom \"http://127.0.0.1:$port/" +
         page + "\" ; kill $server";
}

}  // namespace tarn::test
