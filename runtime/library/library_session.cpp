// Sessions of the C API: turns on the working state, training, and what reads and writes tensors. See library.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "codegen/program/workspace.h"
#include "ir/counted.h"
#include "runtime/data/dataset.h"
#include "runtime/data/output_classes.h"
#include "runtime/data/validation_split.h"
#include "runtime/library/library.h"
#include "runtime/training/checkpoint_folder.h"

namespace tarn {

namespace {

// Bytes at the start of a state that predictions and evaluations look at.
std::size_t served_bytes(const Model& model) {
  std::uint64_t end = kStateHeaderBytes;
  for (const char* const name : {"predict", "evaluate"}) {
    const auto plan = model.plan().plans.find(name);
    if (plan == model.plan().plans.end()) continue;
    for (const Buffer& buffer : plan->second.buffers) {
      if (buffer.space != Space::state) continue;
      end = std::max(end, buffer.offset + sample_bytes({buffer.dtype, false, buffer.shape}));
    }
  }
  return static_cast<std::size_t>(aligned(end));
}

std::vector<double> flattened(const MetricValues& metrics) {
  std::vector<double> values;
  for (const std::vector<double>& metric : metrics.values) values.insert(values.end(), metric.begin(), metric.end());
  return values;
}

void copy_metrics(const MetricValues& metrics, double* values) {
  if (values != nullptr) std::ranges::copy(flattened(metrics), values);
}

// The names of the classes of an input or target or, of an output, those that it tells apart; nothing where there is
// none of that name.
std::optional<std::vector<std::string>> names_of_classes(const Program& program, const std::string& name,
                                                         const Vocabularies& vocabularies) {
  if (program.find_input(name) != nullptr) return vocabularies.names(name);
  const auto output =
      std::ranges::find_if(program.outputs, [&](const OutputInfo& known) { return known.name == name; });
  if (output == program.outputs.end()) return std::nullopt;
  std::vector<std::string> names = class_names_of(program, *output, vocabularies);
  return names.empty() ? vocabularies.names(output->target) : names;
}

Answer stopped() { return {TARN_STOPPED, {error("stopped before the end")}}; }

}  // namespace

class LibrarySession::Turn {
 public:
  // `restarts`: the call leaves nothing of the training before it, so it is refused between epochs, too, as another
  // call that trains is.
  Turn(LibrarySession& session, Use use, bool changes, bool restarts = false)
      : session_(session), use_(use), changes_(changes) {
    std::unique_lock lock(session_.mutex_);
    session_.free_.wait(lock, [&] { return session_.use_ != Use::brief; });
    if (session_.use_ == Use::training) return;
    if (session_.is_lent_ && (restarts || use == Use::training)) return;
    take();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (taken_) give_back();
  }

  // What to answer where another thread trains; TARN_OK where the turn is ours.
  Answer refusal() const {
    if (taken_) return {};
    return {TARN_BUSY, {error("the session is training in another call")}};
  }

  // The working state is as it was before.
  void nothing_changed() { changed_ = false; }

  // Lets others in while `action` runs.
  template <class Action>
  auto lent(const Action& action) {
    struct Return {
      Turn& turn;
      ~Return() { turn.take_back(); }
    };
    give_back(/*lends=*/true);
    const Return at_the_end{*this};
    return action();
  }

 private:
  void take() {
    session_.use_ = use_;
    taken_ = true;
    changed_ = changes_;
    if (changes_) session_.served_.begin_change();
  }
  void take_back() {
    std::unique_lock lock(session_.mutex_);
    session_.free_.wait(lock, [&] { return session_.use_ == Use::none; });
    session_.is_lent_ = false;
    take();
  }
  void give_back(bool lends = false) {
    if (changes_) session_.served_.end_change(changed_);
    taken_ = false;
    const std::scoped_lock lock(session_.mutex_);
    session_.use_ = Use::none;
    session_.is_lent_ |= lends;
    session_.free_.notify_all();
  }

  LibrarySession& session_;
  const Use use_;
  const bool changes_;
  bool taken_ = false, changed_ = false;
};

struct LibrarySession::TrainingData {
  Arguments training, validation;
  Dataset training_file, validation_file;
  Rows training_rows, validation_rows;
  std::optional<Vocabularies> vocabularies;  // of files
};

LibrarySession::LibrarySession(std::shared_ptr<const LibraryModel> model, std::uint64_t seed, int threads)
    : model_(std::move(model)),
      session_(model_->model, seed, threads),
      served_([this] { return session_.state().data(); }, served_bytes(*model_->model), session_.workspace_bytes(),
              model_->model->plan().packed) {}

bool LibrarySession::is_adapted(const std::string& name) const {
  const auto adapt = program().graphs.find("adapt");
  if (adapt == program().graphs.end()) return false;
  const std::vector<GraphResult>& stored = adapt->second.results();
  return std::any_of(stored.begin(), stored.end(), [&](const GraphResult& r) { return r.name == name; });
}

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
    Result<Dataset> read = read_dataset(program(), folder, {Purpose::train, {}}, vocabularies);
    if (!read) return failure(TARN_DATA, std::move(read).error());
    data.training_file = std::move(*read);
    log_remarks(data.training_file);
    data.training_rows = data.training_file.view();
    if (has_data(program(), "validation") && options.validation_count == 0) {
      Result<Dataset> validation = read_dataset(program(), folder, {Purpose::validate, {}}, vocabularies);
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
  fit_options.epochs = options.until_epoch > 0 ? options.until_epoch : done + std::min(more, kMostEpochs - done);
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
    Result<Dataset> read = read_dataset(program(), model_->model->folder(), {Purpose::evaluate, {}}, vocabularies);
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

PredictFunction LibrarySession::predict_function() {
  PredictFunction function = predict_.load(std::memory_order_acquire);
  if (function != nullptr) return function;
  NativeProgram& native = model_->model->native();
  function = model_->model->plan().packed.in_groups() ? native.predict_packed() : native.predict();
  predict_.store(function, std::memory_order_release);
  return function;
}

Answer LibrarySession::predict(const tarn_array* inputs, std::size_t input_count, const tarn_output* outputs,
                               std::size_t output_count) {
  Arguments arguments;
  Answer answer = read_arguments(program(), inputs, input_count, false, arguments);
  if (answer.failed()) return answer;
  std::vector<void*> pointers;
  std::vector<Bytes> scratch;
  answer = read_outputs(program(), outputs, output_count, arguments.rows.count, pointers, scratch);
  if (!answer.failed()) answer = check_apart(program(), arguments.rows, pointers);
  if (answer.failed()) return answer;
  const PredictFunction function = predict_function();
  ReaderLease lease(served_);
  Reader& reader = lease.reader();
  reader.control.first_sample = 0;
  const PoolLease pool(session_.pool(), reader.control);
  const auto outcome =
      static_cast<Outcome>(function(lease.weights(), reader.workspace.data(), arguments.rows.arrays.data(),
                                    pointers.data(), arguments.rows.count, &reader.control));
  return outcome == Outcome::stopped ? stopped() : Answer();
}

Answer LibrarySession::read(const std::string& name, tarn_dtype dtype, void* values, std::size_t bytes) {
  const TensorInfo* tensor = program().find_tensor(name);
  if (tensor == nullptr || tensor->kind == TensorKind::metric)
    return invalid(fmt::format("the model has no tensor '{}'", name));
  if (dtype != dtype_of(tensor->type.dtype))
    return invalid(fmt::format("'{}' is {}", name, name_of(tensor->type.dtype)));
  const std::uint64_t wanted = sample_bytes(tensor->type);
  Answer answer = check_memory(values, bytes, wanted, tensor->type.dtype, fmt::format("'{}'", name));
  if (answer.failed()) return answer;
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  if (wanted > 0) std::memcpy(values, session_.state().data() + tensor->offset, wanted);
  return {};
}

Answer LibrarySession::write(const std::string& name, const tarn_view& values) {
  const TensorInfo* tensor = program().find_tensor(name);
  if (tensor == nullptr || tensor->kind == TensorKind::metric)
    return invalid(fmt::format("the model has no tensor '{}'", name));
  Array array;
  if (Answer answer = read_tensor(values, *tensor, array); answer.failed()) return answer;
  const bool counts = tensor->kind == TensorKind::counter;
  if (counts && !(array.at(0) >= 0 && array.at(0) <= static_cast<double>(kMostEpochs)))
    return invalid(fmt::format("'{}' counts from 0 to {}", name, kMostEpochs));
  if (Answer answer = check_tensor(array, *tensor); answer.failed()) return answer;
  const Turn turn(*this, Use::brief, true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  session_.set_tensor(name, array);
  if (is_adapted(name)) adapts_ = false;
  // Another learning rate is for what is left of an interrupted epoch; with other weights it is another run.
  if (tensor->kind != TensorKind::hyper) memory_.position.reset();
  return {};
}

Answer LibrarySession::classes(const std::string& input, char* names, std::size_t& bytes, std::size_t& count) {
  std::optional<std::vector<std::string>> found;
  {
    const Turn turn(*this, Use::brief, false);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    found = names_of_classes(program(), input, session_.vocabularies());
  }
  if (!found) return invalid(fmt::format("the model has no input '{}', and no target or output", input));
  std::string all;
  for (const std::string& name : *found) all.append(name.c_str(), name.size() + 1);
  if (names != nullptr && bytes < all.size())
    return invalid(
        fmt::format("the memory for the names of classes has {}; it needs {}", counted(bytes, "byte"), all.size()));
  if (names != nullptr) std::ranges::copy(all, names);
  bytes = all.size();
  count = found->size();
  return {};
}

Answer LibrarySession::initialize(std::uint64_t seed) {
  Turn turn(*this, Use::brief, true, /*restarts=*/true);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  const std::uint64_t seed_before = session_.seed();
  const Bytes state_before = session_.state();
  const Vocabularies vocabularies_before = session_.vocabularies();
  session_.initialize(seed);
  if (Answer answer = check_initial(); answer.failed()) {
    session_.initialize(seed_before);
    session_.set_state(state_before);
    session_.set_vocabularies(vocabularies_before);
    turn.nothing_changed();
    return answer;
  }
  memory_ = {};
  adapts_ = true;
  return {};
}

Answer LibrarySession::check_initial() const { return answer_of(TARN_NOT_FINITE, check_initial_values(session_)); }

Answer LibrarySession::save(const std::string& path) {
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  return answer_of(TARN_DATA, write_weights(path, session_));
}

Answer LibrarySession::checkpoint(const std::string& path) {
  const Turn turn(*this, Use::brief, false);
  if (Answer refused = turn.refusal(); refused.failed()) return refused;
  return answer_of(TARN_DATA, write_checkpoint(path, session_, memory_));
}

// Weights mean what they do with the constants that they were trained with; the model has its own by now.
Status LibrarySession::check_constants(const WeightsFile& weights) const {
  Diagnostics errors;
  for (const auto& [name, value] : weights.constants) {
    if (program().constants.contains(name)) continue;
    errors.push_back(
        error(fmt::format("'{}' was trained with {} = {}, and the model was compiled without that: "
                          "tarn::compile_file(…, {{.weights = \"{}\"}}) compiles with what it notes, in C the "
                          "field `weights` of tarn_compile_options",
                          weights.path, name, value, weights.path)));
  }
  if (errors.empty()) return Done{};
  return errors;
}

// What a setting says is set; what the file says otherwise than before is not, which is said.
void LibrarySession::set_hyper_parameters(const std::vector<ChangedHyperParameter>& changed) {
  for (const ChangedHyperParameter& one : changed) {
    const bool is_set =
        std::ranges::any_of(model_->settings, [&](const std::string& key) { return one.is_under(key); });
    if (is_set) {
      session_.set_scalar(one.name, one.in_file);
    } else {
      model_->log(TARN_NOTE, fmt::format("{} is {} as in the checkpoint, and {} in the file", one.name,
                                         one.in_checkpoint, one.in_file));
    }
  }
}

Answer LibrarySession::load(const std::string& path) {
  // Read before anybody has to wait.
  Result<WeightsFile> weights = read_weights(path);
  if (!weights) return failure(TARN_DATA, std::move(weights).error());
  {
    Turn turn(*this, Use::brief, true);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    Status applied = check_constants(*weights);
    if (applied) applied = apply_weights(session_, *weights);
    if (!applied) {
      turn.nothing_changed();
      return failure(TARN_DATA, std::move(applied).error());
    }
    adapts_ = false;
    memory_.position.reset();
  }
  served_.publish();
  return {};
}

Answer LibrarySession::resume(const std::string& path) {
  Result<Checkpoint> checkpoint = read_checkpoint(path);
  if (!checkpoint) return failure(TARN_DATA, std::move(checkpoint).error());
  const std::vector<ChangedHyperParameter> changed = changed_hyper_parameters(program(), *checkpoint);
  {
    Turn turn(*this, Use::brief, true, /*restarts=*/true);
    if (Answer refused = turn.refusal(); refused.failed()) return refused;
    Status resumed = check_constants(checkpoint->state);
    if (resumed) resumed = resume_checkpoint(session_, std::move(*checkpoint), memory_);
    if (!resumed) {
      turn.nothing_changed();
      return failure(TARN_DATA, std::move(resumed).error());
    }
    set_hyper_parameters(changed);
    goes_on_ = true;
  }
  served_.publish();
  return {};
}

void LibrarySession::stop() {
  session_.stop();
  served_.stop_readers();
}

tarn_progress LibrarySession::progress() const {
  const std::int64_t epoch = epoch_.load(std::memory_order_relaxed);
  if (epoch == 0) return {0, 0, 0, 0};
  const std::uint64_t batches = batches_.load(std::memory_order_relaxed);
  return {epoch, epochs_.load(std::memory_order_relaxed), std::min(session_.batches_done(), batches), batches};
}

}  // namespace tarn
