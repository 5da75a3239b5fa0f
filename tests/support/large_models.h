// Models that grow with a number: what must take time in proportion to their size to compile. Each repeats one thing
// that users repeat.
#pragma once

#include <span>
#include <string>

namespace tarn::test {

struct LargeModel {
  const char* name;
  int count;  // of a large one
  // The file with so many of what the model repeats.
  std::string (*text)(int count);
};
std::span<const LargeModel> large_models();

}  // namespace tarn::test
