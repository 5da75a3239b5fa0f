// The order of the graph passes, and how they are run. See pipeline.h.
#include "passes/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include "ir/text.h"
#include "passes/graph_passes.h"

namespace tarn {

namespace {

constexpr std::array kPasses = {
    Pass{"stable_forms", "logarithms of softmax and sigmoid become stable", use_stable_forms, Pass::Kind::meaning},
    Pass{"batching", "values of one sample become values of the batch", add_batch_axis, Pass::Kind::meaning},
    Pass{"autodiff", "gradients become ordinary operations", expand_gradients, Pass::Kind::meaning},
    Pass{"constant_folding", "operations on constants are computed", fold_constants, Pass::Kind::cost},
    Pass{"simplify", "algebra, movements and constants by rewrite rules", simplify, Pass::Kind::cost},
    Pass{"dead_code", "operations that no result needs are removed", remove_dead_code, Pass::Kind::cost},
    // What runs from here on leaves no dead code.
    Pass{"folds", "folds become products of windows, or sums of what meets an element", compute_folds,
         Pass::Kind::lowering},
    Pass{"loop_products", "products that loops do better are sums in loops", make_loops_of_products, Pass::Kind::plan},
    Pass{"row_sums", "sums of all elements go along short rows first", sum_rows_first, Pass::Kind::plan},
};

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Status need_pass(const std::string& name, std::string_view option) {
  std::vector<std::string> names;
  names.reserve(kPasses.size());
  for (const Pass& pass : kPasses) names.emplace_back(pass.name);
  if (contains(names, name)) return Done{};
  const std::optional<std::string> near = nearest_name(name, names);
  return error(
      fmt::format("{}: there is no pass '{}'{}", option, name, near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

Status check_options(const PassOptions& options) {
  if (!options.stop_after.empty()) TARN_RETURN_IF_ERROR(need_pass(options.stop_after, "stop after"));
  for (const std::string& name : options.dump_after) {
    if (name != "all") TARN_RETURN_IF_ERROR(need_pass(name, "dump after"));
  }
  for (const std::string& name : options.disabled) {
    TARN_RETURN_IF_ERROR(need_pass(name, "disabled"));
    const auto pass = std::find_if(kPasses.begin(), kPasses.end(), [&](const Pass& row) { return row.name == name; });
    if (pass->kind == Pass::Kind::meaning)
      return error(fmt::format("'{}' is part of the language's meaning and cannot be disabled", name));
    if (pass->kind == Pass::Kind::lowering)
      return error(fmt::format("no plan is without '{}': it cannot be disabled", name));
  }
  return Done{};
}

std::string text_of(const Graph& graph, const PassContext& context) {
  static const Sources kNoSources;
  return print(graph, context.graph_name, context.sources != nullptr ? *context.sources : kNoSources);
}

void dump_changed(const Graph& before, const Graph& after, const Pass& pass, const PassContext& context) {
  const PassOptions& options = context.options;
  if (!options.dump || !(contains(options.dump_after, "all") || contains(options.dump_after, pass.name))) return;
  const std::string text = text_of(after, context);
  if (text != text_of(before, context)) options.dump(fmt::format("# after {}\n{}", pass.name, text));
}

// A malformed graph is a bug of the pass, never the user's: says so, and leaves what is needed to see it again.
Status verify_after(const Graph& before, const Graph& after, const Pass& pass, const PassContext& context) {
  Status status = verify(after);
  if (status) return status;
  const std::string path = fmt::format("tarn-reproducer-{}.txt", pass.name);
  std::ofstream file(path);
  file << reproducer(before, pass.name, context);
  file.close();
  Diagnostics errors = std::move(status).error();
  for (Diagnostic& diagnostic : errors) {
    diagnostic.message =
        fmt::format("bug in tarn: pass '{}' made a malformed graph: {}", pass.name, diagnostic.message);
    if (file) diagnostic.notes.push_back({{}, fmt::format("the graph before the pass was written to {}", path)});
  }
  return errors;
}

Result<Graph> run_pass(const Graph& graph, const Pass& pass, PassContext& context) {
  const auto start = std::chrono::steady_clock::now();
  Result<Graph> result = pass.run(graph, context);
  context.seconds[pass.name] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!result) return result;
  if (context.options.verify_each) TARN_RETURN_IF_ERROR(verify_after(graph, *result, pass, context));
  dump_changed(graph, *result, pass, context);
  return result;
}

Result<Graph> run_passes(const Graph& graph, PassContext& context, Pass::Kind last) {
  TARN_RETURN_IF_ERROR(check_options(context.options));
  Graph current = graph;
  for (const Pass& pass : kPasses) {
    if (pass.kind > last || contains(context.options.disabled, pass.name)) continue;
    TARN_TRY(current, run_pass(current, pass, context));
    if (context.options.stop_after == pass.name) break;
  }
  return current;
}

}  // namespace

std::span<const Pass> graph_passes() { return kPasses; }

Result<Graph> run_pass(const std::string& name, const Graph& graph, PassContext& context) {
  TARN_RETURN_IF_ERROR(need_pass(name, "passes"));
  TARN_RETURN_IF_ERROR(check_options(context.options));
  const auto pass = std::find_if(kPasses.begin(), kPasses.end(), [&](const Pass& row) { return row.name == name; });
  return run_pass(graph, *pass, context);
}

Result<Graph> optimize(const Graph& graph, PassContext& context) {
  return run_passes(graph, context, context.planned_for ? Pass::Kind::plan : Pass::Kind::cost);
}

Result<Graph> lower_meaning(const Graph& graph, PassContext& context) {
  return run_passes(graph, context, Pass::Kind::meaning);
}

PlannedFor& planned_for(PassContext& context) {
  TARN_CHECK(context.planned_for.has_value(), "a pass for the plan runs where nobody plans");
  return *context.planned_for;
}

std::string reproducer(const Graph& before, const std::string& pass, const PassContext& context) {
  std::string flags = context.options.allow_reassociation ? " --fast-math" : "";
  const auto row = std::find_if(kPasses.begin(), kPasses.end(), [&](const Pass& known) { return known.name == pass; });
  if (row != kPasses.end() && row->kind == Pass::Kind::plan && context.planned_for) {
    const auto& [options, max_batch] = *context.planned_for;
    flags += fmt::format(" --batch {} --vector-bytes {}{}", max_batch, options.target.vector_bytes,
                         options.fuse ? "" : " --no-fuse");
  }
  return fmt::format("# tarn-opt --passes={}{} --verify-each tarn-reproducer-{}.txt\n{}", pass, flags, pass,
                     text_of(before, context));
}

}  // namespace tarn
