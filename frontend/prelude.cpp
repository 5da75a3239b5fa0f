// Parsing the prelude once for each set of file numbers that it gets, which is once a process in practice.
#include "frontend/prelude.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "frontend/parser.h"

namespace tarn {

namespace {

// Files under prelude/modules/ are imported by name.
std::string_view module_of(std::string_view name) {
  constexpr std::string_view kFolder = "prelude/modules/";
  if (!name.starts_with(kFolder)) return {};
  name.remove_prefix(kFolder.size());
  return name.substr(0, name.find('.'));
}

}  // namespace

std::vector<PreludeFile> load_prelude(Sources& sources) {
  static std::mutex mutex;
  static std::map<std::pair<std::string_view, FileId>, std::shared_ptr<const ast::File>> parsed;
  std::vector<PreludeFile> files;
  for (std::size_t i = 0; i < kPreludeSourceCount; ++i) {
    const PreludeSource& source = kPreludeSources[i];
    const std::optional<FileId> known = sources.find(source.name);
    const FileId id = known ? *known : sources.add(std::string(source.name), std::string(source.text));
    const std::lock_guard<std::mutex> lock(mutex);
    std::shared_ptr<const ast::File>& tree = parsed[{source.name, id}];
    if (!tree) {
      ParseResult result = parse(id, sources);
      TARN_CHECK(!has_errors(result.diagnostics), format(result.diagnostics, sources));
      tree = std::move(result.file);
    }
    files.push_back({source.name, module_of(source.name), tree});
  }
  return files;
}

}  // namespace tarn
