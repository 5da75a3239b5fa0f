// Runs the linker. See linker.h.
#include "tools/driver/linker.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "ir/joined.h"
#include "runtime/files/file.h"
#include "tools/driver/process.h"

namespace tarn {

namespace {

// A program by the names that it may have, and what it is to be told besides where the object and the result are.
struct Linker {
  std::vector<std::string> names;
  std::vector<std::string> before, after;
};

// Has the first linker that there is make `path` of the object. `kind` and `instead` are for the message where there is
// none.
Status link(std::string_view object, const std::string& path, const std::vector<Linker>& linkers, std::string_view kind,
            std::string_view instead) {
  TARN_TRY(const TemporaryFolder folder, TemporaryFolder::make());
  const std::string object_path = folder.file("model.o"), linked_path = folder.file("linked");
  TARN_RETURN_IF_ERROR(write_file(object_path, object));
  std::vector<std::string> missing;
  for (const Linker& linker : linkers) {
    for (const std::string& name : linker.names) {
      std::vector<std::string> words{name, "-o", linked_path};
      words.insert(words.end(), linker.before.begin(), linker.before.end());
      words.push_back(object_path);
      words.insert(words.end(), linker.after.begin(), linker.after.end());
      missing.push_back(name);
      const std::optional<int> status = run_program(words);
      if (!status) continue;
      if (*status != 0) return error(fmt::format("cannot write '{}': the linker '{}' failed", path, name));
      TARN_TRY(const Bytes linked, read_file(linked_path));
      const ByteView parts[] = {linked};
      return write_file(path, parts);
    }
  }
  return error(fmt::format("cannot write '{}': a {} needs a linker, and there is no {}; write {}", path, kind,
                           joined(missing, ", "), instead));
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
