// The settings of a train block: counts, rates and callbacks.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "frontend/train/train_block.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

const std::vector<std::string>& setting_names() {
  static const std::vector<std::string> names = {
      "epochs",           "batch",        "shuffle",        "seed",
      "validation_split", "weight_decay", "clip_norm",      "clip_global_norm",
      "clip_value",       "ema",          "accumulate",     "freeze",
      "sample_weight",    "class_weight", "early_stopping", "reduce_on_plateau",
      "checkpoint"};
  return names;
}

// Also what else a line of train may begin with, for "did you mean".
std::vector<std::string> line_beginnings() {
  std::vector<std::string> names = setting_names();
  for (const char* more : {"target", "loss", "metric", "optimizer"}) names.emplace_back(more);
  return names;
}

constexpr std::int64_t kMostBatch = std::int64_t{1} << 31;
constexpr std::int64_t kMostCount = std::int64_t{1} << 53;
constexpr double kHuge = std::numeric_limits<double>::max();

// `freeze a, b.c`: the expressions are paths.
std::optional<std::string> path_text(const ast::Expression& expression) {
  if (const auto* name = std::get_if<ast::Name>(&expression.node)) return name->name;
  if (const auto* member = std::get_if<ast::Member>(&expression.node)) {
    if (const auto object = path_text(*member->object)) return *object + "." + member->name.name;
  }
  return std::nullopt;
}

}  // namespace

SettingArguments::SettingArguments(Elaborator& elaborator, const ast::Setting& setting,
                                   const std::vector<std::string>& names, std::vector<Override>& overrides)
    : elaborator_(elaborator), key_(setting.key.name), span_(setting.key.span) {
  std::size_t next = 0;
  for (const ast::Argument& argument : setting.arguments) {
    std::string name;
    if (argument.name) {
      name = argument.name->name;
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        elaborator.reports.fail(argument.name->span,
                                fmt::format("'{}' has no argument '{}'{}", key_, name, did_you_mean(name, names)));
        good_ = false;
        continue;
      }
    } else if (next < names.size()) {
      name = names[next++];
    } else {
      elaborator.reports.fail(argument.value->span,
                              names.empty() ? fmt::format("'{}' takes no value", key_)
                                            : fmt::format("'{}' takes {}", key_, counted(names.size(), "value")));
      good_ = false;
      break;
    }
    const Value value = elaborator.evaluator.evaluate(*argument.value);
    good_ = good_ && !value.is_error();
    arguments_[name] = {value, argument.value->span};
  }
  for (Override& override_ : overrides) {
    const bool whole = names.size() == 1 && override_.key == key_;
    const std::string part =
        override_.key.starts_with(key_ + ".") ? override_.key.substr(key_.size() + 1) : std::string();
    const bool known = std::find(names.begin(), names.end(), part) != names.end();
    if (override_.expression == nullptr || (!whole && !known)) continue;
    override_.used = true;
    const Value value = elaborator.evaluator.evaluate(*override_.expression);
    good_ = good_ && !value.is_error();
    arguments_[whole ? names[0] : part] = {value, override_.expression->span};
  }
  if (good_ && names.size() == 1 && arguments_.empty()) {
    elaborator.reports.fail(span_, fmt::format("'{}' needs a value", key_));
    good_ = false;
  }
}

const Argument* SettingArguments::find(const std::string& name) const {
  const auto it = arguments_.find(name);
  return it == arguments_.end() ? nullptr : &it->second;
}

bool SettingArguments::has(const std::string& name) const { return find(name) != nullptr; }

Span SettingArguments::span(const std::string& name) const {
  const Argument* argument = find(name);
  return argument != nullptr ? argument->span : span_;
}

std::int64_t SettingArguments::integer(const std::string& name, std::int64_t otherwise, std::int64_t least,
                                       std::int64_t most) {
  const Argument* argument = find(name);
  if (argument == nullptr) return otherwise;
  const std::string what = name == "value" ? fmt::format("'{}'", key_) : fmt::format("'{}' of {}", name, key_);
  const auto value = elaborator_.readings.to_integer(argument->value, argument->span, what);
  good_ = good_ && value.has_value();
  if (!value || (*value >= least && *value <= most)) return value.value_or(otherwise);
  elaborator_.reports.fail(argument->span, *value < least
                                               ? fmt::format("{} must be at least {}, and is {}", what, least, *value)
                                               : fmt::format("{} must be at most {}, and is {}", what, most, *value));
  good_ = false;
  return otherwise;
}

double SettingArguments::number(const std::string& name, double otherwise, double least, double most) {
  const Argument* argument = find(name);
  if (argument == nullptr) return otherwise;
  const std::string what = name == "value" ? fmt::format("'{}'", key_) : fmt::format("'{}' of {}", name, key_);
  const auto value = elaborator_.readings.to_number(argument->value, argument->span, what);
  good_ = good_ && value.has_value();
  if (!value || (*value >= least && *value <= most)) return value.value_or(otherwise);
  elaborator_.reports.fail(argument->span,
                           !(*value >= least)
                               ? fmt::format("{} must be at least {}, and is {}", what, least, to_text(*value))
                               : fmt::format("{} must be at most {}, and is {}", what, most, to_text(*value)));
  good_ = false;
  return otherwise;
}

bool SettingArguments::truth(const std::string& name, bool otherwise) {
  const Argument* argument = find(name);
  if (argument == nullptr) return otherwise;
  const auto value = elaborator_.readings.to_truth(
      argument->value, argument->span,
      name == "value" ? fmt::format("'{}'", key_) : fmt::format("'{}' of {}", name, key_));
  good_ = good_ && value.has_value();
  return value.value_or(otherwise);
}

std::string SettingArguments::text(const std::string& name, const std::string& otherwise) {
  const Argument* argument = find(name);
  if (argument == nullptr || argument->value.is_error()) return otherwise;
  if (const auto* text = argument->value.get<std::string>()) return *text;
  elaborator_.reports.fail(argument->span,
                           fmt::format("'{}' of {} must be a string, not {}", name, key_, kind_of(argument->value)));
  good_ = false;
  return otherwise;
}

void TrainBlock::read_setting(const ast::Setting& setting) {
  Elaborator& e = elaborator_;
  TrainSettings& settings = e.program.settings;
  const std::string& key = setting.key.name;
  const auto one = [&] { return SettingArguments(e, setting, {"value"}, overrides_); };
  const auto is_gradient_setting =
      key == "weight_decay" || key == "clip_norm" || key == "clip_global_norm" || key == "clip_value";
  if (!setting.paths.empty() && !is_gradient_setting && key != "class_weight")
    e.reports.fail(setting.paths[0].span, fmt::format("'{}' takes no `for`", key));
  if (key == "epochs") {
    settings.epochs = one().integer("value", settings.epochs, 0, kMostCount);
  } else if (key == "batch") {
    settings.batch = one().integer("value", settings.batch, 1, kMostBatch);
  } else if (key == "shuffle") {
    settings.shuffle = one().truth("value", settings.shuffle);
  } else if (key == "seed") {
    settings.seed = static_cast<std::uint64_t>(one().integer("value", 0, 0, kMostCount));
  } else if (key == "validation_split") {
    SettingArguments arguments = one();
    settings.validation_split = arguments.number("value", 0, 0, 1);
    if (settings.validation_split >= 1)
      e.reports.fail(arguments.span("value"), "'validation_split' must be below 1: nothing would be left to train on");
  } else if (key == "weight_decay") {
    read_gradient_setting(setting, weight_decay_);
  } else if (key == "clip_norm") {
    read_gradient_setting(setting, clip_norm_);
  } else if (key == "clip_global_norm") {
    read_gradient_setting(setting, clip_global_norm_);
  } else if (key == "clip_value") {
    read_gradient_setting(setting, clip_value_);
  } else if (key == "freeze") {
    read_freeze(setting);
  } else if (key == "early_stopping") {
    read_early_stopping(setting);
  } else if (key == "reduce_on_plateau") {
    read_reduce_on_plateau(setting);
  } else if (key == "checkpoint") {
    read_checkpoint(setting);
  } else if (key == "ema") {
    read_average(setting);
  } else if (key != "sample_weight" && key != "class_weight" && key != "accumulate") {
    e.reports.fail(setting.key.span, fmt::format("'{}' is not a key of train{}", key,
                                                 proposal(key, line_beginnings(), WordPlace::setting)));
  }
}

// --set epochs=10 where the block has no such line.
void TrainBlock::read_overridden_settings(const std::set<std::string>& given) {
  for (const char* key : {"epochs", "batch", "shuffle", "seed", "validation_split"}) {
    const bool wanted = std::any_of(overrides_.begin(), overrides_.end(),
                                    [&](const Override& o) { return o.key == key && o.expression; });
    if (!wanted || given.contains(key)) continue;
    ast::Setting setting;
    setting.key = {key, span_};
    read_setting(setting);
  }
  if (elaborator_.reports.options.seed) elaborator_.program.settings.seed = *elaborator_.reports.options.seed;
}

void TrainBlock::read_gradient_setting(const ast::Setting& setting, std::vector<GradientSetting>& settings) {
  SettingArguments arguments(elaborator_, setting, {"value"}, overrides_);
  const double value = arguments.number("value", 0, 0, kHuge);
  if (arguments.good() && value == 0 && setting.key.name != "weight_decay") {
    elaborator_.reports.fail(
        arguments.span("value"),
        fmt::format("'{}' must be above 0: nothing would be left of the gradient", setting.key.name));
    return;
  }
  if (arguments.good()) settings.push_back({value, setting.key.span, resolve(setting.paths)});
}

void TrainBlock::read_freeze(const ast::Setting& setting) {
  for (const ast::Argument& argument : setting.arguments) {
    const auto path = argument.name ? std::nullopt : path_text(*argument.value);
    if (!path) {
      elaborator_.reports.fail(argument.value->span,
                               "freeze takes names of layers and parameters: freeze encoder, head.bias");
      continue;
    }
    const auto name = resolve(*path, argument.value->span);
    if (!name) continue;
    frozen_.emplace_back(*name, argument.value->span);
    // A layer by another name of the model's, which was bound after the layer had asked.
    for (const std::string& layer : elaborator_.names.layers_not_frozen) {
      if (covers(*name, layer))
        elaborator_.reports.fail(argument.value->span,
                                 fmt::format("'{0}' is another name of '{1}': write freeze {1}", *path, *name));
    }
  }
}

void TrainBlock::collect_frozen_paths() {
  for (const ast::Statement& statement : train_.block.statements) {
    const auto* setting = std::get_if<ast::Setting>(&statement.node);
    if (setting == nullptr || setting->key.name != "freeze") continue;
    for (const ast::Argument& argument : setting->arguments) {
      if (auto path = path_text(*argument.value)) elaborator_.names.frozen_paths.push_back(std::move(*path));
    }
  }
}

void TrainBlock::read_accumulate(const ast::Setting& setting) {
  SettingArguments arguments(elaborator_, setting, {"value"}, overrides_);
  batches_per_update_ = arguments.integer("value", 1, 1, kMostCount);
  elaborator_.program.settings.batches_per_update = batches_per_update_;
  accumulate_span_ = setting.key.span;
}

void TrainBlock::read_average(const ast::Setting& setting) {
  SettingArguments arguments(elaborator_, setting, {"momentum", "overwrite_every"}, overrides_);
  Average average;
  average.momentum = arguments.number("momentum", average.momentum, 0, 1);
  average.overwrite_every = arguments.integer("overwrite_every", 0, 1, kMostCount);
  average.span = setting.key.span;
  if (!arguments.good()) return;
  average_ = average;
  elaborator_.program.settings.averages_weights = true;
}

void TrainBlock::read_early_stopping(const ast::Setting& setting) {
  SettingArguments a(elaborator_, setting,
                     {"monitor", "patience", "min_delta", "mode", "restore_best", "baseline", "start_from_epoch"},
                     overrides_);
  EarlyStopping result;
  result.monitor = a.text("monitor", result.monitor);
  result.patience = a.integer("patience", result.patience, 0, kMostCount);
  result.min_delta = a.number("min_delta", result.min_delta, 0, kHuge);
  result.mode = a.text("mode", result.mode);
  result.restore_best = a.truth("restore_best", result.restore_best);
  if (a.has("baseline")) result.baseline = a.number("baseline", 0, -kHuge, kHuge);
  result.start_from_epoch = a.integer("start_from_epoch", 0, 0, kMostCount);
  check_mode(a, result.mode);
  follow({setting.key.name, result.monitor, a.span("monitor")});
  elaborator_.program.settings.early_stopping = result;
}

void TrainBlock::read_reduce_on_plateau(const ast::Setting& setting) {
  SettingArguments a(elaborator_, setting, {"monitor", "factor", "patience", "min_delta", "mode", "cooldown", "min_lr"},
                     overrides_);
  ReduceOnPlateau result;
  result.monitor = a.text("monitor", result.monitor);
  result.factor = a.number("factor", result.factor, 0, 1);
  result.patience = a.integer("patience", result.patience, 0, kMostCount);
  result.min_delta = a.number("min_delta", result.min_delta, 0, kHuge);
  result.mode = a.text("mode", result.mode);
  result.cooldown = a.integer("cooldown", result.cooldown, 0, kMostCount);
  result.min_lr = a.number("min_lr", result.min_lr, 0, kHuge);
  check_mode(a, result.mode);
  follow({setting.key.name, result.monitor, a.span("monitor")});
  plateau_span_ = setting.key.span;
  elaborator_.program.settings.reduce_on_plateau = result;
}

void TrainBlock::read_checkpoint(const ast::Setting& setting) {
  SettingArguments a(elaborator_, setting, {"path", "every", "best", "monitor", "mode"}, overrides_);
  CheckpointSetting result;
  result.path = a.text("path", "");
  if (a.good() && result.path.empty())
    elaborator_.reports.fail(setting.key.span, "checkpoint needs a path: checkpoint(\"checkpoints\", every = 10)");
  result.every = a.integer("every", 1, 1, kMostCount);
  result.best = a.truth("best", result.best);
  result.monitor = a.text("monitor", result.monitor);
  result.mode = a.text("mode", result.mode);
  check_mode(a, result.mode);
  std::vector<CheckpointSetting>& checkpoints = elaborator_.program.settings.checkpoints;
  if (result.best) monitors_.push_back({setting.key.name, result.monitor, a.span("monitor"), checkpoints.size()});
  checkpoints.push_back(result);
}

void TrainBlock::check_plateau() {
  if (!elaborator_.program.settings.reduce_on_plateau || has_errors(elaborator_.reports.diagnostics)) return;
  for (const TensorInfo& tensor : elaborator_.tensors.all) {
    if (tensor.kind == TensorKind::hyper && tensor.name.ends_with(".lr")) return;
  }
  elaborator_.reports.fail(plateau_span_,
                           "reduce_on_plateau lowers an `lr` that is given as a number, and no optimizer has one");
}

// A second line of the same setting takes the place of the first.
void TrainBlock::follow(Monitor monitor) {
  std::erase_if(monitors_, [&](const Monitor& other) { return other.setting == monitor.setting; });
  monitors_.push_back(std::move(monitor));
}

void TrainBlock::check_mode(SettingArguments& arguments, const std::string& mode) {
  if (mode != "auto" && mode != "min" && mode != "max")
    elaborator_.reports.fail(arguments.span("mode"), "the mode must be \"auto\", \"min\" or \"max\"");
}

}  // namespace tarn::elaboration
