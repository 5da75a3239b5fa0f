// See cpus.h.
#include "tests/support/compiler/cpus.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/native.h"

namespace tarn::test {

bool runs_here(std::string_view cpu) {
  struct Level {
    std::string_view cpu;
    std::vector<std::string> features;  // that code generation asks about, and those that came with them
  };
  static const Level levels[] = {{"x86-64", {}},
                                 {"x86-64-v2", {"popcnt", "sse4.2"}},
                                 {"x86-64-v3", {"avx2", "bmi2", "fma"}},
                                 {"x86-64-v4", {"avx512bw", "avx512dq", "avx512f", "avx512vl"}}};
  if (cpu.empty() || cpu == "native") return true;
  static const std::vector<std::string> here = host_features();  // sorted, as those above are
  const auto* const level = std::ranges::find(levels, cpu, &Level::cpu);
  if (level == std::end(levels)) ADD_FAILURE() << "not known whether code for " << cpu << " runs here";
  return level != std::end(levels) && std::ranges::includes(here, level->features);
}

const std::vector<std::string>& cpus() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> names = {"native"};
    // A machine with AVX-512 has it in "native" already.
    for (const char* const name : {"x86-64", "x86-64-v3"}) {
      // What sanitizers see of the compiler is the same for 32 bytes as for 16 or 64.
      if (TARN_SANITIZED && name == std::string_view("x86-64-v3")) continue;
      if (runs_here(name)) names.emplace_back(name);
    }
    return names;
  }();
  return list;
}

}  // namespace tarn::test
