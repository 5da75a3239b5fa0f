// Smaller object files: constants join the code that reads them.
#pragma once

#include <string>

#include "llvm/ADT/StringRef.h"

namespace tarn {

// LLVM puts every floating-point constant of an x86-64 ELF object into a section of its own kind, with a symbol and a
// relocation for each use, which together outweigh the code. Here those constants stand behind the code, so that uses
// need neither; what remains are exported symbols and references between sections. The bytes of an object that does the
// same; those given where it is another kind of object.
std::string compact_object(llvm::StringRef object);

}  // namespace tarn
