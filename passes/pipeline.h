// The passes in the order in which a program goes through them: from the per-sample graphs of the frontend to kernel
// plans.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/program.h"
#include "passes/plan/kernel_plan.h"
#include "passes/planner/plan_kernels.h"

namespace tarn {

struct PassOptions {
  bool verify_each = false;
  bool allow_reassociation = false;                   // --fast-math: rules that change floating-point meaning
  std::vector<std::string> disabled;                  // passes left out, for tests that turn each off in turn
  std::string stop_after;                             // name of a pass
  std::vector<std::string> dump_after;                // names of passes, or "all"
  std::function<void(const std::string& text)> dump;  // gets what dump_after asks for
};

// What a graph is to be planned for. A pass may add to the options what it has found.
struct PlannedFor {
  PlanOptions options;
  std::int64_t max_batch = 1;
};

// What passes share: options in, statistics out.
struct PassContext {
  PassOptions options;
  std::optional<PlannedFor> planned_for;  // without it, passes that only a plan needs do not run
  const Sources* sources = nullptr;
  std::string graph_name = "graph";                // "train", "predict", …: for print-outs and reproducers
  std::map<std::string, double> seconds;           // by pass
  std::map<std::string, std::uint64_t> rule_hits;  // by rule
  Diagnostics warnings;
};

struct Pass {
  const char* name;
  const char* what;  // one line of documentation
  Result<Graph> (*run)(const Graph&, PassContext&);
  enum class Kind {
    meaning,   // part of the language's meaning: cannot be disabled, and the reference evaluator runs on its result
    cost,      // makes the graph cheaper, whatever becomes of it
    lowering,  // what no plan has becomes what plans have: cannot be disabled, and runs where somebody plans
    plan,      // gives the planner what it does best
  };
  Kind kind;
};
std::span<const Pass> graph_passes();

// Runs one pass, with all that the options ask for around it (time, verification, dump). Fails as optimize does. One of
// Kind::plan needs context.planned_for.
Result<Graph> run_pass(const std::string& name, const Graph& graph, PassContext& context);

// Runs the graph passes over one graph; those of Kind::lowering and Kind::plan where the context says what it's planned
// for. Fails where a pass finds the program at fault, where an option names no pass, and, as an error of Tarn itself,
// where a pass leaves a malformed graph: then "tarn-reproducer-PASS.txt" is written to the working folder.
Result<Graph> optimize(const Graph& graph, PassContext& context);
// Runs only those that define meaning: stable forms, batching, autodiff. The reference evaluator runs on the result.
Result<Graph> lower_meaning(const Graph& graph, PassContext& context);

// Optimizes and plans every graph of a program whose offsets are assigned.
Result<ProgramPlan> plan_program(const Program& program, const PlanOptions& options, PassContext& context);
// The plan of the same program with its weights as constants of the code: `predict`, where there is one, reads packed
// weights, and there is no other prediction.
ProgramPlan with_baked_weights(const Program& program, ProgramPlan plan, const Target& target);

}  // namespace tarn
