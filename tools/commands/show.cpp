// `tarn show FILE --stage S`: the program at a stage of the pipeline.
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "frontend/syntax/dump.h"
#include "frontend/syntax/parser.h"
#include "ir/program_text.h"
#include "ir/text.h"
#include "passes/plan/tactics_text.h"
#include "passes/plan/text.h"
#include "passes/tactics/choose.h"
#include "runtime/files/file.h"
#include "tools/driver/command.h"
#include "tools/driver/graph_formats.h"

namespace tarn {

namespace {

struct ShowOptions : CommonOptions {
  std::string stage = "graph", format = "text", graph;
};

Result<std::string> syntax_tree(const ShowOptions& options, Sources& sources) {
  TARN_TRY(const Bytes bytes, read_file(options.file));
  const FileId file = sources.add(options.file, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  ParseResult parsed = parse(file, sources);
  if (has_errors(parsed.diagnostics)) return std::move(parsed.diagnostics);
  return ast::dump(*parsed.file);
}

// The graph before and after the passes that a stage names.
Result<Graph> graph_at(const std::string& stage, const Graph& graph, PassContext& context) {
  if (stage == "graph") return graph;
  return stage == "gradients" ? lower_meaning(graph, context) : optimize(graph, context);
}

Result<std::string> formatted(const Graph& graph, const ShowOptions& options, const std::string& name,
                              const Sources& sources) {
  if (options.format == "json") return graph_json(graph, name, sources).dump(1) + "\n";
  if (options.format == "dot") return graph_dot(graph, name, sources);
  if (options.format == "svg") return svg_of(graph_dot(graph, name, sources));
  return print(graph, name, sources);
}

// They are chosen once more: compiling a model has no use for reasons.
std::string tactics_with_reasons(KernelPlan plan, const std::string& name, const Target& target,
                                 const Locations& locations, const Sources& sources) {
  std::vector<TacticsReasons> reasons;
  choose_cpu_tactics(plan, target, kCosts, &reasons);
  return print_tactics(plan, name, reasons, &locations, sources);
}

Result<std::string> program_text(const Program& program, const ShowOptions& options, const Sources& sources) {
  if (!options.graph.empty()) return error("stage 'program' shows all graphs; --graph is for the other stages");
  if (options.format != "text") return error("stage 'program' is shown as text only");
  return print(program, sources);
}

Result<std::string> text_of_stage(const ShowOptions& options, Console& console) {
  if (options.stage == "ast") return syntax_tree(options, console.sources);
  TARN_TRY(const ModelOptions chosen, model_options(options));
  Diagnostics warnings;
  TARN_TRY(const Program program, load_program(options.file, chosen, console.sources, warnings));
  if (options.stage == "program") return program_text(program, options, console.sources);
  const std::string name = !options.graph.empty() ? options.graph : program.trainable ? "train" : "predict";
  const bool of_graphs = options.stage == "graph" || options.stage == "gradients" || options.stage == "optimized";
  const auto graph = program.graphs.find(name);
  // A second plan of the graph `predict`, where large matrices are packed.
  const bool packed = name == "predict_packed" && !of_graphs;
  if (graph == program.graphs.end() && !packed) {
    std::string names;
    for (const auto& [known, unused] : program.graphs) names += (names.empty() ? "" : ", ") + known;
    return error(fmt::format("the program has no graph '{}'; it has {}", name, names));
  }
  if (of_graphs) {
    PassContext context;
    context.options = chosen.passes;
    context.sources = &console.sources;
    if (options.stage == "optimized") {
      TARN_TRY(const PlanOptions planning, plan_options(chosen));
      context.planned_for = {planning, program.settings.batch};
    }
    TARN_TRY(const Graph shown, graph_at(options.stage, graph->second, context));
    return formatted(shown, options, name, console.sources);
  }
  if (options.format != "text") return error(fmt::format("stage '{}' is shown as text only", options.stage));
  TARN_TRY(const ProgramPlan plan, plan_program(program, chosen, console.sources, warnings));
  if (!plan.plans.contains(name)) return error("the model predicts from packed weights as from a state");
  const Locations* const locations = (packed ? program.graphs.at("predict") : graph->second).locations().get();
  if (options.stage == "fused") return print(plan.plans.at(name), locations, console.sources);
  if (options.stage == "plan") return print_whole(plan.plans.at(name), name, locations, console.sources);
  if (options.stage == "tactics") {
    TARN_TRY(const Target target, target_of(chosen.codegen));
    return tactics_with_reasons(plan.plans.at(name), name, target, *locations, console.sources);
  }
  if (options.stage == "memory") return print_memory(plan.plans.at(name));
  return options.stage == "llvm" ? print_llvm(program, plan, name, chosen.codegen)
                                 : print_assembly(program, plan, name, chosen.codegen);
}

int show(const ShowOptions& options) {
  Console console(options);
  Result<std::string> text = text_of_stage(options, console);
  if (!text) return console.report(text.error());
  return std::fwrite(text->data(), 1, text->size(), stdout) == text->size() ? kDone : kMachineFault;
}

}  // namespace

void add_show(CommandLine& line) {
  auto options = std::make_shared<ShowOptions>();
  Command command = line.command("show", "the program at a stage of the pipeline");
  add_model_options(command, *options);
  command.option("--stage", &options->stage, "which stage")
      .one_of(
          {"ast", "program", "graph", "gradients", "optimized", "fused", "plan", "tactics", "memory", "llvm", "asm"});
  command.option("--format", &options->format, "graphs can be drawn; svg needs Graphviz")
      .one_of({"text", "dot", "svg", "json"});
  command.option("--graph", &options->graph,
                 "init, adapt, train, evaluate, predict or report; default: train where there is one. The stages from "
                 "fused on also show predict_packed");
  command.runs([options] { return show(*options); });
}

}  // namespace tarn
