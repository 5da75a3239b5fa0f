// libFuzzer's entry to one row of the table of targets, named when this is compiled; see README.md for how to run it.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const tarn::fuzz::Target& target = [&]() -> const tarn::fuzz::Target& {
    for (const tarn::fuzz::Target& row : tarn::fuzz::targets()) {
      if (std::string_view(row.name) == TARN_FUZZ_TARGET) return row;
    }
    std::fputs("no such target: " TARN_FUZZ_TARGET "\n", stderr);
    std::abort();
  }();
  target.run(tarn::ByteView(reinterpret_cast<const std::byte*>(data), size));
  return 0;
}
