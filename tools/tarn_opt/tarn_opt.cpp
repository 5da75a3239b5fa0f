// tarn-opt: a graph, a kernel plan or a program as text in, passes and steps of planning, text out. For looking at
// single ones, for the reproducers that a failed pass writes, and for running plans that somebody has written.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "ir/program_functions.h"
#include "ir/program_text.h"
#include "ir/text.h"
#include "ir/text_parts.h"
#include "passes/lone_program.h"
#include "passes/pipeline.h"
#include "passes/plan/guarded_stores.h"
#include "passes/plan/text.h"
#include "passes/planner/steps.h"
#include "passes/tactics/cost_model.h"
#include "passes/tactics/tiling.h"
#include "tools/tarn_opt/lone_plan.h"

namespace tarn {
namespace {

struct Options {
  std::string path = "-", from, graph;
  std::vector<std::string> passes;
  PassOptions pipeline;
  PlanOptions planner;
  std::optional<std::int64_t> batch;
  std::uint64_t seed = 0;
  bool locations = false, seconds = false, rule_hits = false, run = false, costs = false;
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

const PlanStep* plan_step(const std::string& name) {
  const auto steps = plan_steps();
  const auto step = std::find_if(steps.begin(), steps.end(), [&](const PlanStep& row) { return row.name == name; });
  return step == steps.end() ? nullptr : &*step;
}

bool is_fusion_step(const std::string& name) {
  const auto steps = fusion_steps();
  return std::any_of(steps.begin(), steps.end(), [&](const FusionStep& row) { return row.name == name; });
}

bool is_of_planning(const std::string& name) { return plan_step(name) != nullptr || is_fusion_step(name); }

bool is_listed(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// The largest batch of a graph's plan, and samples of a run, where nobody says.
constexpr std::int64_t kBatchSize = 32;

// With a list, the passes of the list in its order; else the whole pipeline.
Result<Graph> run(const Graph& graph, const Options& options, PassContext& context) {
  if (options.passes.empty()) return optimize(graph, context);
  Graph current = graph;
  for (const std::string& name : options.passes) {
    TARN_TRY(current, run_pass(name, current, context));
  }
  return current;
}

void dump(const std::vector<std::string>& asked, std::string_view step, const std::string& text) {
  if (is_listed(asked, "all") || is_listed(asked, step)) fmt::print("# after {}\n{}\n", step, text);
}
void dump(const std::vector<std::string>& asked, std::string_view step, const KernelPlan& plan) {
  dump(asked, step, print_whole(plan, "plan"));
}

// A graph behind its passes, and how it is to be planned: they have found out whether its layers are small.
struct Passed {
  Graph graph;
  PlanOptions planner;
};

// The plan of a graph behind its passes, up to the step at which to stop; verified, if it is whole, where passes are.
Result<KernelPlan> plan_of(const Passed& passed, const Program& program, const Options& options) {
  const PassOptions& pipeline = options.pipeline;
  const std::string& last = pipeline.stop_after;
  PlanWatch watch;
  watch.in_fusion = [&](std::string_view step, const std::string& text) { dump(pipeline.dump_after, step, text); };
  watch.after_step = [&](std::string_view step, const KernelPlan& plan) {
    if (step != last) dump(pipeline.dump_after, step, plan);
    return step != last;
  };
  TARN_TRY(KernelPlan plan, plan_kernels(passed.graph, program, passed.planner, watch));
  const bool is_whole = last.empty() || last == plan_steps().back().name;
  if (is_whole && (pipeline.verify_each || verifies_every_plan())) TARN_RETURN_IF_ERROR(check_made(plan));
  return plan;
}

// What fusion has just made has no places in the arena yet: it is verified with some.
Status verify_before_steps(const KernelPlan& plan, const Options& options) {
  if (!is_listed(options.passes, "memory")) return verify(plan);
  KernelPlan placed = plan;
  plan_step("memory")->run(placed, options.planner);
  return verify(placed);
}

// The steps of the list, then the plan is verified. Fusion itself starts from a graph.
Status run_steps(KernelPlan& plan, const Options& options) {
  for (const std::string& name : options.passes) {
    const PlanStep* const step = plan_step(name);
    if (step == nullptr || step->run == nullptr) return error(fmt::format("'{}' is no step from plan to plan", name));
    step->run(plan, options.planner);
    dump(options.pipeline.dump_after, name, plan);
  }
  return verify(plan);
}

void print_statistics(const Options& options, const PassContext& context) {
  if (options.seconds) {
    for (const auto& [pass, seconds] : context.seconds) fmt::print(stderr, "{:<20}{:10.3f} ms\n", pass, seconds * 1e3);
  }
  if (options.rule_hits) {
    for (const auto& [rule, hits] : context.rule_hits) fmt::print(stderr, "{:<30}{:8}\n", rule, hits);
  }
}

int report(const Diagnostics& errors, const Sources& sources) {
  fmt::print(stderr, "{}", format(errors, sources));
  return 1;
}

// The plan as text, or what running it gives.
int deliver(const KernelPlan& plan, const Options& options, const std::string& name, const Locations& locations,
            const Sources& sources) {
  if (!options.run) {
    fmt::print("{}", print_whole(plan, name, options.locations ? &locations : nullptr, sources));
    return 0;
  }
  const std::int64_t batch = std::min(options.batch.value_or(kBatchSize), plan.max_batch);
  const Result<std::string> text = run_on_drawn_numbers(plan, batch, options.seed);
  if (!text) return report(text.error(), sources);
  fmt::print("{}", *text);
  return 0;
}

int from_plan(const std::string& text, const Options& options) {
  Sources sources;
  Result<NamedPlan> parsed = parse_plan(text, options.path, sources);
  if (!parsed) return report(parsed.error(), sources);
  if (const Status good = verify_before_steps(parsed->plan, options); !good) return report(good.error(), sources);
  if (const Status done = run_steps(parsed->plan, options); !done) return report(done.error(), sources);
  return deliver(parsed->plan, options, parsed->name, *parsed->locations, sources);
}

// Whether the graph behind its passes is what is asked for, and no plan of it.
bool ends_in_graph(const Options& options) {
  const std::string& stop_after = options.pipeline.stop_after;
  if (!stop_after.empty()) return plan_step(stop_after) == nullptr;
  const std::vector<std::string>& dumps = options.pipeline.dump_after;
  return !options.run && std::none_of(dumps.begin(), dumps.end(), is_of_planning);
}

// The graph behind its passes, to be planned for batches of so many samples. Options that name steps of planning are
// meant for these, all others for the passes.
Result<Passed> passed(const Graph& graph, const std::string& name, std::int64_t max_batch, const Options& options,
                      const Sources& sources) {
  PassContext context;
  context.options = options.pipeline;
  context.sources = &sources;
  context.options.dump = [](const std::string& dump) { fmt::print("{}\n", dump); };
  context.graph_name = name;
  context.planned_for = {options.planner, max_batch};
  std::erase_if(context.options.dump_after, is_of_planning);
  if (plan_step(context.options.stop_after) != nullptr) context.options.stop_after.clear();
  Result<Graph> result = run(graph, options, context);
  fmt::print(stderr, "{}", format(context.warnings, sources));
  print_statistics(options, context);
  if (!result) return std::move(result).error();
  return Passed{std::move(*result), context.planned_for->options};
}

int from_graph(const std::string& text, const Options& options) {
  Sources sources;
  const Result<NamedGraph> parsed = parse_graph(text, options.path, sources);
  if (!parsed) return report(parsed.error(), sources);
  const std::int64_t max_batch = options.batch.value_or(kBatchSize);
  const Result<Passed> result = passed(parsed->graph, parsed->name, max_batch, options, sources);
  if (!result) return report(result.error(), sources);
  if (ends_in_graph(options)) {
    fmt::print("{}", print(result->graph, parsed->name, sources, {.locations = options.locations}));
    return 0;
  }
  const Result<KernelPlan> plan = plan_of(*result, program_of(result->graph, max_batch), options);
  if (!plan) return report(plan.error(), sources);
  return deliver(*plan, options, parsed->name, *result->graph.locations(), sources);
}

// The plan of one of the program's functions, as code generation sees it unless it stops before.
int deliver_plan(const std::string& name, const Passed& passed, const Program& program, const Options& options,
                 const Sources& sources) {
  Result<KernelPlan> plan = plan_of(passed, program, options);
  if (!plan) return report(plan.error(), sources);
  if (options.pipeline.stop_after.empty() && function_named(name).has(kGuards)) {
    guard_stores(*plan, program);
    choose_tilings(*plan, options.planner.target);
  }
  return deliver(*plan, options, name, *passed.graph.locations(), sources);
}

// Of the graph that is asked for, else of each in turn: the program with what passes make of them, or their plans.
int from_program(const std::string& text, const Options& options) {
  Sources sources;
  Result<Program> program = parse_program(text, options.path, sources);
  if (!program) return report(program.error(), sources);
  if (!options.graph.empty() && !program->graphs.contains(options.graph))
    return report({error(fmt::format("the program has no graph '{}'", options.graph))}, sources);
  if (options.batch) program->settings.batch = *options.batch;
  for (auto& [name, graph] : program->graphs) {
    if (!options.graph.empty() && name != options.graph) continue;
    Result<Passed> result = passed(graph, name, program->settings.batch, options, sources);
    if (!result) return report(result.error(), sources);
    if (ends_in_graph(options)) {
      graph = std::move(result->graph);
      continue;
    }
    if (const int status = deliver_plan(name, *result, *program, options, sources); status != 0) return status;
  }
  if (!ends_in_graph(options)) return 0;
  if (options.graph.empty()) {
    fmt::print("{}", print(*program, sources));
  } else {
    const Graph& graph = program->graphs.at(options.graph);
    fmt::print("{}", print(graph, options.graph, sources, {.locations = options.locations}));
  }
  return 0;
}

// What the text begins with, unless somebody says so.
int run_text(const Options& options) {
  if (options.costs) {
    fmt::print("{}", print(kCosts));
    return 0;
  }
  const std::optional<std::string> text = read(options.path);
  if (!text) {
    fmt::print(stderr, "error: cannot read '{}'\n", options.path);
    return 1;
  }
  Scanner scan(*text, 0);
  const auto is_from = [&](std::string_view what) {
    return options.from.empty() ? scan.accept_keyword(what) : options.from == what;
  };
  if (is_from("plan")) return from_plan(*text, options);
  return is_from("program") ? from_program(*text, options) : from_graph(*text, options);
}

std::string list_of_steps() {
  std::string text = "Passes over graphs:\n";
  for (const Pass& pass : graph_passes()) text += fmt::format("  {:<20}{}\n", pass.name, pass.what);
  text += "Steps of planning:\n";
  for (const PlanStep& step : plan_steps()) text += fmt::format("  {:<20}{}\n", step.name, step.what);
  text += "What fusion makes on its way, for --dump-after alone:\n";
  for (const FusionStep& step : fusion_steps()) text += fmt::format("  {:<20}{}\n", step.name, step.what);
  return text;
}

int main_of_tool(int argc, char** argv) {
  Options options;
  CLI::App app("Runs graph passes and steps of planning over their text.", "tarn-opt");
  app.footer(list_of_steps());
  app.add_option("file", options.path, "a graph, a plan or a program as text; - for standard input")
      ->capture_default_str();
  app.add_option("--from", options.from, "what the text is; else what it begins with")
      ->check(CLI::IsMember({"graph", "plan", "program"}));
  app.add_option("--graph", options.graph, "of a program: this graph instead of all");
  app.add_option("--passes", options.passes,
                 "these passes, in this order, instead of all; of a plan: these steps, instead of none")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--disable", options.pipeline.disabled, "leave passes out")->delimiter(',')->allow_extra_args(false);
  app.add_option("--stop-after", options.pipeline.stop_after, "last pass, or step of planning, to run");
  app.add_option("--dump-after", options.pipeline.dump_after,
                 "print the graph after passes that change it, the plan after steps of planning, or after all")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--verify-each", options.pipeline.verify_each, "verify the graph after every pass, and a whole plan");
  app.add_flag("--fast-math", options.pipeline.allow_reassociation, "use rules that change floating-point meaning");
  app.add_flag("--locations", options.locations, "print where each node or kernel comes from");
  app.add_flag("--time-passes", options.seconds, "print the time of each pass to standard error");
  app.add_flag("--rule-stats", options.rule_hits, "print how often each rule fired to standard error");
  app.add_flag("--run", options.run, "run the plan by its definition on drawn numbers, and print its results");
  app.add_option("--batch", options.batch,
                 "the largest batch of a plan that is made, and samples of a run; else 32, or what the program says")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--seed", options.seed, "of the drawn numbers");
  app.add_option("--vector-bytes", options.planner.target.vector_bytes, "of the machine that a plan is made for")
      ->check(CLI::IsMember({16, 32, 64}));
  app.add_flag("--fma", options.planner.target.has_fma, "that machine multiplies and adds in one instruction");
  app.add_flag("--fuse,!--no-fuse", options.planner.fuse, "one kernel an operation without");
  app.add_flag("--costs", options.costs, "print the constants by which steps of planning choose, and nothing else");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run_text(options);
}

}  // namespace
}  // namespace tarn

int main(int argc, char** argv) { return tarn::main_of_tool(argc, argv); }
