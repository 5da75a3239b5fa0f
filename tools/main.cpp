// The driver `tarn`: parses the command line and runs one command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <new>

#include "codegen/native.h"
#include "tools/command.h"

namespace {

std::string version() {
  std::string text =
      fmt::format("tarn {}\nLLVM {}\nCPU {}\nfeatures", TARN_VERSION, tarn::llvm_version(), tarn::host_cpu());
  for (const std::string& feature : tarn::host_features()) text += " " + feature;
  return text;
}

// CLI11 says only that a command is missing where the first word is none.
std::string unknown_command(const CLI::App& app, std::string_view word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return "";
    names.push_back(command->get_name());
  }
  const auto nearest = tarn::nearest_name(word, names);
  return fmt::format("error: tarn has no command '{}'{}\n", word,
                     nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; tarn --help lists them");
}

int run(int argc, char** argv) {
  CLI::App app{"A compiler for differentiable models: trains, evaluates and runs what a model file describes.", "tarn"};
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  tarn::Action action;
  for (auto add :
       {tarn::add_train, tarn::add_eval, tarn::add_predict, tarn::add_compile, tarn::add_check, tarn::add_show,
        tarn::add_summary, tarn::add_weights, tarn::add_bench, tarn::add_fmt, tarn::add_cache, tarn::add_prelude}) {
    add(app, action);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const std::string unknown = argc > 1 && argv[1][0] != '-' ? unknown_command(app, argv[1]) : "";
    if (!unknown.empty()) std::fputs(unknown.c_str(), stderr);
    if (unknown.empty()) app.exit(error);
    return tarn::kUsage;
  }
  return action();
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
