// Finding the statements of the prelude, and parsing each once for each file number that its file gets, which is once
// a process in practice. See prelude.h.
#include "frontend/prelude/prelude.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "frontend/syntax/parser.h"

namespace tarn {

namespace {

// Files under prelude/modules/ are imported by name.
std::string_view module_of(std::string_view name) {
  constexpr std::string_view kFolder = "prelude/modules/";
  if (!name.starts_with(kFolder)) return {};
  name.remove_prefix(kFolder.size());
  return name.substr(0, name.find('.'));
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// All else at the start of a line (a space, a comment, a closing brace) belongs to the statement before it.
std::vector<PreludeStatement> find_statements(std::string_view text) {
  std::vector<PreludeStatement> statements;
  std::uint32_t line = 1;
  for (std::size_t begin = 0; begin < text.size(); ++line) {
    if (is_letter(text[begin])) {
      if (!statements.empty()) statements.back().part.end = begin;
      const std::size_t space = text.find(' ', begin);
      const std::size_t end = std::min(text.find_first_of("(=\n ", space + 1), text.size());
      statements.push_back(
          {text.substr(begin, space - begin), text.substr(space + 1, end - space - 1), {begin, text.size(), line}});
    }
    begin = std::min(text.find('\n', begin), text.size()) + 1;
  }
  return statements;
}

const std::vector<PreludeStatement>& statements_of(std::size_t source) {
  static const std::vector<std::vector<PreludeStatement>> all = [] {
    std::vector<std::vector<PreludeStatement>> found;
    found.reserve(kPreludeSourceCount);
    for (std::size_t i = 0; i < kPreludeSourceCount; ++i) found.push_back(find_statements(kPreludeSources[i].text));
    return found;
  }();
  return all[source];
}

}  // namespace

std::vector<PreludeFile> load_prelude(Sources& sources) {
  std::vector<PreludeFile> files;
  files.reserve(kPreludeSourceCount);
  for (std::size_t i = 0; i < kPreludeSourceCount; ++i) {
    const PreludeSource& source = kPreludeSources[i];
    const std::optional<FileId> known = sources.find(source.name);
    const FileId id = known ? *known : sources.add(std::string(source.name), std::string(source.text));
    files.push_back({source.name, module_of(source.name), id, &statements_of(i)});
  }
  return files;
}

const ast::Statement& parse_prelude(FileId file, const PreludeStatement& statement, const Sources& sources) {
  static std::mutex mutex;
  static std::map<std::pair<const PreludeStatement*, FileId>, std::unique_ptr<const ast::File>> parsed;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<const ast::File>& tree = parsed[{&statement, file}];
  if (!tree) {
    ParseResult result = parse(file, sources, statement.part);
    TARN_CHECK(!has_errors(result.diagnostics), format(result.diagnostics, sources));
    TARN_CHECK(result.file->statements.size() == 1, "not one statement of the prelude");
    tree = std::move(result.file);
  }
  return tree->statements.front();
}

}  // namespace tarn
