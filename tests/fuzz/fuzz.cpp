// libFuzzer's entry to the table of targets: the first argument, --target=NAME, says to which row; --rows prints them,
// each with the folders of its examples. See README.md.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/fuzz/targets.h"

namespace {

const tarn::fuzz::Target* chosen = nullptr;

[[noreturn]] void print_rows() {
  for (const tarn::fuzz::Target& row : tarn::fuzz::targets()) {
    std::printf("%s", row.name);
    for (const tarn::fuzz::Examples& examples : row.examples) std::printf(" %s", examples.folder);
    std::printf("\n");
  }
  std::exit(0);
}

[[noreturn]] void explain() {
  std::string names;
  for (const tarn::fuzz::Target& row : tarn::fuzz::targets()) names += std::string(" ") + row.name;
  std::fprintf(stderr, "usage: tarn_fuzz --target=NAME [what libFuzzer takes], where NAME is one of%s\n",
               names.c_str());
  std::exit(2);
}

}  // namespace

// libFuzzer passes over options that begin with two dashes.
extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  constexpr std::string_view kOption = "--target=";
  for (int i = 1; i < *count; ++i) {
    const std::string_view word = (*words)[i];
    if (word == "--rows") print_rows();
    if (!word.starts_with(kOption)) continue;
    for (const tarn::fuzz::Target& row : tarn::fuzz::targets()) {
      if (word.substr(kOption.size()) == row.name) chosen = &row;
    }
  }
  if (chosen == nullptr) explain();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  chosen->run(tarn::ByteView(reinterpret_cast<const std::byte*>(data), size));
  return 0;
}
