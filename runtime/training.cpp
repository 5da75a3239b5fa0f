// The training loop. See training.h.
#include "runtime/training.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "ir/random.h"

namespace tarn {

namespace {

bool means_larger_is_better(std::string_view quantity) {
  for (std::string_view part : {"acc", "auc", "precision", "recall", "f1", "r2"}) {
    if (quantity.find(part) != std::string_view::npos) return true;
  }
  return false;
}

// Lowers the learning rate when the monitored quantity stops getting better; as Keras's ReduceLROnPlateau.
class PlateauReducer {
 public:
  explicit PlateauReducer(const ReduceOnPlateau& setting)
      : setting_(setting), monitor_(setting.monitor, setting.mode, setting.min_delta) {}

  void after_epoch(Session& session, const EpochReport& report) {
    if (cooldown_ > 0) {
      --cooldown_;
      wait_ = 0;
    }
    if (monitor_.improved(session.program(), report)) {
      wait_ = 0;
    } else if (cooldown_ == 0 && ++wait_ >= setting_.patience) {
      lower(session);
      cooldown_ = setting_.cooldown;
      wait_ = 0;
    }
  }

 private:
  void lower(Session& session) const {
    for (const TensorInfo& tensor : session.program().tensors) {
      const bool is_rate = tensor.kind == TensorKind::hyper && tensor.name.ends_with(".lr");
      if (is_rate)
        session.set_scalar(tensor.name, std::max(session.scalar(tensor.name) * setting_.factor, setting_.min_lr));
    }
  }

  ReduceOnPlateau setting_;
  Monitor monitor_;
  std::int64_t wait_ = 0, cooldown_ = 0;
};

// Ends training when the monitored quantity has not got better for `patience` epochs; as Keras's EarlyStopping.
class EarlyStopper {
 public:
  explicit EarlyStopper(const EarlyStopping& setting)
      : setting_(setting), monitor_(setting.monitor, setting.mode, setting.min_delta, setting.baseline) {}

  // Whether training ends here.
  bool after_epoch(const Session& session, const EpochReport& report) {
    if (report.epoch <= setting_.start_from_epoch) return false;
    if (setting_.restore_best && best_state_.empty()) best_state_ = session.state();
    if (monitor_.improved(session.program(), report)) {
      wait_ = 0;
      if (setting_.restore_best) best_state_ = session.state();
      return false;
    }
    return ++wait_ >= std::max<std::int64_t>(setting_.patience, 1);
  }

  void restore(Session& session) const {
    if (!best_state_.empty()) session.set_state(best_state_);
  }

 private:
  EarlyStopping setting_;
  Monitor monitor_;
  std::int64_t wait_ = 0;
  Bytes best_state_;
};

}  // namespace

Monitor::Monitor(std::string quantity, const std::string& mode, double min_delta, std::optional<double> baseline)
    : quantity_(std::move(quantity)),
      larger_is_better_(mode == "max" || (mode != "min" && means_larger_is_better(quantity_))),
      min_delta_(std::fabs(min_delta)) {
  const double worst = std::numeric_limits<double>::infinity();
  best_ = baseline.value_or(larger_is_better_ ? -worst : worst);
}

bool Monitor::improved(const Program& program, const EpochReport& report) {
  const std::optional<double> value = quantity_of(program, report, quantity_);
  if (!value) return false;
  const bool better = larger_is_better_ ? *value - min_delta_ > best_ : *value + min_delta_ < best_;
  if (better) best_ = *value;
  return better;
}

std::optional<double> quantity_of(const Program& program, const EpochReport& report, std::string_view name) {
  const bool of_validation = name.starts_with("val_");
  if (of_validation && !report.validation) return std::nullopt;
  const MetricValues& values = of_validation ? *report.validation : report.training;
  if (of_validation) name.remove_prefix(4);
  for (std::size_t i = 0; i < program.metrics.size(); ++i) {
    const MetricInfo& metric = program.metrics[i];
    if ((metric.name == name || metric.resolved == name) && values.values[i].size() == 1)
      return values.values[i].front();
  }
  return std::nullopt;
}

// What `ema` has gathered takes the place of the weights.
static void use_averages(Session& session) {
  for (const TensorInfo& tensor : session.program().tensors) {
    if (tensor.kind == TensorKind::parameter && tensor.trainable)
      session.set_tensor(tensor.name, session.tensor(tensor.name + ".average"));
  }
}

FitResult fit(Session& session, const Rows& training, const Rows* validation, const FitOptions& options) {
  using Clock = std::chrono::steady_clock;
  const TrainSettings& settings = session.program().settings;
  std::optional<EarlyStopper> stopper;
  if (settings.early_stopping) stopper.emplace(*settings.early_stopping);
  std::optional<PlateauReducer> reducer;
  if (settings.reduce_on_plateau) reducer.emplace(*settings.reduce_on_plateau);

  FitResult result;
  const auto first_epoch = static_cast<std::int64_t>(session.scalar("epoch"));
  if (first_epoch == 0 && session.adapt(training) == Outcome::stopped) {
    result.end = FitResult::End::interrupted;
    return result;
  }
  for (std::int64_t epoch = first_epoch; epoch < options.epochs; ++epoch) {
    const auto start = Clock::now();
    std::vector<std::uint32_t> order;
    if (options.shuffle) {
      order = row_order(session.seed(), static_cast<std::uint64_t>(epoch), static_cast<std::uint32_t>(training.count));
    }
    const Bytes before = options.undo_interrupted ? session.state() : Bytes();
    EpochReport report{epoch + 1, options.epochs, {}, std::nullopt, 0};
    const Outcome outcome = session.train(training, options.shuffle ? order.data() : nullptr, report.training);
    result.steps += session.batches_done();
    if (outcome == Outcome::stopped) {
      if (options.undo_interrupted) session.set_state(before);
      result.end = FitResult::End::interrupted;
      return result;
    }
    if (outcome == Outcome::not_finite) {
      result.end = FitResult::End::not_finite;
      const std::uint64_t first = session.batches_done() * static_cast<std::uint64_t>(settings.batch);
      result.failure =
          explain_not_finite(session, training, options.shuffle ? order.data() : nullptr, first, epoch + 1);
      return result;
    }
    if (validation != nullptr && validation->count > 0) {
      MetricValues values;
      if (session.evaluate(*validation, values) == Outcome::stopped) {
        if (options.undo_interrupted) session.set_state(before);
        result.end = FitResult::End::interrupted;
        return result;
      }
      report.validation = std::move(values);
    }
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result.seconds += report.seconds;
    session.set_scalar("epoch", static_cast<double>(epoch + 1));
    ++result.epochs_done;
    result.last = report;

    if (reducer) reducer->after_epoch(session, report);
    const bool stops_early = stopper && stopper->after_epoch(session, report);
    if (options.on_epoch && !options.on_epoch(report)) {
      result.end = FitResult::End::by_callback;
      break;
    }
    if (stops_early) {
      result.end = FitResult::End::stopped_early;
      break;
    }
  }
  if (settings.averages_weights) use_averages(session);
  if (stopper && settings.early_stopping->restore_best && result.end != FitResult::End::by_callback)
    stopper->restore(session);
  return result;
}

}  // namespace tarn
