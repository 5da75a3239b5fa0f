// Runs the linker. See shared_library.h.
#include "tools/shared_library.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "runtime/file.h"

extern char** environ;

namespace tarn {

namespace {

// A folder that is removed with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "tarn-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The exit status of a program found on PATH; nothing where there is no such program.
std::optional<int> run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  if (posix_spawnp(&process, arguments.front(), nullptr, nullptr, arguments.data(), environ) != 0) return std::nullopt;
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
  // Some C libraries report a missing program so.
  constexpr int kNotFound = 127;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotFound) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

Status link_shared_library(std::string_view object, const std::string& path) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return system_error("write", std::filesystem::temp_directory_path().string(), errno);
  const std::string object_path = folder.path() + "/model.o";
  const std::string library_path = folder.path() + "/model.so";
  TARN_RETURN_IF_ERROR(write_file(object_path, object));
  const std::string soname = std::filesystem::path(path).filename().string();
  for (const char* linker : {"cc", "clang", "ld.lld", "ld"}) {
    const bool is_compiler = std::string_view(linker) == "cc" || std::string_view(linker) == "clang";
    std::vector<std::string> words{linker, "-shared", "-o", library_path};
    if (is_compiler) {
      words.insert(words.end(), {"-nostdlib", "-Wl,-soname," + soname, object_path, "-Wl,--as-needed", "-lm"});
    } else {
      words.insert(words.end(), {"-soname", soname, object_path});
    }
    const std::optional<int> status = run(words);
    if (!status) continue;
    if (*status != 0) return error(fmt::format("cannot write '{}': the linker '{}' failed", path, linker));
    TARN_TRY(const Bytes library, read_file(library_path));
    const ByteView parts[] = {library};
    return write_file(path, parts);
  }
  return error(fmt::format(
      "cannot write '{}': a shared library needs a linker, and there is no cc, clang, ld.lld or ld; write a .o or .a",
      path));
}

}  // namespace tarn
