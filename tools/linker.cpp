// Runs the linker. See linker.h.
#include "tools/linker.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
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

// A program by the names that it may have, and what it is to be told besides where the object and the result are.
struct Linker {
  std::vector<std::string> names;
  std::vector<std::string> before, after;
};

// Has the first linker that there is make `path` of the object. `kind` and `instead` are for the message where there is
// none.
Status link(std::string_view object, const std::string& path, const std::vector<Linker>& linkers, std::string_view kind,
            std::string_view instead) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return system_error("write", std::filesystem::temp_directory_path().string(), errno);
  const std::string object_path = folder.path() + "/model.o";
  const std::string linked_path = folder.path() + "/linked";
  TARN_RETURN_IF_ERROR(write_file(object_path, object));
  std::vector<std::string> missing;
  for (const Linker& linker : linkers) {
    for (const std::string& name : linker.names) {
      std::vector<std::string> words{name, "-o", linked_path};
      words.insert(words.end(), linker.before.begin(), linker.before.end());
      words.push_back(object_path);
      words.insert(words.end(), linker.after.begin(), linker.after.end());
      missing.push_back(name);
      const std::optional<int> status = run(words);
      if (!status) continue;
      if (*status != 0) return error(fmt::format("cannot write '{}': the linker '{}' failed", path, name));
      TARN_TRY(const Bytes linked, read_file(linked_path));
      const ByteView parts[] = {linked};
      return write_file(path, parts);
    }
  }
  return error(fmt::format("cannot write '{}': a {} needs a linker, and there is no {}; write {}", path, kind,
                           fmt::join(missing, ", "), instead));
}

}  // namespace

Status link_shared_library(std::string_view object, const std::string& path, const std::string& triple) {
  const std::string soname = std::filesystem::path(path).filename().string();
  Linker compilers{{}, {"-shared", "-nostdlib", "-Wl,-soname," + soname}, {"-Wl,--as-needed", "-lm"}};
  Linker linkers{{"ld.lld", "ld.lld-19"}, {"-shared", "-soname", soname}, {}};
  if (triple.empty()) {
    compilers.names = {"cc", "clang"};
    linkers.names.emplace_back("ld");
  } else {
    compilers.names = {triple + "-gcc"};
  }
  return link(object, path, {compilers, linkers}, "shared library", "a .o or .a");
}

Status link_wasm(std::string_view object, const std::string& path, const std::vector<std::string>& functions,
                 std::uint64_t stack_bytes) {
  Linker linker{{"wasm-ld-19", "wasm-ld"},
                {"--no-entry", "--strip-all", "--gc-sections", "--stack-first", "-z",
                 fmt::format("stack-size={}", stack_bytes), "--export=__heap_base"},
                {}};
  for (const std::string& function : functions) linker.before.push_back("--export=" + function);
  return link(object, path, {linker}, "WebAssembly module", "a .o");
}

}  // namespace tarn
