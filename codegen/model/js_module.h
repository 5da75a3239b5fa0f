// The JavaScript around a model in WebAssembly: an ES module that loads it, gives it memory and passes arrays, and the
// declarations of the same for TypeScript.
#pragma once

#include <string>
#include <vector>

#include "codegen/model/interface.h"

namespace tarn {

struct JsModule {
  std::string code;          // NAME.mjs, for browsers, workers and Node
  std::string declarations;  // NAME.d.mts
};

// `wasm` is the name of the module's file, which lies beside it; `source` as in CompiledModelOptions.
JsModule js_module(const ModelInterface& interface, const std::string& wasm, const std::string& source);

// The text as it stands in JavaScript, with its quotes.
std::string js_string(const std::string& text);

// The C functions that the code calls.
std::vector<std::string> js_functions(const ModelInterface& interface);

}  // namespace tarn
