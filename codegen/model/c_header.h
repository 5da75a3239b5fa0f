// The C header of a compiled model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/model/interface.h"

namespace tarn {

// What the header tells about how the code was made.
struct HeaderOrigin {
  std::string source;               // "tarn 0.1.0 from iris.tarn"
  std::string triple, cpu;          // what the code runs on
  std::vector<std::string> levels;  // of x86-64, where there is code for several
  std::uint64_t stack_bytes = 0;    // a bound for every function
};

// C99 and C++ text: macros, types and prototypes of the functions that the interface has.
std::string c_header(const ModelInterface& interface, const HeaderOrigin& origin);

}  // namespace tarn
