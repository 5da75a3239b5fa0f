// The prelude: Tarn sources that are compiled into the binary. A model uses a few dozen of its declarations, so each is
// parsed when it is first asked for, once a process.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/syntax/ast.h"
#include "frontend/syntax/lexer.h"
#include "ir/diagnostics.h"

namespace tarn {

struct PreludeSource {
  std::string_view name;  // "prelude/losses.tarn"
  std::string_view text;
};
// Defined in a file that the build makes of frontend/prelude/*.tarn (sources.cmake), sorted by name.
extern const PreludeSource kPreludeSources[];
extern const std::size_t kPreludeSourceCount;

// A statement of a file: `fn share(a, b) = …`, from the first letter of a line to the next such line.
struct PreludeStatement {
  std::string_view word, name;  // "fn", "share"
  SourcePart part;
};

// A file of the prelude as it is known to one Sources.
struct PreludeFile {
  std::string_view name;
  std::string_view module;  // "keras1" for a file that only `import keras1` brings; "" for those that are always there
  FileId id = 0;
  const std::vector<PreludeStatement>* statements = nullptr;
};

// Adds the texts to `sources`, where they are not there yet. Thread-safe.
std::vector<PreludeFile> load_prelude(Sources& sources);
// The tree of one statement. It lives as long as the process. Thread-safe.
const ast::Statement& parse_prelude(FileId file, const PreludeStatement& statement, const Sources& sources);

}  // namespace tarn
