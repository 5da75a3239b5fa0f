// Rewriting by all tables of rules together, and the removal of what nothing needs.
#include "passes/graph_passes.h"
#include "passes/rebuild.h"
#include "passes/rules/rules.h"

namespace tarn {

Result<Graph> simplify(const Graph& graph, PassContext& context) {
  const auto rules =
      select_rules({folding_rules(), algebra_rules(), movement_rules()}, context.options.allow_reassociation);
  return rewrite(graph, rules, context.rule_hits);
}

Result<Graph> remove_dead_code(const Graph& graph, PassContext&) { return without_dead_nodes(graph); }

}  // namespace tarn
