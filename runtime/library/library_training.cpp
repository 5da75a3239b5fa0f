// Training and evaluation by sessions of the C API. See library.h.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "ir/counted.h"
#include "runtime/data/dataset.h"
#include "runtime/data/validation_split.h"
#include "runtime/files/value_check.h"
#include "runtime/library/library.h"
#include "runtime/library/session_turn.h"
#include "runtime/training/checkpoint_folder.h"

namespace tarn {

namespace {

// No arrays are given: the data are those that the model file names.
DataRequest from_data_block(Purpose purpose) { return {purpose, {}, ""}; }

std::vector<double> flattened(const MetricValues& metrics) {
  std::vector<double> values;
  for (const std::vector<double>& metric : metrics.values) values.insert(values.end(), metric.begin(), metric.end());
  return values;
}

void copy_metrics(const MetricValues& metrics, double* values) {
  if (values != nullptr) std::ranges::copy(flattened(metrics), values);
}

}  // namespace

struct LibrarySession::TrainingData {
  Arguments training, validation;
  Dataset training_file, validation_file;
  Rows training_rows, validation_rows;
  std::optional<Vocabularies> vocabularies;  // of files
};

Answer LibrarySession::check_metrics(const double* values, std::size_t value_count) const {
  if (!program().trainable) return invalid("the model has no `train` block");
  const std::size_t wanted = metric_value_count(program());
  if (values != nullptr && value_count < wanted)
    return invalid(fmt::format("there is room for {} of metrics; {} {} wanted", counted(value_count, "value"), wanted,
                               agreeing(wanted, "is", "are")));
  return {};
}

void LibrarySession::log_remarks(const Dataset& data) const {
  for (const Diagnostic& remark : data.remarks)
    model_->log(remark.severity == Severity::warning ? TARN_WARNING : TARN_NOTE, remark.message);
}

Answer LibrarySession::read_training_data(const tarn_array* arrays, std::size_t count, const tarn_fit_options& options,
                                          TrainingData& data) {
  if (count > 0 || arrays != nullptr) {
    if (Answer answer = read_arguments(program(), arrays, count, true, data.training); answer.failed()) return answer;
    data.training_rows = data.training.rows;
  } else {
    const std::string& folder = model_->model->folder();
    Vocabularies vocabularies = session_.vocabularies();
    Result<Dataset> read = read_dataset(program(), folder, from_data_block(Purpose::train), vocabularies);
    if (!read) return failure(TARN_DATA, std::move(read).error());
    data.training_file = std::move(*read);
    log_remarks(data.training_file);
    data.training_rows = data.training_file.view();
    if (has_data(program(), "validation") && options.validation_count == 0) {
      Result<Dataset> validation = read_dataset(program(), folder, from_data_block(Purpose::validate), vocabularies);
      if (!validation) return failure(TARN_DATA, std::move(validation).error());
      data.validation_file = std::move(*validation);
      log_remarks(data.validation_file);
      data.validation_rows = data.validation_file.view();
    }
    data.vocabularies = std::move(vocabularies);
  }
  if (options.validation_count > 0) {
    Answer answer = read_arguments(program(), options.validation, options.validation_count, true, data.validation);
    if (answer.failed()) return answer;
    data.validation_rows = data.validation.rows;
    if (data.validation_rows.count == 0) return invalid("there are no samples to validate on");
  } else if (data.validation_rows.count == 0 && program().settings.validation_split > 0) {
    const std::uint64_t rows = data.training_rows.count;
    const std::uint64_t cut = rows_for_training(program(), rows);
    data.validation_rows = data.training_rows.slice(program(), cut, rows);
    data.training_rows = data.training_rows.slice(program(), 0, cut);
  }
  if (data.training_rows.count == 0) return invalid("there are no samples to train on");
  if (data.training_rows.count > std::numeric_limits<std::uint32_t>::max())
    return invalid(fmt::format("{} samples are too many", data.training_rows.count));
  return {};
}

Answer LibrarySession::fit(const tarn_array* arrays, std::size_t count, const tarn_fit_options& options,
                           tarn_fit_result& result) {
  if (Answer answer = check_metrics(nullptr, 0); answer.failed()) return answer;
  if (options.epochs < 0 || options.until_epoch < 0) return invalid("the number of epochs is negative");
  if (options.epochs > 0 && options.until_epoch > 0) return invalid("`epochs` and `until_epoch` exclude each other");
  // Predictions meanwhile see the weights as they are now, and later those of the last epoch.
  served_.publish();
  Turn turn(*this, Use::training, true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  TrainingData data;
  if (Answer answer = read_training_data(arrays, count, options, data); answer.failed()) {
    turn.nothing_changed();
    return answer;
  }
  if (Status learnt = take_vocabularies(session_, data.vocabularies.value_or(session_.vocabularies())); !learnt) {
    turn.nothing_changed();
    return failure(TARN_DATA, std::move(learnt).error());
  }
  return run_epochs(data, options, turn, result);
}

// Shows the epoch to the caller; false ends training. Others may use the session meanwhile.
bool LibrarySession::after_epoch(const EpochReport& report, const tarn_fit_options& options, Turn& turn) {
  const std::vector<double> training = flattened(report.training);
  const std::vector<double> validation = report.validation ? flattened(*report.validation) : std::vector<double>();
  const tarn_epoch epoch{
      report.epoch,   report.epochs, report.seconds, training.data(), report.validation ? validation.data() : nullptr,
      training.size()};
  const bool go_on =
      turn.lent([&] { return options.on_epoch == nullptr || options.on_epoch(options.context, &epoch) != 0; });
  epoch_.store(report.epoch + 1, std::memory_order_relaxed);
  return go_on;
}

Answer LibrarySession::run_epochs(const TrainingData& data, const tarn_fit_options& options, Turn& turn,
                                  tarn_fit_result& result) {
  const TrainSettings& settings = program().settings;
  const auto done = static_cast<std::int64_t>(session_.scalar("epoch"));
  const std::int64_t more = options.epochs > 0 ? options.epochs : settings.epochs;
  FitOptions fit_options;
  fit_options.epochs = options.until_epoch > 0 ? options.until_epoch : done + std::min(more, kMostCounted - done);
  fit_options.shuffle = settings.shuffle && options.keep_order == 0;
  fit_options.on_epoch = [&](const EpochReport& report) { return after_epoch(report, options, turn); };
  Status written = Done{};
  fit_options.on_checkpoint = [&](const CheckpointSetting& setting) {
    written = save_checkpoint(folder_of(setting, model_->model->folder()), session_, memory_);
    return written.has_value();
  };
  // Early stopping and the like begin anew, but where a run goes on.
  const EpochPlan plan = next_epoch(session_, data.training_rows, fit_options.shuffle);
  const bool was_interrupted = memory_.position && memory_.position->plan == plan;
  if (!std::exchange(goes_on_, false) && !was_interrupted) memory_ = {};
  fit_options.memory = &memory_;
  fit_options.adapt = adapts_;

  batches_.store(plan.batches(), std::memory_order_relaxed);
  epochs_.store(fit_options.epochs, std::memory_order_relaxed);
  epoch_.store(done + 1, std::memory_order_relaxed);
  struct AtTheEnd {
    LibrarySession& session;
    ~AtTheEnd() {
      session.epoch_.store(0, std::memory_order_relaxed);
      session.session_.clear_stop();
    }
  };
  const AtTheEnd at_the_end{*this};
  FitResult fitted = tarn::fit(session_, data.training_rows,
                               data.validation_rows.count > 0 ? &data.validation_rows : nullptr, fit_options);
  result = {TARN_COMPLETED, fitted.epochs_done, fitted.steps, fitted.seconds};
  if (!written) return failure(TARN_DATA, std::move(written).error());
  switch (fitted.end) {
    case FitResult::End::completed:
      break;
    case FitResult::End::stopped_early:
      result.end = TARN_STOPPED_EARLY;
      model_->log(TARN_NOTE, fmt::format("training stopped early after epoch {}", done + fitted.epochs_done));
      break;
    case FitResult::End::by_callback:
      result.end = TARN_BY_CALLBACK;
      break;
    case FitResult::End::interrupted:
      result.end = TARN_BY_STOP;
      break;
    case FitResult::End::not_finite:
      return {TARN_NOT_FINITE, {std::move(fitted.failure)}};
  }
  return {};
}

Answer LibrarySession::not_finite(Outcome outcome, const Rows& batch) const {
  const std::int64_t epoch = static_cast<std::int64_t>(session_.scalar("epoch")) + 1;
  return {TARN_NOT_FINITE, {explain_not_finite(session_, {outcome, batch, nullptr, 0, epoch})}};
}

Answer LibrarySession::train_on_batch(const tarn_array* arrays, std::size_t count, double* values,
                                      std::size_t value_count) {
  if (Answer answer = check_metrics(values, value_count); answer.failed()) return answer;
  Arguments arguments;
  if (Answer answer = read_arguments(program(), arrays, count, true, arguments); answer.failed()) return answer;
  const auto batch = static_cast<std::uint64_t>(program().settings.batch);
  if (arguments.rows.count == 0 || arguments.rows.count > batch)
    return invalid(fmt::format("a batch has 1 {}; this one has {}",
                               batch == 1 ? "sample" : fmt::format("to {} samples", batch), arguments.rows.count));
  Turn turn(*this, Use::training, true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  // Where labels are known, class weights by label are, too.
  if (session_.vocabularies().find(program().settings.class_weight_target) != nullptr) {
    if (Status learnt = take_vocabularies(session_, session_.vocabularies()); !learnt) {
      turn.nothing_changed();
      return failure(TARN_DATA, std::move(learnt).error());
    }
  }
  MetricValues metrics;
  switch (session_.train(arguments.rows, nullptr, metrics)) {
    case Outcome::done:
      break;
    case Outcome::stopped:
      session_.clear_stop();
      turn.nothing_changed();
      return stopped();
    case Outcome::not_finite:
      turn.nothing_changed();
      return not_finite(Outcome::not_finite, arguments.rows);
    case Outcome::update_not_finite:
      memory_.position.reset();
      return not_finite(Outcome::update_not_finite, arguments.rows);
  }
  memory_.position.reset();
  copy_metrics(metrics, values);
  return {};
}

Answer LibrarySession::evaluate(const tarn_array* arrays, std::size_t count, double* values, std::size_t value_count) {
  if (Answer answer = check_metrics(values, value_count); answer.failed()) return answer;
  Arguments arguments;
  Dataset file;
  if (count > 0 || arrays != nullptr) {
    if (Answer answer = read_arguments(program(), arrays, count, true, arguments); answer.failed()) return answer;
  } else {
    Vocabularies vocabularies;
    {
      const Turn turn(*this, Use::brief, false);
      if (Answer refused = turn.refusal(); refused.failed()) return refused;
      vocabularies = session_.vocabularies();
    }
    learn_labels(program(), model_->model->folder(), vocabularies);
    Result<Dataset> read =
        read_dataset(program(), model_->model->folder(), from_data_block(Purpose::evaluate), vocabularies);
    if (!read) return failure(TARN_DATA, std::move(read).error());
    file = std::move(*read);
    log_remarks(file);
    arguments.rows = file.view();
  }
  if (arguments.rows.count == 0) return invalid("there are no samples to evaluate");
  const EvaluateFunction function = model_->model->native().evaluate();
  ReaderLease lease(served_);
  Reader& reader = lease.reader();
  start_metrics(program(), reader.workspace);
  reader.control.first_sample = 0;
  const PoolLease pool(session_.pool(), reader.control);
  const auto outcome =
      static_cast<Outcome>(function(lease.state(), reader.workspace.data(), arguments.rows.arrays.data(), nullptr,
                                    arguments.rows.count, &reader.control));
  if (outcome == Outcome::stopped) return stopped();
  copy_metrics(read_metrics(*model_->model, reader.workspace), values);
  return {};
}

}  // namespace tarn
