// The C++ header of a compiled model: memory and sizes taken care of, around the functions of the C header.
#pragma once

#include <string>

#include "codegen/model/interface.h"

namespace tarn {

// The text of NAME.hpp: C++20, with nothing but the standard library and the C header, which is included by that name.
std::string cpp_header(const ModelInterface& interface, const std::string& c_header);

}  // namespace tarn
