// Which code a test may run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tarn::test {

// Whether this machine, or the one that TARN_CPU says it is to be taken for, runs code for "native" or a level of
// x86-64. Code for what it does not run is compiled, and its text looked at.
bool runs_here(std::string_view cpu);
// CPUs whose code runs here: "native", x86-64 and x86-64-v3, whose vectors have 16, 32 and, with AVX-512, 64 bytes.
const std::vector<std::string>& cpus();

}  // namespace tarn::test
