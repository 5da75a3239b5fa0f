// What the commands of the driver share: options, exit statuses, the way results and diagnostics leave the program.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/session/model.h"
#include "runtime/session/session.h"
#include "runtime/session/weights.h"
#include "tools/driver/command_line.h"

namespace tarn {

enum ExitStatus : int { kDone = 0, kUserFault = 1, kUsage = 2, kMachineFault = 3, kInterrupted = 130 };

// Options that mean the same everywhere.
struct CommonOptions {
  std::string file;
  std::vector<std::string> data;      // PATH or name=PATH
  std::string weights;                // to start from or to use
  std::vector<std::string> settings;  // KEY=EXPRESSION
  std::optional<std::uint64_t> seed;
  int threads = 0;
  std::string precision = "f32";
  std::string cpu = "native";
  bool fast_math = false;
  bool no_cache = false;
  bool quiet = false, json = false, no_color = false;
};

// Adds FILE and the options that a command of this kind takes.
void add_model_options(Command& command, CommonOptions& options);
void add_data_options(Command& command, CommonOptions& options);
void add_threads_option(Command& command, CommonOptions& options);

// One run of the driver: where its output goes, and the sources that diagnostics point into.
class Console {
 public:
  explicit Console(const CommonOptions& options);

  Sources sources;

  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  // Whether standard error is a terminal that understands escapes.
  bool interactive() const { return interactive_; }

  // Diagnostics on standard error and, with --json, as events on standard output; the exit status that they call for.
  int report(const Diagnostics& diagnostics);
  // A remark on standard error, unless --quiet.
  void note(const std::string& text) const;
  // What is to be said of data: notes as such, the rest reported.
  void remark(const Diagnostics& remarks);
  // A JSON object as one line of standard output.
  void event(const nlohmann::ordered_json& object) const;

 private:
  bool json_, quiet_, color_, interactive_;
};

// The pieces of ModelOptions that the command line decides. A --set without '=' is an error.
Result<ModelOptions> model_options(const CommonOptions& options);
// What --data gives.
std::vector<GivenFile> given_files(const std::vector<std::string>& texts);

// A model, a session on it, and the weights that the options ask for: --weights, else FILE's .safetensors, else the
// initial values with a note. Constants recorded in the weights are applied before compiling.
struct Prepared {
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;  // with the vocabularies of its weights
};
Result<Prepared> prepare_for_use(const CommonOptions& options, const std::vector<std::string>& functions,
                                 Console& console);

// The data set for `eval` and `predict`, with what is to be said of its rows reported. Initial weights learn their
// labels from the training data.
Result<Dataset> read_for_use(const CommonOptions& options, const Prepared& prepared, Purpose purpose, Console& console);

// The weights file that belongs to a model file: iris.tarn gives iris.safetensors beside it.
std::string default_weights(const std::string& file);

// Writes to standard output. Whether it arrives is looked at when all is written (main.cpp): nothing throws here, as
// fmt::print does on a full disk.
template <class... Values>
void print_out(fmt::format_string<Values...> text, Values&&... values) {
  const std::string line = fmt::format(text, std::forward<Values>(values)...);
  std::fwrite(line.data(), 1, line.size(), stdout);
}

// A number as JSON has it: the shortest text that reads back to the same float or double; "inf", "-inf", "nan" as
// strings.
nlohmann::ordered_json json_number(double value, bool single_precision);
// {"accuracy": 0.9, …}: every metric but the loss, with a prefix.
void add_metrics(nlohmann::ordered_json& object, const Program& program, const MetricValues& values,
                 std::string_view prefix);
// "loss 0.123  f1_score [0.95, 0.8]": for people. Of a metric with more than so many values it says how many these are.
std::string metric_text(const Program& program, const MetricValues& values, std::string_view prefix,
                        std::size_t most_values = 100);

// The commands: each adds itself to the command line and says what it does when chosen.
void add_train(CommandLine& line);
void add_eval(CommandLine& line);
void add_predict(CommandLine& line);
void add_compile(CommandLine& line);
void add_check(CommandLine& line);
void add_show(CommandLine& line);
void add_summary(CommandLine& line);
void add_weights(CommandLine& line);
void add_bench(CommandLine& line);
void add_fmt(CommandLine& line);
void add_cache(CommandLine& line);
void add_prelude(CommandLine& line);

}  // namespace tarn
