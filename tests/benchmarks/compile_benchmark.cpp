// Milliseconds that compiling takes, by stage, for models that repeat one thing many times, and for half as many: twice
// the size may take twice the time, and an operation of the training graph 2 ms at most.
//
//   cmake --preset release -DTARN_BENCHMARKS=ON && ninja -C build/release compile_benchmark &&
//   build/release/bin/compile_benchmark [--standard] [--rounds N] [NAME[=COUNT]…]
//
// Time is that of the processor, of all threads: the least of some rounds.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/frontend.h"
#include "runtime/session/model.h"
#include "tests/support/large_models.h"

namespace tarn {
namespace {

struct Settings {
  int rounds = 3;
  CodegenOptions codegen;
  std::map<std::string, int> counts;  // of the models that are asked for; none: all
};

double milliseconds() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Times {
  std::size_t operations = 0;  // of the training graph as it is planned
  double frontend = 0, passes = 0, planner = 0, code = 0;
  double sum() const { return frontend + passes + planner + code; }
};

Times compile_once(const std::string& text, const Settings& settings) {
  Times times;
  Sources sources;
  double before = milliseconds();
  const auto lap = [&] {
    const double start = std::exchange(before, milliseconds());
    return before - start;
  };
  FrontendResult result = compile_text("model.tarn", text, {}, sources);
  TARN_CHECK(result.program.has_value(),
             result.diagnostics.empty() ? "a model is wrong" : result.diagnostics.front().message);
  Program program = std::move(*result.program);
  assign_offsets(program);
  times.frontend = lap();
  PassContext context;
  PlanOptions options;
  options.target = target_of(settings.codegen).value();
  for (const auto& [name, graph] : program.graphs) {
    lap();
    context.planned_for = {options, program.settings.batch};
    const Graph optimized = optimize(graph, context).value();
    times.passes += lap();
    static_cast<void>(plan_kernels(optimized, program, context.planned_for->options));
    times.planner += lap();
    if (name == "train") times.operations = optimized.size();
  }
  const ProgramPlan plan = plan_program(program, options, context).value();
  lap();
  static_cast<void>(compile_native(program, plan, settings.codegen, {"init", "train", "evaluate", "predict"}).value());
  times.code = lap();
  return times;
}

Times least(const std::string& text, const Settings& settings) {
  Times best = compile_once(text, settings);
  for (int round = 1; round < settings.rounds; ++round) {
    const Times times = compile_once(text, settings);
    best.frontend = std::min(best.frontend, times.frontend);
    best.passes = std::min(best.passes, times.passes);
    best.planner = std::min(best.planner, times.planner);
    best.code = std::min(best.code, times.code);
  }
  return best;
}

void measure(const test::LargeModel& model, int count, const Settings& settings) {
  const Times half = least(model.text(count / 2), settings);
  const Times whole = least(model.text(count), settings);
  fmt::print("{:18} {:6} {:7} {:9.1f} {:9.1f} {:9.1f} {:9.1f} {:9.1f} {:8.3f} {:6.2f}\n", model.name, count,
             whole.operations, whole.frontend, whole.passes, whole.planner, whole.code, whole.sum(),
             whole.sum() / static_cast<double>(whole.operations), whole.sum() / half.sum());
  std::fflush(stdout);
}

Settings settings_of(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--standard") {
      settings.codegen.level = OptimizationLevel::standard;
    } else if (argument == "--rounds" && i + 1 < count) {
      settings.rounds = std::max(1, std::atoi(arguments[++i]));
    } else {
      const std::size_t equals = argument.find('=');
      settings.counts[std::string(argument.substr(0, equals))] =
          equals == std::string_view::npos ? 0 : std::atoi(arguments[i] + equals + 1);
    }
  }
  return settings;
}

}  // namespace
}  // namespace tarn

int main(int count, char** arguments) {
  const tarn::Settings settings = tarn::settings_of(count, arguments);
  fmt::print("{:18} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>6}\n", "model", "count", "nodes", "frontend",
             "passes", "planner", "code", "sum ms", "ms/node", "2x");
  for (const tarn::test::LargeModel& model : tarn::test::large_models()) {
    const auto asked = settings.counts.find(model.name);
    if (!settings.counts.empty() && asked == settings.counts.end()) continue;
    const bool own_count = asked != settings.counts.end() && asked->second > 0;
    tarn::measure(model, own_count ? asked->second : model.count, settings);
  }
}
