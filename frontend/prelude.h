// The prelude: Tarn sources that are compiled into the binary, parsed once a process.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/ast.h"
#include "ir/diagnostics.h"

namespace tarn {

struct PreludeSource {
  std::string_view name;  // "prelude/losses.tarn"
  std::string_view text;
};
// Defined in a file that the build makes of frontend/prelude/*.tarn (prelude_sources.cmake), sorted by name.
extern const PreludeSource kPreludeSources[];
extern const std::size_t kPreludeSourceCount;

// A file of the prelude as it is known to one Sources.
struct PreludeFile {
  std::string_view name;
  std::string_view module;  // "keras1" for a file that only `import keras1` brings; "" for those that are always there
  std::shared_ptr<const ast::File> tree;
};

// Adds the texts to `sources`, where they are not there yet, and gives their trees. Thread-safe.
std::vector<PreludeFile> load_prelude(Sources& sources);

}  // namespace tarn
