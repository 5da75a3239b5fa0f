// Shared libraries from object files, by the linker of the machine.
#pragma once

#include <string>
#include <string_view>

#include "ir/diagnostics.h"

namespace tarn {

// Links the object (bytes of an object file) into a shared library at `path`, with `cc`, or where there is none with
// `clang`, `ld.lld` or `ld`. Errors: no linker is found, or it fails; its messages go to standard error.
Status link_shared_library(std::string_view object, const std::string& path);

}  // namespace tarn
