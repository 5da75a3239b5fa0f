// `tarn train FILE`: compile in memory, train, write the weights.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "ir/counted.h"
#include "runtime/files/file.h"
#include "runtime/training/checkpoint_folder.h"
#include "runtime/training/training.h"
#include "tools/driver/class_report.h"
#include "tools/driver/command.h"
#include "tools/driver/command_files.h"
#include "tools/driver/confusion_matrix.h"
#include "tools/driver/history.h"
#include "tools/driver/interrupt.h"
#include "tools/driver/process_memory.h"
#include "tools/driver/progress.h"
#include "tools/driver/tensorboard.h"
#include "tools/driver/training_data.h"
#include "tools/driver/training_events.h"
#include "tools/driver/training_start.h"

namespace tarn {

namespace {

using Json = nlohmann::ordered_json;

std::string output_of(const TrainOptions& options) {
  return options.output.empty() ? default_weights(options.file) : options.output;
}

// Weights are in one of two formats, which the name says; devices take anything.
Status is_weights_name(const std::string& path) {
  if (is_device(path) || path.ends_with(".safetensors") || path.ends_with(".npz")) return Done{};
  return error(fmt::format("-o {}: the name of weights must end in .safetensors or .npz", path));
}

// What the command line says of the files of a run.
CommandFiles files_of(const TrainOptions& options) {
  CommandFiles files(options);
  for (const GivenFile& file : given_files(options.validation)) files.reads("a file of validation data", file.path);
  if (options.resume && !options.resume->empty()) files.reads(kCheckpoint, checkpoint_path(*options.resume));
  files.writes(options.output.empty() ? "the file of the trained weights" : "-o", output_of(options), kWeightsFile);
  files.writes("--history", options.history);
  files.writes("--report", options.report);
  if (!options.checkpoint.empty()) files.writes("--checkpoint", checkpoint_path(options.checkpoint), kCheckpoint);
  return files;
}

// Everything that a run is going to write.
Status results_can_be_written(const TrainOptions& options, const Program& program, const std::string& folder,
                              const Sources& sources) {
  CommandFiles files = files_of(options);
  files.reads(program, folder, sources);
  for (const CheckpointSetting& setting : program.settings.checkpoints)
    files.writes("checkpoint", checkpoint_path(folder_of(setting, folder)), kCheckpoint);
  TARN_RETURN_IF_ERROR(files.check());
  for (const std::string& file : {output_of(options), options.history, options.report}) {
    if (!file.empty()) TARN_RETURN_IF_ERROR(can_be_written(file));
  }
  TARN_RETURN_IF_ERROR(is_weights_name(output_of(options)));
  std::vector<std::string> checkpoints;
  if (!options.checkpoint.empty()) checkpoints.push_back(options.checkpoint);
  for (const CheckpointSetting& setting : program.settings.checkpoints)
    checkpoints.push_back(folder_of(setting, folder));
  for (const std::string& checkpoint : checkpoints) {
    TARN_RETURN_IF_ERROR(folder_can_be_made(checkpoint));
    if (std::filesystem::exists(checkpoint)) TARN_RETURN_IF_ERROR(can_be_written(checkpoint_path(checkpoint)));
  }
  return options.tensorboard.empty() ? Status(Done{}) : folder_can_be_made(options.tensorboard);
}

TrainingDataRequest data_request(const TrainOptions& options) {
  return {given_files(options.data), given_files(options.validation), {}};
}

// A model and the data for it, which may still be on their way: what is wrong with them is said when all else is known
// to be right.
struct Compiled {
  std::shared_ptr<Model> model;
  std::future<Result<TrainingData>> data;
  Start start;
};

// One run: what it works on and what it leaves behind.
class Run {
 public:
  Run(const TrainOptions& options, Console& console, Compiled compiled)
      : options_(options),
        console_(console),
        model_(*compiled.model),
        session_(compiled.model, options.seed.value_or(model_.program().settings.seed), options.threads),
        reading_(std::move(compiled.data)),
        start_(std::move(compiled.start)),
        history_(model_.program()),
        tensorboard_(options.tensorboard) {}

  int threads() const { return session_.threads(); }

  Status prepare() {
    TARN_RETURN_IF_ERROR(results_can_be_written(options_, program(), model_.folder(), console_.sources));
    TrainingDataRequest request = data_request(options_);
    TARN_RETURN_IF_ERROR(start_from_file());
    TARN_RETURN_IF_ERROR(check_initial_values(session_));
    request.vocabularies = session_.vocabularies();
    TARN_TRY(data_, reading_.valid() ? reading_.get() : read_training_data(request, program(), model_.folder()));
    TARN_RETURN_IF_ERROR(take_vocabularies(session_, data_.vocabularies));
    TARN_RETURN_IF_ERROR(can_hold_weights(output_of(options_), session_));
    console_.remark(data_.warnings);
    warn_about_labels();
    warn_about_monitors();
    return Done{};
  }

  // Trains while the console shows progress and checkpoints are written.
  void train() {
    Progress progress(console_);
    FitOptions options;
    options.epochs = program().settings.epochs;
    if (options.epochs > 0 && epochs_done() >= options.epochs) {
      console_.note(fmt::format("note: nothing is trained: {} {} done, of {} in all; --epochs may ask for more",
                                counted(epochs_done(), "epoch"), agreeing(epochs_done(), "is", "are"), options.epochs));
    }
    options.shuffle = program().settings.shuffle;
    options.adapt = options_.weights.empty();  // given weights bring their fitted states
    options.memory = &memory_;
    options.on_checkpoint = [&](const CheckpointSetting& setting) {
      return attempt(save(folder_of(setting, model_.folder()), memory_));
    };
    options.on_epoch = [&](const EpochReport& report) { return after_epoch(report, progress); };
    options.before_end = [&] {
      if (!options_.checkpoint.empty() && failures_.empty()) attempt(save(options_.checkpoint, memory_));
    };
    guard_.emplace(session_);
    const bool validates = data_.validation_rows.count > 0;
    result_ = fit(session_, data_.training_rows, validates ? &data_.validation_rows : nullptr, options);
    progress.finish();
  }

  // So few batches that `accumulate` never came to an update are no training.
  void note_updates() const {
    const std::int64_t batches = program().settings.batches_per_update;
    if (result_.last && batches > 1 && session_.scalar("step") < static_cast<double>(batches)) {
      console_.note(fmt::format("note: the weights are as they were: {} of {} for an update (accumulate) were done",
                                static_cast<std::int64_t>(session_.scalar("step")),
                                counted(batches, "batch", "batches")));
    }
  }

  // Writes history, checkpoint and weights, and says how it ended; the exit status.
  int finish() {
    attempt(write_history());
    if (result_.end == FitResult::End::not_finite) keep_what_is_good();
    if (!failures_.empty()) return console_.report(failures_);
    if (result_.end == FitResult::End::interrupted) {
      if (!attempt(save(checkpoint_folder(), memory_))) return console_.report(failures_);
      const std::optional<EpochPosition>& at = memory_.position;
      console_.note(
          fmt::format("interrupted in epoch {}{}; go on with --resume {}", epochs_done() + 1,
                      at ? fmt::format(", after {} of {} batches", at->batches, at->plan.batches()) : std::string(),
                      checkpoint_folder()));
      return kInterrupted;
    }
    if (!attempt(write_weights(output_of(options_), session_))) return console_.report(failures_);
    note_updates();
    announce_end(console_, session_, result_, epochs_done(), output_of(options_));
    return kDone;
  }

 private:
  const Program& program() const { return model_.program(); }
  std::int64_t epochs_done() const { return static_cast<std::int64_t>(session_.scalar("epoch")); }

  bool attempt(const Status& status) {
    if (!status) failures_.insert(failures_.end(), status.error().begin(), status.error().end());
    return status.has_value();
  }

  std::string checkpoint_folder() const {
    return tarn::checkpoint_folder(options_, program().settings, model_.folder());
  }

  Status save(const std::string& folder, const TrainingMemory& memory) {
    TARN_RETURN_IF_ERROR(save_checkpoint(folder, session_, memory));
    saved_ = {folder, epochs_done()};
    return Done{};
  }

  // Training ended with what is not finite: the weights of the best epoch, where they are to be restored, and the state
  // behind the last epoch, where there is to be a checkpoint, are written nevertheless.
  void keep_what_is_good() {
    Diagnostic failure = std::move(result_.failure);
    const auto note = [&](std::string text) { failure.notes.push_back({{}, std::move(text)}); };
    if (result_.has_best_weights && attempt(write_weights(output_of(options_), session_))) {
      const std::string& monitor = program().settings.early_stopping->monitor;
      const std::optional<double>& best = memory_.early_stopping.best;
      note(fmt::format("the weights of the {} are in {}",
                       best ? fmt::format("best epoch ({} {:.4g})", monitor, *best) : std::string("first epoch"),
                       output_of(options_)));
    }
    if (last_good_) {
      session_.set_state(last_good_->state);
      attempt(save(options_.checkpoint, last_good_->memory));
    }
    if (saved_) {
      note(fmt::format("the checkpoint in {} is that of epoch {}: --resume {} goes on from there", saved_->folder,
                       saved_->epoch, saved_->folder));
    }
    failures_.push_back(std::move(failure));
  }

  Status start_from_file() {
    Start start = std::exchange(start_, {});
    if (start.weights) return apply_weights(session_, *start.weights);
    if (!start.checkpoint) return Done{};
    TARN_RETURN_IF_ERROR(resume_checkpoint(session_, std::move(*start.checkpoint), memory_));
    for (const ChangedHyperParameter& one : start.from_settings) session_.set_scalar(one.name, one.in_file);
    for (const ChangedHyperParameter& one : start.from_file) {
      console_.note(fmt::format("note: {} is {} as in the checkpoint, and {} in the file; --set changes it", one.name,
                                one.in_checkpoint, one.in_file));
    }
    if (options_.seed && *options_.seed != session_.seed())
      console_.note(fmt::format("note: the seed is {} as in the checkpoint", session_.seed()));
    return Done{};
  }

  void warn_about_labels() const {
    for (const InputInfo& input : program().inputs) {
      const std::vector<std::string>& names = session_.vocabularies().names(input.name);
      if (input.role != InputRole::target || names.size() != 1) continue;
      console_.note(
          fmt::format("note: all labels of '{}' are '{}': there is nothing to tell apart", input.name, names.front()));
    }
  }

  void warn_about_monitors() {
    if (data_.validation_rows.count > 0) return;
    const auto warn = [&](const char* setting, const std::string& monitor) {
      if (!monitor.starts_with("val_")) return;
      Diagnostic warning =
          warning_at({}, fmt::format("{} follows '{}', and there is nothing to validate on", setting, monitor));
      warning.notes.push_back({{}, "validation_split, `data validation` or --validation say what is"});
      console_.report({warning});
    };
    const TrainSettings& settings = program().settings;
    if (settings.early_stopping) warn("early_stopping", settings.early_stopping->monitor);
    if (settings.reduce_on_plateau) warn("reduce_on_plateau", settings.reduce_on_plateau->monitor);
    for (const CheckpointSetting& checkpoint : settings.checkpoints) {
      if (checkpoint.best) warn("checkpoint", checkpoint.monitor);
    }
  }

  bool after_epoch(const EpochReport& report, Progress& progress) {
    progress.after_epoch(program(), report);
    if (!options_.history.empty() || !options_.report.empty()) history_.add(report);
    if (!options_.tensorboard.empty() && !attempt(tensorboard_.add(program(), report))) return false;
    if (console_.json()) {
      Json object{{"event", "epoch"}, {"epoch", report.epoch}};
      add_losses(object, program(), report);
      object["seconds"] = report.seconds;
      console_.event(object);
    }
    return options_.checkpoint.empty() || write_or_remember(report.epoch);
  }

  // The checkpoint behind an epoch, on the disk where it is time for one.
  bool write_or_remember(std::int64_t epoch) {
    const auto now = CheckpointPace::Clock::now();
    if (options_.every > 0 ? epoch % options_.every != 0 : !pace_.is_due(now)) {
      if (!last_good_) last_good_.emplace();
      last_good_->state = session_.state();
      last_good_->memory = memory_;
      return true;
    }
    last_good_.reset();
    if (!attempt(save(options_.checkpoint, memory_))) return false;
    pace_.wrote(now, CheckpointPace::Clock::now());
    return true;
  }

  // Of a run that came to its end: others keep their weights for another time.
  std::string sections_of_classes() {
    const bool ended = result_.end == FitResult::End::completed || result_.end == FitResult::End::stopped_early;
    if (!ended) return "";
    Diagnostics remarks;
    std::string sections = class_sections(session_, data_, remarks);
    console_.remark(remarks);
    return sections;
  }

  Status write_history() {
    if (!options_.history.empty())
      TARN_RETURN_IF_ERROR(write_file(options_.history, history_.csv(data_.validation_rows.count > 0)));
    if (!options_.report.empty()) {
      const std::string page = history_.html("Training of " + program().name, sections_of_classes());
      TARN_RETURN_IF_ERROR(write_file(options_.report, page));
    }
    return Done{};
  }

  const TrainOptions& options_;
  Console& console_;
  const Model& model_;
  Session session_;
  std::future<Result<TrainingData>> reading_;
  Start start_;
  TrainingData data_;
  TrainingMemory memory_;
  History history_;
  TensorBoardLog tensorboard_;
  FitResult result_;
  Diagnostics failures_;
  // From the first batch to the end of the command: what is trained is written, whenever a signal comes.
  std::optional<InterruptGuard> guard_;
  // Of --checkpoint: when it is written, and the state behind an epoch that was not worth it.
  struct Epoch {
    Bytes state;
    TrainingMemory memory;
  };
  CheckpointPace pace_;
  std::optional<Epoch> last_good_;
  // The last checkpoint that was written.
  struct Saved {
    std::string folder;
    std::int64_t epoch = 0;
  };
  std::optional<Saved> saved_;
};

Result<Compiled> compile(const TrainOptions& options, Console& console) {
  TARN_RETURN_IF_ERROR(files_of(options).check());
  TARN_TRY(ModelOptions chosen, model_options(options));
  Compiled compiled;
  TARN_TRY(compiled.start, read_start(options, chosen, console));
  if (const WeightsFile* const file = compiled.start.file()) set_constants(chosen, *file);
  if (options.epochs) chosen.overrides.push_back({"epochs", fmt::format("{}", *options.epochs)});
  if (options.batch) chosen.overrides.push_back({"batch", fmt::format("{}", *options.batch)});
  const TrainingDataRequest request = data_request(options);
  const std::string folder = std::filesystem::path(options.file).parent_path().string();
  // Asked when nothing but native code is missing.
  const auto functions = [&](const Program& program) {
    // Given weights are read before data, whose classes they know; and what cannot be written needs no data.
    if (program.trainable && options.weights.empty() && !options.resume &&
        results_can_be_written(options, program, folder, console.sources)) {
      compiled.data = start_reading(request, program, folder);
    }
    std::vector<std::string> names = {"init", "train", "report"};
    if (has_validation_data(request, program) || program.settings.validation_split > 0) names.emplace_back("evaluate");
    if (!options.report.empty() && may_have_classes(program)) names.emplace_back("predict");
    return names;
  };
  TARN_TRY(compiled.model, Model::compile_some(options.file, chosen, functions, console.sources));
  console.report(compiled.model->warnings());
  if (!compiled.model->program().trainable) return error(fmt::format("'{}' has no `train` block", options.file));
  if (compiled.start.checkpoint) find_changes(compiled.start, options, compiled.model->program(), chosen, console);
  return compiled;
}

// Whether a run adds so much to what there is when code is ready that the compiler's memory is better given back first.
// That is some 20 MiB; giving them back and reading again what is still needed of them takes half a millisecond.
bool needs_memory(const Model& model, const std::future<Result<TrainingData>>& data) {
  constexpr std::uint64_t kMuch = 2ULL << 20;
  const bool data_are_there = data.valid() && data.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  return !data_are_there || state_bytes(model.program()) + model.native().workspace_bytes() >= kMuch;
}

int train(const TrainOptions& options) {
  Console console(options);
  Result<Compiled> compiled = compile(options, console);
  if (!compiled) return console.report(compiled.error());
  const std::shared_ptr<Model> model = compiled->model;
  if (needs_memory(*model, compiled->data)) release_compiler_memory();
  Run run(options, console, std::move(*compiled));
  if (Status prepared = run.prepare(); !prepared) return console.report(prepared.error());
  announce(console, *model, run.threads());
  run.train();
  return run.finish();
}

}  // namespace

void add_train(CommandLine& line) {
  auto options = std::make_shared<TrainOptions>();
  Command command = line.command("train", "compile, train, and write the weights");
  add_model_options(command, *options);
  add_data_options(command, *options);
  command
      .option("-o,--output", &options->output,
              "weights to write (.safetensors or .npz); default: FILE with .safetensors")
      .names_a_file();
  command.option("--epochs", &options->epochs, "epochs, instead of the file's").at_least(0);
  command.option("--batch", &options->batch, "batch size, instead of the file's").at_least(1);
  command
      .option("--validation", &options->validation,
              "PATH or NAME=PATH: a file of validation data; may be repeated for arrays")
      .one_value_each()
      .names_a_file();
  CommandOption checkpoint = command.option(
      "--checkpoint", &options->checkpoint,
      "folder for checkpoints, made where it is missing: behind epochs, at most every 2 seconds, and at the end, "
      "however that comes");
  checkpoint.names_a_file();
  command.option("--every", &options->every, "write a checkpoint every N epochs instead").needs(checkpoint).at_least(1);
  command
      .option("--resume", &options->resume,
              "go on from the checkpoint in this folder (default: that of --checkpoint, else FILE with .checkpoint)")
      .value_may_be_missing();
  command.option("--history", &options->history, "CSV file for loss and metrics of every epoch").names_a_file();
  command
      .option("--report", &options->report,
              "HTML page with curves of loss and metrics and, of classes, what was taken for which")
      .names_a_file();
  command.option("--tensorboard", &options->tensorboard, "folder for event files of TensorBoard").names_a_file();
  command.runs([options] { return train(*options); });
}

}  // namespace tarn
