// The order of things in a train block. See train_block.h.
#include "frontend/train/train_block.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarn::elaboration {

TrainBlock::TrainBlock(Elaborator& elaborator, const ast::Train& train, Span span, std::vector<Override>& overrides)
    : elaborator_(elaborator),
      train_(train),
      span_(span),
      overrides_(overrides),
      report_(elaborator.graphs.make(function_named("report"))) {
  report_->report = true;
  collect_frozen_paths();
}

std::vector<std::string> TrainBlock::resolve(const std::vector<ast::Path>& paths) {
  std::vector<std::string> resolved;
  for (const ast::Path& path : paths) {
    if (auto name = resolve(path.text(), path.span)) resolved.push_back(std::move(*name));
  }
  return resolved;
}

std::optional<std::string> TrainBlock::resolve(const std::string& path, Span span) {
  std::vector<std::string> known;
  const auto names_something = [&](const std::string& name) {
    return std::any_of(elaborator_.tensors.all.begin(), elaborator_.tensors.all.end(),
                       [&](const TensorInfo& t) { return t.kind == TensorKind::parameter && covers(name, t.name); });
  };
  if (names_something(path)) return path;
  // A name of the model may stand for a layer that is called otherwise: `a = b`.
  const std::size_t dot = path.find('.');
  if (const Binding* binding = elaborator_.names.environment->find(path.substr(0, dot))) {
    const FunctionValue* function = binding->value.function();
    if (function != nullptr && function->instance != nullptr && !function->instance->path.empty()) {
      const std::string name = function->instance->path + (dot == std::string::npos ? "" : path.substr(dot));
      if (names_something(name)) return name;
    }
  }
  for (const TensorInfo& t : elaborator_.tensors.all) {
    if (t.kind != TensorKind::parameter) continue;
    for (std::size_t end = t.name.find('.'); end != std::string::npos; end = t.name.find('.', end + 1)) {
      known.push_back(t.name.substr(0, end));
    }
    known.push_back(t.name);
  }
  elaborator_.reports.fail(span, fmt::format("no parameter is called '{}'{}", path, did_you_mean(path, known)));
  return std::nullopt;
}

void TrainBlock::elaborate() {
  losses_.clear();
  model_nodes_ = static_cast<NodeId>(elaborator_.graphs.current().graph.size());
  metric_names_ = {"loss"};
  sample_weight_node_ = class_weight_node_ = kNoNode;
  objective_ = kNoNode;
  const NamesAtWork::Inside names(elaborator_.names, elaborator_.names.environment, elaborator_.main_module);
  elaborator_.evaluator.in_train_block = true;
  Body body{BodyKind::train, elaborator_.names.environment, "the train block", NoneValue{}, false};
  std::vector<const ast::Term*> metrics, losses;
  std::set<std::string> settings;
  // `step` in the lines below depends on it.
  for (const ast::Statement& statement : train_.block.statements) {
    const auto* setting = std::get_if<ast::Setting>(&statement.node);
    if (setting != nullptr && setting->key.name == "accumulate" && in_training()) read_accumulate(*setting);
  }
  elaborator_.evaluator.batches_per_update = batches_per_update_;
  for (const ast::Statement& statement : train_.block.statements) {
    if (elaborator_.reports.stopped()) return;
    if (const auto* term = std::get_if<ast::Term>(&statement.node)) {
      if (term->kind == ast::TermKind::loss) losses.push_back(term);
      if (term->kind == ast::TermKind::metric) metrics.push_back(term);
      if (term->kind == ast::TermKind::optimizer && in_training()) read_optimizer(*term);
    } else if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
      settings.insert(setting->key.name);
      // As in Keras, classes are weighed in training only.
      if (setting->key.name == "class_weight" && in_training()) read_class_weight(*setting);
      if (setting->key.name == "sample_weight") read_sample_weight(*setting);
      if (in_training()) read_setting(*setting);
    } else {
      elaborator_.statements.execute(statement, body);
    }
  }
  if (in_training()) read_overridden_settings(settings);
  for (const ast::Term* term : losses) elaborate_loss(*term);
  if (losses.empty()) elaborator_.reports.fail(span_, "the train block has no loss: loss mean_squared_error(y, t)");
  sum_objective();
  for (const ast::Term* term : metrics) elaborate_metric(*term);
  if (in_training() && objective_ != kNoNode && !has_errors(elaborator_.reports.diagnostics)) update_parameters();
  elaborator_.evaluator.batches_per_update = 1;
  elaborator_.evaluator.in_train_block = false;
  GraphContext& graph = elaborator_.graphs.current();
  if (objective_ != kNoNode) graph.graph.add_result(ResultKind::loss, "loss", objective_);
  for (const std::string& name : graph.updated) graph.graph.add_result(ResultKind::store, name, graph.current.at(name));
}

void TrainBlock::finish() {
  for (const Monitor& monitor : monitors_) check_monitor(monitor);
  check_plateau();
  name_targets_of_outputs();
  if (!has_errors(elaborator_.reports.diagnostics))
    elaborator_.program.graphs.insert_or_assign("report", std::move(report_->graph));
}

}  // namespace tarn::elaboration
