// The training loop. See training.h.
#include "runtime/training/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "ir/class_weights.h"
#include "ir/joined.h"
#include "ir/metric_values.h"
#include "ir/random.h"
#include "runtime/data/vocabularies.h"
#include "runtime/files/number_text.h"

namespace tarn {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<NamedArray> weights_of(const Session& session) {
  std::vector<NamedArray> weights;
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::parameter || tensor.kind == TensorKind::state)
      weights.push_back({tensor.name, session.tensor(tensor.name)});
  }
  return weights;
}

void lower_learning_rates(Session& session, const ReduceOnPlateau& setting) {
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind != TensorKind::hyper || !tensor.name.ends_with(".lr")) continue;
    const double rate = session.scalar(tensor.name);
    if (rate > setting.min_lr) session.set_scalar(tensor.name, std::max(rate * setting.factor, setting.min_lr));
  }
}

// What ema has gathered takes the place of the weights. Without an update it has gathered nothing.
void use_averages(Session& session) {
  if (session.scalar("step") < static_cast<double>(session.program().settings.batches_per_update)) return;
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::parameter && tensor.trainable)
      session.set_tensor(tensor.name, session.tensor(tensor.name + ".average"));
  }
}

// What happens between epochs.
class Watchers {
 public:
  Watchers(Session& session, const FitOptions& options, TrainingMemory& memory)
      : session_(session), options_(options), memory_(memory) {
    const TrainSettings& settings = session.program().settings;
    if (settings.early_stopping) stopper_.emplace(*settings.early_stopping);
    if (settings.reduce_on_plateau) plateau_.emplace(*settings.reduce_on_plateau);
    memory_.checkpoints.resize(settings.checkpoints.size());
  }
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  bool has_ended() const { return stopper_ && stopper_->has_ended(memory_.early_stopping); }

  // How training ends here, if it does.
  std::optional<FitResult::End> after_epoch(const EpochReport& report) {
    lower_rates(report);
    const bool stops_early = stop_early(report);
    if (!write_checkpoints(report) || (options_.on_epoch && !options_.on_epoch(report)))
      return FitResult::End::by_callback;
    return stops_early ? std::optional(FitResult::End::stopped_early) : std::nullopt;
  }

  // Whether there is a best epoch, whose weights these are then.
  bool restore_best() {
    if (!settings().early_stopping || !settings().early_stopping->restore_best) return false;
    for (const NamedArray& weight : memory_.best_weights) session_.set_tensor(weight.name, weight.array);
    return !memory_.best_weights.empty();
  }

 private:
  const TrainSettings& settings() const { return session_.program().settings; }

  void lower_rates(const EpochReport& report) {
    if (!plateau_) return;
    const std::optional<double> value = quantity_of(session_.program(), report, settings().reduce_on_plateau->monitor);
    if (value && plateau_->after_epoch(*value, memory_.plateau))
      lower_learning_rates(session_, *settings().reduce_on_plateau);
  }

  bool stop_early(const EpochReport& report) {
    if (!stopper_) return false;
    const EarlyStopping& setting = *settings().early_stopping;
    const std::optional<double> value = quantity_of(session_.program(), report, setting.monitor);
    if (!value || report.epoch <= setting.start_from_epoch) return false;
    const EarlyStopper::Verdict verdict = stopper_->after_epoch(report.epoch, *value, memory_.early_stopping);
    if (setting.restore_best && (verdict.is_best || memory_.best_weights.empty()))
      memory_.best_weights = weights_of(session_);
    return verdict.stops;
  }

  bool write_checkpoints(const EpochReport& report) {
    for (std::size_t i = 0; i < settings().checkpoints.size(); ++i) {
      const CheckpointSetting& setting = settings().checkpoints[i];
      if (!is_due(setting, report, memory_.checkpoints[i]) || !options_.on_checkpoint) continue;
      if (!options_.on_checkpoint(setting)) return false;
    }
    return true;
  }

  bool is_due(const CheckpointSetting& setting, const EpochReport& report, Watched& watched) const {
    if (setting.every > 1 && report.epoch % setting.every != 0) return false;
    if (!setting.best) return true;
    const std::optional<double> value = quantity_of(session_.program(), report, setting.monitor);
    if (!value || !is_better(*value, watched.best, larger_is_better(setting.mode), 0)) return false;
    watched.best = value;
    return true;
  }

  Session& session_;
  const FitOptions& options_;
  TrainingMemory& memory_;
  std::optional<EarlyStopper> stopper_;
  std::optional<PlateauWatcher> plateau_;
};

// The batches of an epoch, from the position on that the memory has, and validation. Where it does not get to the end,
// the result says why, and the memory where that was.
void run_epoch(Session& session, const Rows& training, const Rows* validation, bool shuffle, TrainingMemory& memory,
               EpochReport& report, FitResult& result) {
  const EpochPlan plan = next_epoch(session, training, shuffle);
  const std::optional<EpochPosition> from = std::exchange(memory.position, std::nullopt);
  std::vector<std::uint32_t> rows;
  if (shuffle) {
    rows =
        row_order(session.seed(), static_cast<std::uint64_t>(plan.epoch), static_cast<std::uint32_t>(training.count));
  }
  const std::uint32_t* const order = shuffle ? rows.data() : nullptr;
  const Outcome outcome = session.train(training, order, report.training, from ? &*from : nullptr);
  const std::uint64_t batches = session.batches_done();
  result.steps += batches - (from ? from->batches : 0);
  if (outcome == Outcome::stopped) {
    memory.position = {plan, batches, session.accumulators()};
    result.end = FitResult::End::interrupted;
    return;
  }
  if (is_not_finite(outcome)) {
    result.end = FitResult::End::not_finite;
    result.failure = explain_not_finite(session, {outcome, training, order, batches * plan.batch, report.epoch});
    return;
  }
  if (validation == nullptr || validation->count == 0) return;
  Bytes accumulators = session.accumulators();  // validation has its own in their place
  if (session.evaluate(*validation, report.validation.emplace()) == Outcome::stopped) {
    memory.position = {plan, batches, std::move(accumulators)};
    result.end = FitResult::End::interrupted;
  }
}

// Fits states to the training rows. Where that does not get to the end, the result says why.
void adapt(Session& session, const Rows& training, FitResult& result) {
  const Outcome outcome = session.adapt(training);
  if (outcome == Outcome::stopped) result.end = FitResult::End::interrupted;
  if (!is_not_finite(outcome)) return;
  result.end = FitResult::End::not_finite;
  const std::uint64_t first = session.batches_done() * static_cast<std::uint64_t>(session.program().settings.batch);
  result.failure = explain_not_finite(session, {outcome, training, nullptr, first, 1, "adapt"});
}

}  // namespace

namespace {

// The class that a key of class_weight stands for; nothing where there is none.
std::optional<std::int64_t> weighted_class(const Program& program, const Vocabulary* vocabulary, const std::string& key,
                                           bool is_number) {
  const std::vector<std::string> names = vocabulary == nullptr ? std::vector<std::string>() : vocabulary->names;
  for (const std::string& wanted : {key, unquoted_label(key)}) {
    const auto place = std::ranges::find(names, wanted);
    if (place != names.end()) return place - names.begin();
  }
  const bool labels_are_numbers = !names.empty() && std::ranges::all_of(names, [](const std::string& name) {
    return parse_number(name).has_value();
  });
  if (labels_are_numbers || !(is_number || names.empty())) return std::nullopt;
  const InputInfo* const target = program.find_input(program.settings.class_weight_target);
  const std::int64_t places = target == nullptr ? 0 : element_count(target->type.shape);
  const auto known = static_cast<std::int64_t>(names.size());
  std::int64_t limit = places > 1 ? places : known;
  if (names.empty() && vocabulary != nullptr && vocabulary->numbers > 0) limit = vocabulary->numbers;
  const std::optional<double> number = parse_number(key);
  if (!number || *number != std::floor(*number) || *number < 0) return std::nullopt;
  if (limit > 0 && *number >= static_cast<double>(limit)) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

}  // namespace

Result<std::map<std::string, std::int64_t>> weighted_classes(const Program& program, const Vocabularies& vocabularies) {
  const TrainSettings& settings = program.settings;
  const Vocabulary* const vocabulary = vocabularies.find(settings.class_weight_target);
  std::map<std::string, std::int64_t> classes;
  Diagnostics errors;
  const auto add = [&](const std::string& tensor, const std::string& key, bool is_number) {
    if (const auto found = weighted_class(program, vocabulary, key, is_number)) {
      classes[tensor] = *found;
      return;
    }
    std::string known = "; its classes are numbers";
    if (vocabulary != nullptr && !vocabulary->names.empty()) {
      known = fmt::format("; it has {}", joined(vocabulary->names, ", "));
    } else if (vocabulary != nullptr) {
      known += fmt::format(" from 0 to {}", vocabulary->numbers - 1);
    }
    errors.push_back(error(fmt::format("class_weight: '{}' has no label {}{}", settings.class_weight_target,
                                       is_number ? key : fmt::format("'{}'", key), known)));
  };
  for (const auto& [label, weight] : settings.class_weight) add(class_weight_tensor(settings, label), label, false);
  for (const TensorInfo& tensor : program.tensors) {
    const std::optional<std::string_view> number = class_weight_number(tensor.name);
    if (number && tensor.kind == TensorKind::hyper) add(tensor.name, std::string(*number), true);
  }
  if (!errors.empty()) return errors;
  return classes;
}

Status take_vocabularies(Session& session, Vocabularies vocabularies) {
  TARN_TRY(const auto classes, weighted_classes(session.program(), vocabularies));
  session.set_vocabularies(std::move(vocabularies));
  for (const auto& [tensor, number] : classes) session.set_scalar(tensor, static_cast<double>(number));
  return Done{};
}

std::optional<double> quantity_of(const Program& program, const EpochReport& report, std::string_view name) {
  const bool of_validation = name.starts_with("val_");
  if (of_validation && !report.validation) return std::nullopt;
  const MetricValues& values = of_validation ? *report.validation : report.training;
  if (of_validation) name.remove_prefix(4);
  for (std::size_t i = 0; i < program.metrics.size(); ++i) {
    const MetricInfo& metric = program.metrics[i];
    if (const std::optional<std::size_t> at = value_named(metric, name)) return values.values[i][*at];
    if (metric.resolved == name && metric.shape.empty()) return values.values[i].front();
  }
  return std::nullopt;
}

EpochPlan next_epoch(const Session& session, const Rows& training, bool shuffle) {
  return {static_cast<std::int64_t>(session.scalar("epoch")), training.count,
          static_cast<std::uint64_t>(session.program().settings.batch), shuffle};
}

FitResult fit(Session& session, const Rows& training, const Rows* validation, const FitOptions& options) {
  const TrainSettings& settings = session.program().settings;
  TrainingMemory own_memory;
  TrainingMemory& memory = options.memory != nullptr ? *options.memory : own_memory;
  Watchers watchers(session, options, memory);

  FitResult result;
  if (watchers.has_ended()) result.end = FitResult::End::stopped_early;
  const EpochPlan first = next_epoch(session, training, options.shuffle);
  if (first.epoch < options.epochs && memory.position && memory.position->plan != first) memory.position.reset();
  if (options.adapt && first.epoch == 0 && !memory.position) {
    adapt(session, training, result);
    if (result.end == FitResult::End::interrupted || result.end == FitResult::End::not_finite) return result;
  }
  for (std::int64_t epoch = first.epoch; epoch < options.epochs && result.end == FitResult::End::completed; ++epoch) {
    const auto start = Clock::now();
    EpochReport report{epoch + 1, options.epochs, {}, std::nullopt, 0};
    run_epoch(session, training, validation, options.shuffle, memory, report, result);
    if (result.end == FitResult::End::not_finite) result.has_best_weights = watchers.restore_best();
    if (result.end != FitResult::End::completed) return result;
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result.seconds += report.seconds;
    session.set_scalar("epoch", static_cast<double>(epoch + 1));
    ++result.epochs_done;
    result.last = report;

    if (const std::optional<FitResult::End> end = watchers.after_epoch(report)) result.end = *end;
  }
  if (options.before_end) options.before_end();
  if (settings.averages_weights) use_averages(session);
  if (result.end != FitResult::End::by_callback) result.has_best_weights = watchers.restore_best();
  return result;
}

}  // namespace tarn
