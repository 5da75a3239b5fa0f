// The train block: losses, metrics, optimizers and settings, elaborated into the graphs `train`, `evaluate` and
// `report`.
//
// elaborate() is called for `train`, then for `evaluate`, each time behind the model. The objective of a batch of N
// samples is
//   sum over losses of (1/N) sum over samples, plus regularizers, plus the mean of penalties,
// and what is reported as "loss" is the mean of it over an epoch, weighted by N.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/model.h"

namespace tarn::elaboration {

// The arguments of one setting, by name or position, with --set KEY.NAME=… over them.
class SettingArguments {
 public:
  SettingArguments(Elaborator& elaborator, const ast::Setting& setting, const std::vector<std::string>& names,
                   std::vector<Override>& overrides);
  bool good() const { return good_; }
  bool has(const std::string& name) const;
  // The value, or `otherwise` where none is given or it is wrong (which is reported).
  std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  double number(const std::string& name, double otherwise, double least, double most);
  bool truth(const std::string& name, bool otherwise);
  std::string text(const std::string& name, const std::string& otherwise);
  Span span(const std::string& name) const;

 private:
  const Argument* find(const std::string& name) const;
  Elaborator& elaborator_;
  std::string key_;
  Span span_;
  std::map<std::string, Argument> arguments_;
  bool good_ = true;
};

class TrainBlock {
 public:
  TrainBlock(Elaborator& elaborator, const ast::Train& train, Span span, std::vector<Override>& overrides);

  void elaborate();
  // The report graph, and what can be checked only when everything is known.
  void finish();

 private:
  struct Loss {
    const ast::Term* term;
    std::string name;                // what it is reported as; "" where it is not
    NodeId mean;                     // over the batch
    std::vector<std::string> paths;  // parameters that it reaches; empty: all
  };
  struct OptimizerTerm {
    const ast::Term* term;
    std::vector<std::string> paths;
    std::string prefix;  // of its hyper-parameters
    Value function;
    Span span;
  };
  // ema(0.99, overwrite_every = 100)
  struct Average {
    double momentum = 0.99;
    std::int64_t overwrite_every = 0;  // updates; 0: never
    Span span;
  };
  // A setting that works on gradients: clip_norm 1 for gen.
  struct GradientSetting {
    double value = 0;
    Span span;
    std::vector<std::string> paths;
  };

  // output_targets.cpp
  void note_targets_of_outputs(const std::vector<std::pair<NodeId, NodeId>>& compared, NodeId loss);
  void name_targets_of_outputs();

  // objective.cpp
  void elaborate_loss(const ast::Term& term);
  Value evaluate_loss(const ast::Term& term);
  void warn_about_order(const Value& callee, const Arguments& arguments, Span span);
  NodeId weighted(NodeId per_sample);
  NodeId objective_of(const std::vector<bool>& losses);
  void sum_objective();
  void read_class_weight(const ast::Setting& setting);
  void weigh_classes(const Value& target, std::int64_t classes, const std::vector<std::pair<Value, double>>& weights,
                     Span span);
  void read_sample_weight(const ast::Setting& setting);

  // metrics.cpp
  void elaborate_metric(const ast::Term& term);
  void measure(const ast::Term& term);
  void elaborate_stateful(const ast::Term& term, const std::string& name, const Value& callee, Arguments arguments);
  void accumulate(const std::string& name, NodeId total, const Shape& shape);
  void add_metric(const std::string& name, const Shape& shape, const std::string& resolved, Better better);
  std::string metric_name(const ast::Term& term);
  void report_stateful(const std::string& name, const Value& callee, const Arguments& arguments, Span span);
  void report_running(const std::string& name);
  NodeId sum_over_batch(NodeId node);
  bool accumulate_sums(const std::string& name, NodeId value);

  // optimizers.cpp
  void read_optimizer(const ast::Term& term);
  void override_hyper_parameters(OptimizerTerm& optimizer);
  void update_parameters();
  std::vector<NodeId> gradients(const std::vector<std::string>& parameters);
  void clip(const std::vector<std::string>& parameters, std::vector<NodeId>& gradients);
  const OptimizerTerm* optimizer_for(const std::string& parameter);
  void apply_optimizer(const OptimizerTerm& optimizer, const std::string& parameter, NodeId gradient);
  void apply_decay(const OptimizerTerm& optimizer, const std::string& parameter);
  void apply_constraint(const std::string& parameter);
  void accumulate_gradients(const std::vector<std::string>& parameters, std::vector<NodeId>& gradients);
  void keep_until_update(std::size_t first_updated);
  NodeId is_update();
  void average_weight(const std::string& parameter);
  std::string declare_slot(const std::string& parameter, const char* name, Span span);
  const GradientSetting* setting_for(const std::vector<GradientSetting>& settings, const std::string& parameter) const;

  // settings.cpp
  void read_setting(const ast::Setting& setting);
  void read_overridden_settings(const std::set<std::string>& given);
  void read_gradient_setting(const ast::Setting& setting, std::vector<GradientSetting>& settings);
  void read_freeze(const ast::Setting& setting);
  // What `frozen` in layers needs to know before the model is elaborated.
  void collect_frozen_paths();
  void read_accumulate(const ast::Setting& setting);
  void read_average(const ast::Setting& setting);
  void read_early_stopping(const ast::Setting& setting);
  void read_reduce_on_plateau(const ast::Setting& setting);
  void read_checkpoint(const ast::Setting& setting);
  // What a callback follows, and where that stands.
  struct Monitor {
    std::string setting;  // "early_stopping"
    std::string name;
    Span span;
    std::size_t checkpoint = 0;  // its number, where it is of one
  };
  void follow(Monitor monitor);
  std::string& mode_of(const Monitor& monitor);
  void check_mode(SettingArguments& arguments, const std::string& mode);
  void check_monitor(const Monitor& monitor);
  void find_direction(const Monitor& monitor, const MetricInfo& metric);
  void check_plateau();

  // Names of layers or parameters in the source as prefixes of tensor names; unknown ones are reported.
  std::vector<std::string> resolve(const std::vector<ast::Path>& paths);
  std::optional<std::string> resolve(const std::string& path, Span span);

  bool in_training() const { return elaborator_.graphs.current().training; }

  Elaborator& elaborator_;
  const ast::Train& train_;
  Span span_;
  std::vector<Override>& overrides_;

  std::vector<Loss> losses_;  // of the graph at work
  NodeId objective_ = kNoNode;
  NodeId model_nodes_ = 0;  // of the graph at work: how many there are before the block's own
  std::vector<OptimizerTerm> optimizers_;
  std::set<std::string> metric_names_;  // of the graph at work
  std::vector<GradientSetting> weight_decay_, clip_norm_, clip_global_norm_, clip_value_;
  std::optional<Average> average_;
  std::int64_t batches_per_update_ = 1;
  Span accumulate_span_, plateau_span_;
  NodeId sample_weight_node_ = kNoNode, class_weight_node_ = kNoNode;
  std::vector<std::pair<std::string, Span>> frozen_;
  std::vector<Monitor> monitors_;
  std::map<std::string, std::set<std::string>> targets_of_outputs_;
  std::unique_ptr<GraphContext> report_;
};

}  // namespace tarn::elaboration
