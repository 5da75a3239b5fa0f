// The model block, once for each graph, and what makes a program of the pieces. See model.h.
#include "frontend/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/train/train_block.h"
#include "ir/program_functions.h"

namespace tarn::elaboration {

namespace {

// What stands in the main file besides declarations.
struct Blocks {
  const ast::Model* model = nullptr;
  const ast::Train* train = nullptr;
  Span train_span;
  std::vector<const ast::Data*> data;
};

Blocks find_blocks(Elaborator& e) {
  Blocks blocks;
  for (const ast::Statement& statement : e.main_module->tree->statements) {
    if (const auto* model = std::get_if<ast::Model>(&statement.node)) {
      if (blocks.model != nullptr) {
        e.reports.fail(model->name.span, "a file has one model, and this is another", "",
                       fmt::format("'{}' is the first", blocks.model->name.name));
      } else {
        blocks.model = model;
      }
    } else if (const auto* train = std::get_if<ast::Train>(&statement.node)) {
      if (blocks.train != nullptr) e.reports.fail(statement.span, "a file has one train block, and this is another");
      if (blocks.train == nullptr) {
        blocks.train = train;
        blocks.train_span = statement.span;
      }
    } else if (const auto* data = std::get_if<ast::Data>(&statement.node)) {
      blocks.data.push_back(data);
    }
  }
  if (blocks.model == nullptr) {
    Diagnostic missing =
        error_at({e.main_module->file, 1, 1, 1}, "the file has no model: model name { input x[4]; output y = … }");
    e.reports.fail(std::move(missing));
  }
  return blocks;
}

// Elaborates the model into the graph at work, and the train block behind it where the graph has an objective.
void elaborate_graph(Elaborator& e, const Blocks& blocks, TrainBlock* train) {
  Activation top{&e.names.root, {}};
  e.names.activation = &top;
  e.notes.loss_functions.clear();
  const NamesAtWork::Inside names(e.names, nullptr, e.main_module);
  Body body{BodyKind::model, e.names.environment, "a model", NoneValue{}, false};
  e.statements.execute(blocks.model->block, body);
  if (train != nullptr && !e.reports.stopped()) train->elaborate();
  e.names.activation = nullptr;
}

// Without the nodes that no result needs: elaboration makes some for what turned out to be known at compile time.
Graph compacted(const Graph& graph) {
  Graph result(graph.locations());
  const std::vector<bool> needed = graph.reachable();
  NodeMap map(graph.size(), kNoNode);
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!needed[id]) continue;
    Node node = graph[id];
    for (NodeId& input : node.inputs) input = map[input];
    map[id] = result.add(std::move(node));
  }
  for (const GraphResult& r : graph.results()) result.add_result(r.kind, r.name, map[r.node]);
  return result;
}

// Hyper-parameters that no graph reads were needed at compile time only.
void drop_unread(Elaborator& e) {
  std::set<std::string> read;
  for (const auto& [name, graph] : e.program.graphs) {
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (graph[id].op == Op::tensor) read.insert(graph[id].attributes.text(Key::name));
    }
  }
  std::erase_if(e.tensors.all,
                [&](const TensorInfo& t) { return t.kind == TensorKind::hyper && !read.contains(t.name); });
}

void check_overrides(Elaborator& e, const std::vector<Override>& overrides) {
  for (const Override& override_ : overrides) {
    if (override_.used || override_.expression == nullptr) continue;
    const bool trains = e.program.trainable;
    std::vector<std::string> keys;
    if (trains) keys = {"epochs", "batch", "shuffle", "seed", "validation_split", "optimizer"};
    for (const auto& [name, declaration] : e.main_module->declarations) {
      if (declaration.constant != nullptr) keys.emplace_back(name);
    }
    for (const TensorInfo& t : e.tensors.all) {
      if (t.kind == TensorKind::hyper) keys.push_back(t.name);
    }
    const std::string_view line = std::string_view(override_.key).substr(0, override_.key.find('.'));
    const bool has_arguments = line == "early_stopping" || line == "reduce_on_plateau" || line == "checkpoint";
    e.reports.fail(
        override_.key_span,
        has_arguments
            ? fmt::format("arguments of {}(...) are not set one by one; name a constant there, which --set can set",
                          line)
            : fmt::format("'{}' is {}{}", override_.key,
                          trains ? "neither a constant of the file nor a key of its train block"
                                 : "no constant of the file, which has no train block",
                          did_you_mean(override_.key, keys)));
  }
}

std::string owner_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.') + 1); }

// One pass fits all states that have an `adapt` block, so none may be fitted to what another layer's give.
void check_adapted(Elaborator& e, const Graph& graph) {
  std::set<std::string> stored;
  for (const GraphResult& r : graph.results()) stored.insert(r.name);
  for (const GraphResult& r : graph.results()) {
    const std::vector<bool> needed = graph.reachable_from(r.node);
    for (NodeId id = r.node + 1; id-- > 0;) {
      if (!needed[id] || graph[id].op != Op::tensor) continue;
      const std::string& name = graph[id].attributes.text(Key::name);
      if (!stored.contains(name) || owner_of(name) == owner_of(r.name)) continue;
      e.reports.fail(
          e.tensors.find(r.name)->declared,
          fmt::format("'{}' would be fitted to what '{}' gives, which is fitted in the same pass over the data", r.name,
                      name));
      return;
    }
  }
}

void elaborate_adapt(Elaborator& e, const Blocks& blocks) {
  const std::unique_ptr<GraphContext> graph = e.graphs.make(function_named("adapt"));
  graph->adapts = true;
  const Graphs::Working working(e.graphs, *graph);
  elaborate_graph(e, blocks, nullptr);
  graph->graph.results().clear();
  for (const std::string& name : graph->updated)
    graph->graph.add_result(ResultKind::store, name, graph->current.at(name));
  check_adapted(e, graph->graph);
  e.program.graphs.insert_or_assign("adapt", std::move(graph->graph));
}

void finish(Elaborator& e) {
  for (auto& [name, graph] : e.program.graphs) graph = compacted(graph);
  drop_unread(e);
  constexpr TensorKind kOrder[] = {TensorKind::parameter, TensorKind::state,   TensorKind::slot,
                                   TensorKind::hyper,     TensorKind::counter, TensorKind::metric};
  for (const TensorKind kind : kOrder) {
    for (const TensorInfo& t : e.tensors.all) {
      if (t.kind == kind) e.program.tensors.push_back(t);
    }
  }
  GraphContext& init = *e.graphs.init;
  const Graphs::Working at_init(e.graphs, init);
  init.builder.set_location(0);
  for (const TensorInfo& t : e.program.tensors) {
    if (t.kind != TensorKind::hyper && t.kind != TensorKind::counter) continue;
    init.graph.add_result(ResultKind::store, t.name, init.builder.constant(t.initial, t.type.dtype));
  }
  e.program.graphs.insert_or_assign("init", compacted(init.graph));
}

}  // namespace

void elaborate_program(Elaborator& e, std::vector<Override>& overrides) {
  const Blocks blocks = find_blocks(e);
  if (blocks.model == nullptr) return;
  e.program.name = blocks.model->name.name;
  e.graphs.init = e.graphs.make(function_named("init"));
  e.graphs.init->per_step_draws = true;

  std::unique_ptr<TrainBlock> train;
  if (blocks.train != nullptr) train = std::make_unique<TrainBlock>(e, *blocks.train, blocks.train_span, overrides);
  e.program.trainable = train != nullptr;
  std::vector<std::string> names = {"predict"};
  if (train) names = {"train", "evaluate", "predict"};
  for (const std::string& name : names) {
    if (e.reports.stopped()) return;
    const std::unique_ptr<GraphContext> graph = e.graphs.make(function_named(name));
    const bool predicts = function_named(name).has(kPredicts);
    const Graphs::Working working(e.graphs, *graph);
    elaborate_graph(e, blocks, predicts ? nullptr : train.get());
    // Outputs are delivered by predictions only.
    if (!predicts)
      std::erase_if(graph->graph.results(), [](const GraphResult& r) { return r.kind == ResultKind::output; });
    e.program.graphs.insert_or_assign(name, std::move(graph->graph));
  }
  if (e.statements.has_adapt && !e.reports.stopped()) elaborate_adapt(e, blocks);
  if (train && !e.reports.stopped()) train->finish();
  check_overrides(e, overrides);
  if (e.program.outputs.empty() && !has_errors(e.reports.diagnostics)) {
    e.reports.fail(blocks.model->name.span,
                   fmt::format("the model '{}' has no output: output y = …", blocks.model->name.name));
  }
  if (!blocks.data.empty() && !e.reports.stopped()) read_data_blocks(e, blocks.data);
  if (!has_errors(e.reports.diagnostics)) finish(e);
}

}  // namespace tarn::elaboration
