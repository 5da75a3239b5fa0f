// Memory of this process as the system counts it.
#pragma once

#include <cstdint>

namespace tarn {

// Gives back the heap that compiling used, and the pages of this program's own code, most of which is the compiler's:
// what is still needed of it comes back from the file when it is next run.
void release_compiler_memory();

// The most that was ever resident, in bytes; 0 where the system does not say.
std::uint64_t most_resident_bytes();

}  // namespace tarn
