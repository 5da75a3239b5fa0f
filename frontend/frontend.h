// From a model file to a Program: parsing, imports, the prelude and elaboration behind one call.
//
// Contract: any text may be compiled. What is wrong with it becomes diagnostics, at most kMaxReportedErrors errors, in
// one go; there is a program exactly where there is no error. Work and memory are bounded by the limits. Files other
// than the model's own and those it imports are never read. Calls from several threads may overlap if each has its own
// Sources.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/diagnostics.h"
#include "ir/program.h"
#include "ir/setting.h"

namespace tarn {

inline constexpr std::size_t kMaxReportedErrors = 50;

// What unrolling a model may cost; the type system's own limits (rank, elements) are in ir/type.h.
struct ElaborationLimits {
  std::uint64_t steps = 10'000'000;     // expressions evaluated, list elements made
  std::size_t list_length = 1'000'000;  // of one list, or numbers of one literal array
  int call_depth = 200;                 // calls inside calls
  int nesting = 2'500;                  // expressions inside expressions, through all calls: bounds the stack
  std::size_t nodes = kMaxNodes;        // of one graph
};

struct FrontendOptions {
  DType float_type = DType::f32;      // of inputs, parameters and literals without a type
  std::vector<Setting> overrides;     // in order: the last one of a key wins
  std::optional<std::uint64_t> seed;  // in place of the train block's
  ElaborationLimits limits;
};

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
