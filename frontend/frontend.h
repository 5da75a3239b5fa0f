// From a model file to a Program: parsing, imports, the prelude and elaboration behind one call.
//
// Contract: any text may be compiled. What is wrong with it becomes diagnostics, at most kMaxReportedErrors errors, in
// one go; there is a program exactly where there is no error. Work and memory are bounded by the limits. Files other
// than the model's own and those it imports are never read. Calls from several threads may overlap if each has its own
// Sources.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontend/elaborate/options.h"
#include "ir/diagnostics.h"
#include "ir/program.h"

namespace tarn {

struct FrontendResult {
  std::optional<Program> program;
  Diagnostics diagnostics;  // errors and warnings
};

// Reads and compiles a file. `path` is also what diagnostics call it.
FrontendResult compile_file(const std::string& path, const FrontendOptions& options, Sources& sources);

// Compiles a text. `name` is what diagnostics call it, and imports are relative to its folder.
FrontendResult compile_text(const std::string& name, std::string text, const FrontendOptions& options,
                            Sources& sources);

// A declaration of the prelude, for documentation and completion.
struct PreludeName {
  std::string name;
  std::string kind;       // "fn", "layer", "optimizer", "metric", "const"
  std::string signature;  // "dense(units, activation = linear, …)(x)"
  std::string file;       // "prelude/layers.tarn"
  std::string comment;    // what stands above it in the source
};
// In the order of the source; built-in operations come first, with kind "builtin".
std::vector<PreludeName> prelude_names();

}  // namespace tarn
