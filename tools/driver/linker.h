// What a linker makes of an object file: shared libraries and WebAssembly modules. The linker is a program of the
// machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"

namespace tarn {

// Links the object (bytes of an object file) into a shared library at `path`: for this machine (an empty triple) with
// `cc`, or where there is none with `clang` or `lld`; for another one with its cross compiler, `TRIPLE-gcc`, or `lld`.
// Errors: no linker is found, or it fails; its messages go to standard error.
Status link_shared_library(std::string_view object, const std::string& path, const std::string& triple);

// Links the object into a WebAssembly module with a memory of its own, with `wasm-ld`. It exports the functions, the
// memory and `__heap_base`, the first address that is free, and imports nothing. Errors as above.
Status link_wasm(std::string_view object, const std::string& path, const std::vector<std::string>& functions,
                 std::uint64_t stack_bytes);

}  // namespace tarn
