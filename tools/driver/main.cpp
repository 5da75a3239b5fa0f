// The driver `tarn`: parses the command line and runs one command.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <new>

#include "codegen/native.h"
#include "tools/driver/command.h"

namespace {

std::string version() {
  std::string text =
      fmt::format("tarn {}\nLLVM {}\nCPU {}\nfeatures", TARN_VERSION, tarn::llvm_version(), tarn::host_cpu());
  for (const std::string& feature : tarn::host_features()) text += " " + feature;
  return text;
}

int run(int argc, char** argv) {
  tarn::CommandLine line(
      "tarn", "A compiler for differentiable models: trains, evaluates and runs what a model file describes.", version);
  for (auto add :
       {tarn::add_train, tarn::add_eval, tarn::add_predict, tarn::add_compile, tarn::add_check, tarn::add_show,
        tarn::add_summary, tarn::add_weights, tarn::add_bench, tarn::add_fmt, tarn::add_cache, tarn::add_prelude}) {
    add(line);
  }
  return line.run(argc, argv);
}

// What was printed has arrived, or that is the fault of this run: a full disk is noticed when the last of it is
// written.
int with_output_written(int status) {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) return status;
  std::fputs("error: what this command prints cannot be written\n", stderr);
  return status == tarn::kDone ? tarn::kMachineFault : status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return with_output_written(run(argc, argv));
  } catch (const std::bad_alloc&) {
    std::fputs("error: out of memory\n", stderr);
    return tarn::kMachineFault;
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "error: %s\n", exception.what());
    return tarn::kMachineFault;
  }
}
