// What takes bytes from outside, one row each: run under libFuzzer (fuzz.cpp) and on damaged examples in the suite.
//
// Contract of every row: whatever the bytes, it returns; what the reader gives back keeps its own contract. Breaking it
// aborts, which is what a fuzzer looks for.
#pragma once

#include <span>
#include <vector>

#include "runtime/files/file.h"

namespace tarn::fuzz {

// The files of a folder, named from the top of the sources, that end so.
struct Examples {
  const char* folder;
  const char* extension;
};

struct Target {
  const char* name;
  void (*run)(ByteView bytes);
  std::vector<Examples> examples;  // besides those in tests/fuzz/corpus/NAME
};

std::span<const Target> targets();

}  // namespace tarn::fuzz
