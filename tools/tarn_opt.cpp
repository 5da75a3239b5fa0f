// tarn-opt: IR text in, graph passes, IR text out. For looking at single passes, and for the reproducers that a failed
// pass writes.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "ir/text.h"
#include "passes/pipeline.h"

namespace tarn {
namespace {

struct Options {
  std::string path = "-";
  std::vector<std::string> passes;
  PassOptions pipeline;
  bool locations = false, seconds = false, rule_hits = false;
};

// The text of the file, or of standard input for "-".
std::optional<std::string> read(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path);
  if (!file) return std::nullopt;
  text << file.rdbuf();
  return text.str();
}

// With a list, the passes of the list in its order; else the whole pipeline.
Result<Graph> run(const Graph& graph, const Options& options, PassContext& context) {
  if (options.passes.empty()) return optimize(graph, context);
  Graph current = graph;
  for (const std::string& name : options.passes) {
    TARN_TRY(current, run_pass(name, current, context));
  }
  return current;
}

void print_statistics(const Options& options, const PassContext& context) {
  if (options.seconds) {
    for (const auto& [pass, seconds] : context.seconds) fmt::print(stderr, "{:<20}{:10.3f} ms\n", pass, seconds * 1e3);
  }
  if (options.rule_hits) {
    for (const auto& [rule, hits] : context.rule_hits) fmt::print(stderr, "{:<30}{:8}\n", rule, hits);
  }
}

int optimize_text(const Options& options) {
  const std::optional<std::string> text = read(options.path);
  if (!text) {
    fmt::print(stderr, "error: cannot read '{}'\n", options.path);
    return 1;
  }
  Sources sources;
  const Result<NamedGraph> parsed = parse_graph(*text, options.path, sources);
  PassContext context;
  context.options = options.pipeline;
  context.sources = &sources;
  context.options.dump = [](const std::string& dump) { fmt::print("{}\n", dump); };
  if (!parsed) {
    fmt::print(stderr, "{}", format(parsed.error(), sources));
    return 1;
  }
  context.graph_name = parsed->name;
  const Result<Graph> result = run(parsed->graph, options, context);
  fmt::print(stderr, "{}", format(context.warnings, sources));
  print_statistics(options, context);
  if (!result) {
    fmt::print(stderr, "{}", format(result.error(), sources));
    return 1;
  }
  fmt::print("{}", print(*result, parsed->name, sources, {.locations = options.locations}));
  return 0;
}

std::string list_of_passes() {
  std::string text = "Passes:\n";
  for (const Pass& pass : graph_passes()) text += fmt::format("  {:<20}{}\n", pass.name, pass.what);
  return text;
}

int main_of_tool(int argc, char** argv) {
  Options options;
  CLI::App app("Runs graph passes over IR text.", "tarn-opt");
  app.footer(list_of_passes());
  app.add_option("file", options.path, "IR text; - for standard input")->capture_default_str();
  app.add_option("--passes", options.passes, "these passes, in this order, instead of all")->delimiter(',');
  app.add_option("--disable", options.pipeline.disabled, "leave passes out")->delimiter(',');
  app.add_option("--stop-after", options.pipeline.stop_after, "last pass to run");
  app.add_option("--dump-after", options.pipeline.dump_after,
                 "print the graph after passes that change it, or after all")
      ->delimiter(',');
  app.add_flag("--verify-each", options.pipeline.verify_each, "verify the graph after every pass");
  app.add_flag("--fast-math", options.pipeline.allow_reassociation, "use rules that change floating-point meaning");
  app.add_flag("--locations", options.locations, "print where each node comes from");
  app.add_flag("--time-passes", options.seconds, "print the time of each pass to standard error");
  app.add_flag("--rule-stats", options.rule_hits, "print how often each rule fired to standard error");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return optimize_text(options);
}

}  // namespace
}  // namespace tarn

int main(int argc, char** argv) { return tarn::main_of_tool(argc, argv); }
